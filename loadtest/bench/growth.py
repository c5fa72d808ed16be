"""Measures whether a verification costs the same with more behind it: `python -m loadtest.bench.growth`.

Two nations are served side by side, the large one with stored verifications and their audit events, spread over the
present month. Verifications and number checks are sent as fast as they are answered, to one and the other by turns.
Only some thousand persons show a card; number checks are about persons of the whole nation, so that the rows looked up
are the nation's; each has been asked about once before. The sites of both sizes can be filled before by `python -m
loadtest seed`; the computing per answer is shown beside the rate, because it hardly depends on what else the machine
does.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import Progress

from eligibility.storage.clearing import prepare_partitions
from eligibility.storage.database import connect
from loadtest import run
from loadtest.driving.deck import make_deck
from loadtest.driving.plan import Operation, number_of_processes
from loadtest.figures import shares
from loadtest.processes import end_when_told
from loadtest.promises import promised, show_verdict
from loadtest.run import Flood, Morning, by_turns, open_filled
from loadtest.seed import SEED
from loadtest.site import default_folder
from loadtest.verdict import Measured, judge

_SCENARIO: Final = "at_once"
_OPERATIONS: Final = (Operation.VERIFICATION, Operation.NUMBER_VERIFICATION)
_CHUNK: Final = 250_000
Floods = Mapping[Operation, Flood]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is beside how little, and by which limits that is judged."""

    persons: int
    more_persons: int
    stored: int  # verifications, beside the many
    numbers: int  # persons asked about by number
    rounds: int
    driven: str  # the size of run whose windows and cards these are
    limits: str


SIZES: Final = {
    # Of the persons asked about the pages are more than PostgreSQL holds itself, and less than the machine does.
    "full": Size(1_000_000, 10_000_000, 50_000_000, 50_000, 8, "full", "growth"),
    "small": Size(2_000, 20_000, 100_000, 500, 1, "small", "growth_small"),
}
# Months are those of UTC, as the partitions are, into the present one of which the answers under test are written.
_STORED: Final = (
    "select count(*) from verification where verification_id >= first_uuid7(date_trunc('month', now(), 'UTC'))"
)
# Identifiers of version 7 in the order of time, as the application makes them, over the month up to now.
_STORE: Final = """
with month as (
    select date_trunc('month', now(), 'UTC') as start
), made as (
    select n, start + (now() - start) * (n::float8 / $3) as at
    from month, generate_series($1::bigint, $2::bigint - 1) n
), identified as (
    select n, at, overlay(
        overlay(first_uuid7(at)::text placing right(gen_random_uuid()::text, 21) from 16) placing '7' from 15
    )::uuid as id
    from made
), verified as (
    insert into verification (verification_id, occurred_at, institution_code, terminal_id, method, asked_for, known_at,
                              outcome, person_id, coverage_id)
    select id, at, '1310000001', '00000000-0000-4000-8000-000000000000', 'pin', at::date, at, 'valid',
           1 + n * 7919 % $4, n
    from identified
)
insert into audit_event (event_id, occurred_at, kind, code, actor_kind, actor, institution_code, person_id,
                         verification_id)
select id, at, 'verification', 'valid', 'terminal', 'growth', '1310000001', 1 + n * 7919 % $4, id from identified
"""


async def store(database: str, verifications: int, persons: int, screen: Console) -> None:
    """Add stored verifications and their events until there are so many of the present month; others stay beside."""
    connection = await connect(database, command_timeout_s=None)
    try:
        await prepare_partitions(connection, datetime.now(UTC))
        stored = int(await connection.fetchval(_STORED))
        with Progress(console=screen) as progress:
            task = progress.add_task("stored", total=verifications, completed=stored)
            for start in range(stored, verifications, _CHUNK):
                stop = min(start + _CHUNK, verifications)
                await connection.execute(_STORE, start, stop, verifications, persons)
                progress.update(task, completed=stop)
        await connection.execute("vacuum (analyze) verification, audit_event")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


@contextmanager
def flooded(size: Size, persons: int, stored: int | None, screen: Console) -> Iterator[Callable[[], Floods]]:
    """Serve so many persons; what is given measures each operation once, and says what it came to."""
    driven = replace(run.SIZES[size.driven], persons=persons)
    with open_filled(default_folder(persons), persons, screen) as site:
        if stored is not None:
            asyncio.run(store(site.database, stored, persons, screen))
        deck = asyncio.run(make_deck(site, SEED, persons, driven.cards, size.numbers))
        with Morning(site, driven, deck, screen, workers=number_of_processes()).flooding(size.numbers) as flood:

            def measure() -> Floods:
                made = {operation: flood(operation) for operation in _OPERATIONS}
                for operation, one in made.items():
                    screen.print(
                        f"{persons:>12,} persons  {stored or 0:>12,} stored  {operation:<20} "
                        f"{one.outcome.rate:>7,.0f}/s  p99 {one.outcome.percentile(99):,.0f} ms  "
                        f"{_each_us([one]):,.0f} µs each"
                    )
                return made

            yield measure


def measured(few: Sequence[Floods], many: Sequence[Floods]) -> list[Measured]:
    """Return the figures that limits are about: the many beside the few, and whether either left one unanswered."""
    made = []
    for operation in _OPERATIONS:
        less, more = ([turn[operation] for turn in turns] for turns in (few, many))
        everything = [flood.outcome for flood in (*less, *more)]
        compared = {"growth_ratio": _rate(more) / _rate(less), "slowdown_ratio": _p99_ms(more) / _p99_ms(less)}
        requests = sum(one.requests for one in everything)
        made.append(Measured(_SCENARIO, operation.value, requests, compared | shares(everything)))
    return made


def _rate(turns: Sequence[Flood]) -> float:
    return sum(flood.outcome.rate for flood in turns)


def _p99_ms(turns: Sequence[Flood]) -> float:
    latency_ms = np.concatenate([flood.outcome.latency_ms for flood in turns])
    return float(np.percentile(latency_ms, 99)) if len(latency_ms) else float("nan")


def _each_us(turns: Sequence[Flood]) -> float:
    return sum(f.computed_s for f in turns) / max(sum(f.outcome.answered for f in turns), 1) * 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure few and many by turns; return 1 when many are slower than the limit allows."""
    end_when_told()
    parser = ArgumentParser(prog="python -m loadtest.bench.growth", description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="full", help="small: no time is judged")
    parser.add_argument("--persons", type=int, help="few persons (default: 1,000,000)")
    parser.add_argument("--more-persons", type=int, help="many (default: 10,000,000)")
    parser.add_argument("--stored", type=int, help="verifications stored beside the many (default: 50,000,000)")
    parser.add_argument("--rounds", type=int, help="few and many by turns so often (default: 8)")
    chosen = parser.parse_args(arguments)
    stated = {name: value for name, value in vars(chosen).items() if name != "size" and value is not None}
    size = replace(SIZES[chosen.size], **stated)
    screen = Console(highlight=False, soft_wrap=True)
    few: list[Floods] = []
    many: list[Floods] = []
    with (
        flooded(size, size.persons, None, screen) as measure_few,
        flooded(size, size.more_persons, size.stored, screen) as measure_many,
    ):
        turns = ((few, measure_few), (many, measure_many))
        for made, measure in by_turns(turns, size.rounds):
            made.append(measure())
    for operation in _OPERATIONS:
        ratio = _each_us([turn[operation] for turn in few]) / _each_us([turn[operation] for turn in many])
        screen.print(f"{operation}: many beside few {ratio:.2f} by computing")
    verdict = judge(promised(size.limits), measured(few, many))
    show_verdict(screen, verdict)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
