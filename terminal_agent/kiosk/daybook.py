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
from eligibility.wire.verifications import Verification, Withheld
from terminal_agent.kiosk.differences import Difference

MAX_VISITS: Final = 2_000
# What of a coverage a consent opens.
_CERTIFICATES: Final = {
    ConsentClass.LIMIT_CERTIFICATE: "limit_certificates",
    ConsentClass.SPECIFIC_DISEASE: "specific_disease_certificates",
}


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
        visits = self.visits()
        return next((v for v in visits if v.verification and v.verification.verification_id == verification_id), None)

    def withdraw(self, verification_id: UUID, consent_class: ConsentClass) -> Visit | None:
        """Take a consent out of the answer as it is listed, with what it had opened; return the visit."""
        with self._lock:
            for place, visit in enumerate(self._visits):
                was = visit.verification
                if was is None or was.verification_id != verification_id:
                    continue
                kept = tuple(consent for consent in was.consents if consent.consent_class is not consent_class)
                gone = Withheld(consent_class=consent_class, reason="withdrawn")
                update: dict[str, object] = {"consents": kept, "withheld": (*was.withheld, gone)}
                if was.coverage is not None and consent_class in _CERTIFICATES:
                    update["coverage"] = was.coverage.model_copy(update={_CERTIFICATES[consent_class]: ()})
                self._visits[place] = replace(visit, verification=was.model_copy(update=update))
                return self._visits[place]
        return None

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
