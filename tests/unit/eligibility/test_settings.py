"""What a process is told at its start is refused by name, and what is secret in it is not repeated."""

import pytest

from eligibility.__main__ import main as centre_command
from payer_sync.__main__ import main as payer_command

API = dict.fromkeys(
    (
        "DATABASE_URL", "TLS_CERTIFICATE", "TLS_KEY", "TERMINAL_AUTHORITIES", "CARD_AUTHORITIES", "REVOCATION_FOLDER",
        "CHALLENGE_KEY_FILE", "RECEIPT_KEY_FILE",
    ),
    "x",
)  # fmt: skip
INTAKE = dict.fromkeys(("DATABASE_URL", "SPOOL_FOLDER", "TLS_CERTIFICATE", "TLS_KEY", "INSURER_AUTHORITIES"), "x")


def _tell(monkeypatch: pytest.MonkeyPatch, prefix: str, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"{prefix}_{name}", value)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "redis://",
        "redis://:can#ary9@localhost:6379/0",
        "redis://:can/ary9@localhost:6379/0",
        "redis://:can?ary9@localhost:6379/0",
        "redis://:6379#canary@localhost/0",  # else taken for the port of another server
        "unix://",
    ],
)
def test_an_address_that_is_no_redis_is_refused_and_not_repeated(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _tell(monkeypatch, "ELIGIBILITY", API | {"REDIS_URL": address})
    assert centre_command(["api"]) == 3
    said = capsys.readouterr().err
    assert "  ELIGIBILITY_REDIS_URL: " in said
    assert "can" not in said
    assert "ary" not in said


@pytest.mark.parametrize("given", ["CERTIFICATE", "KEY"])
def test_half_a_terminal_authority_is_refused(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _tell(monkeypatch, "ELIGIBILITY", API | {f"TERMINAL_AUTHORITY_{given}": "x"})
    assert centre_command(["api"]) == 3
    assert "  ELIGIBILITY_TERMINAL_AUTHORITY_KEY: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["api", "worker", "migrate"])
def test_a_process_of_the_centre_refuses_an_empty_database_address(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _tell(monkeypatch, "ELIGIBILITY", API | {"DATABASE_URL": ""})
    assert centre_command([command]) == 3
    assert "  ELIGIBILITY_DATABASE_URL: " in capsys.readouterr().err


def test_the_intake_refuses_an_empty_database_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _tell(monkeypatch, "INTAKE", INTAKE | {"DATABASE_URL": ""})
    assert payer_command(["intake"]) == 3
    assert "  INTAKE_DATABASE_URL: " in capsys.readouterr().err
