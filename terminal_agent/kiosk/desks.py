"""Who is signed in at the staff's screen: the centre's session, found by a cookie that only this terminal knows."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from eligibility.wire.staff import SESSION_IDLE_LIFE, StaffSession


@dataclass(slots=True)
class _Seat:
    session: StaffSession
    used_at: datetime


@dataclass(slots=True)
class Desks:
    """The sessions of this terminal's staff; each ends with the centre's, or after half an hour without a request."""

    now: Callable[[], datetime]
    _seats: dict[str, _Seat] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sit_down(self, session: StaffSession) -> str:
        """Take up a new session; return what the cookie holds."""
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._seats = {kept: seat for kept, seat in self._seats.items() if self._holds(seat)}
            self._seats[name] = _Seat(session, self.now())
        return name

    def who(self, name: str, *, by_hand: bool = True) -> StaffSession | None:
        """Return the session of a cookie; what somebody did counts as use of it, a page that looks again does not."""
        with self._lock:
            seat = self._seats.get(name)
            if seat is None:
                return None
            if not self._holds(seat):
                del self._seats[name]
                return None
            if by_hand:
                seat.used_at = self.now()
            return seat.session

    def latest(self) -> StaffSession | None:
        """Return the session that was used last and holds, if any; asking for it is no use of it."""
        with self._lock:
            seats = [seat for seat in self._seats.values() if self._holds(seat)]
        return max(seats, key=lambda seat: seat.used_at).session if seats else None

    def seconds_left(self, name: str) -> float | None:
        """Return in how many seconds a session ends if nobody uses it, or None of one that has; asking is no use."""
        with self._lock:
            seat = self._seats.get(name)
            if seat is None or not self._holds(seat):
                return None
            return (self._ends_at(seat) - self.now()).total_seconds()

    def stand_up(self, name: str) -> None:
        """End a session here."""
        with self._lock:
            self._seats.pop(name, None)

    def _holds(self, seat: _Seat) -> bool:
        return self.now() < self._ends_at(seat)

    @staticmethod
    def _ends_at(seat: _Seat) -> datetime:
        return min(seat.session.expires_at, seat.used_at + SESSION_IDLE_LIFE)
