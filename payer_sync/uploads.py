"""Uploads that come to no end: nobody goes on with them, or the same file was announced anew; they are refused."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.statements import statements
from eligibility.wire.submissions import Submission, SubmissionState
from payer_sync.faults import Fault, FaultCode
from payer_sync.submission import finish, insert_fault, step

_SQL = statements("payer_sync.queries")
_AT_ONCE: Final = 100


async def end_abandoned(connection: Any, stopped_for: timedelta, now: datetime) -> Sequence[UUID]:
    """Refuse uploads of which nothing has arrived for so long, a hundred at a time; return which.

    Each ends with a fault that says so and an audit event. Another process ends others at the same time.
    """
    async with connection.transaction():
        rows = await connection.fetch(_SQL["abandoned_uploads"], stopped_for, _AT_ONCE)
        for row in rows:
            await _end(connection, row, FaultCode.UPLOAD_ABANDONED, ActorKind.PROCESS, "intake", now)
    return [row["submission_id"] for row in rows]


async def end_announced_before(connection: Any, insurer: InsurerNumber, announced: Submission, now: datetime) -> None:
    """Refuse earlier uploads of the very bytes just announced: nobody goes on with them, and nobody should wait.

    One that is held because other bytes than these arrived ends, too.
    """
    async with connection.transaction():
        manifest = announced.manifest
        rows = await connection.fetch(
            _SQL["announced_before"],
            insurer.digits, manifest.layout, manifest.content_digest, announced.created_at, announced.submission_id,
        )  # fmt: skip
        for row in rows:
            await _end(connection, row, FaultCode.ANNOUNCED_AGAIN, ActorKind.INSURER, insurer.digits, now)


async def on_their_way(connection: Any) -> Sequence[UUID]:
    """Return the submissions whose bytes are needed, or the latest hundred of them."""
    return [row["submission_id"] for row in await connection.fetch(_SQL["on_their_way"], _AT_ONCE)]


async def unneeded(connection: Any, submissions: Sequence[UUID]) -> Sequence[UUID]:
    """Return which of some submissions are finished, or were never announced, so that nobody needs their bytes."""
    needed = {row["submission_id"] for row in await connection.fetch(_SQL["unfinished"], list(submissions))}
    return [one for one in submissions if one not in needed]


async def _end(connection: Any, row: Any, code: FaultCode, actor_kind: ActorKind, actor: str, now: datetime) -> None:
    submission_id: UUID = row["submission_id"]
    refused = step(SubmissionState(row["state"]), SubmissionState.REFUSED)
    told = await connection.fetchval(_SQL["last_fault"], submission_id)  # of a file that was held
    await insert_fault(connection, submission_id, told + 1, Fault(code))
    await finish(connection, submission_id, refused, now, None)
    event = AuditEvent(
        event_id=uuid7(now),
        occurred_at=now,
        kind=EventKind.SUBMISSION_REFUSED,
        code=code.value,
        actor_kind=actor_kind,
        actor=actor,
        insurer_number=row["insurer_number"],
        submission_id=submission_id,
        detail={"faults": told + 1, "received_bytes": row["received_bytes"]},
    )
    await insert_event(connection, event)
