"""An hour at the pace of a nation's busiest: `python -m loadtest.bench.hour`.

Verifications, number checks and readings are sent minute after minute at a set rate, every tenth minute beside an
insurer's merge and a bulk check, and the database's own housekeeping goes on as it is set up. At the end it is told
what each table has taken in, what its autovacuum did, and what is left for it to do; and what an answer computes in the
last sixth of the time beside the first.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from eligibility.storage.database import connect
from loadtest.driving.deck import make_deck
from loadtest.driving.plan import Operation, number_of_processes
from loadtest.figures import shares
from loadtest.processes import end_when_told
from loadtest.promises import promised, show_verdict
from loadtest.run import SIZES, Minute, Morning, open_filled
from loadtest.seed import SEED
from loadtest.site import Site, default_folder
from loadtest.verdict import Measured, judge

_SCENARIO: Final = "all_peaks"
_SIXTHS: Final = 6
# What calls for autovacuum is a threshold and a share of the rows, each of them the table's own or the server's; of
# added rows, a share of those on pages that are not frozen yet.
_TABLES: Final = """
with setting as (
    select t.oid, jsonb_object_agg(s.name, coalesce(o.option_value, s.setting)::float8) as of
    from pg_class t
    cross join pg_settings s
    left join lateral pg_options_to_table(t.reloptions) o on o.option_name = s.name
    where t.relkind = 'r' and t.relnamespace = 'public'::regnamespace and s.name in (
        'autovacuum_vacuum_threshold', 'autovacuum_vacuum_scale_factor',
        'autovacuum_vacuum_insert_threshold', 'autovacuum_vacuum_insert_scale_factor')
    group by t.oid
)
select u.relname as name, u.n_tup_ins as added, u.n_tup_upd + u.n_tup_del as changed, u.n_dead_tup as dead,
       u.n_ins_since_vacuum as unfrozen, u.autovacuum_count as vacuumed, u.total_autovacuum_time as vacuum_ms,
       pg_total_relation_size(u.relid) as bytes,
       u.n_dead_tup / ((s.of->>'autovacuum_vacuum_threshold')::float8
           + (s.of->>'autovacuum_vacuum_scale_factor')::float8 * greatest(c.reltuples, 0)) as dead_share,
       u.n_ins_since_vacuum / ((s.of->>'autovacuum_vacuum_insert_threshold')::float8
           + (s.of->>'autovacuum_vacuum_insert_scale_factor')::float8 * greatest(c.reltuples, 0)
           * (1 - coalesce(least(c.relallfrozen, c.relpages)::float8 / nullif(c.relpages, 0), 0))) as unfrozen_share
