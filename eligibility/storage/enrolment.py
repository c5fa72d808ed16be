"""Takes insurers, institutions and terminals in, and shows them out; each step leaves its audit event."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.statements import statements

_SQL = statements("eligibility.storage.queries")


@dataclass(frozen=True, slots=True)
class EnrolledTerminal:
    """A terminal as it is enrolled, and whether this very call enrolled it."""

    terminal_id: UUID
    institution: InstitutionCode
    institution_name: str
    name: str
    is_new: bool


async def enrol_insurer(connection: Any, insurer: InsurerNumber, name: str, now: datetime) -> None:
    """Take an insurer in, or rename it."""
    async with connection.transaction():
        await connection.execute(_SQL["enrol_insurer"], insurer.digits, name)
        await insert_event(connection, _event("insurer_enrolled", now, insurer_number=insurer.digits))


async def enrol_institution(connection: Any, institution: InstitutionCode, name: str, now: datetime) -> None:
    """Take an institution in, rename it, or open it again."""
    async with connection.transaction():
        await connection.execute(_SQL["enrol_institution"], institution.code, name)
        await insert_event(connection, _event("institution_enrolled", now, institution_code=institution.code))


async def enrol_terminal(
    connection: Any, terminal_id: UUID, institution: InstitutionCode, name: str, now: datetime
) -> bool:
    """Take a terminal of an enrolled institution in, or rename it; return False if it is revoked or elsewhere."""
    async with connection.transaction():
        if await connection.fetchval(_SQL["enrol_terminal"], terminal_id, institution.code, name) is None:
            return False
        await insert_event(connection, _event("terminal_enrolled", now, institution_code=institution.code))
        return True


async def revoke_terminal(connection: Any, terminal_id: UUID, now: datetime) -> bool:
    """Shut a terminal out for good; return False if there is none to shut out."""
    async with connection.transaction():
        if await connection.fetchval(_SQL["revoke_terminal"], terminal_id) is None:
            return False
        await insert_event(connection, _event("terminal_revoked", now, detail={"terminal": str(terminal_id)}))
        return True


async def close_institution(connection: Any, institution: InstitutionCode, day: date, now: datetime) -> bool:
    """Close an institution from a day on; return False if there is none."""
    async with connection.transaction():
        if await connection.fetchval(_SQL["close_institution"], institution.code, day) is None:
            return False
        await insert_event(connection, _event("institution_closed", now, institution_code=institution.code))
        return True


async def issue_enrolment_code(
    connection: Any, code_hash: bytes, institution: InstitutionCode, name: str, now: datetime, expires_at: datetime
) -> bool:
    """Keep the hash of a new code; return False if there is no such institution that is open."""
    async with connection.transaction():
        kept = await connection.fetchval(
            _SQL["issue_enrolment_code"], code_hash, institution.code, name, now, expires_at, day_in_japan(now)
        )
        if kept is None:
            return False
        await insert_event(connection, _event("enrolment_code_issued", now, institution_code=institution.code))
        return True


async def enrol_by_code(
    connection: Any, code_hash: bytes, key_hash: bytes, terminal_id: UUID, now: datetime
) -> EnrolledTerminal | None:
    """Use a code up in the connection's transaction; return None for a code that is good for nothing."""
    row = await connection.fetchrow(_SQL["enrol_by_code"], code_hash, key_hash, terminal_id, day_in_japan(now), now)
    return row and EnrolledTerminal(
        row["enrolled_id"], InstitutionCode(row["enrolled_at_institution"]), row["institution_name"],
        row["terminal_name"], row["is_new"],
    )  # fmt: skip


async def enrolled_terminal(connection: Any, terminal_id: UUID) -> EnrolledTerminal:
    """Return an enrolled terminal; the caller has checked that it is one."""
    row = await connection.fetchrow(_SQL["enrolled_terminal"], terminal_id)
    return EnrolledTerminal(
        row["terminal_id"], InstitutionCode(row["institution_code"]), row["institution_name"], row["name"], False
    )


def _event(code: str, now: datetime, **about: Any) -> AuditEvent:
    return AuditEvent(uuid7(now), now, EventKind.ENROLMENT, code, ActorKind.OPERATOR, "operator", **about)
