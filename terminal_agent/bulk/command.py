"""`python -m terminal_agent bulk FILE.csv`: sends appointments, waits for their standing, writes it beside them."""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from rich.console import Console as RichConsole
from rich.progress import Progress

from eligibility.domain.dates import day_in_japan
from eligibility.wire.bulk import MAX_BULK_ITEMS, BulkItem, BulkRequest, BulkResult, BulkState
from eligibility.wire.problems import Sentence
from terminal_agent.bulk.begun import Begun
from terminal_agent.bulk.tables import read_items, write_results
from terminal_agent.client import Centre, CentreAway, CentreHungUp, Refused
from terminal_agent.language import Language, in_language

TRIES: Final = 6
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
TAKEN_UP: Final = Sentence(
    ja="途中で終わった前回の照会の続きです。結果は前回始めた時点のものです。",
    en="An earlier run is taken up where it ended. The results are of the time when it began.",
)
ANEW: Final = Sentence(
    ja="前回の照会の結果はセンターに残っていないため、改めて照会します。前回すでに伝えられた変更には印が付きません。",
    en="The centre no longer has the earlier run's results, so it is asked anew. Changes told then are not marked.",
)
_GONE: Final = frozenset({404, 410})
_KEY_REUSED: Final = "idempotency_key_reused"  # of a request that another version of this program wrote otherwise
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
    """Check every line of a file and write the results; what an earlier run of them began is taken up.

    Raises:
        FileUnusable: the file cannot be used, or the result cannot be written.
        Refused, CentreError: the centre.
    """
    items = read_items(file)
    result = out or file.with_suffix(".result.csv")
    begun = Begun.beside(result, items, day, day_in_japan(datetime.now(UTC)))
    notes = RichConsole(stderr=True)
    if begun.holds(0):
        notes.print(in_language(TAKEN_UP, language))
    with Progress(console=notes, disable=not notes.is_terminal) as progress:
        task = progress.add_task("", total=len(items))
        checked = check_all(
            centre, items, day, begun, lambda done: progress.update(task, completed=done),
            lambda: notes.print(in_language(ANEW, language)), time.sleep,
        )  # fmt: skip
    write_results(result, checked.results, language)
    begun.over()
    return checked


def check_all(
    centre: Centre,
    items: Sequence[BulkItem],
    day: date | None,
    begun: Begun,
    on_done: Callable[[int], None],
    on_anew: Callable[[], None],
    wait: Callable[[float], None],
) -> Checked:
    """Check items in as many bulk checks as they need, one after the other; changed ones come first over all.

    Raises:
        FileUnusable: what is begun cannot be written down.
        Refused, CentreError: the centre refused, or stayed away for every try.
    """
    results: list[BulkResult] = []
    for place, part in enumerate(_parts(items)):
        before, taken_up = len(results), begun.holds(place)
        request = BulkRequest(asked_for=day, items=part)
        try:
            told = _check(centre, request, begun, place, lambda done: on_done(before + done), wait)  # noqa: B023 (called at once)
        except Refused as refused:
            if not taken_up or not _is_gone(refused):
                raise
            on_anew()
            begun.anew(place)
            told = _check(centre, request, begun, place, lambda done: on_done(before + done), wait)  # noqa: B023 (the same)
        results += told
        on_done(len(results))
    return Checked(tuple(sorted(results, key=lambda result: not result.changed)))


def _check(
    centre: Centre,
    request: BulkRequest,
    begun: Begun,
    place: int,
    on_done: Callable[[int], None],
    wait: Callable[[float], None],
) -> tuple[BulkResult, ...]:
    bulk_id = begun.bulk_id(place)
    if bulk_id is None:
        key = begun.key(place)
        bulk_id = _patiently(lambda: centre.start_bulk(request, key), wait).bulk_id
        begun.accepted(place, bulk_id)
    _wait_until_done(centre, bulk_id, on_done, wait)
    return _patiently(lambda: centre.bulk_results(bulk_id), wait).results


def _is_gone(refused: Refused) -> bool:
    return refused.problem.status in _GONE or refused.problem.code == _KEY_REUSED


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
