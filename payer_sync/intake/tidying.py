"""Keeps the spool from filling up: uploads that nobody goes on with are ended, and bytes that nobody needs deleted."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from payer_sync.intake.spool import Spool
from payer_sync.uploads import end_abandoned, unneeded

_log = structlog.get_logger(__name__)
TIDY_EVERY_S: Final = 3600.0
# A file is made before its row, and deleted after its submission has ended; neither takes so long.
ORPHANED_AFTER: Final = timedelta(hours=1)


async def keep_tidy(pool: Any, spool: Spool, abandoned_after: timedelta) -> None:
    """Tidy up at the start and every hour until cancelled."""
    while True:
        try:
            await tidy(pool, spool, abandoned_after, datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 (whatever is wrong this time must not end it for good)
            _log.error("tidying_failed", error=type(error).__qualname__)
        await asyncio.sleep(TIDY_EVERY_S)


async def tidy(pool: Any, spool: Spool, abandoned_after: timedelta, now: datetime) -> None:
    """End what has stopped for so long, then delete the bytes of whatever has ended."""
    async with pool.acquire() as connection:
        while ended := await end_abandoned(connection, abandoned_after, now):
            for submission_id in ended:
                _log.info("upload_abandoned", submission_id=str(submission_id))
                await asyncio.to_thread(spool.remove, submission_id)
        left = await asyncio.to_thread(spool.untouched_since, now - ORPHANED_AFTER)
        for submission_id in await unneeded(connection, left):
            _log.info("spool_file_deleted", submission_id=str(submission_id))
            await asyncio.to_thread(spool.remove, submission_id)
