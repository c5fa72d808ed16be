"""On which day a visit was: the terminal's clock may be wrong, or be set while visits wait; the centre's is right."""

import functools
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

from eligibility.domain.dates import day_in_japan

CLOCK_OFF: Final = timedelta(minutes=5)  # more than a slow answer, or a week's drift, makes of it
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long the machine has run since a start of its own; no setting of its clock moves it."""

    boot: str
    seconds: float

    @classmethod
    def now(cls) -> "Uptime":
        """Return this moment; time in which the machine slept counts."""
        return cls(_boot(), time.clock_gettime(time.CLOCK_BOOTTIME))


@dataclass(frozen=True, slots=True)
class CentreTime:
    """The time as the centre named it at a moment of this machine, whose own clock was so far ahead."""

    at: datetime
    up: Uptime
    ahead: timedelta

    def later(self, up: Uptime) -> datetime:
        """Return the centre's time at a later moment of the same start of the machine."""
        return self.at + timedelta(seconds=up.seconds - self.up.seconds)

    def puts_elsewhere(self, journalled_at: datetime, up: Uptime | None) -> bool:
        """Tell whether a visit was on another day in Japan than the terminal's clock said when it was journalled.

        One journalled since the machine's last start is dated by the seconds since then. Of an earlier one, or one
        without `up`, it is presumed that the clock was off as it is now, and that it was not tomorrow.
        """
        if up is not None and up.boot == self.up.boot:
            was_at = self.at - timedelta(seconds=self.up.seconds - up.seconds)
        else:
            was_at = min(journalled_at - self.ahead, self.at)
        return abs(journalled_at - was_at) > CLOCK_OFF and day_in_japan(journalled_at) != day_in_japan(was_at)


@functools.cache
def _boot() -> str:
    """Name this start of the machine; where the system has no name for it, this process's own."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return str(uuid4())
