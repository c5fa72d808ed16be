"""Keeps bulk checks: what is asked, how far each is, and what came out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from eligibility.audit.events import ActorKind, EventKind
from eligibility.domain.codes import Method, Outcome
from eligibility.domain.coverage import Coverage
from eligibility.domain.identifiers import InstitutionCode, InsuredNumber, PersonId
from eligibility.domain.ids import uuid7
from eligibility.storage.lookups import MOST_ENTRIES_READ, coverages_of
from eligibility.storage.statements import statements
from eligibility.wire.bulk import BulkState

_SQL = statements("eligibility.storage.queries")
_INSERTED_AT_ONCE: Final = 500  # laying out ten thousand takes longer than a counter should wait


@dataclass(frozen=True, slots=True)
class Question:
    """One item as it is kept: what it asks, or why it cannot be asked."""

    item_id: str
    insured: InsuredNumber | None
    birth_date: date | None
    problem_code: str | None = None
    problem_field: str | None = None


@dataclass(frozen=True, slots=True)
class BulkCheck:
    """A bulk check as it stands."""

    bulk_id: UUID
    institution: InstitutionCode
    terminal_id: UUID
    accepted_at: datetime
    asked_for: date
    state: BulkState
    items: int
    done: int
    misses: int
    changed: int
    finished_at: datetime | None
    cleared_at: datetime | None
    failed_tries: int  # of the items that are next


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One item of a bulk check and its problem, if it has one."""

    item_number: int
    item_id: str
    problem_code: str | None
    problem_field: str | None


@dataclass(frozen=True, slots=True)
class LastTold:
    """What an institution was told of a person the last time."""

    checked_at: datetime
    outcome: Outcome
    coverage_id: int | None


@dataclass(frozen=True, slots=True)
class PersonTold:
    """What the institution has of a person: the last answer about them, and its own number of them."""

    last: LastTold | None
    reference_number: str | None


@dataclass(frozen=True, slots=True)
class ItemMatches:
    """What is known of those who carry an item's number and birth date."""

    asked: tuple[Coverage, ...] = ()
    others: tuple[Coverage, ...] = ()
    told: Mapping[PersonId, PersonTold] | None = None
    restated_at: Mapping[int, datetime] | None = None  # by coverage: when what it states last changed
    crowded: bool = False  # without its symbol the number stands for more than are read: nobody was looked for


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """What the verification of one item found."""

    verification_id: UUID
    outcome: Outcome
    person_id: PersonId | None
    coverage_id: int | None


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """The result of one item as it travels, and whom and which coverage it shows."""

    item_number: int
    changed: bool
    result: str
    person_id: PersonId | None
    coverage_id: int | None


@dataclass(frozen=True, slots=True)
class KeptResult:
    """A result as it travels, and the coverage it shows where somebody's is suspended who has or had that one."""

    result: str
    doubtful_coverage_id: int | None


async def insert_bulk(
    connection: Any,
    bulk_id: UUID,
    institution: InstitutionCode,
    terminal_id: UUID,
    asked_for: date,
    questions: Sequence[Question],
    open_at_once: int,
    now: datetime,
) -> bool:
    """Take a bulk check in, in the connection's transaction; return False if the institution has too many open."""
    await connection.execute(_SQL["lock_open_bulks"], institution.code)
    taken = await connection.fetchval(
        _SQL["accept_bulk"], bulk_id, institution.code, terminal_id, now, asked_for, len(questions), open_at_once
    )
    if taken is None:
        return False
    for before in range(0, len(questions), _INSERTED_AT_ONCE):
        columns = zip(*(_question_columns(q) for q in questions[before : before + _INSERTED_AT_ONCE]), strict=True)
        await connection.execute(_SQL["insert_bulk_items"], bulk_id, before, *columns)
    return True


async def find_bulk(connection: Any, bulk_id: UUID, institution: InstitutionCode) -> BulkCheck | None:
    """Return an institution's bulk check, or None if it has none of this id."""
    row = await connection.fetchrow(_SQL["bulk_check"], bulk_id, institution.code)
    return row and _bulk_check(row)


async def bulk_results(connection: Any, bulk_id: UUID, before: int, limit: int) -> list[KeptResult]:
    """Return some results, changed ones first; `before` is how many come before them."""
    rows = await connection.fetch(_SQL["bulk_results"], bulk_id, before, limit)
    return [KeptResult(row["result"], row["doubtful_coverage_id"]) for row in rows]


async def claim_bulk(connection: Any) -> BulkCheck | None:
    """Lock the open bulk check that is next of those nobody works on, in the connection's transaction."""
    row = await connection.fetchrow(_SQL["claim_bulk"])
    return row and _bulk_check(row)


