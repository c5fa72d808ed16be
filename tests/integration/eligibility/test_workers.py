"""Several processes answer on one port; one that dies is replaced, and all end together."""

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from eligibility.settings import ApiSettings
from loadtest import processes
from loadtest.embedded import Stores
from loadtest.processes import ServerDidNotStart, command_of, server
from tests.integration.eligibility.world import Authorities, api_settings

WORKERS = 2


@pytest.fixture
def environment(tmp_path: Path, authorities: Authorities, database: str, running_stores: Stores) -> dict[str, str]:
    settings = api_settings(tmp_path, authorities, database, running_stores.redis_url, workers=WORKERS)
    return {f"ELIGIBILITY_{name.upper()}": text for name, text in _told(settings).items()}


def _told(settings: ApiSettings) -> Mapping[str, str]:
    secret = {"database_url", "redis_url"}
    set_here = {name: value for name in ApiSettings.model_fields if (value := getattr(settings, name)) is not None}
    plain = {name: str(value) for name, value in set_here.items() if name not in secret}
    return plain | {name: getattr(settings, name).get_secret_value() for name in secret}


async def _health(url: str, folder: Path) -> int:
    context = ssl.create_default_context(cafile=folder / "server_authority.crt")
    async with httpx.AsyncClient(verify=context, timeout=60) as client:
        return (await client.get(f"{url}/health")).status_code


async def _children(pid: int, gone: int | None = None) -> list[psutil.Process]:
    while True:
        children = psutil.Process(pid).children()
        if len(children) == WORKERS and gone not in [child.pid for child in children]:
            return children
        await asyncio.sleep(0.05)


async def test_one_that_dies_is_replaced_and_the_others_answer_meanwhile(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with server("eligibility", ["api"], environment, tmp_path / "api.log") as api:
        before = await _children(api.pid)
        os.kill(before[0].pid, signal.SIGKILL)
        after = await _children(api.pid, gone=before[0].pid)
        assert {child.pid for child in before} & {child.pid for child in after} == {before[1].pid}
        assert [await _health(api.url, tmp_path) for _ in range(8)] == [200] * 8
    assert not [child for child in (*before, *after) if child.is_running()]


async def test_they_end_well_when_told_to(environment: dict[str, str], tmp_path: Path) -> None:
    with server("eligibility", ["api"], environment, tmp_path / "api.log") as api:
        process, children = psutil.Process(api.pid), await _children(api.pid)
        process.terminate()
        await asyncio.to_thread(psutil.wait_procs, children, 60)
        assert not [child for child in children if child.is_running()]


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGKILL])
async def test_each_leads_a_session_and_ends_with_the_one_that_started_it(
    environment: dict[str, str], tmp_path: Path, ending: signal.Signals
) -> None:
    with server("eligibility", ["api"], environment, tmp_path / "api.log") as api:
        children = await _children(api.pid)
        assert [os.getsid(child.pid) for child in children] == [child.pid for child in children]
        os.kill(api.pid, ending)
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 60)
        assert not alive


async def test_one_that_ignores_a_terminals_end_goes_on(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "command_of", lambda *told: ["nohup", *command_of(*told)])
    with server("eligibility", ["api"], environment, tmp_path / "api.log") as api:
        children = await _children(api.pid)
        for process in (psutil.Process(api.pid), *children):
            process.send_signal(signal.SIGHUP)
        assert [await _health(api.url, tmp_path) for _ in range(4)] == [200] * 4
        assert all(child.is_running() for child in children)


async def test_one_told_to_end_while_a_dead_one_is_replaced_ends(environment: dict[str, str], tmp_path: Path) -> None:
    with server("eligibility", ["api"], environment, tmp_path / "api.log") as api:
        process, before = psutil.Process(api.pid), await _children(api.pid)
        before[0].kill()
        await asyncio.to_thread(before[0].wait, 60)  # the one that started it waits a second before it starts another
        process.terminate()
        assert await asyncio.to_thread(process.wait, 60) == 0  # and so it has seen the end of all that it started
        assert not [child for child in before if child.is_running()]


def test_a_port_that_another_has_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = environment | {"ELIGIBILITY_PORT": str(other.getsockname()[1])}
        with pytest.raises(ServerDidNotStart, match="in use"), server("eligibility", ["api"], taken, tmp_path / "log"):
            pass


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("broken", "content", "said"),
    [
        ("ELIGIBILITY_CHALLENGE_KEY_FILE", None, "No such file"),
        ("ELIGIBILITY_TLS_KEY", None, "No such file"),
        ("ELIGIBILITY_TLS_KEY", "-----BEGIN PRIVATE KEY-----\nMIG", "PEM"),
    ],
)
def test_a_server_that_cannot_start_says_why(
    environment: dict[str, str], tmp_path: Path, workers: str, broken: str, content: str | None, said: str
) -> None:
    file = tmp_path / "broken"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    told: Any = environment | {broken: str(file), "ELIGIBILITY_WORKERS": workers}
    with pytest.raises(ServerDidNotStart, match=said), server("eligibility", ["api"], told, tmp_path / "log"):
        pass
