"""Fills a site with a nation: insurers, persons, coverages, certificates, cards, some medicines and check-ups, by COPY.

Insurers' records are checked and brought into their normal forms by the intake's own contract, then copied straight
into the register. Each step is one transaction that can be seen to be done, so that a run that was stopped goes on.
"""

import asyncio
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_institution, enrol_insurer, enrol_terminal
from eligibility.storage.migrate import migrate
from loadtest.nation.checkups import measured
from loadtest.nation.draws import Ints
from loadtest.population import Institution, Insurer, Nation
from loadtest.processes import end_when_told
from loadtest.site import Site, card_serials, default_folder, is_written, make_database, open_site, terminal_id
from payer_sync.contract import check
from payer_sync.copying import copy_bytes, copy_rows
from payer_sync.feedback import FAULT_SCHEMA
from payer_sync.layouts.register import find_layout
from payer_sync.reading import Batch

PERSONS: Final = 1_000_000
SEED: Final = 20261121
INSTITUTIONS: Final = 1_000
TERMINALS: Final = 256
MEDICATED_EVERY: Final = 20  # one person in so many has medicines, and check-ups
_KNOWN_FROM: Final = datetime(2026, 4, 1, tzinfo=UTC)
_NOBODY: Final = UUID(int=0)  # the submission that nobody sent
_CHUNK: Final = 1 << 17
_COPY_TIMEOUT_S: Final = 3600.0
_NEVER_VACUUMED: Final = "select relallfrozen = 0 from pg_class where oid = 'card'::regclass"
_CHECKUP_DAYS: Final = (date(2023, 6, 12), date(2024, 6, 10), date(2025, 6, 9), date(2026, 6, 8))
_FINDABLE: Final = """
insert into stated_holder (holder_hash, person_id)
select holder_hash(name_key, birth_date), person_id from coverage where insurer_number = $1 order by 1
"""
_DRUGS: Final = (
    ("620098801", "アムロジピン錠５ｍｇ", "錠"),
    ("620004625", "メトホルミン塩酸塩錠２５０ｍｇ", "錠"),
    ("620007819", "アトルバスタチン錠１０ｍｇ", "錠"),
    ("620005859", "ランソプラゾールＯＤ錠１５ｍｇ", "錠"),
)
_COVERAGE: Final = (
    "symbol", "number", "branch_number", "symbol_key", "number_key", "name", "name_kana", "name_key", "birth_date",
    "sex", "postal_code", "address", "relation", "card_class", "acquired_on", "lost_on", "loss_reason",
    "copayment_percent", "issued_on", "valid_from", "valid_through", "preschool", "viewing_suspended",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seeded:
    """How much a site holds, and how long this run took to fill it."""

    persons: int
    coverages: int
    cards: int
    medicines: int
    seconds: float


async def seed(site: Site, persons: int, number: int, screen: Console) -> Seeded:
    """Fill the site until it holds a nation of so many persons; what is there already is left as it is.

    Raises:
        ValueError: the site holds another nation.
    """
    began = time.perf_counter()
    await make_database(site)
    connection = await connect(site.database, command_timeout_s=None)
    try:
        await migrate(connection)
        nation = Nation.make(persons, number, date(2026, 11, 1))
        await _check_same(connection, persons, number)
        columns = TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=screen) as progress:
            filling = _Filling(site, connection, nation, number, progress)
            await filling.run()
        return Seeded(*await _counts(connection), time.perf_counter() - began)
    finally:
        await connection.close()


@contextmanager
def filled(folder: Path, persons: int, number: int, screen: Console) -> Iterator[tuple[Site, Seeded]]:
    """Open a site and fill it; end the process with 2, and say why, where that cannot be."""
    with ExitStack() as stack:
        try:
            site = stack.enter_context(open_site(folder))
            seeded = asyncio.run(seed(site, persons, number, screen))
        except (ValueError, OSError) as error:
            sys.stderr.write(f"シードできません / The site cannot be filled: {error}\n")
            sys.exit(2)
        yield site, seeded


