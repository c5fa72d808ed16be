"""What an edition of a layout is: a table of columns, its rules, and the days on which it is accepted."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from payer_sync.faults import FaultCode
from payer_sync.layouts.columns import Column


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must not hold within one record: an expression over the staged fields (see payer_sync.rules)."""

    code: FaultCode
    field: str  # the staged field it is reported at
    wrong: pl.Expr


@dataclass(frozen=True, slots=True)
class Layout:
    """One edition of a layout; a new edition is a new module of this package and nothing else.

    When it is taken is judged by payer_sync.layouts.register, which knows the editions after it.
    """

    name: str
    edition: int
    accepted_from: date
    accepted_until: date | None  # the last day; None while no end is known, or the edition after it says so
    staging: str  # the staging table its values go to
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    previous_until: date | None = None  # the last day of the edition before: the overlap begins at accepted_from

    @property
    def column_names(self) -> tuple[str, ...]:
        """The header, as it must stand in line 1."""
        return tuple(column.name for column in self.columns)

    @property
    def staged_fields(self) -> tuple[str, ...]:
        """The staging table's columns, in the order in which payer_sync.contract makes them."""
        keys = ((c.field, c.name_key, c.number_key) for c in self.columns if not c.further)
        further = ("further",) if any(c.further for c in self.columns) else ()
        return ("record_number", *(name for column in keys for name in column if name), *further)

    def staged(self, values: pl.DataFrame) -> pl.DataFrame:
        """Put the values of further columns together as one JSON object, null where none is stated.

        Only what is stated stands in it, so that a later edition with more columns states the same in the same text.
        """
        further = [column.field for column in self.columns if column.further]
        if not further:
            return values
        members = pl.concat_str(
            (pl.when(pl.col(name).is_not_null()).then(_member(name)) for name in further),
            separator=",",
            ignore_nulls=True,
        )
        joined = pl.when(members != "").then("{" + members + "}").alias("further")
        return values.with_columns(joined).drop(further)

    def column(self, field: str) -> Column:
        """Return the column whose value goes to the staged field."""
        return next(column for column in self.columns if column.field == field)


def _member(name: str) -> pl.Expr:
    return pl.struct(name).struct.json_encode().str.strip_prefix("{").str.strip_suffix("}")
