"""`python -m terminal_agent bulk FILE.csv`: sends appointments, waits for their standing, writes it beside them."""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID, uuid4

from rich.console import Console as RichConsole
from rich.progress import Progress

from eligibility.wire.bulk import MAX_BULK_ITEMS, BulkItem, BulkRequest, BulkResult, BulkState
from terminal_agent.bulk.tables import read_items, write_results
from terminal_agent.client import Centre, CentreAway, CentreHungUp, Refused
from terminal_agent.language import Language

TRIES: Final = 6
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file of appointments came to."""

    results: tuple[BulkResult, ...]

    @property
    def changed(self) -> int:
        """How many differ from what this institution was last told."""
        return sum(result.changed for result in self.results)

    @property
    def problems(self) -> int:
        """How many have no outcome."""
        return sum(result.problem is not None for result in self.results)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", type=Path, help="CSV with a heading: item_id, insurer_number, symbol, number, …")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the results go (FILE.result.csv)")


def run(centre: Centre, file: Path, out: Path | None, day: date | None, language: Language) -> Checked:
    """Check every line of a file and write the results.

    Raises:
        FileUnusable: the file cannot be used.
        Refused, CentreError: the centre.
    """
    items = read_items(file)
    notes = RichConsole(stderr=True)
    with Progress(console=notes, disable=not notes.is_terminal) as progress:
        task = progress.add_task("", total=len(items))
        checked = check_all(centre, items, day, lambda done: progress.update(task, completed=done), time.sleep)
    write_results(out or file.with_suffix(".result.csv"), checked.results, language)
    return checked


def check_all(
    centre: Centre,
    items: Sequence[BulkItem],
    day: date | None,
    on_done: Callable[[int], None],
    wait: Callable[[float], None],
) -> Checked:
    """Check items in as many bulk checks as they need, one after the other; changed ones come first over all.

    Raises:
        Refused, CentreError: the centre refused, or stayed away for every try.
    """
    results: list[BulkResult] = []
    for part in _parts(items):
        before = len(results)
        key, request = uuid4(), BulkRequest(asked_for=day, items=part)
        receipt = _patiently(lambda: centre.start_bulk(request, key), wait)  # noqa: B023 (called at once)
        _wait_until_done(centre, receipt.bulk_id, lambda done: on_done(before + done), wait)  # noqa: B023 (the same)
        results += _patiently(lambda: centre.bulk_results(receipt.bulk_id), wait).results  # noqa: B023 (the same)
        on_done(len(results))
    return Checked(tuple(sorted(results, key=lambda result: not result.changed)))


def _wait_until_done(
    centre: Centre, bulk_id: UUID, on_done: Callable[[int], None], wait: Callable[[float], None]
) -> None:
    pause_s = FIRST_PAUSE_S
    while (status := _patiently(lambda: centre.bulk_status(bulk_id), wait)).state is not BulkState.DONE:
        on_done(status.done)
        wait(pause_s)
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)


def _patiently(ask: Callable[[], Said], wait: Callable[[float], None]) -> Said:
    """Ask again where the line is cut or the centre says when to; the key makes sure that one bulk check results."""
    pause_s = FIRST_PAUSE_S
    for _ in range(TRIES - 1):
        try:
            return ask()
        except (CentreAway, CentreHungUp):
            wait(pause_s)
        except Refused as refused:
            if refused.problem.retry_after_s is None:
                raise
            wait(float(refused.problem.retry_after_s))
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
    return ask()


def _parts(items: Sequence[BulkItem]) -> Iterator[tuple[BulkItem, ...]]:
    for first in range(0, len(items), MAX_BULK_ITEMS):
        yield tuple(items[first : first + MAX_BULK_ITEMS])
