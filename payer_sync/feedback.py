"""Feedback: every fault of a file as a row, numbered in the order in which it was found."""

import tempfile
from typing import IO, Any, Final
from uuid import UUID

import polars as pl

from payer_sync.copying import copy_bytes, copy_rows
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
_COLUMNS: Final = (
    "submission_id", "fault_number", "record_number", "field", "code", "severity", "value_shape", "expected",
)  # fmt: skip
_COPY_TIMEOUT_S: Final = 3600.0
_FAULTS_AT_ONCE: Final = 100_000  # written: a record of a few bytes may come to kilobytes of faults


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
        for some in rows.iter_slices(_FAULTS_AT_ONCE):
            self.spool.write(copy_bytes(some))
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
