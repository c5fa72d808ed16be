"""Clears what has had its time: used challenges, kept answers, results of bulk checks."""

from datetime import datetime, timedelta
from typing import Any, Final

from eligibility.storage.statements import statements

_SQL = statements("eligibility.storage.queries")
# A challenge is refused from its expiry on; until long after it, so that no clock that is set right, or back, by less
# than this makes one that was cleared good again.
CHALLENGES_KEPT: Final = timedelta(hours=1)
BULK_CHECKS_KEPT: Final = timedelta(days=30)  # without questions and results; they count an institution's misses


async def clear_expired(
    connection: Any, now: datetime, *, kept_answers: timedelta, bulk_results: timedelta
) -> dict[str, int]:
    """Clear in the connection's transaction; return how many of each kind."""
    return {
        "used_challenges": await connection.fetchval(
            _SQL["clear_used_challenges"], now - CHALLENGES_KEPT, timeout=None
        ),
        "kept_answers": await connection.fetchval(_SQL["clear_kept_answers"], now - kept_answers, timeout=None),
        "bulk_results": await connection.fetchval(_SQL["clear_bulk_results"], now - bulk_results, now, timeout=None),
        "bulk_checks": await connection.fetchval(_SQL["forget_bulk_checks"], now - BULK_CHECKS_KEPT, timeout=None),
    }
