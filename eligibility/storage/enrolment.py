"""Takes insurers, institutions and terminals in, and shows them out; each step leaves its audit event."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.statements import statements

_SQL = statements("eligibility.storage.queries")


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
) -> None:
    """Take a terminal of an enrolled institution in; one that was revoked stays revoked."""
    async with connection.transaction():
        await connection.execute(_SQL["enrol_terminal"], terminal_id, institution.code, name)
        await insert_event(connection, _event("terminal_enrolled", now, institution_code=institution.code))


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


def _event(code: str, now: datetime, **about: Any) -> AuditEvent:
    return AuditEvent(uuid7(now), now, EventKind.ENROLMENT, code, ActorKind.OPERATOR, "operator", **about)