class _Filling:
    """One run: the connection it copies through, and whose progress is shown."""

    def __init__(self, site: Site, connection: Any, nation: Nation, number: int, progress: Progress) -> None:
        self._site, self._connection, self._nation, self._number = site, connection, nation, number
        self._progress = progress

    async def run(self) -> None:
        institutions = self._nation.institutions(INSTITUTIONS)
        await self._terminals(institutions)
        await self._persons()
        await self._coverages()
        await self._cards(institutions[0].code)
        await self._medicines(institutions)
        await self._checkups(institutions[0].code)
        # What this run has filled, or one that was cut after its last rows.
        if await self._connection.fetchval(_NEVER_VACUUMED):
            await self._connection.execute("vacuum (analyze, freeze)")

    async def _terminals(self, institutions: tuple[Institution, ...]) -> None:
        now = datetime.now(UTC)
        known = {row[0] for row in await self._connection.fetch("select terminal_id from terminal")}
        for institution in institutions if not known else ():
            await enrol_institution(self._connection, InstitutionCode(institution.code), institution.name, now)
        task = self._progress.add_task("terminals", total=TERMINALS)
        # The larger an institution, the more terminals it has: the first by far the most.
        for terminal in range(TERMINALS):
            at = institutions[int(len(institutions) ** (terminal / TERMINALS)) - 1]
            identifier = terminal_id(self._number, terminal)
            if not is_written(self._site.terminal_certificate(terminal)[1]):
                pair = self._site.enrolment.terminal(at.code, identifier, now)
                pair.write(self._site.folder / "terminals", f"{terminal:04}")
            if identifier not in known:
                await enrol_terminal(self._connection, identifier, InstitutionCode(at.code), "受付", now)
            self._progress.advance(task)

    async def _persons(self) -> None:
        async def rows(start: int, stop: int) -> None:
            codes = self._nation.linkage_codes(start, stop)
            frame = pl.DataFrame({"person_id": np.arange(start + 1, stop + 1), "linkage_code": codes})
            await self._copy("person", frame)

        await self._in_chunks("persons", "select coalesce(max(person_id), 0) from person", rows)
        await self._connection.execute(
            "select setval(pg_get_serial_sequence('person', 'person_id'), (select max(person_id) from person))"
        )

    async def _coverages(self) -> None:
        filled = "select insurer_number from insurer where data_as_of is not null"
        done = {row[0] for row in await self._connection.fetch(filled)}
        layout = find_layout("eligibility", 1)
        task = self._progress.add_task("coverages", total=len(self._nation.insurers))
        for insurer in self._nation.insurers:
            if insurer.number not in done:
                async with self._connection.transaction():
                    await enrol_insurer(
                        self._connection, InsurerNumber(insurer.number), insurer.name, datetime.now(UTC)
                    )
                    staged = _staged(self._nation, insurer, layout)
                    while (found := await asyncio.to_thread(next, staged, None)) is not None:
                        await self._state(*found, insurer)
                    await self._connection.execute(_FINDABLE, insurer.number, timeout=_COPY_TIMEOUT_S)
                    await self._connection.execute(
                        "update insurer set data_as_of = $2 where insurer_number = $1", insurer.number, _KNOWN_FROM
                    )
            self._progress.advance(task)

    async def _state(self, person: Ints, staged: pl.DataFrame, insurer: Insurer) -> None:
        reserved = await self._connection.fetchval(
            "select setval('coverage_id_seq', nextval('coverage_id_seq') + $1)", staged.height
        )
        numbered = staged.with_columns(
            pl.Series("person_id", person + 1),
            pl.int_range(reserved - staged.height, reserved).alias("coverage_id"),
            pl.lit(_KNOWN_FROM.isoformat()).alias("known_from"),
            pl.lit(str(_NOBODY)).alias("submission_id"),
            pl.lit(insurer.number).alias("insurer_number"),
        )
        stated = ("person_id", "coverage_id", "known_from")
        await self._copy("coverage", numbered.select(*stated, "submission_id", "insurer_number", *_COVERAGE))
        limits = numbered.filter(pl.col("limit_class").is_not_null())
        await self._copy(
            "limit_certificate",
            limits.select(
                *stated, "limit_class", pl.col("limit_category").alias("category"),
                pl.col("limit_from").alias("valid_from"), pl.col("limit_through").alias("valid_through"),
                "long_term_on",
            ),
        )  # fmt: skip
        diseases = numbered.filter(pl.col("disease").is_not_null())
        await self._copy(
            "specific_disease_certificate",
            diseases.select(
                *stated, "disease", "monthly_cap_yen", pl.col("disease_from").alias("valid_from"),
                pl.col("disease_through").alias("valid_through"),
            ),
        )  # fmt: skip
        elderly = numbered.filter(pl.col("elderly_percent").is_not_null())
        await self._copy(
            "elderly_certificate",
            elderly.select(
                *stated, pl.col("elderly_percent").alias("copayment_percent"),
                pl.col("elderly_from").alias("valid_from"), pl.col("elderly_through").alias("valid_through"),
            ),
        )  # fmt: skip

    async def _cards(self, institution: str) -> None:
        key_id = self._site.jpki.auth[-1].key_id.hex()

        async def rows(start: int, stop: int) -> None:
            persons = np.arange(start + 1, stop + 1)
            serials = card_serials(self._number, persons).astype(">u8").tobytes().hex()
            frame = pl.DataFrame(
                {
                    "card_key": [f"\\x{key_id}{serials[at : at + 16]}" for at in range(0, len(serials), 16)],
                    "person_id": persons,
                }
            ).with_columns(
                pl.lit(_KNOWN_FROM.isoformat()).alias("registered_at"), pl.lit(institution).alias("institution_code")
            )
            await self._copy("card", frame)

        await self._in_chunks("cards", "select coalesce(max(person_id), 0) from card", rows)

    async def _medicines(self, institutions: tuple[Institution, ...]) -> None:
        pharmacies = [i for i in institutions if i.kind == "pharmacy"]

        async def rows(start: int, stop: int) -> None:
            persons = _medicated(start, stop)
            months = [date(2026, month, 1) for month in (6, 7, 8, 9, 10)]
            claims = [(int(p), int(p) * len(months) + n, month) for p in persons for n, month in enumerate(months)]
            await self._copy("claim", _claims(claims, pharmacies))
            await self._copy("claim_medicine", _medicines(claims, pharmacies))

        await self._in_chunks(
            "medicines",
            f"select coalesce(max(person_id) + {MEDICATED_EVERY - 1}, 0) from claim",  # noqa: S608 (a constant)
            rows,
        )

    async def _checkups(self, institution: str) -> None:
        insurer = self._nation.insurers[0].number

        async def rows(start: int, stop: int) -> None:
            made = _checkups(_medicated(start, stop)).with_columns(
                pl.lit(_KNOWN_FROM.isoformat()).alias("known_from"), pl.lit(str(_NOBODY)).alias("submission_id"),
                pl.lit(insurer).alias("insurer_number"), pl.lit(institution).alias("institution_code"),
            )  # fmt: skip
            await self._copy("checkup", made)
            results = measured(self._number, made["checkup_id"].to_numpy())
            whose = made.select("person_id", "checkup_id", "known_from")
            await self._copy(
                "checkup_result",
                results.join(whose, on="checkup_id").with_columns(
                    pl.lit("PQ").alias("result_kind"), pl.lit("").alias("value_name")
                ),
            )

        await self._in_chunks(
            "checkups",
            f"select coalesce(max(person_id) + {MEDICATED_EVERY - 1}, 0) from checkup",  # noqa: S608 (a constant)
            rows,
        )

    async def _in_chunks(self, what: str, done: str, rows: Any) -> None:
        persons = len(self._nation)
        start = min(int(await self._connection.fetchval(done)), persons)
        task = self._progress.add_task(what, total=persons, completed=start)
        while start < persons:
            stop = min(start - start % _CHUNK + _CHUNK, persons)
            async with self._connection.transaction():
                await rows(start, stop)
            self._progress.update(task, completed=stop)
            start = stop

    async def _copy(self, table: str, frame: pl.DataFrame) -> None:
        if frame.height:
            await copy_rows(self._connection, table, frame.columns, _pieces(frame), _COPY_TIMEOUT_S)


