"""The worker process: does the bulk checks, and clears what has had its time."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import structlog

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.bulk_checks import work_on_bulk
from eligibility.domain.dates import day_in_japan
from eligibility.domain.ids import uuid7
from eligibility.serving.problems import TROUBLE
from eligibility.settings import WorkerSettings
from eligibility.storage.audit import insert_event
from eligibility.storage.clearing import clear_expired, drop_used_challenges, prepare_partitions, purge_checkups
from eligibility.storage.database import check_reachable, open_pool

WORKER_ROLE: Final = "eligibility_worker"
PAUSE_AFTER_TROUBLE_S: Final = 2.0
_log = structlog.get_logger(__name__)


async def run_until_told(settings: WorkerSettings) -> None:
    """Work until SIGTERM or SIGINT; what is in hand then is finished first."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await run(settings, told)


async def run(settings: WorkerSettings, told: asyncio.Event) -> None:
    """Work until told to stop.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: at the start, when the database cannot be reached.
        NotMigrated, OtherMigrations: at the start, when it is not what this release works on.
    """
    url = settings.database_url.get_secret_value()
    await check_reachable(url, WORKER_ROLE)
    pool = await open_pool(url, role=WORKER_ROLE, size=settings.worker_pool_size)
    _log.info("working")
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_again(_bulk_lane(pool, settings), told, settings.worker_look_s))
            tasks.create_task(_again(_clearing(pool, settings), told, settings.clear_every_s))
            tasks.create_task(_again(_purging(pool), told, settings.clear_every_s))
    finally:
        await pool.close()


async def _again(work: Callable[[], Awaitable[bool]], told: asyncio.Event, pause_s: float) -> None:
    """Do the work again and again; pause where there was none, longer after trouble of the store or an error."""
    while not told.is_set():
        wait_s = pause_s
        try:
            if await work():
                continue
        except Exception as error:  # noqa: BLE001 (whatever ends this work must not end the others)
            event = "work_failed" if isinstance(error, TROUBLE) else "unexpected_error"
            _log.error(event, error=type(error).__qualname__)
            wait_s = max(pause_s, PAUSE_AFTER_TROUBLE_S)
        try:
            await asyncio.wait_for(told.wait(), wait_s)
        except TimeoutError:
            continue


def _bulk_lane(pool: Any, settings: WorkerSettings) -> Callable[[], Awaitable[bool]]:
    async def work() -> bool:
        return await work_on_bulk(pool, settings.bulk_misses_a_day, datetime.now(UTC))

    return work


def _clearing(pool: Any, settings: WorkerSettings) -> Callable[[], Awaitable[bool]]:
    kept_answers, results = timedelta(days=settings.kept_answer_days), timedelta(hours=settings.bulk_results_hours)

    async def work() -> bool:
        now = datetime.now(UTC)
        async with pool.acquire() as connection:
            await prepare_partitions(connection, now)
        async with pool.acquire() as connection, connection.transaction():
            cleared = await clear_expired(connection, now, kept_answers=kept_answers, bulk_results=results)
            if any(cleared.values()):
                event = AuditEvent(
                    uuid7(now), now, EventKind.CLEARED, "expired", ActorKind.PROCESS, "worker", detail=cleared
                )
                await insert_event(connection, event)
        if any(cleared.values()):
            _log.info("cleared", **cleared)
        async with pool.acquire() as connection:
            try:
                if dropped := await drop_used_challenges(connection, now):
                    _log.info("cleared", days_of_used_challenges=dropped)
            except asyncpg.LockNotAvailableError:  # whoever writes one meanwhile is not kept waiting: the next time
                _log.warning("used_challenges_in_use")
        return False

    return work


def _purging(pool: Any) -> Callable[[], Awaitable[bool]]:
    async def work() -> bool:
        now = datetime.now(UTC)
        async with pool.acquire() as connection:
            purged = await purge_checkups(connection, day_in_japan(now), now)
        if purged:
            _log.info("checkups_purged", checkups=purged)
        return False

    return work
