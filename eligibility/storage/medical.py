"""Reads what a consent opens: the records, behind the second wall, and the facts their disclosure is judged by."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from eligibility.domain.checkup_items import ITEMS, Flag, ResultKind
from eligibility.domain.codes import ClaimKind, ConsentClass, Outcome, TreatmentRecord, UsageGroup
from eligibility.domain.identifiers import InstitutionCode, PersonId
from eligibility.storage.statements import statements
from eligibility.wire.checkups import Checkup, CheckupItem
from eligibility.wire.medications import Medicine
from eligibility.wire.treatments import Treatment

_SQL = statements("eligibility.storage.queries")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """One consent of a verification."""

    consent_class: ConsentClass
    given_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class DisclosureFacts:
    """What a verification left for a later reading, and the database's own time."""

    outcome: Outcome
    person_id: PersonId | None
    card_key: bytes | None
    certificate_in_grace: bool
    consents: tuple[StoredConsent, ...]
    database_now: datetime


@dataclass(frozen=True, slots=True)
class Consented(Generic[_T]):
    """Records behind the second wall, whose they are, and when the latest of them became known."""

    person_id: PersonId
    records: tuple[_T, ...]
    data_as_of: datetime | None


async def disclosure_facts(pool: Any, verification_id: UUID, institution: InstitutionCode) -> DisclosureFacts | None:
    """Return what the institution's verification left.

    None for a verification that is another institution's or does not exist: the two are not told apart.
    """
    rows = await pool.fetch(_SQL["disclosure_facts"], verification_id, institution.code)
    if not rows:
        return None
    first = rows[0]
    return DisclosureFacts(
        Outcome(first["outcome"]),
        None if first["person_id"] is None else PersonId(first["person_id"]),
        first["card_key"],
        first["certificate_in_grace"],
        tuple(
            StoredConsent(ConsentClass(r["class"]), r["given_at"], r["expires_at"], r["withdrawn_at"])
            for r in rows
            if r["class"] is not None
        ),
        first["database_now"],
    )


async def consented_medicines(
    pool: Any, verification_id: UUID, institution: InstitutionCode, first: date, last: date
) -> Consented[Medicine] | None:
    """Return the person's medicines of these days, latest first, or None where no consent is in force."""
    asked = (verification_id, institution.code, first, last)
    return await _consented(pool, "consented_medicines", asked, "drug_code", partial(map, _medicine))


async def consented_treatments(
    pool: Any, verification_id: UUID, institution: InstitutionCode, first: date, last: date
) -> Consented[Treatment] | None:
    """Return what was done to the person in these months, latest first, or None where no consent is in force."""
    asked = (verification_id, institution.code, first, last)
    return await _consented(pool, "consented_treatments", asked, "code", partial(map, _treatment))


async def consented_checkups(
    pool: Any, verification_id: UUID, institution: InstitutionCode, first: date, last: date
) -> Consented[Checkup] | None:
    """Return the person's check-ups of these days, latest first, or None where no consent is in force."""
    asked = (verification_id, institution.code, first, last)
    return await _consented(pool, "consented_checkups", asked, "checkup_id", _checkups)


async def withdraw_consent(
    connection: Any, verification_id: UUID, institution: InstitutionCode, consent_class: ConsentClass, now: datetime
) -> tuple[PersonId | None, int] | None:
    """End the consents of a class that the verification's person gave this institution; return whose and how many.

    None for a verification that is another institution's or does not exist.
    """
    row = await connection.fetchrow(
        _SQL["withdraw_consent"], verification_id, institution.code, consent_class.value, now
    )
    if row is None:
        return None
    return None if row["person_id"] is None else PersonId(row["person_id"]), row["withdrawn"]


async def _consented(
    pool: Any, statement: str, asked: Sequence[object], stated_by: str, make: Callable[[Sequence[Any]], Iterable[_T]]
) -> Consented[_T] | None:
    rows = await pool.fetch(_SQL[statement], *asked)
    # With nothing stated there is one row all the same, which says whose records they would be.
    person = rows[0]["consenting_person"]
    if person is None:
        return None
    stated = [row for row in rows if row[stated_by] is not None]
    return Consented(PersonId(person), tuple(make(stated)), max((row["known_from"] for row in stated), default=None))


def _medicine(row: Any) -> Medicine:
    return Medicine(
        medicine_on=row["medicine_on"],
        day_stated=row["day_stated"],
        prescribed_on=row["prescribed_on"],
        kind=ClaimKind(row["kind"]),
        usage_group=UsageGroup(row["usage_group"]),
        usage_code=row["usage_code"],
        drug_code=row["drug_code"],
        drug_name=row["drug_name"],
        drug_known=row["drug_known"],
        ingredient=row["ingredient"],
        quantity=row["quantity"],
        unit=row["unit"],
        days_or_times=row["days_or_times"],
        institution_code=row["institution_code"],
        institution_name=row["institution_name"],
        prescriber_code=row["prescriber_code"],
        prescriber_name=row["prescriber_name"],
        comment=row["comment"],
    )


def _treatment(row: Any) -> Treatment:
    return Treatment(
        care_month=f"{row['care_month']:%Y-%m}",
        days=tuple(sorted(row["days"])),
        kind=ClaimKind(row["kind"]),
        record=TreatmentRecord(row["record_type"]),
        service_class=row["service_class"],
        code=row["code"],
        name=row["name"],
        quantity=row["quantity"],
        unit=row["unit"],
        times=row["times"],
        comment=row["comment"],
        institution_code=row["institution_code"],
        institution_name=row["institution_name"],
    )


def _checkups(rows: Sequence[Any]) -> Iterable[Checkup]:
    return (_checkup(list(results)) for _, results in groupby(rows, key=itemgetter("checkup_id")))


def _checkup(results: list[Any]) -> Checkup:
    first = results[0]
    return Checkup(
        performed_on=first["performed_on"],
        institution_code=first["institution_code"],
        insurer_number=first["insurer_number"],
        insurer_name=first["insurer_name"],
        items=tuple(_item(row) for row in results if row["item_code"] is not None),
    )


def _item(row: Any) -> CheckupItem:
    known = ITEMS.get(row["item_code"])
    return CheckupItem(
        item_code=row["item_code"],
        name_ja=known.ja if known else None,
        name_en=known.en if known else None,
        result_kind=ResultKind(row["result_kind"]),
        value=row["value"],
        value_name=row["value_name"],
        unit=row["unit"],
        low=row["low"],
        high=row["high"],
        flag=None if row["flag"] is None else Flag(row["flag"]),
    )
