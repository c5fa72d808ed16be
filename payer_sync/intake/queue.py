"""Takes what was received to its end: each insurer's files in the order of announcement, insurers side by side."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import polars as pl
import structlog

from eligibility.domain.identifiers import InsurerNumber
from eligibility.serving.problems import TROUBLE
from eligibility.wire.submissions import SubmissionState
from payer_sync.batches import CountersAsk
from payer_sync.contents import Content
from payer_sync.intake.spool import Spool
from payer_sync.loading import give_up, load
from payer_sync.submission import Filed, note_unended_loads, waiting_submissions

_log = structlog.get_logger(__name__)
LOOK_AGAIN_S: Final = 5.0  # also finds what other processes received and left behind
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
GIVE_UP_AFTER: Final = 3  # failures of our own over one file, before it is refused for the next to have its turn
# Loads of one file that were killed with their process. Some are restarts at a bad moment, so that more are allowed
# than failures. After a few the file is loaded alone: a load beside it that was killed each time has done no harm.
ALONE_AFTER: Final = 3
KILLED_AT_MOST: Final = 10


class LoadQueue:
    """Loads received files until it is cancelled."""

    def __init__(
        self,
        pool: Any,
        database_url: str,
        spool: Spool,
        at_once: int,
        stopped_after: timedelta,
        counters_ask: CountersAsk,
    ) -> None:
        self._pool = pool
        self._database_url = database_url
        self._spool = spool
        self._stopped_after = stopped_after
        self._counters_ask = counters_ask
        self._at_once = at_once
        self._slots = asyncio.Semaphore(at_once)
        self._taking_slots = asyncio.Lock()
        self._arrived = asyncio.Event()
        self._busy: set[InsurerNumber] = set()
        self._running: dict[UUID, Content] = {}

    def announce(self) -> None:
        """Say that a file is complete."""
        self._arrived.set()

    def checked(self, submission_id: UUID) -> int | None:
        """Return how many records of a file have been checked; None unless this very process loads it."""
        content = self._running.get(submission_id)
        return None if content is None else content.read

    async def run(self) -> None:
        """Load whatever waits, what a killed process left behind included."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._arrived.clear()
                for insurer in {filed.insurer for filed in await self._waiting()} - self._busy:
                    self._busy.add(insurer)
                    tasks.create_task(self._drain(insurer))
                try:
                    await asyncio.wait_for(self._arrived.wait(), LOOK_AGAIN_S)
                except TimeoutError:
                    continue

    async def _drain(self, insurer: InsurerNumber) -> None:
        try:
            while own := [filed for filed in await self._waiting() if filed.insurer == insurer]:
                await self._load(own[0])
        finally:
            self._busy.discard(insurer)
            self._arrived.set()  # what came in meanwhile is looked for once more

    async def _load(self, filed: Filed) -> None:
        # Operational trouble is waited out, however long it lasts; a failure of our own is not tried for ever. Either
        # way the slot is free meanwhile, so that one file never holds up another insurer's.
        submission_id = filed.submission.submission_id
        if filed.unended_loads >= ALONE_AFTER:
            _log.warning("load_alone", submission_id=str(submission_id), unended_loads=filed.unended_loads)
        deadly = filed.unended_loads >= KILLED_AT_MOST
        pause_s, failures = FIRST_PAUSE_S, 0
        while True:
            try:
                async with self._slots_for(filed):
                    work = give_up if deadly or failures == GIVE_UP_AFTER else self._load_followed
                    state = await work(self._database_url, filed, self._spool.path(submission_id))
            # Whatever is wrong with one file must not stop the other insurers; a panic of polars is no Exception.
            except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001
                failures += not isinstance(error, TROUBLE) and failures < GIVE_UP_AFTER
                _log.error("load_failed", submission_id=str(submission_id), error=type(error).__qualname__)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            if state is not SubmissionState.HELD:  # it is needed again when an operator approves it
                await self._remove(submission_id)
            _log.info("load_finished", submission_id=str(submission_id), state=state.value)
            return

    async def _load_followed(self, database_url: str, filed: Filed, spool: Path) -> SubmissionState:
        submission_id = filed.submission.submission_id
        # A file that is not in the spool is lost; where the spool is away, nobody knows.
        await asyncio.to_thread(self._spool.check)
        try:
            return await load(
                database_url, filed, spool, self._counters_ask, partial(self._running.__setitem__, submission_id)
            )
        except BaseException:  # it has failed, or this process is being stopped: no kill
            await self._note_end(filed)
            raise
        finally:
            self._running.pop(submission_id, None)

    @asynccontextmanager
    async def _slots_for(self, filed: Filed) -> AsyncIterator[None]:
        needed = self._at_once if filed.unended_loads >= ALONE_AFTER else 1
        async with AsyncExitStack() as taken:
            async with self._taking_slots:  # two that take some each would wait for each other
                for _ in range(needed):
                    await taken.enter_async_context(self._slots)
            yield

    async def _note_end(self, filed: Filed) -> None:
        submission_id = filed.submission.submission_id
        try:
            await note_unended_loads(self._pool, submission_id, filed.unended_loads)
        except Exception as error:  # noqa: BLE001 (it counts as one that was killed, of which some are allowed)
            _log.error("load_end_not_noted", submission_id=str(submission_id), error=type(error).__qualname__)

    async def _remove(self, submission_id: UUID) -> None:
        try:
            await asyncio.to_thread(self._spool.remove, submission_id)
        except OSError as error:  # tidying deletes what is left
            _log.error("spool_file_left", submission_id=str(submission_id), error=type(error).__qualname__)

    async def _waiting(self) -> Sequence[Filed]:
        try:
            return await waiting_submissions(self._pool, self._stopped_after)
        except Exception as error:  # noqa: BLE001 (whatever is wrong this time must not end it for good)
            _log.error("queue_unreadable", error=type(error).__qualname__)
            return ()
