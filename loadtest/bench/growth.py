"""Measures whether a verification costs the same with more behind it: `python -m loadtest.bench.growth`.

A site of persons is given stored verifications and their audit events, spread over the present month, then
verifications are sent as fast as they are answered: few stored and many stored. The sites of both sizes of nation can
be filled before by `python -m loadtest seed`; the computing per verification is shown beside the rate, because it
hardly depends on what else the machine does.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from rich.console import Console
from rich.progress import Progress

from eligibility.storage.database import connect
from loadtest.driving.deck import make_deck
from loadtest.processes import end_when_told
from loadtest.promises import promised, show_verdict
from loadtest.run import SIZES, Morning
from loadtest.seed import SEED, seed
from loadtest.site import Site, default_folder, open_site
from loadtest.verdict import Measured, judge

_SIZE: Final = "growth"
_CHUNK: Final = 250_000
# Identifiers of version 7 in the order of time, as the application makes them, over the month up to now.
_STORE: Final = """
with made as (
    select n, date_trunc('month', now()) + (now() - date_trunc('month', now())) * (n::float8 / $3) as at
    from generate_series($1::bigint, $2::bigint - 1) n
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


async def store(site: Site, verifications: int, persons: int, screen: Console) -> None:
    """Add stored verifications and their events until there are so many."""
    connection = await connect(site.database, command_timeout_s=None)
    try:
        stored = int(await connection.fetchval("select count(*) from verification"))
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


def measure(persons: int, stored: int | None, screen: Console) -> tuple[float, float]:
    """Return the rate of verifications at a size, and what each computes, in µs."""
    size = replace(SIZES["full"], persons=persons)
    with ExitStack() as stack:
        site = stack.enter_context(open_site(default_folder(persons)))
        asyncio.run(seed(site, persons, SEED, screen))
        if stored is not None:
            asyncio.run(store(site, stored, persons, screen))
        deck = asyncio.run(make_deck(site, SEED, persons, size.cards))
        made, each_us = Morning(site, size, deck, screen, workers=2).verifications_at_once()
    screen.print(f"{persons:>12,} persons  {stored or 0:>12,} stored  {made.rate:>7,.0f}/s  {each_us:,.0f} µs each")
    return made.rate, each_us


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure few and many by turns; return 1 when many are slower than the limit allows."""
    end_when_told()
    parser = ArgumentParser(prog="python -m loadtest.bench.growth", description=__doc__)
    parser.add_argument("--persons", type=int, default=1_000_000, help="few persons (default: 1,000,000)")
    parser.add_argument("--more-persons", type=int, default=10_000_000, help="many (default: 10,000,000)")
    parser.add_argument("--stored", type=int, default=50_000_000, help="verifications stored beside the many")
    parser.add_argument("--rounds", type=int, default=2, help="few and many by turns so often")
    chosen = parser.parse_args(arguments)
    screen = Console(highlight=False, soft_wrap=True)
    few, many = [], []
    for _ in range(chosen.rounds):
        few.append(measure(chosen.persons, None, screen))
        many.append(measure(chosen.more_persons, chosen.stored, screen))
    rate = sum(r for r, _ in many) / sum(r for r, _ in few)
    computed = sum(c for _, c in few) / sum(c for _, c in many)
    verdict = judge(promised(_SIZE), [Measured("at_once", "verification", chosen.rounds, {"growth_ratio": rate})])
    screen.print(f"many beside few: {rate:.2f} by rate, {computed:.2f} by computing")
    show_verdict(screen, verdict)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
