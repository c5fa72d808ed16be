"""Which check-ups of a file may have lost a record that was refused: an incomplete one takes no whole one's place."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import polars as pl

from eligibility.wire.submissions import Severity
from payer_sync.contract import texts
from payer_sync.layouts.layout import Layout
from payer_sync.reading import Batch

KEY: Final = ("linkage_code", "symbol_key", "number_key", "branch_number", "performed_on", "institution_code")
_NAMES: Final = frozenset({"linkage_code", "symbol_key", "number_key", "branch_number"})
# What agrees in all records of a check-up, by the field of its column: the key, and what else tells its holder.
_PARTS: Final = {
    "linkage_code": "linkage_code",
    "symbol": "symbol_key",
    "number": "number_key",
    "branch_number": "branch_number",
    "performed_on": "performed_on",
    "institution_code": "institution_code",
    "birth_date": "birth_date",
    "sex": "sex",
}


class Incomplete:
    """Gathers what one file's refused records tell of their check-ups.

    Where a record's key can be read, that check-up is incomplete; else, in a table, all those are that agree with it in
    what can be (`agreeing`). A line without fields, or a record without day and institution, may belong to the check-up
    before or after it: the records of one stand together. A document tells its key once and is refused as a whole, so
    that it takes nothing from another one.
    """

    def __init__(self, layout: Layout, *, of_table: bool) -> None:
        self._layout = layout
        self._of_table = of_table
        self._doubtful: dict[tuple[str, ...], list[pl.Series]] = {}  # hashes, by the parts that can be read
        self._last: pl.DataFrame | None = None  # the last record whose key can be read: its number and its fields
        self._astray = pl.Series("record_number", dtype=pl.Int64)  # a line after it that tells no check-up

    def add(self, batch: Batch, records: pl.Series, faults: pl.DataFrame) -> pl.DataFrame:
        """Return `record_number` and KEY of the check-ups that these refused records show to be incomplete.

        `records` are the numbers that the faults name the records by.
        """
        refused = batch.fields.with_columns(records.alias("record_number")).filter(
            records.is_in(refused_records(faults).implode())
        )
        read = self._readable(refused, refused["record_number"], faults)
        doubtful = read.filter(pl.any_horizontal(pl.col(KEY).is_null()))
        found = read.drop_nulls(KEY).select("record_number", *KEY)
        if self._of_table:
            nowhere = pl.all_horizontal(pl.col("performed_on", "institution_code").is_null())
            self._keep(doubtful.filter(~nowhere))
            # An empty row, as a spreadsheet leaves it below the others, has lost nothing.
            filled = refused.filter(pl.any_horizontal(pl.col(batch.fields.columns) != ""))["record_number"]
            astray = doubtful.filter(nowhere & pl.col("record_number").is_in(filled.implode()))["record_number"]
            found = pl.concat([found, self._beside(batch, doubtful["record_number"], astray)])
        return found.unique(KEY, maintain_order=True)

    @property
    def doubtful(self) -> bool:
        """Whether there are records whose check-ups `agreeing` has to look for."""
        return bool(self._doubtful)

    def agreeing(self, batches: Iterable[Batch]) -> Iterator[pl.DataFrame]:
        """Take the same table once more; yield the check-ups that agree with such a record, in the form of `add`."""
        kept = [(pl.struct(parts).hash(), pl.concat(hashes).unique()) for parts, hashes in self._doubtful.items()]
        for batch in batches:
            stated = self._parts(batch.fields.select(self._layout.column(f).name for f in _PARTS).unique())
            agrees = pl.any_horizontal(read.is_in(hashes.implode()) for read, hashes in kept)
            found = stated.filter(agrees).select(pl.lit(0, pl.Int64).alias("record_number"), *KEY)
            yield found.drop_nulls()

    def _parts(self, fields: pl.DataFrame) -> pl.DataFrame:
        columns = [self._layout.column(field) for field in _PARTS]
        read = texts(fields, columns)
        return read.select(value for column in columns for value in column.values()).select(_PARTS.values())

    def _readable(self, fields: pl.DataFrame, records: pl.Series, faults: pl.DataFrame) -> pl.DataFrame:
        """Return the parts of refused records, null where one is wrong; where nobody is named, no name is empty."""
        refused = faults.filter(pl.col("severity") == Severity.RECORD_REFUSED.value)
        unnamed = (pl.col("linkage_code") == "") & (pl.col("number_key") == "")
        readable = []
        for field, part in _PARTS.items():
            wrong = refused.filter(pl.col("field") == self._layout.column(field).name)["record"]
            unread = pl.lit(records.is_in(wrong.implode()))
            if part in _NAMES:
                unread = unread | (unnamed & (pl.col(part) == ""))
            readable.append(pl.when(~unread).then(pl.col(part)).alias(part))
        return self._parts(fields).select(records, *readable)

    def _keep(self, doubtful: pl.DataFrame) -> None:
        missing = [pl.col(part).is_null().alias(f"no {part}") for part in _PARTS.values()]
        for nulls, alike in doubtful.group_by(missing):
            parts = tuple(part for part, null in zip(_PARTS.values(), nulls, strict=True) if not null)
            hashes = alike.select(pl.struct(parts).hash()).to_series()
            self._doubtful.setdefault(parts, []).append(hashes.unique())

    def _beside(self, batch: Batch, doubtful: pl.Series, astray: pl.Series) -> pl.DataFrame:
        """Return the check-ups of the records before and after those that tell no check-up."""
        told = batch.fields.select(batch.records.alias("record_number"), pl.all())
        if len(doubtful):
            told = told.filter(~pl.col("record_number").is_in(doubtful.implode()))
        rows = told if self._last is None else pl.concat([self._last, told])
        lines = pl.concat([self._astray, batch.astray.alias("record_number"), astray]).sort()
        numbers = rows.select("record_number", pl.col("record_number").alias("near"))
        ways: tuple[Literal["backward", "forward"], ...] = ("backward", "forward")
        near = pl.concat(lines.to_frame().join_asof(numbers, on="record_number", strategy=way)["near"] for way in ways)
        beside = rows.filter(pl.col("record_number").is_in(near.drop_nulls().implode()))
        self._last = rows.tail(1)
        self._astray = lines.filter(lines > self._last["record_number"].item()) if len(rows) else lines
        self._astray = self._astray.tail(1)  # all of them are beside the same
        return self._parts(beside).select(beside["record_number"], *KEY)


def refused_records(faults: pl.DataFrame) -> pl.Series:
    """Return the numbers of the records that are refused, each once."""
    return faults.filter(pl.col("severity") == Severity.RECORD_REFUSED.value)["record"].unique()
