"""Days of the synthetic nation as numbers, a whole column at a time; 0 stands for no day."""

from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from eligibility.domain.dates import ERAS
from loadtest.nation.draws import Ints

_ZERO: Final = date(1899, 12, 31)  # day 1 is the first day that can be written
_ZERO_64: Final = np.datetime64(_ZERO, "D")
_LAST: Final = date(2099, 12, 31)


def number_of(day: date) -> int:
    """Return the day's number."""
    return (day - _ZERO).days


def day_of(number: int) -> date | None:
    """Return the day of a number; None for 0."""
    return _ZERO + timedelta(days=number) if number else None


def plus_years(days: Ints, years: int) -> Ints:
    """Return the same day some years later; 29 February becomes 1 March."""
    calendar = _ZERO_64 + days
    month = calendar.astype("datetime64[M]")
    in_month = calendar - month.astype("datetime64[D]")
    return _numbers((month + 12 * years).astype("datetime64[D]") + in_month)


def month_after(days: Ints) -> Ints:
    """Return the first day of the following month."""
    return _numbers(((_ZERO_64 + days).astype("datetime64[M]") + 1).astype("datetime64[D]"))


def year_start(days: Ints, first_month: int) -> Ints:
    """Return the latest first day of the month (4 for school and office years, 8 for insurance years) up to the day."""
    month = (_ZERO_64 + days).astype("datetime64[M]") - (first_month - 1)
    return _numbers((month.astype("datetime64[Y]").astype("datetime64[M]") + (first_month - 1)).astype("datetime64[D]"))


def calendar_year(days: Ints) -> Ints:
    """Return the year of each day."""
    return (_ZERO_64 + days).astype("datetime64[Y]").astype(np.int64) + 1970


def written(wareki: bool) -> pl.Series:
    """Return how each day is written, by its number: YYYYMMDD or GYYMMDD, and nothing for 0."""
    days = (_ZERO + timedelta(days=n) for n in range(1, number_of(_LAST) + 1))
    texts = (_wareki(day) for day in days) if wareki else (f"{day:%Y%m%d}" for day in days)
    return pl.Series(["", *texts])


def _wareki(day: date) -> str:
    era, base = next((era, base) for era, (base, first, last) in reversed(ERAS.items()) if first <= day <= last)
    return f"{era}{day.year - base:02d}{day:%m%d}"


def _numbers(days: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> Ints:
    return (days - _ZERO_64).astype(np.int64)
