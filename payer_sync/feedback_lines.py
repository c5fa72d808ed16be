"""Turns what a check found into the lines an office is told."""

from collections.abc import Iterator

import polars as pl

from eligibility.wire.submissions import FeedbackLine, Severity
from payer_sync.faults import Fault


def lines_of(faults: pl.DataFrame) -> Iterator[FeedbackLine]:
    """Yield a line for each row of faults (`payer_sync.feedback.FAULT_SCHEMA`)."""
    for row in faults.iter_rows(named=True):
        yield FeedbackLine.model_validate(row | {"severity": Severity(row["severity"])})


def line_of(fault: Fault) -> FeedbackLine:
    """Return the line of one fault."""
    return FeedbackLine(
        record=fault.record,
        field=fault.field,
        code=fault.code.value,
        severity=fault.code.severity,
        value_shape=fault.value_shape,
        expected=fault.said,
    )
