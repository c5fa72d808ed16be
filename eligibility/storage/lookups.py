"""Finds what is known about cards' holders, insured numbers and terminals, many in one round trip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from eligibility.domain.codes import CardClass, Disease, LimitCategory, LimitClass, LossReason, Relation, Sex
from eligibility.domain.coverage import Coverage, ElderlyCertificate, LimitCertificate, SpecificDiseaseCertificate
from eligibility.domain.identifiers import InstitutionCode, InsuredNumber, InsurerNumber, PersonId
from eligibility.domain.names import name_key
from eligibility.storage.statements import statements

# A number is counted within its symbol: 番号 1 of a large insurer stands for as many persons as it has employers. Who
# asks without the symbol shares a round trip with others, or the bulk lane with all.
MOST_ENTRIES_READ: Final = 1_000

_SQL = statements("eligibility.storage.queries")


@dataclass(frozen=True, slots=True)
class CardAsked:
    """A card that is asked about, as known at a time."""

    card_key: bytes
    known_at: datetime
    institution: InstitutionCode  # the one that asks: its own number of the person comes back with the answer
    as_now: bool = False  # the time is now: the database's now counts where it is later


@dataclass(frozen=True, slots=True)
class NumberAsked:
    """An insured number and a birth date that are asked about, as known at a time.

    With a coverage that this number named, whoever has had it since then is asked about instead, with their coverages
    as known now: it may have been put to another person, and that person's number may be another.
    """

    insured: InsuredNumber
    birth_date: date
    known_at: datetime
    institution: InstitutionCode
    coverage_id: int | None = None
    as_now: bool = False  # the time is now: the database's now counts where it is later


@dataclass(frozen=True, slots=True)
class Holder:
    """A registered card's holder and all they are covered by."""

    person_id: PersonId
    coverages: tuple[Coverage, ...]
    reference_number: str | None  # the asking institution's own number of the person


@dataclass(frozen=True, slots=True)
class NumberMatches:
    """Coverages that carry an insured number and birth date, and the other coverages of the same persons."""

    asked: tuple[Coverage, ...]
    others: tuple[Coverage, ...]
    data_as_of: datetime | None  # of the insurer asked about, whether or not anybody was found
    reference_numbers: Mapping[PersonId, str]  # the asking institution's own numbers of these persons
    crowded: bool = False  # without its symbol the number stands for more than are read: nobody was looked for


@dataclass(frozen=True, slots=True)
class TerminalStanding:
    """The institution a terminal is enrolled at, and whether terminal or institution has left."""

    institution: InstitutionCode
    revoked_at: datetime | None
    closed_on: date | None


async def rows_of_cards(connection: Any, cards: Sequence[CardAsked]) -> list[list[Any]]:
    """Return the rows of each card, for `holder_of` to read."""
    rows = await connection.fetch(
        _SQL["coverages_of_cards"],
        [card.card_key for card in cards],
        [card.known_at for card in cards],
        [card.institution.code for card in cards],
        [card.as_now for card in cards],
    )
    return _by_position(rows, len(cards))


def holder_of(rows: Sequence[Any]) -> Holder | None:
    """Return a card's holder with their coverages as known at its time, or None for a card not registered.

    Raises:
        ValueError: a row holds a code that this release does not know.
    """
    if not rows:
        return None
    return Holder(
        PersonId(rows[0]["person_id"]),
        coverages_of(r for r in rows if r["coverage_id"] is not None),
        rows[0]["reference_number"],
    )


async def rows_of_numbers(connection: Any, numbers: Sequence[NumberAsked]) -> list[list[Any]]:
    """Return the rows of each insured number and birth date, for `matches_of` to read.

    An empty symbol or branch number matches any, an empty symbol of `MOST_ENTRIES_READ` entries at most.
    """
    rows = await connection.fetch(
        _SQL["coverages_of_numbers"],
        [n.insured.insurer.digits for n in numbers],
        [n.insured.number_key for n in numbers],
        [n.insured.symbol_key for n in numbers],
        [n.insured.branch_number for n in numbers],
        [n.birth_date for n in numbers],
        [n.coverage_id for n in numbers],
        [n.known_at for n in numbers],
        [n.institution.code for n in numbers],
        MOST_ENTRIES_READ,
        [n.as_now for n in numbers],
    )
    return _by_position(rows, len(numbers))


