"""Group commit: the records of all requests that wait are made durable by one statement.

Every caller of `Recorder.record` goes on only when its own entry is committed. While one statement is on its way to
disk, the entries of later requests gather for the next, so the cost of a durable commit is shared under load and the
wait is never longer than two commits and the rest between them, which there is none of for one who comes alone.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from eligibility.audit.events import AuditEvent
from eligibility.domain.codes import ConsentClass, Method, Outcome
from eligibility.domain.identifiers import PersonId
from eligibility.storage.gathering import COMPANY
from eligibility.storage.kept_answers import AnswerKey
from eligibility.storage.statements import statements

_SQL = statements("eligibility.storage.queries")
LARGEST_GROUP = 500
REST_S = 0.008  # after a group, so that the next is worth its commit


class RecorderAway(Exception):
    """An entry could not be made durable, or it is not known whether it was."""


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One class of information the holder agreed to show this institution until `expires_at`."""

    consent_id: UUID
    consent_class: ConsentClass
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class VerificationRecord:
    """What a verification found; kept so that the answer can be run again and explained."""

    verification_id: UUID
    terminal_id: UUID
    method: Method
    asked_for: date
    known_at: datetime
    outcome: Outcome
    person_id: PersonId | None
    coverage_id: int | None
    card_key: bytes | None
    certificate_in_grace: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What one request leaves: its event, and the challenge, verification, consents and kept answer it may bring."""

    event: AuditEvent
    nonce: bytes | None = None
    nonce_expires_at: datetime | None = None
    verification: VerificationRecord | None = None
    consents: tuple[ConsentRecord, ...] = ()
    kept: tuple[AnswerKey, str] | None = None  # the answer, kept under the key; beside a verification only


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    durable: asyncio.Future[bool]


class Recorder:
    """Collects entries and writes them in groups; `run` is the one task that writes."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()

    async def record(self, entry: Entry) -> bool:
        """Wait until the entry is durable; return False if its challenge or its key had been used before.

        Raises:
            RecorderAway: the database did not confirm it.
        """
        waiting = _Waiting(entry, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.durable

    async def run(self) -> None:
        """Write groups until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while group := self._next_group():
                await self._write(group)
                if COMPANY <= len(group) < LARGEST_GROUP:
                    await asyncio.sleep(REST_S)

    def _next_group(self) -> list[_Waiting]:
        # The same challenge twice in one group waits for the next, where the unique key tells the second it is late.
        group: list[_Waiting] = []
        nonces: set[bytes] = set()
        postponed: list[_Waiting] = []
        while self._waiting and len(group) < LARGEST_GROUP:
            waiting = self._waiting.popleft()
            nonce = waiting.entry.nonce
            if nonce is not None and nonce in nonces:
                postponed.append(waiting)
                continue
            if nonce is not None:
                nonces.add(nonce)
            group.append(waiting)
        self._waiting.extendleft(reversed(postponed))
        return group

    async def _write(self, group: Sequence[_Waiting]) -> None:
        try:
            late = await self._execute([w.entry for w in group])
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            # One entry that PostgreSQL will not take must not take the others down with it.
            if len(group) > 1:
                for waiting in group:
                    await self._write([waiting])
            else:
                _fail(group, error)
        except Exception as error:  # noqa: BLE001 (whatever it is, those who wait are told, and the writer goes on)
            _fail(group, error)
        else:
            for number, waiting in enumerate(group, start=1):
                if not waiting.durable.done():
                    waiting.durable.set_result(number not in late)

    async def _execute(self, entries: Sequence[Entry]) -> set[int]:
        consents = [(number, c) for number, e in enumerate(entries, start=1) for c in e.consents]
        kept = [(number, e.kept) for number, e in enumerate(entries, start=1) if e.kept is not None]
        rows = await self._pool.fetch(
            _SQL["record_entries"],
            *zip(*(_columns(e) for e in entries), strict=True),
            [number for number, _ in consents],
            [c.consent_id for _, c in consents],
            [c.consent_class.value for _, c in consents],
            [c.expires_at for _, c in consents],
            [number for number, _ in kept],
            [key.route for _, (key, _) in kept],
            [key.idempotency_key for _, (key, _) in kept],
            [key.request_digest for _, (key, _) in kept],
            [answer for _, (_, answer) in kept],
            [e.verification is not None and e.verification.certificate_in_grace for e in entries],
            [e.event.verification_id for e in entries],
        )
        return {row["entry_number"] for row in rows}


def _columns(entry: Entry) -> tuple[object, ...]:
    event, v = entry.event, entry.verification
    return (
        entry.nonce, entry.nonce_expires_at, v and v.verification_id, event.occurred_at, event.institution_code,
        v and v.terminal_id, v and v.method.value, v and v.asked_for, v and v.known_at, v and v.outcome.value,
        event.person_id, v and v.coverage_id, v and v.card_key, event.event_id, event.kind.value, event.code,
        event.actor_kind.value, event.actor, dict(event.detail),
    )  # fmt: skip


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for waiting in group:
        if not waiting.durable.done():
            failure = RecorderAway()
            failure.__cause__ = error
            waiting.durable.set_exception(failure)
