"""`outbox drain` as a person at a command line runs it, while nobody answers at the centre's address."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from terminal_agent.__main__ import ExitCode, main
from terminal_agent.messages import ADVICE
from terminal_agent.outbox import draining
from terminal_agent.outbox.journal import InsuredPerson, Journal
from terminal_agent.outbox.sealing import Seal
from terminal_agent.settings import TerminalSettings

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)
ONE = {"journalled": 1, "settling": 0, "settled": 0, "needs_staff": 0}


@pytest.fixture
def command(settings: TerminalSettings, tmp_path: Path) -> list[str]:
    file = tmp_path / "terminal.env"
    kept = {"outbox_file": tmp_path / "outbox.db", "outbox_key_file": tmp_path / "outbox.key"}
    stated = settings.model_copy(update=kept).model_dump(mode="json", exclude_defaults=True)
    file.write_text("".join(f"TERMINAL_{name.upper()}={value}\n" for name, value in stated.items()))
    return ["outbox", "--settings", str(file), "drain"]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "outbox.db", Seal.from_file(tmp_path / "outbox.key"))) as made:
        made.add(InsuredPerson("06130512", "12", "345", "01", date(1980, 1, 1)), DAY, NOW)
        yield made


def test_a_line_that_stays_away_is_said_and_ends_it_with_all_visits_kept(
    command: list[str], journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "MOST_FAILURES", 2)
    assert main(command) == ExitCode.CENTRE
    said = capsys.readouterr()
    assert json.loads(said.out) == ONE
    words = " ".join(said.err.split())
    assert words.count(ADVICE["centre_away"].happened.en) == 2
    assert words.count("The visits are kept. Trying again in") == 1
    assert ADVICE["centre_away"].next_step.en in words


def test_beside_a_counter_that_settles_them_it_says_so_and_takes_nothing(
    command: list[str], journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with journal.settled_by_one():
        assert main(command) == ExitCode.USAGE
    said = capsys.readouterr()
    assert json.loads(said.out) == ONE
    assert ADVICE["outbox_being_settled"].happened.en in " ".join(said.err.split())
