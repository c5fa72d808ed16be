"""Deletes check-ups that are kept no longer."""

from datetime import date, datetime
from typing import Any

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.statements import statements
from payer_sync.checkups.retention import kept_from

_SQL = statements("payer_sync.queries")


async def purge_checkups(connection: Any, today: date, now: datetime) -> int:
    """Delete check-ups performed more than five years ago, their earlier versions included; return how many there were.

    For the worker: `eligibility_worker` may do this and no other process.
    """
    day = kept_from(today)
    async with connection.transaction():
        await connection.execute(_SQL["purge_checkup_results"], day)
        purged = int(await connection.fetchval(_SQL["purge_checkups"], day))
        if purged:
            event = AuditEvent(
                event_id=uuid7(now),
                occurred_at=now,
                kind=EventKind.CHECKUPS_PURGED,
                code="kept_long_enough",
                actor_kind=ActorKind.PROCESS,
                actor="worker",
                detail={"checkups": purged, "performed_before": day.isoformat()},
            )
            await insert_event(connection, event)
    return purged
