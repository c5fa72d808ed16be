"""What the records of one file of check-ups say of each other: the faults of its merge that a file alone shows.

The merge judges by the very same rules in the database (payer_sync/queries/checkups.sql), with the persons who are
known beside them. Here only hashes of what is compared are kept.
"""

from typing import Final

import polars as pl

from payer_sync.checkups.incomplete import KEY
from payer_sync.faults import FaultCode
from payer_sync.feedback import FAULT_SCHEMA
from payer_sync.layouts.layout import Layout

_BOUNDS: Final = ("low", "high")
_RESULT: Final = ("result_kind", "value", "value_name", "unit", "stated_flag")


class CheckupAgreement:
    """Gathers the checked records of one file, and tells at its end which of them make no whole check-up."""

    def __init__(self, layout: Layout) -> None:
        self._field = layout.column("performed_on").name
        self._records: list[pl.DataFrame] = []

    def add(self, staged: pl.DataFrame) -> None:
        """Add what is staged (see payer_sync.checkups.reading.read_checked)."""
        # Numbers as the database compares them: 30 is 30.0, and -0 is 0.
        bounds = [pl.col(bound).cast(pl.Float64) + 0.0 for bound in _BOUNDS]
        self._records.append(
            staged.select(
                pl.col("record_number").alias("record"),
                pl.struct(KEY).hash().alias("checkup"),
                pl.struct("birth_date", "sex").hash().alias("holder"),
                pl.col("item_code").is_null().alias("lost"),
                pl.col("item_code").hash().alias("item"),
                pl.struct(*_RESULT, *bounds).hash().alias("result"),
            )
        )

    def faults(self) -> pl.DataFrame:
        """Return the faults, in the form of those of payer_sync.contract."""
        if not self._records:
            return pl.DataFrame(schema=FAULT_SCHEMA)
        records = pl.concat(self._records)
        lost = pl.col("checkup").is_in(records.filter("lost")["checkup"].unique().implode())
        stated = records.filter(~pl.col("lost"))
        whole = stated.filter(~lost)
        contradicting = pl.concat([_several(whole, "holder", "checkup"), _several(whole, "result", "checkup", "item")])
        found = pl.concat(
            [
                self._rows(stated.filter(lost), FaultCode.CHECKUP_INCOMPLETE),
                self._rows(
                    whole.filter(pl.col("checkup").is_in(contradicting.unique().implode())),
                    FaultCode.CHECKUP_CONTRADICTS,
                ),
            ]
        )
        return found.sort("record")

    def _rows(self, told: pl.DataFrame, code: FaultCode) -> pl.DataFrame:
        return told.select(pl.col("record").unique()).select(
            pl.col("record"),
            pl.lit(self._field).alias("field"),
            pl.lit(code.value).alias("code"),
            pl.lit(code.severity.value).alias("severity"),
            pl.lit(None, pl.String).alias("value_shape"),
            pl.lit(code.expected).alias("expected"),
        )


def _several(records: pl.DataFrame, of: str, *by: str) -> pl.Series:
    kinds = records.group_by(by).agg(pl.col(of).n_unique())
    return kinds.filter(pl.col(of) > 1)["checkup"]
