"""Clears what has had its time: used challenges, kept answers, results of bulk checks, sessions of staff, check-ups."""

from datetime import date, datetime, timedelta
from typing import Any, Final

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.dates import day_in_japan
from eligibility.domain.errors import DomainError
from eligibility.domain.ids import uuid7
from eligibility.domain.retention import kept_from
from eligibility.storage.audit import insert_event
from eligibility.storage.statements import statements

_SQL = statements("eligibility.storage.queries")
# A challenge is refused from its expiry on; until long after it, so that no clock that is set right, or back, by less
# than this makes one that was cleared good again.
CHALLENGES_KEPT: Final = timedelta(hours=1)
RECORDS_KEPT_YEARS: Final = 5  # verifications and their audit events, as long as the clinics keep theirs
# Who signed in, and who tried, is in the audit log; these rows only serve to decide, and decide nothing any more.
STAFF_SESSIONS_KEPT: Final = timedelta(days=1)
SIGN_IN_BUDGETS_KEPT: Final = timedelta(days=1)
BULK_CHECKS_KEPT: Final = timedelta(days=30)  # without questions and results; they count an institution's misses


class TooYoung(DomainError):
    """The month's records have not been kept for as long as they must be."""


async def retire_records(connection: Any, month: date, now: datetime) -> int:
    """Drop a month's verifications and audit events, as the schema's owner; return in how many partitions they were.

    That it was done is an event itself, in the connection's transaction.

    Raises:
        TooYoung: the month has not been over for as long as records are kept.
    """
    # Partitions are of UTC's months: in Japan they end on the first of the next, at nine.
    month_kept = (day_in_japan(now) - timedelta(days=1)).replace(day=1)
    if month >= month_kept.replace(year=month_kept.year - RECORDS_KEPT_YEARS):
        raise TooYoung
    dropped = int(await connection.fetchval(_SQL["drop_records_of_month"], month))
    if dropped:
        detail = {"month": f"{month:%Y-%m}", "partitions": dropped}
        event = AuditEvent(
            uuid7(now), now, EventKind.CLEARED, "records_retired", ActorKind.OPERATOR, "operator", detail=detail
        )
        await insert_event(connection, event)
    return dropped


async def prepare_partitions(connection: Any, now: datetime) -> None:
    """Make ready what is written to next, in a transaction of its own.

    Until that ends, whoever writes where no partition stands ready waits.
    """
    await connection.fetchval(_SQL["prepare_partitions"], now)


async def clear_expired(
    connection: Any, now: datetime, *, kept_answers: timedelta, bulk_results: timedelta
) -> dict[str, int]:
    """Clear in the connection's transaction; return how many of each kind."""
    return {
        "kept_answers": await connection.fetchval(_SQL["clear_kept_answers"], now - kept_answers, timeout=None),
        "bulk_results": await connection.fetchval(_SQL["clear_bulk_results"], now - bulk_results, now, timeout=None),
        "bulk_checks": await connection.fetchval(_SQL["forget_bulk_checks"], now - BULK_CHECKS_KEPT, timeout=None),
        "staff_sessions": await connection.fetchval(
            _SQL["clear_staff_sessions"], now - STAFF_SESSIONS_KEPT, timeout=None
        ),
        "sign_in_budgets": await connection.fetchval(
            _SQL["clear_sign_in_budgets"], now - SIGN_IN_BUDGETS_KEPT, timeout=None
        ),
    }


async def drop_used_challenges(connection: Any, now: datetime) -> int:
    """Drop the days of used challenges that are over, in a transaction of its own; return how many there were.

    That it was done is an event itself. Only the worker's role may do this.

    Raises:
        asyncpg.LockNotAvailableError: somebody reads or writes them; nothing is dropped.
    """
    async with connection.transaction():
        dropped = int(await connection.fetchval(_SQL["drop_used_challenges"], now - CHALLENGES_KEPT, timeout=None))
        if dropped:
            detail = {"days_of_used_challenges": dropped}
            event = AuditEvent(
                uuid7(now), now, EventKind.CLEARED, "expired", ActorKind.PROCESS, "worker", detail=detail
            )
            await insert_event(connection, event)
    return dropped


async def purge_checkups(connection: Any, today: date, now: datetime) -> int:
    """Delete check-ups performed more than five years ago, their earlier versions included; return how many there were.

    That it was done is an event itself. Only the worker's role may do this.
    """
    day = kept_from(today)
    async with connection.transaction():
        purged = int(await connection.fetchval(_SQL["purge_checkups"], day, timeout=None))
        if purged:
            detail = {"checkups": purged, "performed_before": day.isoformat()}
            kind, why = EventKind.CHECKUPS_PURGED, "kept_long_enough"
            event = AuditEvent(uuid7(now), now, kind, why, ActorKind.PROCESS, "worker", detail=detail)
            await insert_event(connection, event)
    return purged
