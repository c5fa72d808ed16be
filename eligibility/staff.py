"""Signing in at a counter with two factors, and whose a session is."""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.errors import Refused
from eligibility.domain.ids import uuid7
from eligibility.identity.staff_factors import SecretUnreadable, StaffFactors, sign_in_key
from eligibility.serving.callers import Staff, Terminal
from eligibility.storage.audit import insert_event
from eligibility.storage.recorder import Entry, Recorder
from eligibility.storage.staff import (
    NewSession,
    StaffMember,
    begin_session,
    count_sign_in,
    end_session,
    find_staff,
    use_session,
)
from eligibility.verification import StaffNeeded
from eligibility.wire.staff import SESSION_IDLE_LIFE, SESSION_LIFE, StaffSession, StaffSessionRequest

ATTEMPTS_WINDOW: Final = timedelta(minutes=15)
ATTEMPTS_OF_A_NAME: Final = 10  # in a window, at one institution
ATTEMPTS_OF_A_TERMINAL: Final = 30
_HASHINGS_AT_ONCE: Final = 2  # each takes a processor and 64 MiB
_TOKEN_BYTES: Final = 32
_log = structlog.get_logger(__name__)


class SignInRefused(Refused):
    """Name, password or passcode is wrong, or the passcode was used before; which of them is not told."""

    code = "sign_in_refused"


class SignInThrottled(Refused):
    """There were too many attempts for this name, or on this terminal."""

    code = "sign_in_throttled"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class SignInOff(Refused):
    """The centre has no staff key, so that nobody of staff can sign in."""

    code = "sign_in_off"


@dataclass(frozen=True, slots=True)
class StaffDoor:
    """What signing in works with."""

    pool: Any
    recorder: Recorder
    factors: StaffFactors | None
    hashing: asyncio.Semaphore

    @classmethod
    def make(cls, pool: Any, recorder: Recorder, factors: StaffFactors | None) -> "StaffDoor":
        """Return the door of one process; without factors it stays shut."""
        return cls(pool, recorder, factors, asyncio.Semaphore(_HASHINGS_AT_ONCE))


async def sign_in(door: StaffDoor, terminal: Terminal, request: StaffSessionRequest, now: datetime) -> StaffSession:
    """Begin a session for a member of the terminal's institution who shows both factors.

    (1) the attempt is counted against the name and the terminal before anything is judged, so that attempts at once
    are attempts too; (2) who is meant; (3) both factors are judged, with the same work for an unknown name; (4) the
    passcode is used up, and the session and its event are durable, before the token leaves.

    Raises:
        SignInThrottled: too many attempts.
        SignInRefused: anything is wrong with what was said.
        SignInOff: this centre signs nobody in.
    """
    if door.factors is None:
        raise SignInOff
    # (1) the budgets
    name_key = sign_in_key(request.name)
    name_budget = _budget_key("name", terminal.institution.code, name_key)
    terminal_budget = _budget_key("terminal", str(terminal.terminal_id))
    await _spend(door, name_budget, terminal_budget, now)

    # (2) who is meant
    member = await find_staff(door.pool, terminal.institution, name_key)

    # (3) both factors
    async with door.hashing:
        step = await asyncio.to_thread(_judge, door.factors, member, request, now)

    # (4) used up and durable
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    if member is not None and step is not None:
        session = NewSession(
            member.staff_id, member.password_hash, step, _digest(token), terminal.institution, terminal.terminal_id,
            now, now + SESSION_LIFE,
        )  # fmt: skip
        async with door.pool.acquire() as connection, connection.transaction():
            begun = await begin_session(connection, session, name_budget, terminal_budget)
            if begun is not None:
                role, name = begun
                event = _session_event("began", Staff(terminal, member.staff_id, role), now)
                await insert_event(connection, event)
                return StaffSession(token=token, role=role, display_name=name, expires_at=session.expires_at)
    about = {"staff": str(member.staff_id)} if member else {}
    await door.recorder.record(
        Entry(
            AuditEvent(
                uuid7(now), now, EventKind.REQUEST_REFUSED, SignInRefused.code, ActorKind.TERMINAL,
                str(terminal.terminal_id), institution_code=terminal.institution.code, detail=about,
            )
        )
    )  # fmt: skip
    refused = SignInRefused()
    refused.audited = True
    raise refused


async def staff_of_token(door: StaffDoor, terminal: Terminal, token: str, now: datetime) -> Staff:
    """Return who is signed in, with the role they have at this moment; the session's idle time begins anew.

    Raises:
        StaffNeeded: no such session is in force on this terminal.
    """
    found = await use_session(
        door.pool, _digest(token), terminal.institution, terminal.terminal_id, now, SESSION_IDLE_LIFE
    )
    if found is None:
        raise StaffNeeded
    staff_id, role = found
    return Staff(terminal, staff_id, role)


async def sign_out(door: StaffDoor, staff: Staff, token: str, now: datetime) -> None:
    """End the session, with its event."""
    async with door.pool.acquire() as connection:
        await end_session(connection, _digest(token), now, _session_event("ended", staff, now))


async def _spend(door: StaffDoor, name_budget: bytes, terminal_budget: bytes, now: datetime) -> None:
    counted = await count_sign_in(door.pool, (name_budget, terminal_budget), now, ATTEMPTS_WINDOW)
    most = {name_budget: ATTEMPTS_OF_A_NAME, terminal_budget: ATTEMPTS_OF_A_TERMINAL}
    ends = [began_at + ATTEMPTS_WINDOW for key, (attempts, began_at) in counted.items() if attempts > most[key]]
    if ends:
        raise SignInThrottled(max(1, int((max(ends) - now).total_seconds())))


def _judge(
    factors: StaffFactors, member: StaffMember | None, request: StaffSessionRequest, now: datetime
) -> int | None:
    known = None
    if member is not None and not member.disabled:
        try:
            known = (member.password_hash, factors.open(member.passcode_secret, member.staff_id))
        except SecretUnreadable:  # the caller learns no more of it than of an unknown name
            _log.error("passcode_secret_unreadable", staff=str(member.staff_id))
    return factors.judge(request.password, request.passcode, known, now)


def _session_event(code: str, staff: Staff, now: datetime) -> AuditEvent:
    return AuditEvent(
        uuid7(now), now, EventKind.STAFF_SESSION, code, ActorKind.STAFF, str(staff.staff_id),
        institution_code=staff.terminal.institution.code,
        detail={"role": staff.role.value, "terminal": str(staff.terminal.terminal_id)},
    )  # fmt: skip


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _budget_key(*parts: str) -> bytes:
    # A digest, for what is typed as a name may be anything, a password included.
    return hashlib.sha256("\x1f".join(parts).encode()).digest()
