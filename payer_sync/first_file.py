"""An insurer's first file: what of it stands alone goes to the register portion by portion, while the next are checked.

A record stands alone when nothing can be compared with it: its insurer has no register yet, no other record of the
file may state its coverage or its person, and its person is unknown until now. Gates, guard and the rules between
records have nothing to say about such records, so that no statement has to look at them: they are copied to where
they belong. All others wait for the end of the file and take the merge's full way.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import asyncpg
import polars as pl

from eligibility.domain.identifiers import InsurerNumber
from eligibility.storage.statements import statements
from payer_sync.batches import CountersAsk, ahead
from payer_sync.copying import copy_bytes, copy_rows
from payer_sync.layouts.layout import Layout
from payer_sync.rules import Certificate, RecordKind
from payer_sync.submission import Filed

_SQL = statements("payer_sync.queries")
_TIMEOUT_S: Final = 3600.0
_NAMED_BESIDE_COUNTERS: Final = 500
_PAGES_AT_ONCE: Final = 5_000  # of holders in their index's order, some two hundred of them on each
_PAGES_BESIDE_COUNTERS: Final = 20
_COVERAGE: Final = ("person_id", "coverage_id", "known_from")  # of every table that a record's facts go to
# The staged fields that a coverage keeps, under the names that it keeps them by; those of editions after the first
# where the file has them.
_FACTS: Final = (
    "insurer_number", "symbol", "number", "branch_number", "symbol_key", "number_key", "name", "name_kana", "name_key",
    "birth_date", "sex", "postal_code", "address", "relation", "card_class", "acquired_on", "lost_on", "loss_reason",
    "copayment_percent", "issued_on", "valid_from", "valid_through", "preschool", "viewing_suspended", "further",
)  # fmt: skip
# The same for each certificate: its table, and the staged field of each of its columns.
_CERTIFICATES: Final = {
    Certificate.LIMIT: (
        "limit_certificate",
        {
            "valid_from": "limit_from",
            "limit_class": "limit_class",
            "category": "limit_category",
            "valid_through": "limit_through",
            "long_term_on": "long_term_on",
        },
    ),
    Certificate.SPECIFIC_DISEASE: (
        "specific_disease_certificate",
        {
            "valid_from": "disease_from",
            "disease": "disease",
            "monthly_cap_yen": "monthly_cap_yen",
            "valid_through": "disease_through",
        },
    ),
    Certificate.ELDERLY: (
        "elderly_certificate",
        {"valid_from": "elderly_from", "copayment_percent": "elderly_percent", "valid_through": "elderly_through"},
    ),
}
_CODE_NAMES_ONE: Final = "person_linkage_code_key"


class CoverageRepeated(Exception):
    """Records of different persons state one coverage; which contradict, only the whole file shows."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one table as COPY takes them."""

    table: str
    columns: tuple[str, ...]
    written: memoryview


@dataclass(frozen=True, slots=True)
class _Portion:
    """What of some records is to be merged at once: how many, the persons they may mean, and the rows they come to."""

    records: int
    persons: range
    rows: tuple[_Rows, ...]