def matches_of(rows: Sequence[Any]) -> NumberMatches:
    """Return what an insured number and birth date names.

    Raises:
        ValueError: a row holds a code that this release does not know.
    """
    found = [row for row in rows if row["coverage_id"] is not None]
    return NumberMatches(
        asked=coverages_of(row for row in found if row["asked"]),
        others=coverages_of(row for row in found if not row["asked"]),
        data_as_of=max((row["data_as_of"] for row in rows if row["data_as_of"]), default=None),
        reference_numbers={
            PersonId(row["person_id"]): row["reference_number"] for row in found if row["reference_number"]
        },
        crowded=any(row["crowded"] for row in rows),
    )


async def holders_by_attributes(
    connection: Any, birth_date: date, sex: Sex, name: str
) -> Sequence[tuple[PersonId, str]]:
    """Return person and address for every current statement with this birth date, sex and name.

    Names are compared as written: a stored key may be a former release's until its last migration (decision 14).
    """
    key = name_key(name)
    rows = await connection.fetch(_SQL["holders_by_attributes"], birth_date, sex.value, key)
    return [(PersonId(row["person_id"]), row["address"]) for row in rows if name_key(row["name"]) == key]


async def holder_of_card(connection: Any, card_key: bytes) -> PersonId | None:
    """Return whom the card is registered to, if anyone."""
    found = await connection.fetchval(_SQL["holder_of_card"], card_key)
    return None if found is None else PersonId(found)


async def terminal_standings(connection: Any, terminal_ids: Sequence[UUID]) -> list[TerminalStanding | None]:
    """Return where each terminal is enrolled, or None for one that never was."""
    rows = await connection.fetch(_SQL["terminal_standings"], terminal_ids)
    found = {
        row["position"]: TerminalStanding(InstitutionCode(row["institution_code"]), row["revoked_at"], row["closed_on"])
        for row in rows
    }
    return [found.get(position) for position in range(1, len(terminal_ids) + 1)]


def _by_position(rows: Iterable[Any], count: int) -> list[list[Any]]:
    found: list[list[Any]] = [[] for _ in range(count)]
    for row in rows:
        found[row["position"] - 1].append(row)
    return found


def coverages_of(rows: Iterable[Any]) -> tuple[Coverage, ...]:
    """Return the coverages that rows of a look-up state."""
    return tuple(_coverage(row) for row in rows)


def _coverage(row: Any) -> Coverage:
    return Coverage(
        coverage_id=row["coverage_id"],
        person_id=PersonId(row["person_id"]),
        insured=InsuredNumber(InsurerNumber(row["insurer_number"]), row["symbol"], row["number"], row["branch_number"]),
        insurer_name=row["insurer_name"],
        name=row["name"],
        name_kana=row["name_kana"],
        birth_date=row["birth_date"],
        sex=Sex(row["sex"]),
        postal_code=row["postal_code"],
        address=row["address"],
        relation=Relation(row["relation"]),
        card_class=CardClass(row["card_class"]),
        acquired_on=row["acquired_on"],
        lost_on=row["lost_on"],
        loss_reason=None if row["loss_reason"] is None else LossReason(row["loss_reason"]),
        copayment_percent=row["copayment_percent"],
        issued_on=row["issued_on"],
        valid_from=row["valid_from"],
        valid_through=row["valid_through"],
        preschool=row["preschool"],
        viewing_suspended=row["viewing_suspended"],
        known_from=row["known_from"],
        data_as_of=row["data_as_of"],
        limit_certificates=tuple(
            LimitCertificate(
                LimitClass(kind), LimitCategory(category), _day(start), _day_or_none(end), _day_or_none(long)
            )
            for kind, category, start, end, long in row["limits"] or ()
        ),
        specific_disease_certificates=tuple(
            SpecificDiseaseCertificate(Disease(disease), cap, _day(start), _day_or_none(end))
            for disease, cap, start, end in row["diseases"] or ()
        ),
        elderly_certificates=tuple(
            ElderlyCertificate(percent, _day(start), _day_or_none(end)) for percent, start, end in row["elderly"] or ()
        ),
    )


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _day_or_none(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
