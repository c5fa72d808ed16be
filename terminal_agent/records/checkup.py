"""A person's check-ups as one table over the years: a row for each test, a column for each day, results judged.

A result is judged by the range that came with it, since laboratories differ; without one, by the flag that was stated.
Results of one test by several methods stand in one row as long as their unit is the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from eligibility.domain.checkup_items import ITEMS, Flag, ResultKind
from eligibility.wire.checkups import Checkup, CheckupHistory, CheckupItem
from eligibility.wire.problems import Sentence

_ORDER: Final = {code: position for position, code in enumerate(ITEMS)}
_LAST: Final = len(_ORDER)
LEAST_POINTS: Final = 2  # one point is no line


@dataclass(frozen=True, slots=True)
class Cell:
    """One result: as it is read, its number where it has one, and where it lies in its range."""

    item: CheckupItem
    shown: str
    number: Decimal | None
    flag: Flag | None

    @property
    def out_of_range(self) -> bool:
        """Whether it lies below or above its range."""
        return self.flag in (Flag.LOW, Flag.HIGH)


@dataclass(frozen=True, slots=True)
class Row:
    """One test; `cells` stand in the order of the table's columns, None where that check-up lacks it."""

    name: Sentence
    unit: str
    cells: tuple[Cell | None, ...]

    @property
    def out_of_range(self) -> bool:
        """Whether any of its results is."""
        return any(cell is not None and cell.out_of_range for cell in self.cells)


@dataclass(frozen=True, slots=True)
class CheckupTable:
    """All check-ups side by side: columns earliest first, rows in the order tests are usually read."""

    columns: tuple[Checkup, ...]
    rows: tuple[Row, ...]

    @property
    def days(self) -> tuple[date, ...]:
        """The days of the check-ups."""
        return tuple(checkup.performed_on for checkup in self.columns)

    def lines(self) -> tuple[Row, ...]:
        """Return the rows that have at least two numbers: those a line can be drawn of."""
        return tuple(row for row in self.rows if _numbers(row) >= LEAST_POINTS)


def lay_out(history: CheckupHistory) -> CheckupTable:
    """Lay check-ups out as one table."""
    columns = tuple(sorted(history.checkups, key=lambda c: (c.performed_on, c.institution_code, c.insurer_number)))
    rows: dict[tuple[str, str], dict[int, CheckupItem]] = {}
    for position, checkup in enumerate(columns):
        for item in checkup.items:
            # A second result of one test in one check-up, by another method, gets a row of its own.
            row = rows.setdefault((item.name_ja or item.item_code, item.unit), {})
            if position in row:
                row = rows.setdefault((item.item_code, item.unit), {})
            row[position] = item
    ordered = sorted(rows.values(), key=_reading_order)
    return CheckupTable(columns, tuple(_row(row, len(columns)) for row in ordered))


def judge(item: CheckupItem) -> Flag | None:
    """Return where a result lies: by its own range if it has one and is a number, else as stated."""
    number = _number(item)
    if number is None or (item.low is None and item.high is None):
        return item.flag
    if item.low is not None and number < item.low:
        return Flag.LOW
    if item.high is not None and number > item.high:
        return Flag.HIGH
    return Flag.NORMAL


def _row(found: dict[int, CheckupItem], columns: int) -> Row:
    latest = found[max(found)]
    name = Sentence(ja=latest.name_ja or latest.item_code, en=latest.name_en or latest.item_code)
    return Row(name, latest.unit, tuple(_cell(found.get(position)) for position in range(columns)))


def _cell(item: CheckupItem | None) -> Cell | None:
    if item is None:
        return None
    return Cell(item, item.value_name or item.value, _number(item), judge(item))


def _number(item: CheckupItem) -> Decimal | None:
    if item.result_kind is not ResultKind.QUANTITY:
        return None
    try:
        number = Decimal(item.value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _reading_order(found: dict[int, CheckupItem]) -> tuple[int, str]:
    codes: Iterable[str] = [item.item_code for item in found.values()]
    return min(_ORDER.get(code, _LAST) for code in codes), min(codes)


def _numbers(row: Row) -> int:
    return sum(cell is not None and cell.number is not None for cell in row.cells)
