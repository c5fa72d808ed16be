"""Keeps the institutions' own numbers of their patients (照会番号)."""

from datetime import datetime
from typing import Any

import asyncpg

from eligibility.domain.errors import Refused
from eligibility.domain.identifiers import InstitutionCode, InsuredNumber, PersonId
from eligibility.storage.lookups import MOST_ENTRIES_READ
from eligibility.storage.statements import statements

_SQL = statements("eligibility.storage.queries")


class ReferenceNumberTaken(Refused):
    """The institution has given this number to another patient."""

    code = "reference_number_taken"


async def checked_persons(
    connection: Any, insured: InsuredNumber, institution: InstitutionCode
) -> list[PersonId] | None:
    """Return those who carry the insured number now and whom the institution has checked before.

    None means that without its symbol the number stands for more than are read.
    """
    rows = await connection.fetch(
        _SQL["checked_persons_of_number"],
        insured.insurer.digits, insured.number_key, insured.symbol_key, insured.branch_number, institution.code,
        MOST_ENTRIES_READ,
    )  # fmt: skip
    if any(row["person_id"] is None for row in rows):
        return None
    return [PersonId(row["person_id"]) for row in rows]


async def give_reference_number(
    connection: Any, person: PersonId, institution: InstitutionCode, reference_number: str, now: datetime
) -> bool:
    """Give a person an institution's number in the connection's transaction; tell whether it replaces another one.

    Raises:
        ReferenceNumberTaken: it is another patient's at this institution.
    """
    try:
        return bool(
            await connection.fetchval(
                _SQL["register_reference_number"], person, institution.code, reference_number, now
            )
        )
    except asyncpg.UniqueViolationError as error:
        raise ReferenceNumberTaken from error
