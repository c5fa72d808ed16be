"""Files that are tables of columns: checked batch by batch, copied to staging, merged into the register."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import polars as pl

from eligibility.domain.dates import day_in_japan
from eligibility.storage.statements import statements
from payer_sync.batches import CountersAsk, ahead, in_threads
from payer_sync.contract import Checked, check_file
from payer_sync.copying import copy_bytes, copy_rows
from payer_sync.feedback import FeedbackWriter
from payer_sync.first_file import CoverageRepeated, FirstFile
from payer_sync.layouts.layout import Layout
from payer_sync.layouts.register import find_layout
from payer_sync.merging import begin_merge, merge, merge_time
from payer_sync.repeats import Repeats, find_shared_persons, stage_repeated
from payer_sync.side_by_side import SideBySide, StatedMeanwhile
from payer_sync.submission import Filed

_SQL = statements("payer_sync.queries")
LOAD_TIMEOUT_S: Final = 4 * 3600.0  # of one statement; a merge of a nation's register takes minutes


class TableContent:
    """The content of one file of a layout of columns (see payer_sync.contents.Content)."""

    def __init__(
        self, connection: Any, filed: Filed, path: Path, feedback: FeedbackWriter, counters_ask: CountersAsk
    ) -> None:
        manifest = filed.submission.manifest
        self._connection = connection
        self._filed = filed
        self._path = path
        self._feedback = feedback
        self._counters_ask = counters_ask
        self._layout: Layout = find_layout(manifest.layout, manifest.edition)
        self._others = SideBySide(connection, filed)
        self._known_from: datetime | None = None  # when a part of the file has been merged already
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
        """Merge the staged records; return how many of the file were refused and how many changed something.

        What others' merges have stated meanwhile of the same persons is looked at before this one's end.
        """
        told = self._feedback.told
        while True:
            try:
                async with self._connection.transaction():
                    refused, merged = await self._merge()
                return refused, merged + self._merged
            except StatedMeanwhile as meanwhile:
                self._feedback.told = told
                await self._stage_again(meanwhile)

    async def _merge(self) -> tuple[int, int]:
        known_from = self._known_from
        if known_from is None:
            await self._others.begin()
            known_from = await merge_time(self._connection, self._filed)
        return await merge(
            self._connection, self._filed, self._layout, self._feedback, self._others, known_from,
            complete=self.refused == 0,
        )  # fmt: skip

    async def _stage_again(self, meanwhile: StatedMeanwhile) -> None:
        """Stage what was merged alone of persons who are not alone any more, so that the merge compares it."""
        if self._known_from is None:
            return  # all of the file is still staged
        # What is taken back was known until now; by the time that the insurer's data will be as of, it is not.
        self._known_from += timedelta(microseconds=1)
        codes = await self._others.take_back(meanwhile, self._known_from)
        self._merged -= len(codes)
        if not codes:
            return
        async with aclosing(self._batches()) as batches:
            async for checked in batches:
                again = checked.staged.filter(pl.col("linkage_code").is_in(codes))
                if len(again):
                    rows = copy_bytes(again)
                    await copy_rows(
                        self._connection, self._layout.staging, self._layout.staged_fields, rows, LOAD_TIMEOUT_S
                    )

    def _begin_again(self) -> None:
        self._known_from, self._merged = None, 0
        self.read = self.refused = 0
        self._feedback.forget()

    async def _stage_first(self, aside: Any) -> None:
        shared = await asyncio.to_thread(find_shared_persons, self._path, self._layout)
        await self._others.begin()
        self._known_from = await merge_time(self._connection, self._filed)
        with FirstFile(
            self._connection, aside, self._filed, self._layout, shared, self._known_from, self._counters_ask
        ) as first:
            self._merged = await first.merge_alone(self._checked())
            # What follows looks a few records up in what has just been written.
            await self._connection.execute(_SQL["refresh_statistics"], self._merged)
            await first.stage_rest(self._filed.insurer)

    async def _stage_all(self) -> None:
        repeats = Repeats()
        async with aclosing(self._rows(repeats)) as rows:
            await copy_rows(self._connection, self._layout.staging, self._layout.staged_fields, rows, LOAD_TIMEOUT_S)
        await stage_repeated(self._connection, repeats.records())

    async def _rows(self, repeats: Repeats) -> AsyncGenerator[memoryview, None]:
        async with aclosing(ahead(self._checked(), self._counters_ask)) as batches:
            async for staged in batches:
                repeats.add(staged)
                yield await asyncio.to_thread(copy_bytes, staged)

    async def _checked(self) -> AsyncGenerator[pl.DataFrame, None]:
        async with aclosing(self._batches()) as batches:
            async for checked in batches:
                self.read += checked.read
                self.refused += checked.refused
                self._feedback.keep(checked.faults)
                yield checked.staged

    async def _batches(self) -> AsyncGenerator[Checked, None]:
        today = day_in_japan(datetime.now(UTC))
        batches = check_file(self._path, self._layout, self._filed.insurer, today, self._counters_ask)
        async with aclosing(in_threads(batches)) as checks:
            async for checked in checks:
                yield checked
