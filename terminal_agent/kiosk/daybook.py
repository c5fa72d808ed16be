"""Today's visits as the staff screen lists them: held in memory alone, and gone when the day or the program ends."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from eligibility.domain.codes import ConsentClass
from eligibility.domain.dates import day_in_japan
from eligibility.wire.problems import Sentence
from eligibility.wire.verifications import Verification
from terminal_agent.kiosk.differences import Difference
from terminal_agent.withdrawal import same_patient, without_consent

MAX_VISITS: Final = 2_000
Withdrawn = Callable[[UUID, ConsentClass], None]


@dataclass(frozen=True, slots=True)
class Visit:
    """One line of the list: an answer of the centre, or the code of what kept it away."""

    number: int
    at: datetime
    verification: Verification | None = field(default=None, repr=False)
    differences: frozenset[Difference] = frozenset()
    trouble: str | None = None
    said: Sentence | None = None

    def __str__(self) -> str:
        return f"Visit({self.number})"


class Daybook:
    """The visits of one day at one terminal, newest first."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._visits: list[Visit] = []
        self._last = 0
        self._listeners: list[Callable[[], None]] = []
        self._withdrawal_listeners: list[Withdrawn] = []

    def on_withdrawal(self, listener: Withdrawn) -> None:
        """Call this with the verification and the class of each consent that was taken back."""
        self._withdrawal_listeners.append(listener)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this, from whichever thread writes, after each change."""
        self._listeners.append(listener)

    def add_answer(self, verification: Verification, differences: frozenset[Difference] = frozenset()) -> Visit:
        """Write down an answer."""
        return self._add(verification=verification, differences=differences)

    def add_trouble(self, code: str, said: Sentence | None = None) -> Visit:
        """Write down that a visit ended without an answer."""
        return self._add(trouble=code, said=said)

    def visits(self) -> list[Visit]:
        """Return today's visits, newest first."""
        with self._lock:
            self._forget_yesterday()
            return self._visits[::-1]

    def find(self, verification_id: UUID) -> Visit | None:
        """Return the visit with this verification."""
        return next((visit for visit in self.visits() if _is_of(visit, verification_id)), None)

    def withdraw(self, verification_id: UUID, consent_class: ConsentClass) -> Visit | None:
        """Take a consent out of each of the patient's answers, with what it had opened; return the visit."""
        found = None
        with self._lock:
            meant = next((v for v in self._visits if _is_of(v, verification_id)), None)
            if meant is not None and meant.verification is not None:
                self._visits = [_withdrawn(visit, meant.verification, consent_class) for visit in self._visits]
                found = next(v for v in self._visits if v.number == meant.number)
        for listener in self._withdrawal_listeners:
            listener(verification_id, consent_class)
        return found

    @property
    def last(self) -> int:
        """The number of the newest visit; it grows with each."""
        return self._last

    def _add(
        self,
        *,
        verification: Verification | None = None,
        differences: frozenset[Difference] = frozenset(),
        trouble: str | None = None,
        said: Sentence | None = None,
    ) -> Visit:
        with self._lock:
            self._forget_yesterday()
            self._last += 1
            visit = Visit(self._last, self._now(), verification, differences, trouble, said)
            self._visits = [*self._visits[1 - MAX_VISITS :], visit]
        for listener in self._listeners:
            listener()
        return visit

    def _forget_yesterday(self) -> None:
        today = day_in_japan(self._now())
        self._visits = [visit for visit in self._visits if day_in_japan(visit.at) == today]


def _is_of(visit: Visit, verification_id: UUID) -> bool:
    return visit.verification is not None and visit.verification.verification_id == verification_id


def _withdrawn(visit: Visit, meant: Verification, consent_class: ConsentClass) -> Visit:
    if visit.verification is None or not same_patient(visit.verification, meant):
        return visit
    return replace(visit, verification=without_consent(visit.verification, consent_class))
