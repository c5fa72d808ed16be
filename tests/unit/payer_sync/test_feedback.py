"""What a check has found is put aside in bounded memory."""

import tracemalloc
from uuid import UUID

import polars as pl

from payer_sync.feedback import FAULT_SCHEMA, FeedbackWriter


def test_very_many_faults_of_one_portion_are_put_aside_piece_by_piece() -> None:
    number = 1_000_000
    faults = pl.DataFrame(
        {"record": pl.int_range(1, number + 1, eager=True), "field": "生年月日", "code": "x", "severity": "warning",
         "value_shape": None, "expected": "明治以後の実在する日付"},
        schema=FAULT_SCHEMA,
    )  # fmt: skip
    writer = FeedbackWriter(None, UUID(int=7))
    with writer.spool:
        tracemalloc.start()
        try:
            writer.keep(faults)
            assert tracemalloc.get_traced_memory()[1] < 50_000_000
        finally:
            tracemalloc.stop()

        writer.spool.seek(0)
        lines = writer.spool.read().decode().splitlines()
    assert writer.told == len(lines) == number
    assert lines[-1].startswith(f"{UUID(int=7)},{number},{number},")
