"""Dates as the field writes them: YYYYMMDD, or an era digit and YYMMDD."""

from datetime import date, datetime, timedelta, timezone
from typing import Final

from eligibility.domain.errors import MalformedValue

JAPAN: Final = timezone(timedelta(hours=9), "JST")  # no summer time since 1951


class MalformedDate(MalformedValue):
    """A date is YYYYMMDD from 18680125 on, or GYYMMDD with the era 1 Meiji, 2 Taisho, 3 Showa, 4 Heisei, 5 Reiwa."""


# Era digit: the year before its first, its first day, its last day.
ERAS: Final = {
    "1": (1867, date(1868, 1, 25), date(1912, 7, 29)),
    "2": (1911, date(1912, 7, 30), date(1926, 12, 24)),
    "3": (1925, date(1926, 12, 25), date(1989, 1, 7)),
    "4": (1988, date(1989, 1, 8), date(2019, 4, 30)),
    "5": (2018, date(2019, 5, 1), date.max),
}
FIRST_DAY: Final = ERAS["1"][1]  # nobody insured was born earlier: a date before it has a mistyped century


def parse_date(text: str) -> date:
    """Read a western or an era date.

    Raises:
        MalformedDate: neither form, no such day, a day before the first era's, or one outside the named era.
    """
    if not (text.isascii() and text.isdigit() and len(text) in (7, 8)):
        raise MalformedDate
    try:
        if len(text) == 8:
            first, last = FIRST_DAY, date.max
            day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
        else:
            base, first, last = ERAS[text[0]]
            day = date(base + int(text[1:3]), int(text[3:5]), int(text[5:]))
    except (KeyError, ValueError) as error:
        raise MalformedDate from error
    if not first <= day <= last:
        raise MalformedDate
    return day


def day_in_japan(moment: datetime) -> date:
    """Return the day it is in Japan at a moment; eligibility is a matter of days there."""
    return moment.astimezone(JAPAN).date()


def time_in_japan(moment: datetime, timespec: str = "seconds") -> str:
    """Return a moment as operators read it: day and time in Japan, down to `timespec`, with the offset."""
    return moment.astimezone(JAPAN).isoformat(" ", timespec)
