from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.domain.dates import ERAS, MalformedDate, day_in_japan, parse_date, time_in_japan


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20240229", date(2024, 2, 29)),
        ("5010501", date(2019, 5, 1)),
        ("4310430", date(2019, 4, 30)),
        ("4010108", date(1989, 1, 8)),
        ("3640107", date(1989, 1, 7)),
        ("3011225", date(1926, 12, 25)),
        ("2151224", date(1926, 12, 24)),
        ("1450729", date(1912, 7, 29)),
        ("5060229", date(2024, 2, 29)),
        ("99991231", date(9999, 12, 31)),
        ("18680125", date(1868, 1, 25)),
    ],
)
def test_western_and_era_dates_are_read(text: str, day: date) -> None:
    assert parse_date(text) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "20230229",
        "00000000",
        "2023011",
        "4310501",
        "5010430",
        "4010107",
        "3640108",
        "6010101",
        "0010101",
        "2024-01-01",
        "２０２４０１０１",
        "202401 1",
        "20241301",
        "5000101",
        "-2024010",
        "20240101 ",
        "²0240101",
        "18680124",
        "10800110",
        "00010101",
    ],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(MalformedDate):
        parse_date(text)


@given(st.dates(min_value=ERAS["1"][1], max_value=date(2099, 12, 31)))
def test_every_day_since_meiji_reads_the_same_both_ways(day: date) -> None:
    digit, (base, _, _) = next((d, era) for d, era in ERAS.items() if era[1] <= day <= era[2])
    assert parse_date(f"{digit}{day.year - base:02}{day:%m%d}") == day
    assert parse_date(f"{day:%Y%m%d}") == day


def test_a_day_begins_in_japan_nine_hours_before_greenwich() -> None:
    assert day_in_japan(datetime(2026, 3, 31, 14, 59, 59, tzinfo=UTC)) == date(2026, 3, 31)
    assert day_in_japan(datetime(2026, 3, 31, 15, 0, 0, tzinfo=UTC)) == date(2026, 4, 1)


def test_a_moment_is_told_as_it_is_in_japan_with_its_offset() -> None:
    moment = datetime(2026, 3, 31, 15, 4, 5, 600, tzinfo=UTC)
    assert time_in_japan(moment) == "2026-04-01 00:04:05+09:00"
    assert time_in_japan(moment, "microseconds") == "2026-04-01 00:04:05.000600+09:00"