def _staged(nation: Nation, insurer: Insurer, layout: Any) -> Iterator[tuple[Ints, pl.DataFrame]]:
    today = day_in_japan(datetime.now(UTC))
    for person, frame in nation.members(insurer, _CHUNK):
        records = pl.Series("record", np.arange(frame.height))
        lines = pl.Series([""]).new_from_index(0, frame.height)
        faults = pl.DataFrame(schema=FAULT_SCHEMA)
        batch = Batch(records, lines, frame, faults, astray=faults["record"], read=frame.height)
        checked = check(batch, layout, InsurerNumber(insurer.number), today)
        yield person[checked.staged["record_number"].to_numpy()], checked.staged


async def _pieces(frame: pl.DataFrame) -> AsyncIterator[memoryview]:
    for start in range(0, frame.height, _CHUNK // 8):
        yield await asyncio.to_thread(copy_bytes, frame.slice(start, _CHUNK // 8))


def _medicated(start: int, stop: int) -> Ints:
    return np.arange(start - start % -MEDICATED_EVERY, stop, MEDICATED_EVERY) + 1


def _checkups(persons: Ints) -> pl.DataFrame:
    years = pl.DataFrame({"year": range(len(_CHECKUP_DAYS)), "performed_on": _CHECKUP_DAYS})
    return (
        pl.DataFrame({"person_id": persons})
        .join(years, how="cross")
        .with_columns((pl.col("person_id") * len(_CHECKUP_DAYS) + pl.col("year")).alias("checkup_id"))
        .drop("year")
    )


def _claims(claims: list[tuple[int, int, date]], pharmacies: list[Institution]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "claim_id": claim, "known_from": _KNOWN_FROM.isoformat(), "submission_id": str(_NOBODY),
                "kind": "dispensing", "receipt_key": f"seed {claim}",
                "institution_code": pharmacies[claim % len(pharmacies)].code,
                "institution_name": pharmacies[claim % len(pharmacies)].name, "care_month": month,
                "claimed_month": month + timedelta(days=31) - timedelta(days=(month + timedelta(days=31)).day - 1),
                "receipt_type": "4112", "symbol": "", "number": "", "branch_number": "", "symbol_key": "",
                "number_key": "", "birth_date": date(1950, 1, 1), "sex": "1", "care_from": month,
                "care_through": month + timedelta(days=27), "match": "matched", "person_id": person,
                "content_digest": "\\x00",
            }
            for person, claim, month in claims
        ]
    )  # fmt: skip


def _medicines(claims: list[tuple[int, int, date]], pharmacies: list[Institution]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "person_id": person, "claim_id": claim, "line": line, "position": 1,
                "known_from": _KNOWN_FROM.isoformat(), "group_number": 1, "usage_group": "oral", "drug_code": code,
                "drug_known": True, "drug_name": name, "unit": unit, "quantity": 1, "days_or_times": 28,
                "institution_code": pharmacies[claim % len(pharmacies)].code,
                "medicine_on": month + timedelta(days=claim % 27), "day_stated": True,
            }
            for person, claim, month in claims
            for line, (code, name, unit) in enumerate(_DRUGS[: 1 + claim % len(_DRUGS)], start=1)
        ]
    )  # fmt: skip


