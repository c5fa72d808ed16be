"""Feedback: every fault of a file as a row, numbered in the order in which it was found."""

import io
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import IO, Any, Final
from uuid import UUID

import polars as pl

from payer_sync.faults import Fault
from payer_sync.submission import insert_fault

FAULT_SCHEMA: Final = {
    "record": pl.Int64,
    "field": pl.String,
    "code": pl.String,
    "severity": pl.String,
    "value_shape": pl.String,
    "expected": pl.String,
}
# How a null travels in COPY: a character that no value holds, because control characters are refused.
_NULL: Final = "\x01"
_COLUMNS: Final = (
    "submission_id", "fault_number", "record_number", "field", "code", "severity", "value_shape", "expected",
)  # fmt: skip
_COPY_TIMEOUT_S: Final = 3600.0
_SEND_BYTES: Final = 1024 * 1024


class FeedbackWriter:
    """Numbers the faults of one submission and writes them, those of the check all at once after it."""

    def __init__(self, connection: Any, submission_id: UUID) -> None:
        self._connection = connection
        self.submission_id = submission_id
        self.told = 0
        # A connection that takes in the records cannot take in their faults at the same time.
        self.spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (the loader closes it)

    def keep(self, faults: pl.DataFrame) -> None:
        """Put faults of the check aside."""
        first = self.told + 1
        rows = faults.select(
            pl.lit(str(self.submission_id)).alias("submission_id"),
            pl.int_range(first, first + pl.len()).alias("fault_number"),
            pl.col("record").alias("record_number"),
            *_COLUMNS[3:],
        )
        self.spool.write(copy_bytes(rows))
        self.told += len(faults)

    def forget(self) -> None:
        """Drop what was put aside: the check begins again."""
        self.spool.seek(0)
        self.spool.truncate()
        self.told = 0

    async def send_spooled(self) -> None:
        """Write all that was put aside."""
        self.spool.seek(0)
        await copy_rows(self._connection, "feedback", _COLUMNS, self.spool, _COPY_TIMEOUT_S)

    async def tell(self, fault: Fault) -> None:
        """Write one fault."""
        self.told += 1
        await insert_fault(self._connection, self.submission_id, self.told, fault)


async def copy_rows(
    connection: Any,
    table: str,
    columns: Sequence[str],
    source: AsyncIterable[memoryview] | IO[bytes] | memoryview,
    timeout_s: float,
) -> None:
    """Send rows made by `copy_bytes` to a table, in pieces: the server works on one while the next is on its way."""
    rows = _pieces(connection, source) if isinstance(source, memoryview | AsyncIterable) else source
    await connection.copy_to_table(table, source=rows, columns=columns, format="csv", null=_NULL, timeout=timeout_s)


async def _pieces(connection: Any, source: AsyncIterable[memoryview] | memoryview) -> AsyncIterator[memoryview]:
    if isinstance(source, memoryview):
        for start in range(0, len(source), _SEND_BYTES):
            yield source[start : start + _SEND_BYTES]
    else:
        async for rows in source:
            if connection.is_closed():  # nobody takes them in: COPY says so when it is told that these are all
                return
            async for piece in _pieces(connection, rows):
                yield piece


def copy_bytes(rows: pl.DataFrame) -> memoryview:
    """Return rows as COPY takes them; an empty text stays one, and is no null."""
    written = io.BytesIO()
    rows.write_csv(written, include_header=False, null_value=_NULL)
    return written.getbuffer()