from pg_stat_user_tables u
join pg_class c on c.oid = u.relid
join setting s on s.oid = u.relid
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one table: rows and bytes of the hour, and what is left at its end."""

    name: str
    added: int
    changed: int
    grown_mib: float
    vacuumed: int
    vacuum_s: float
    dead: int
    unfrozen: int
    waiting: float  # of what calls for autovacuum, the share that waits for it; beyond 1 it is due


def kept(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[Kept]:
    """Return what became of each table that was written to, the one that grew most first."""
    made = []
    for name, now in after.items():
        then = before.get(name, {})
        added, changed, vacuumed, spent, grown = (
            now[column] - then.get(column, 0) for column in ("added", "changed", "vacuumed", "vacuum_ms", "bytes")
        )
        if added or changed:
            waiting = max(now["dead_share"], now["unfrozen_share"])
            made.append(
                Kept(name, added, changed, grown / 2**20, vacuumed, spent / 1000, now["dead"], now["unfrozen"], waiting)
            )
    return sorted(made, key=lambda table: -table.grown_mib)


def measured(minutes: Sequence[Minute], tables: Sequence[Kept]) -> tuple[Measured, ...]:
    """Return the figures that limits are about: the last sixth beside the first, and the table most in arrears."""
    sixth = len(minutes) // _SIXTHS
    first, last = (median(m.answer_us for m in some) for some in (minutes[:sixth], minutes[-sixth:]))
    everything = [outcome for m in minutes for outcome in m.outcomes]
    requests = sum(one.requests for one in everything)
    answers = {"growth_ratio": first / last} | shares(everything)
    arrears = {"waiting_ratio": max((table.waiting for table in tables), default=0.0)}
    return (
        Measured(_SCENARIO, "all", requests, answers),
        Measured(_SCENARIO, "autovacuum", len(tables), arrears),
        *(_beside(minutes, operation) for operation in ("merge", "bulk_check")),
    )


def _beside(minutes: Sequence[Minute], operation: str) -> Measured:
    ratios = [one.figures["error_ratio"] for m in minutes for one in m.beside if one.operation == operation]
    return Measured(_SCENARIO, operation, len(ratios), {"error_ratio": sum(ratios) / max(len(ratios), 1)})


async def _tables(site: Site) -> dict[str, Mapping[str, Any]]:
    connection = await connect(site.database)
    try:
        return {row["name"]: dict(row) for row in await connection.fetch(_TABLES)}
    finally:
        await connection.close()


def _show_minute(screen: Console, number: int, minute: Minute) -> None:
    told = "  ".join(
        f"{o.operation} {o.rate:,.0f}/s p50 {o.percentile(50):.0f} p99 {o.percentile(99):.0f} ms"
        f" {o.shed:,} shed {o.errors:,} errors"
        for o in minute.outcomes
    )
    beside = "  ".join(f"{one.operation} {one.figures['seconds']:.1f} s" for one in minute.beside)
    screen.print(f"{number:>3}  {minute.answer_us:,.0f} µs  {told}  {beside}".rstrip())


def _show_tables(screen: Console, tables: Sequence[Kept]) -> None:
    shown = Table("table", title="housekeeping", title_justify="left")
    for head in ("added", "changed", "MiB", "vacuumed", "in s", "dead now", "not frozen", "waiting"):
        shown.add_column(head, justify="right")
    for t in tables:
        shown.add_row(
            t.name, f"{t.added:,}", f"{t.changed:,}", f"{t.grown_mib:,.0f}", f"{t.vacuumed}", f"{t.vacuum_s:,.1f}",
            f"{t.dead:,}", f"{t.unfrozen:,}", f"{t.waiting:.2f}",
        )  # fmt: skip
    screen.print(shown)


def main(arguments: Sequence[str] | None = None) -> int:
    """Send for an hour; return 1 when a limit does not hold."""
    end_when_told()
    parser = ArgumentParser(prog="python -m loadtest.bench.hour", description=__doc__)
    parser.add_argument(
        "--size", choices=sorted(SIZES), default="full", help="small: six short windows, no time is judged"
    )
    parser.add_argument("--persons", type=int, help="the site's persons (default: 1,000,000)")
    parser.add_argument("--minutes", type=int, help="so many windows of a minute (default: 60)")
    parser.add_argument("--share", type=float, default=1.0, help="of the rates of all peaks (default: 1)")
    chosen = parser.parse_args(arguments)
    minutes_wanted = chosen.minutes or {"full": 60, "small": _SIXTHS}[chosen.size]
    if minutes_wanted < _SIXTHS:
        parser.error(f"a first and a last sixth need at least {_SIXTHS} minutes")
    screen = Console(highlight=False, soft_wrap=True)
    size = SIZES[chosen.size]
    size = replace(size, persons=chosen.persons or size.persons)
    rates: dict[Operation, float] = {o: rate * chosen.share for o, rate in size.parallel.items()}
    minutes: list[Minute] = []
    with open_filled(default_folder(size.persons), size.persons, screen) as site:
        deck = asyncio.run(make_deck(site, SEED, size.persons, size.cards))
        before = asyncio.run(_tables(site))
        for minute in Morning(site, size, deck, screen, workers=number_of_processes()).minutes(rates, minutes_wanted):
            minutes.append(minute)
            _show_minute(screen, len(minutes), minute)
        tables = kept(before, asyncio.run(_tables(site)))
    _show_tables(screen, tables)
    verdict = judge(promised({"full": "hour", "small": "hour_small"}[chosen.size]), measured(minutes, tables))
    show_verdict(screen, verdict)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
