"""The bench of the insurers' push runs, at a small size, what it measures at the full one."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loadtest.bench import guard, sync
from loadtest.bench.counters import CountersEnded, counters
from loadtest.bench.files import Sent, write_first
from loadtest.bench.intake import WrongOutcome, verify
from loadtest.population import Nation
from loadtest.promises import promised
from loadtest.verdict import judge

pytestmark = pytest.mark.database
TODAY = date(2026, 11, 21)


def test_every_figure_is_measured_and_every_merge_verified() -> None:
    said = io.StringIO()

    bench = sync.run(5_000, Console(file=said, width=160), TODAY)

    figures = {(m.scenario, m.operation, figure): value for m in bench.measured for figure, value in m.figures.items()}
    assert figures.keys() == {(limit.scenario, limit.operation, limit.figure) for limit in sync.limits()}
    assert all(value > 0 for value in figures.values())
    assert judge(promised(guard.SIZE), [m for m in bench.measured if m.scenario == "mislinks"]).passed


async def test_a_merge_that_came_to_something_else_is_found(take_in: Any, database: str, tmp_path: Path) -> None:
    nation = Nation.make(1_000, seed=3, today=TODAY, insurers=1)
    sent = write_first(nation, tmp_path / "file.csv", "33120015")
    loaded = await take_in(sent.path, insurer=sent.insurer)

    await verify(database, loaded.submission, sent)

    assert (sent.records, sent.refused) == (1_000, 1)
    for wrong in _wrong(sent):
        with pytest.raises(WrongOutcome):
            await verify(database, loaded.submission, wrong)


def _wrong(sent: Sent) -> list[Sent]:
    return [
        replace(sent, records=sent.records + 1),
        replace(sent, refused=0),
        replace(sent, added=sent.added - 1),
        replace(sent, certificates=sent.certificates + 1),
    ]


def test_counters_that_cannot_ask_say_so(capfd: pytest.CaptureFixture[str]) -> None:
    nobody_listens = "postgresql://nobody@127.0.0.1:9/nowhere"
    with pytest.raises(CountersEnded), counters(nobody_listens, [["06130512", "12", "345", "01", "1980-01-01"]]):
        pass
    assert "ConnectionRefusedError" in capfd.readouterr().err


@pytest.mark.parametrize("size", ["", "0", "999", "-5000", "many", "5e6", "1.5"])
def test_a_size_that_is_none_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        sync.main([f"--size={size}"])

    assert "at least 1000 persons" in capsys.readouterr().err


@pytest.mark.parametrize(("size", "persons"), [("small", 100_000), ("full", sync.FULL_SIZE), ("500000", 500_000)])
def test_sizes_have_names_or_are_numbers(size: str, persons: int) -> None:
    assert sync.read_size(size) == persons
