import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from terminal_agent.bridge import probe as probing
from terminal_agent.bridge.errors import (
    BridgeError,
    FolderMissing,
    FolderSilent,
    FolderUnusable,
    NotRunning,
    RestPortTaken,
    SecretUnusable,
)
from terminal_agent.bridge.probe import ShareLook, look_at, probe
from terminal_agent.bridge.service import Bridge
from terminal_agent.settings import TerminalSettings
from tests.unit.terminal_agent.bridge.conftest import Desk


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_PATIENCE_S", 60.0)


def _settings(**bridge: Path | int) -> TerminalSettings:
    some = Path("somewhere")
    return TerminalSettings(
        centre_url="https://127.0.0.1:9", centre_authority=some, certificate=some, key=some, **bridge
    )


def _listening() -> tuple[socket.socket, int]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening, int(listening.getsockname()[1])


@contextmanager
def _another_program() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b"who are you?")

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def test_nothing_set_is_nothing_wrong_and_a_folder_that_can_be_written_keeps_no_trace(tmp_path: Path) -> None:
    probe(_settings())
    probe(_settings(bridge_folder=tmp_path))
    for part in ("req", "res", "face", "err", ".bridge"):
        (tmp_path / part).mkdir()
    probe(_settings(bridge_folder=tmp_path, bridge_port=0))
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_the_bridge_that_answers_is_known_by_its_answer(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal_agent.bridge.probe._PATIENCE_S", 60.0)
    bridge = Bridge(_settings(bridge_port=0, bridge_token=tmp_path / "rest.token"), desk.responder)
    with bridge.running():
        assert bridge.port is not None
        probe(_settings(bridge_port=bridge.port))


@pytest.mark.parametrize("secret", ["rest.token", "bridge.key"])
def test_a_damaged_secret_is_said_and_one_that_is_not_there_is_not_made(tmp_path: Path, secret: str) -> None:
    settings = _settings(bridge_state=tmp_path, bridge_port=0)
    (tmp_path / secret).touch(mode=0o600)
    probe(settings)
    assert [(file.name, file.stat().st_size) for file in tmp_path.iterdir()] == [(secret, 0)]
    (tmp_path / secret).write_text("damaged")
    with pytest.raises(SecretUnusable):
        probe(settings)


@pytest.mark.parametrize(
    ("broken", "error"), [("missing", FolderMissing), ("a_file", FolderMissing), ("part_a_file", FolderUnusable)]
)
def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path, broken: str, error: type[BridgeError]) -> None:
    root = tmp_path / "shared"
    if broken == "a_file":
        root.touch()
    elif broken == "part_a_file":
        root.mkdir()
        (root / "res").touch()
    with pytest.raises(error):
        probe(_settings(bridge_folder=root))


@pytest.mark.parametrize("part", ["req", "res", "face", "err", ".bridge"])
def test_no_part_may_be_missing_while_the_folder_is_served(tmp_path: Path, part: str) -> None:
    for name in {"req", "res", "face", "err", ".bridge"} - {part}:
        (tmp_path / name).mkdir()
    probe(_settings(bridge_folder=tmp_path))
    with pytest.raises(FolderMissing):
        probe(_settings(bridge_folder=tmp_path), look_at(tmp_path, served=True))


def test_a_share_that_does_not_answer_is_looked_at_once_and_its_answer_is_told_when_it_comes() -> None:
    looks: list[None] = []
    answers = threading.Event()

    def look() -> None:
        looks.append(None)
        assert answers.wait(60)
        raise FolderMissing

    share = ShareLook(look, patience_s=0.01)
    for _ in range(3):
        with pytest.raises(FolderSilent):
            probe(_settings(bridge_folder=Path("share")), share)
    assert len(looks) == 1
    answers.set()
    with pytest.raises(FolderMissing):
        ShareLook(look, patience_s=60)()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "req").mkdir(mode=0o500)
    with pytest.raises(FolderUnusable):
        probe(_settings(bridge_folder=tmp_path))


def test_a_port_where_nobody_listens_is_said() -> None:
    listening, port = _listening()
    with closing(listening), pytest.raises(NotRunning):
        probe(_settings(bridge_port=port))


def test_another_program_on_the_port_is_said() -> None:
    with _another_program() as port, pytest.raises(RestPortTaken):
        probe(_settings(bridge_port=port))


def test_a_program_that_speaks_no_http_is_another() -> None:
    listening, port = _listening()
    listening.listen()

    def hang_up() -> None:
        for _ in range(2):
            listening.accept()[0].close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with closing(listening), pytest.raises(RestPortTaken):
        probe(_settings(bridge_port=port))
    thread.join()
