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
    """One edition of a layout; a new edition is a new module of this package and nothing else."""

    name: str
    edition: int
    accepted_from: date
    accepted_until: date | None  # the last day; None while no end is known
    staging: str  # the staging table its values go to
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]

    def accepted_on(self, day: date) -> bool:
        """Tell whether files of this edition are taken on the day."""
        return self.accepted_from <= day and (self.accepted_until is None or day <= self.accepted_until)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The header, as it must stand in line 1."""
        return tuple(column.name for column in self.columns)

    @property
    def staged_fields(self) -> tuple[str, ...]:
        """The staging table's columns, in the order in which payer_sync.contract makes them."""
        keys = ((c.field, c.name_key, c.number_key) for c in self.columns)
        return ("record_number", *(name for column in keys for name in column if name))

    def column(self, field: str) -> Column:
        """Return the column whose value goes to the staged field."""
        return next(column for column in self.columns if column.field == field)
