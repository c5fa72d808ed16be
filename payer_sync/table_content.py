"""Files that are tables of columns: checked batch by batch, copied to staging, merged into the register."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from eligibility.domain.dates import day_in_japan
from eligibility.storage.statements import statements
from payer_sync.contract import Checked, check
from payer_sync.feedback import FeedbackWriter, copy_bytes, copy_rows
from payer_sync.layouts.layout import Layout
from payer_sync.layouts.register import find_layout
from payer_sync.merging import merge
from payer_sync.reading import read_batches
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
        self.read = 0
        self.refused = 0

    async def stage(self) -> None:
        """Check every record and copy those that hold.

        Raises:
            FileRefused: the file cannot be read at all.
        """
        await self._connection.execute(_SQL["begin_staging"])
        await self._connection.execute(_SQL["begin_plan"])
        await copy_rows(
            self._connection, self._layout.staging, self._layout.staged_fields, self._rows(), LOAD_TIMEOUT_S
        )

    async def merge(self) -> tuple[int, int]:
        """Merge the records; return how many were refused and how many changed something."""
        return await merge(self._connection, self._filed, self._layout, self._feedback, complete=self.refused == 0)

    async def _rows(self) -> AsyncIterator[bytes]:
        checked = self._checked(day_in_japan(datetime.now(UTC)))
        # The next batch is read and checked in a thread, while the server takes in the one before.
        while (rows := await asyncio.to_thread(next, checked, None)) is not None:
            for start in range(0, len(rows), _SEND_BYTES):
                yield rows[start : start + _SEND_BYTES]

    def _checked(self, today: date) -> Iterator[bytes]:
        for batch in read_batches(self._path, self._layout):
            checked: Checked = check(batch, self._layout, self._filed.insurer, today)
            self.read += checked.read
            self.refused += checked.refused
            self._feedback.keep(checked.faults)
            yield copy_bytes(checked.staged)
