"""Keeps an institution's staff, their sessions, and how often somebody tried to sign in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.codes import Role
from eligibility.domain.identifiers import InstitutionCode
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.statements import statements

_SQL = statements("eligibility.storage.queries")


@dataclass(frozen=True, slots=True)
class StaffMember:
    """One member of staff as stored; neither factor is ever shown."""

    staff_id: UUID
    name: str
    role: Role
    password_hash: str = field(repr=False)
    passcode_secret: bytes = field(repr=False)  # sealed
    disabled: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that is about to begin; the token itself is kept nowhere."""

    staff_id: UUID
    password_hash: str = field(repr=False)  # that was judged
    time_step: int
    token_digest: bytes = field(repr=False)
    institution: InstitutionCode
    terminal_id: UUID
    began_at: datetime
    expires_at: datetime


async def find_staff(connection: Any, institution: InstitutionCode, name_key: str) -> StaffMember | None:
    """Return a member of the institution's staff, also one who has been shut out."""
    row = await connection.fetchrow(_SQL["find_staff"], institution.code, name_key)
    if row is None:
        return None
    return StaffMember(
        row["staff_id"], row["name"], Role(row["role"]), row["password_hash"], row["passcode_secret"],
        row["disabled_at"] is not None,
    )  # fmt: skip


async def enrol_staff(
    connection: Any, institution: InstitutionCode, member: StaffMember, name_key: str, now: datetime
) -> None:
    """Take a member of staff of an enrolled institution in; one who is there gets new factors, and no session stays."""
    async with connection.transaction():
        await connection.execute(
            _SQL["enrol_staff"], member.staff_id, institution.code, member.name, name_key, member.role.value,
            member.password_hash, member.passcode_secret, now,
        )  # fmt: skip
        await connection.execute(_SQL["end_sessions_of_staff"], member.staff_id, now)
        await insert_event(connection, _event("staff_enrolled", institution, member.staff_id, now, member.role))


async def disable_staff(connection: Any, institution: InstitutionCode, name_key: str, now: datetime) -> bool:
    """Shut a member of staff out at once; return False if there is none who could sign in."""
    async with connection.transaction():
        staff_id = await connection.fetchval(_SQL["disable_staff"], institution.code, name_key, now)
        if staff_id is None:
            return False
        await connection.execute(_SQL["end_sessions_of_staff"], staff_id, now)
        await insert_event(connection, _event("staff_disabled", institution, staff_id, now))
        return True


async def change_role(connection: Any, institution: InstitutionCode, name_key: str, role: Role, now: datetime) -> bool:
    """Give a member of staff another role, in force at their next request; return False if there is none."""
    async with connection.transaction():
        staff_id = await connection.fetchval(_SQL["change_staff_role"], institution.code, name_key, role.value)
        if staff_id is None:
            return False
        await insert_event(connection, _event("staff_role_changed", institution, staff_id, now, role))
        return True


async def count_sign_in(
    connection: Any, budget_keys: Sequence[bytes], now: datetime, window: timedelta
) -> dict[bytes, tuple[int, datetime]]:
    """Count an attempt against each budget; return its attempts in the window, and when the window began."""
    rows = await connection.fetch(_SQL["count_sign_in"], sorted(budget_keys), now, window)
    return {row["budget_key"]: (row["attempts"], row["began_at"]) for row in rows}


async def begin_session(
    connection: Any, session: NewSession, name_budget: bytes, terminal_budget: bytes
) -> tuple[Role, str] | None:
    """Begin a session in the connection's transaction; return the member's role and name.

    None means that the passcode, or a later one, was used before, or that the member was shut out or given new factors
    while the old ones were judged.
    """
    row = await connection.fetchrow(
        _SQL["begin_staff_session"], session.staff_id, session.time_step, session.token_digest,
        session.institution.code, session.terminal_id, session.began_at, session.expires_at, name_budget,
        terminal_budget, session.password_hash,
    )  # fmt: skip
    return None if row is None else (Role(row["role"]), row["name"])


async def use_session(
    connection: Any,
    token_digest: bytes,
    institution: InstitutionCode,
    terminal_id: UUID,
    now: datetime,
    longest_idle: timedelta,
) -> tuple[UUID, Role] | None:
    """Return whose session it is and the role they have now, or None if it is not in force on this terminal."""
    row = await connection.fetchrow(
        _SQL["use_staff_session"], token_digest, institution.code, terminal_id, now, longest_idle
    )
    return None if row is None else (row["staff_id"], Role(row["role"]))


async def end_session(connection: Any, token_digest: bytes, now: datetime, event: AuditEvent) -> None:
    """End a session, with its event."""
    async with connection.transaction():
        await connection.execute(_SQL["end_staff_session"], token_digest, now)
        await insert_event(connection, event)


def _event(
    code: str, institution: InstitutionCode, staff_id: UUID, now: datetime, role: Role | None = None
) -> AuditEvent:
    about = {"staff": str(staff_id)} | ({"role": role.value} if role else {})
    return AuditEvent(
        uuid7(now), now, EventKind.ENROLMENT, code, ActorKind.OPERATOR, "operator", institution_code=institution.code,
        detail=about,
    )  # fmt: skip
