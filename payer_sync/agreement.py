"""What the records of one file say of each other: the faults that the merge finds, as far as a file alone shows them.

The merge judges by the very same rules in the database (payer_sync/queries/merge.sql), with what is already known
beside them. Here only hashes of what is compared are kept, so that a nation's register fits into memory.
"""

from typing import Final

import polars as pl

from payer_sync.faults import FaultCode, both
from payer_sync.feedback import FAULT_SCHEMA
from payer_sync.layouts.layout import Layout
from payer_sync.rules import RecordKind

_COVERAGE: Final = ("symbol_key", "number_key", "branch_number", "acquired_on")
# Each certificate: what names it within its coverage, and what must then agree.
_CERTIFICATES: Final = (
    (("limit_class", "limit_from"), ("limit_category", "limit_through", "long_term_on")),
    (("disease", "disease_from"), ("monthly_cap_yen", "disease_through")),
    (("elderly_from",), ("elderly_percent", "elderly_through")),
)
_OF_CERTIFICATES: Final = {name for names in _CERTIFICATES for part in names for name in part}
_DERIVED: Final = {"record_number", "insurer_number", "name_key", *_COVERAGE}
_FAR: Final = pl.date(9999, 12, 31)


class Agreement:
    """Gathers the checked records of one file, and tells at its end which of them cannot stand together."""

    def __init__(self, layout: Layout) -> None:
        self._field = layout.column("acquired_on").name  # the last part of what names a coverage
        self._facts = [n for n in layout.staged_fields if n not in _OF_CERTIFICATES and n not in _DERIVED]
        self._records: list[pl.DataFrame] = []
        self._certificates: list[pl.DataFrame] = []

    def add(self, staged: pl.DataFrame) -> None:
        """Add records that hold by themselves."""
        coverage = pl.struct(_COVERAGE).hash().alias("coverage")
        self._records.append(
            staged.select(
                pl.col("record_number").alias("record"),
                coverage,
                pl.col("linkage_code").hash().alias("person"),
                pl.struct(self._facts).hash().alias("facts"),
                (pl.col("record_kind") == RecordKind.REGISTER.value).alias("states"),
                "acquired_on",
                pl.col("lost_on").fill_null(_FAR),
            )
        )
        for place, (names, facts) in enumerate(_CERTIFICATES):
            stated = staged.filter(pl.col(names[0]).is_not_null())
            if len(stated):
                named = pl.struct(pl.lit(place).alias("place"), *names).hash().alias("named")
                self._certificates.append(stated.select(coverage, named, pl.struct(facts).hash().alias("facts")))

    def faults(self) -> pl.DataFrame:
        """Return the faults, in the form of those of payer_sync.contract."""
        if not self._records:
            return pl.DataFrame(schema=FAULT_SCHEMA)
        records = pl.concat(self._records)
        repeated = records.filter(pl.col("coverage").is_duplicated())
        contradicting = self._contradicting(repeated)
        told = repeated.filter(pl.col("coverage").is_in(contradicting.implode())).sort("record")
        lead = pl.col("record").first().over("coverage")
        other = pl.when(pl.col("record") == lead).then(pl.col("record").shift(-1).over("coverage")).otherwise(lead)
        contradictions = self._rows(
            told.with_columns(other.alias("other")),
            FaultCode.CONTRADICTS,
            both("記録 {} と一致すること", "agreement with record {}"),
        )
        remaining = records.filter(~pl.col("coverage").is_in(contradicting.implode()))
        overlaps = self._rows(
            _overlapping(remaining),
            FaultCode.OVERLAPS,
            both("記録 {} の資格と重ならない期間", "days that the coverage of record {} does not have"),
        )
        return pl.concat([contradictions, overlaps])

    def _contradicting(self, repeated: pl.DataFrame) -> pl.Series:
        found = [_disagreeing(repeated.select("coverage", "facts"), ["coverage"])]
        if self._certificates:
            stated = pl.concat(self._certificates).filter(
                pl.col("coverage").is_in(repeated["coverage"].unique().implode())
            )
            found.append(_disagreeing(stated, ["coverage", "named"]))
        return pl.concat(found).unique()

    def _rows(self, told: pl.DataFrame, code: FaultCode, expected: str) -> pl.DataFrame:
        return told.sort("record").select(
            pl.col("record"),
            pl.lit(self._field).alias("field"),
            pl.lit(code.value).alias("code"),
            pl.lit(code.severity.value).alias("severity"),
            pl.lit(None, pl.String).alias("value_shape"),
            pl.format(expected, pl.col("other"), pl.col("other")).alias("expected"),
        )


def _disagreeing(stated: pl.DataFrame, by: list[str]) -> pl.Series:
    kinds = stated.group_by(by).agg(pl.col("facts").n_unique())
    return kinds.filter(pl.col("facts") > 1)["coverage"]


def _overlapping(records: pl.DataFrame) -> pl.DataFrame:
    # One row for each coverage stated with days in it; of these, those of persons who have several.
    stated = records.filter(pl.col("states") & (pl.col("acquired_on") < pl.col("lost_on"))).sort("record")
    several = stated.unique("coverage", keep="first").filter(pl.col("person").is_duplicated())
    ordered = several.sort("person", "acquired_on", "record")
    # Among a person's coverages in the order of their beginning, the one that lasts longest so far ...
    longest = pl.col("lost_on").cum_max().over("person")
    ordered = ordered.with_columns(
        longest.alias("longest"),
        pl.when(pl.col("lost_on") == longest).then(pl.col("record")).forward_fill().over("person").alias("holder"),
    )
    # ... overlaps the next if any before it does, and one that any after it overlaps, the next overlaps too.
    before = pl.col("longest").shift(1).over("person") > pl.col("acquired_on")
    after = pl.col("acquired_on").shift(-1).over("person") < pl.col("lost_on")
    found = ordered.select(
        "coverage",
        pl.when(before)
        .then(pl.col("holder").shift(1).over("person"))
        .when(after)
        .then(pl.col("record").shift(-1).over("person"))
        .alias("other"),
    ).drop_nulls()
    return records.join(found, on="coverage").select("record", "other")
