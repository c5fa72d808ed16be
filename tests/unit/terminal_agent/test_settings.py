"""Settings that are wrong end the start with their names; what is right is found wherever it may stand."""

import json
import os
from pathlib import Path

import pytest

from eligibility.domain.codes import ConsentClass
from terminal_agent.__main__ import main
from terminal_agent.face.settings import FaceSettings
from terminal_agent.settings import SettingsFileMalformed, TerminalSettings, centre_address

USAGE = 64


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TERMINAL_")]:
        monkeypatch.delenv(name)


def lines(folder: Path, *more: str) -> Path:
    """Write the settings of a terminal with an outbox as NAME=value lines; of a name stated twice the later counts."""
    file = folder / "terminal.env"
    parts = {
        "CENTRE_AUTHORITY": "ca",
        "CERTIFICATE": "pem",
        "KEY": "pem",
        "OUTBOX_FILE": "outbox",
        "OUTBOX_KEY_FILE": "key",
    }
    stated = [
        "TERMINAL_CENTRE_URL=https://centre.test",
        *(f"TERMINAL_{name}={folder / f}" for name, f in parts.items()),
    ]
    file.write_text("\n".join([*stated, *more, ""]))
    return file


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("TERMINAL_CENTRE_URL=https://centre.test:port", "TERMINAL_CENTRE_URL"),
        ("TERMINAL_CENTRE_URL=https://centre.test:95555", "TERMINAL_CENTRE_URL"),
        ("TERMINAL_CENTRE_URL=https://centre.test:0", "TERMINAL_CENTRE_URL"),
        ("TERMINAL_CENTRE_URL=https://", "TERMINAL_CENTRE_URL"),
        ("TERMINAL_CENTRE_URL=https://[::1", "TERMINAL_CENTRE_URL"),
        ("TERMINAL_CENTRE_URL=http://centre.test", "TERMINAL_CENTRE_URL"),
        ("TERMINAL_CENTRE_URL=centre.test", "TERMINAL_CENTRE_URL"),
        ("TERMINAL_CONSENTS_ASKED=medication,checkup", "TERMINAL_CONSENTS_ASKED"),
        ("TERMINAL_OUTBOX_FIEL=/tmp/outbox", "TERMINAL_OUTBOX_FIEL"),
        ("terminal_outbox_fiel=/tmp/outbox", "TERMINAL_OUTBOX_FIEL"),
        ("TERMINAL_READER=a\nTERMINAL_REDAER=b\nTERMINAL_PORT=1", "TERMINAL_PORT, TERMINAL_REDAER"),
    ],
)
def test_what_is_wrong_in_a_file_of_lines_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, named: str
) -> None:
    assert main(["doctor", "--settings", str(lines(tmp_path, line))]) == USAGE
    assert f"malformed: {named}." in said(capsys)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for unreadable in (tmp_path / "none", tmp_path, lines(tmp_path) / "below"):
        assert main(["doctor", "--settings", str(unreadable)]) == USAGE
        assert "The settings file cannot be read." in said(capsys)
    no_text = lines(tmp_path)
    no_text.write_bytes("TERMINAL_READER=リーダー\n".encode("cp932"))
    assert main(["doctor", "--settings", str(no_text)]) == USAGE
    assert "malformed: terminal.env." in said(capsys)


def test_a_list_of_the_environment_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = tmp_path / "terminal.toml"
    toml.write_text("centre_url = 'https://centre.test'\n")
    monkeypatch.setenv("TERMINAL_CONSENTS_ASKED", "medication")
    for file in (lines(tmp_path), toml):
        assert main(["doctor", "--settings", str(file)]) == USAGE
        assert "malformed: TERMINAL_CONSENTS_ASKED." in said(capsys)


@pytest.mark.parametrize("command", ["renew", "check", "bridge", "run", "bulk"])
def test_every_command_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    more = {"bulk": [str(tmp_path / "in.csv")]}.get(command, [])
    assert main([command, *more, "--settings", str(lines(tmp_path, "TERMINAL_REDAER=b"))]) == USAGE
    assert "TERMINAL_REDAER" in said(capsys)


@pytest.mark.parametrize(
    "address",
    [
        "http://centre.test",
        "https://centre.test:port",
        "https://centre.test:95555",
        "https://centre..test",
        "https://.centre.test",
        f"https://{'a' * 64}.test",
        "https://centre.test?a=1",
        "https://centre.test/#a",
        "https://user:word@centre.test",
    ],
)
def test_an_address_nobody_can_be_called_by_enrols_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    options = ["--authority", str(tmp_path / "ca"), "--folder", str(tmp_path / "t"), "--code", "x"]
    assert main(["enrol", "--centre", address, *options]) == USAGE
    assert "--centre" in said(capsys)
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    "address",
    ["https://centre.test.", "https://127.0.0.1:8443", "https://[::1]:8443", "https://日本.test", "https://c/"],
)
def test_an_address_that_can_be_called_is_taken(address: str) -> None:
    assert centre_address(address) == address


def test_names_of_others_and_of_the_face_may_stand_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERMINAL_EMULATOR", "of this desktop")
    more = 'TERMINAL_FACE_ENABLED=1\nPCSCLITE_CSOCK_NAME=/run/x\nTERMINAL_CONSENTS_ASKED=["checkup"]\nterminal_reader=b'
    file = lines(tmp_path, more)
    settings = TerminalSettings.load(file)
    assert (settings.consents_asked, settings.reader) == ((ConsentClass.CHECKUP,), "b")
    assert FaceSettings.load(file).enabled


def test_a_misspelt_name_of_the_face_is_left_to_face_mode(tmp_path: Path) -> None:
    file = lines(tmp_path, "TERMINAL_FACE_ENABELD=1")
    TerminalSettings.load(file)
    with pytest.raises(SettingsFileMalformed, match="TERMINAL_FACE_ENABELD"):
        FaceSettings.load(file)


@pytest.mark.parametrize("arguments", [["state", "--settings", ""], ["--settings", "", "state"]])
def test_the_outbox_takes_its_settings_before_and_behind_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    file = str(lines(tmp_path))
    assert main(["outbox", *(argument or file for argument in arguments)]) == 0
    assert json.loads(capsys.readouterr().out)["journalled"] == 0


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was told, in one line."""
    return " ".join(capsys.readouterr().err.split())
