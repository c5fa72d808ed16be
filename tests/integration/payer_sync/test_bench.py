"""The bench of the insurers' push runs, at a small size, what it measures at the full one."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loadtest.bench import sync
from loadtest.bench.figures import FULL_SIZE, Figure, show_figures
from loadtest.bench.files import Sent, write_first
from loadtest.bench.intake import WrongOutcome, verify
from loadtest.population import Nation

pytestmark = pytest.mark.database


def test_every_figure_is_measured_and_every_merge_verified() -> None:
    said = io.StringIO()

    bench = sync.run(5_000, Console(file=said, width=160))

    assert set(bench.figures) == set(Figure)
    assert all(measured > 0 for measured in bench.figures.values())
    assert bench.figures[Figure.GUARD_RECALL] >= Figure.GUARD_RECALL.limit
    assert bench.figures[Figure.GUARD_PRECISION] >= Figure.GUARD_PRECISION.limit


async def test_a_merge_that_came_to_something_else_is_found(take_in: Any, database: str, tmp_path: Path) -> None:
    nation = Nation.make(1_000, seed=3, today=date(2026, 11, 21), insurers=1)
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


def test_a_figure_that_was_not_measured_or_misses_its_target_is_missed() -> None:
    good = {figure: figure.limit for figure in Figure}
    screen = Console(file=io.StringIO())

    assert show_figures(screen, good) == []
    for figure in Figure:
        worse = figure.limit * (1.01 if figure.at_most else 0.99)
        assert show_figures(screen, good | {figure: worse}) == [figure]
        assert show_figures(screen, {f: v for f, v in good.items() if f is not figure}) == [figure]


@pytest.mark.parametrize("size", ["", "0", "999", "-5000", "many", "5e6", "1.5"])
def test_a_size_that_is_none_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        sync.main([f"--size={size}"])

    assert "at least 1000 persons" in capsys.readouterr().err


@pytest.mark.parametrize(("size", "persons"), [("small", 100_000), ("full", FULL_SIZE), ("500000", 500_000)])
def test_sizes_have_names_or_are_numbers(size: str, persons: int) -> None:
    assert sync.read_size(size) == persons
