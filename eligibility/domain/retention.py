"""How long check-ups are kept: five years from the day on which they were performed."""

from datetime import date
from typing import Final

KEPT_YEARS: Final = 5


def kept_from(today: date) -> date:
    """Return the earliest day whose check-ups are kept: the same day five years ago (28 February for 29 February)."""
    year = today.year - KEPT_YEARS
    return today.replace(year=year, day=28) if (today.month, today.day) == (2, 29) else today.replace(year=year)
