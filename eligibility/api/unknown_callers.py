"""How much of what callers without a certificate are refused goes on record by itself: anybody may be one."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

TOLD_A_MINUTE: Final = 60  # of each code in each process, so that a flood of one hides no other
_MINUTE: Final = timedelta(minutes=1)


class UnknownCallers:
    """Counts the refusals of unknown callers in this process; beyond some of a minute they are told as a number."""

    def __init__(self) -> None:
        self._began: datetime | None = None
        self._refused: Counter[str] = Counter()

    def count(self, code: str, now: datetime) -> Mapping[str, int] | None:
        """Count one refusal; return None where it is not to be put on record by itself.

        Where it is: by code, how many of an earlier minute were not. The first refusal after that minute tells them.
        """
        untold: dict[str, int] = {}
        if self._began is None or not timedelta() <= now - self._began < _MINUTE:
            untold = {c: n - TOLD_A_MINUTE for c, n in self._refused.items() if n > TOLD_A_MINUTE}
            self._began, self._refused = now, Counter()
        self._refused[code] += 1
        return untold if self._refused[code] <= TOLD_A_MINUTE else None
