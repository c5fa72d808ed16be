"""Files that are tables of columns: checked batch by batch, copied to staging, merged into the register."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import polars as pl

from eligibility.domain.dates import day_in_japan
from eligibility.storage.statements import statements
from payer_sync.contract import check_file
from payer_sync.feedback import FeedbackWriter, copy_bytes, copy_rows
from payer_sync.first_file import CoverageRepeated, FirstFile, ahead
from payer_sync.layouts.layout import Layout
from payer_sync.layouts.register import find_layout
from payer_sync.merging import begin_merge, merge, merge_time
from payer_sync.repeats import Repeats, find_shared_persons, stage_repeated
from payer_sync.submission import Filed

_SQL = statements("payer_sync.queries")
LOAD_TIMEOUT_S: Final = 4 * 3600.0  # of one statement; a merge of a nation's register takes minutes
_SEND_BYTES: Final = 1024 * 1024


class TableContent:
    """The content of one file of a layout of columns (see payer_sync.contents.Content)."""

    def __init__(self, connection: Any, filed: Filed, path: Path, feedback: FeedbackWriter) -> None:
        manifest = filed.submission.manifest
        self._connection = connection
        self._filed = filed
        self._path = path
        self._feedback = feedback
        self._layout: Layout = find_layout(manifest.layout, manifest.edition)
        self._known_from: datetime | None = None
        self._merged = 0
        self.read = 0
        self.refused = 0

    async def stage(self, aside: Any | None) -> None:
        """Check every record and copy those that hold; of an insurer's first file, merge those that stand alone.

        Raises:
            FileRefused: the file cannot be read at all.
        """
        await self._connection.execute(_SQL["begin_staging"])
        await begin_merge(self._connection)
        if aside and not await self._connection.fetchval(_SQL["insurer_has_register"], self._filed.insurer.digits):
            try:
                async with self._connection.transaction():
                    await self._stage_first(aside)
                return
            except (CoverageRepeated, asyncpg.UniqueViolationError):
                self._begin_again()
        await self._stage_all()

    async def merge(self) -> tuple[int, int]:
        """Merge the staged records; return how many of the file were refused and how many changed something."""
        refused, merged = await merge(
            self._connection, self._filed, self._layout, self._feedback, self._known_from, complete=self.refused == 0
        )
        return refused, merged + self._merged

    def _begin_again(self) -> None:
        self._known_from, self._merged = None, 0
        self.read = self.refused = 0
        self._feedback.forget()

    async def _stage_first(self, aside: Any) -> None:
        shared = await asyncio.to_thread(find_shared_persons, self._path, self._layout)
        self._known_from = await merge_time(self._connection, self._filed)
        with FirstFile(self._connection, aside, self._filed, self._layout, shared, self._known_from) as first:
            self._merged = await first.merge_alone(self._checked())
            # What follows looks a few records up in what has just been written.
            await self._connection.execute(_SQL["refresh_statistics"], self._merged)
            await first.stage_rest(self._filed.insurer)

    async def _stage_all(self) -> None:
        repeats = Repeats()
        await copy_rows(
            self._connection, self._layout.staging, self._layout.staged_fields, self._rows(repeats), LOAD_TIMEOUT_S
        )
        await stage_repeated(self._connection, repeats.records())

    async def _rows(self, repeats: Repeats) -> AsyncGenerator[bytes, None]:
        async with aclosing(ahead(self._checked())) as batches:
            async for staged in batches:
                repeats.add(staged)
                rows = await asyncio.to_thread(copy_bytes, staged)
                for start in range(0, len(rows), _SEND_BYTES):
                    yield rows[start : start + _SEND_BYTES]

    async def _checked(self) -> AsyncGenerator[pl.DataFrame, None]:
        today = day_in_japan(datetime.now(UTC))
        with closing(check_file(self._path, self._layout, self._filed.insurer, today)) as batches:
            while checked := await asyncio.to_thread(next, batches, None):
                self.read += checked.read
                self.refused += checked.refused
                self._feedback.keep(checked.faults)
                yield checked.staged