class FirstFile:
    """The way of one first file into the register: its load's connection, and another that names persons.

    `shared` are the numbers of the records that may not be alone with their person.

    Linkage codes and holders come to their indexes at random, so that nearly each of the first ones has the log take a
    whole page. What stands in the log has to be written by whichever counter commits next, which it kept for 30 ms.
    While counters ask, such rows come few at a time therefore, and the load itself waits each time until its log is on
    disk ([decision 11](../docs/decisions/0011-loads-take-turns.md)).
    """

    def __init__(
        self,
        connection: Any,
        aside: Any,
        filed: Filed,
        layout: Layout,
        shared: pl.Series,
        known_from: datetime,
        counters_ask: CountersAsk,
    ) -> None:
        self._connection = connection
        self._aside = aside
        self._submission_id = str(filed.submission.submission_id)
        self._layout = layout
        self._shared = shared
        self._known_from = f"{known_from.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"  # short, for it stands in every row
        self._facts = tuple(name for name in _FACTS if name in layout.staged_fields)
        self._counters_ask = counters_ask
        self._somebody_known = False
        self._waiting = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.close()

    async def merge_alone(self, checked: AsyncGenerator[pl.DataFrame, None]) -> int:
        """Merge the records that stand alone, put the others aside; return how many were merged."""
        merged, persons = 0, range(0)
        await self._aside.execute(_SQL["begin_naming"])
        async with (
            aclosing(ahead(self._alone(checked), self._counters_ask)) as alone,
            aclosing(ahead(self._portions(alone), self._counters_ask)) as portions,
        ):
            async for portion in portions:
                for rows in portion.rows:
                    await self._copy(self._connection, rows)
                merged += portion.records
                persons = range((persons or portion.persons).start, portion.persons.stop)
        # All at once: they come in their index's order, so that each of its pages is touched once.
        await self._add_holders(persons)
        return merged

    async def _add_holders(self, persons: range) -> None:
        """Let persons whose coverages were copied be found by name and birth date; others between them are not ours."""
        arguments = (self._submission_id, persons.start, persons.stop)
        await self._connection.execute(_SQL["begin_ordering"])
        await self._connection.execute(_SQL["order_holders_copied"], *arguments, timeout=_TIMEOUT_S)
        pages = await self._connection.fetchval(_SQL["pages_ordered"])
        first = 0
        while first < pages:
            beside = self._counters_ask()
            last = first + (_PAGES_BESIDE_COUNTERS if beside else _PAGES_AT_ONCE)
            await self._connection.execute(_SQL["add_holders_ordered"], first, last, timeout=_TIMEOUT_S)
            if beside:
                await self._aside.execute(_SQL["write_log"], timeout=_TIMEOUT_S)
            first = last
        await self._connection.execute(_SQL["end_ordering"])

    async def stage_rest(self, insurer: InsurerNumber) -> None:
        """Stage what had to wait for the end of the file.

        Raises:
            CoverageRepeated: it states what was merged before.
        """
        self._waiting.seek(0)
        await copy_rows(self._connection, "staged_eligibility", self._layout.staged_fields, self._waiting, _TIMEOUT_S)
        await self._connection.execute(_SQL["all_may_repeat"])
        if await self._connection.fetchval(_SQL["waiting_repeat_merged"], insurer.digits):
            raise CoverageRepeated

    async def _alone(self, checked: AsyncGenerator[pl.DataFrame, None]) -> AsyncGenerator[pl.DataFrame, None]:
        async with aclosing(checked):
            async for staged in checked:
                yield await asyncio.to_thread(self._set_waiting_aside, staged)

    def _set_waiting_aside(self, staged: pl.DataFrame) -> pl.DataFrame:
        shared = pl.col("record_number").is_in(self._shared.implode())
        return self._keep(staged, (pl.col("record_kind") != RecordKind.REGISTER.value) | shared)

    async def _portions(self, alone: AsyncGenerator[pl.DataFrame, None]) -> AsyncGenerator[_Portion, None]:
        """Name whom each portion states, at once and for good: a name alone says nothing about anybody."""
        async for staged in alone:
            # Numbered in the file's order, so that what refers to them lies together.
            first: int = await self._aside.fetchval(_SQL["take_identifiers"])
            identifiers = pl.int_range(first, first + pl.len())
            records = staged.with_columns(
                person_id=identifiers,
                coverage_id=identifiers,
                known_from=pl.lit(self._known_from),
                submission_id=pl.lit(self._submission_id),
            )
            known = await self._name(records.select("person_id", "linkage_code"))
            yield await asyncio.to_thread(self._portion, records, known, range(first, first + len(records)))

    async def _name(self, persons: pl.DataFrame) -> pl.Series:
        """Name those whom nobody has named yet; return the codes of the others."""
        # In the order of their codes, so that two insurers' loads cannot block each other.
        ordered = persons.sort("linkage_code")
        at_once = _NAMED_BESIDE_COUNTERS if self._counters_ask() else len(ordered) or 1
        known = [await self._name_at_once(some) for some in ordered.iter_slices(at_once)]
        return pl.concat([pl.Series(dtype=pl.String), *known])

    async def _name_at_once(self, persons: pl.DataFrame) -> pl.Series:
        """Name some, in one commit; return the codes of those whom somebody has named.

        Until the first of the file is met whom somebody has named, nobody is looked up: an insurer's own are most
        often nobody else's.
        """
        known = pl.Series(dtype=pl.String)
        while True:
            if self._somebody_known:
                codes = persons["linkage_code"].str.join(" ").item()
                named = await self._aside.fetch(_SQL["codes_known"], codes, timeout=_TIMEOUT_S)
                known = pl.Series([row["linkage_code"] for row in named], dtype=pl.String)
            rows = await asyncio.to_thread(self._new_persons, persons, known)
            try:
                await self._copy(self._aside, rows)
            except asyncpg.UniqueViolationError as taken:
                if taken.constraint_name != _CODE_NAMES_ONE:
                    raise
                self._somebody_known = True
                continue
            return known

    def _new_persons(self, persons: pl.DataFrame, known: pl.Series) -> _Rows:
        new = persons.filter(~pl.col("linkage_code").is_in(known.implode()))
        return _Rows("person", tuple(new.columns), copy_bytes(new))

    def _portion(self, records: pl.DataFrame, known: pl.Series, persons: range) -> _Portion:
        # With somebody who was known already there is something to compare.
        new = self._keep(records, pl.col("linkage_code").is_in(known.implode()))
        return _Portion(len(new), persons, tuple(self._rows(new)))

    def _keep(self, records: pl.DataFrame, waits: pl.Expr) -> pl.DataFrame:
        waiting = records.filter(waits)
        if not len(waiting):
            return records
        # Two threads may come here at once, with two portions: a buffered file takes each write whole.
        self._waiting.write(copy_bytes(waiting.select(self._layout.staged_fields)))
        return records.filter(~waits)

    def _rows(self, records: pl.DataFrame) -> list[_Rows]:
        columns = (*_COVERAGE, "submission_id", *self._facts)
        rows = [_Rows("coverage", columns, copy_bytes(records.select(columns)))]
        for certificate, (table, kept) in _CERTIFICATES.items():
            stated = records.filter(pl.col(certificate.value).is_not_null())
            if len(stated):
                named = stated.select(*_COVERAGE, *(pl.col(field).alias(column) for column, field in kept.items()))
                rows.append(_Rows(table, (*_COVERAGE, *kept), copy_bytes(named)))
        return rows

    async def _copy(self, connection: Any, rows: _Rows) -> None:
        await copy_rows(connection, rows.table, rows.columns, rows.written, _TIMEOUT_S)