async def _check_same(connection: Any, persons: int, number: int) -> None:
    await connection.execute("create table if not exists load_nation (persons bigint not null, seed bigint not null)")
    row = await connection.fetchrow("select persons, seed from load_nation")
    if row is None:
        await connection.execute("insert into load_nation (persons, seed) values ($1, $2)", persons, number)
    elif (row["persons"], row["seed"]) != (persons, number):
        raise ValueError(f"this folder holds a nation of {row['persons']:,} persons, seed {row['seed']}")


async def _counts(connection: Any) -> tuple[int, int, int, int]:
    tables = ("person", "coverage", "card", "claim_medicine")
    return tuple([await connection.fetchval(f"select count(*) from {table}") for table in tables])  # noqa: S608


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `python -m loadtest seed`."""
    parser.add_argument("--persons", type=int, default=PERSONS, help=f"how many persons (default: {PERSONS:,})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"the same seed makes the same nation (default: {SEED})")
    parser.add_argument("--site", type=Path, help="the folder of the site (default: one of this size in /var/tmp)")


def run(arguments: Namespace) -> int:
    """Fill a site and say how much it holds."""
    end_when_told()
    screen = Console(highlight=False)
    with filled(arguments.site or default_folder(arguments.persons), arguments.persons, arguments.seed, screen) as done:
        site, seeded = done
    screen.print(
        f"{seeded.persons:,} 人 persons, {seeded.coverages:,} 資格 coverages, {seeded.cards:,} 枚 cards, "
        f"{seeded.medicines:,} 薬剤 medicines: {seeded.seconds:.1f} s "
        f"({seeded.persons / seeded.seconds:,.0f} persons/s)   {site.folder}"
    )
    return 0