async def misses_since(connection: Any, institution: InstitutionCode, since: datetime) -> int:
    """Return an institution's misses, and let no other worker count them until the transaction ends."""
    await connection.execute(_SQL["lock_bulk_misses"], institution.code)
    return int(await connection.fetchval(_SQL["bulk_misses"], institution.code, since))


async def bulk_items(connection: Any, bulk: BulkCheck, last: int) -> list[BulkItem]:
    """Return the items from the first that is not done up to the last named, in the order asked."""
    rows = await connection.fetch(_SQL["bulk_items"], bulk.bulk_id, bulk.done + 1, last)
    return [BulkItem(r["item_number"], r["item_id"], r["problem_code"], r["problem_field"]) for r in rows]


async def matches_of_items(connection: Any, bulk: BulkCheck, first: int, last: int, known_at: datetime) -> list[Any]:
    """Return what is known of the items of these numbers, as rows for `matches_by_item`."""
    rows: list[Any] = await connection.fetch(
        _SQL["coverages_of_bulk_items"],
        bulk.bulk_id, first, last, known_at, bulk.institution.code, bulk.accepted_at,
        MOST_ENTRIES_READ,
    )  # fmt: skip
    return rows


def matches_by_item(rows: Iterable[Any]) -> dict[int, ItemMatches | None]:
    """Return, by item number, what rows of `matches_of_items` say; an item with no match is left out.

    None stands where a row cannot be read: it may hold a code of a release later than this process.
    """
    return {number: _matches_or_none(list(found)) for number, found in groupby(rows, key=itemgetter("item_number"))}


async def record_bulk_verifications(
    connection: Any, bulk: BulkCheck, records: Sequence[ItemRecord], now: datetime
) -> None:
    """Add the verifications of some items, each with its audit event."""
    await connection.execute(
        _SQL["record_bulk_verifications"],
        now, bulk.institution.code, bulk.terminal_id, Method.NUMBER.value, bulk.asked_for, now,
        [r.verification_id for r in records],
        [r.outcome.value for r in records],
        [r.person_id for r in records],
        [r.coverage_id for r in records],
        [uuid7(now) for _ in records],
        EventKind.NUMBER_VERIFICATION.value, ActorKind.TERMINAL.value,
        {"method": Method.NUMBER.value, "bulk": str(bulk.bulk_id)},
    )  # fmt: skip


async def insert_bulk_results(connection: Any, bulk: BulkCheck, results: Sequence[ResultRecord]) -> None:
    """Add some results."""
    await connection.execute(
        _SQL["insert_bulk_results"],
        bulk.bulk_id,
        [r.item_number for r in results],
        [r.changed for r in results],
        [r.result for r in results],
        [r.person_id for r in results],
        [r.coverage_id for r in results],
    )


async def advance_bulk(
    connection: Any, bulk: BulkCheck, *, items: int, misses: int, changed: int, now: datetime
) -> None:
    """Count what is done; with the last items the bulk check ends, and its questions are removed."""
    await connection.execute(_SQL["advance_bulk"], bulk.bulk_id, items, misses, changed, now)
    if bulk.done + items == bulk.items:
        await connection.execute(_SQL["delete_bulk_items"], bulk.bulk_id)


async def count_failed_try(connection: Any, bulk: BulkCheck) -> None:
    """Count that the next items of a bulk check could not be done; what is done sets the count back."""
    await connection.execute(_SQL["count_failed_try"], bulk.bulk_id)


def _question_columns(question: Question) -> tuple[object, ...]:
    insured = question.insured
    return (
        question.item_id, insured and insured.insurer.digits, insured and insured.symbol_key,
        insured and insured.number_key, insured and insured.branch_number, question.birth_date,
        question.problem_code, question.problem_field,
    )  # fmt: skip


def _bulk_check(row: Any) -> BulkCheck:
    values = dict(row)
    institution = InstitutionCode(values.pop("institution_code"))
    return BulkCheck(institution=institution, **values | {"state": BulkState(row["state"])})


def _matches_or_none(rows: list[Any]) -> ItemMatches | None:
    try:
        return _matches(rows)
    except ValueError:
        return None


def _matches(rows: list[Any]) -> ItemMatches:
    if rows[0]["person_id"] is None:
        return ItemMatches(crowded=True)
    return ItemMatches(
        asked=coverages_of(row for row in rows if row["asked"]),
        others=coverages_of(row for row in rows if not row["asked"]),
        told={PersonId(row["person_id"]): _told(row) for row in rows},
        restated_at={
            row["coverage_id"]: max(filter(None, (row["known_from"], row["restated_at"]))) for row in rows
        },
    )  # fmt: skip


def _told(row: Any) -> PersonTold:
    last = row["last_checked_at"] and LastTold(
        row["last_checked_at"], Outcome(row["last_outcome"]), row["last_coverage_id"]
    )
    return PersonTold(last, row["reference_number"])
