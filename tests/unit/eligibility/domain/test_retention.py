"""Five years, to the day, in the check and in the purge alike."""

from datetime import date

import polars as pl
import pytest

from eligibility.domain.retention import KEPT_YEARS, kept_from

DAYS = [
    (date(2026, 11, 21), date(2021, 11, 21)),
    (date(2028, 2, 29), date(2023, 2, 28)),
    (date(2029, 2, 28), date(2024, 2, 28)),
    (date(2029, 3, 1), date(2024, 3, 1)),
    (date(2026, 1, 1), date(2021, 1, 1)),
]


@pytest.mark.parametrize(("today", "expected"), DAYS)
def test_the_earliest_day_is_the_same_day_five_years_ago(today: date, expected: date) -> None:
    assert kept_from(today) == expected
    assert pl.select(pl.lit(today).dt.offset_by(f"-{KEPT_YEARS}y")).item() == expected
