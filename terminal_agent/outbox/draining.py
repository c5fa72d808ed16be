"""Settles journalled visits when the line is back: each once, within a budget, and never before a live check."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from eligibility.domain.codes import Outcome
from eligibility.wire.problems import Problem
from eligibility.wire.verifications import NumberVerificationRequest, Verification
from terminal_agent.client import CentreError, Refused
from terminal_agent.outbox.clock import CLOCK_OFF, CentreTime, Uptime
from terminal_agent.outbox.journal import CLOCK_WRONG, KEY_HONOURED, Conclusion, Journal, State, Visit

_log = structlog.get_logger(__name__)
IN_HAND: Final = 50  # visits of one go: what a kill makes the next drain send again
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
LOOK_AGAIN_S: Final = 2.0
MOST_TRIES: Final = 20  # of a check that the centre fails at, before staff look at it
MOST_FAILURES: Final = 5  # of the line, one after the other, before somebody who waits is told that it is away
TIME_GOOD_FOR_S: Final = 60.0  # then the centre is asked for it again
FORGET_EVERY_S: Final = 6 * 3600.0
SETTLED_KEPT: Final = timedelta(days=30)
HOLDERS_KEPT: Final = timedelta(days=400)
# These are settled by a person: the number that was entered names nobody, or several.
NEED_STAFF: Final = frozenset({Outcome.NONE, Outcome.SEVERAL})
MAYBE_SETTLED: Final = "maybe_settled"  # sent so long ago that its key may no longer be honoured
_CALLER_REFUSED: Final = 401


class Line(Protocol):
    """What a drain needs of the centre."""

    def verify_number(self, request: NumberVerificationRequest, idempotency_key: UUID | None = None) -> Verification:
        """Ask by insured number, once for each key."""

    def clock_offset_s(self) -> float | None:
        """Return this machine's clock less the centre's; None where the centre names no time."""


class Budget:
    """A token bucket: so many requests a second, and a few at once."""

    def __init__(self, a_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second, self._burst, self._clock = a_second, burst, clock
        self._tokens, self._at = float(burst), clock()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take a token; return after how many seconds it may be used."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._a_second) - 1
            self._at = now
            return max(0.0, -self._tokens / self._a_second)


class LiveChecks:
    """The checks of patients who stand at the counter; a drain lets each of them pass first."""

    def __init__(self) -> None:
        self._running = 0
        self._changed = threading.Condition()

    @contextmanager
    def check(self) -> Iterator[None]:
        """Hold, around a live check, what may wait."""
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def let_pass(self, stopped: threading.Event) -> None:
        """Wait until no live check is running."""
        with self._changed:
            while self._running and not stopped.is_set():
                self._changed.wait(0.5)


@dataclass(slots=True)
class Drained:
    """What a drain did."""

    settled: int = 0
    needs_staff: int = 0
    put_back: int = 0


@dataclass(frozen=True, slots=True)
class _Told:
    conclusion: Conclusion | None = None
    pause_s: float = 0.0  # how long everything waits: the centre said so
    error: CentreError | Refused | None = None  # the line's own, or the centre's


class TerminalRefused(Exception):
    """The centre does not know this terminal any more; its visits stay journalled until it is enrolled again."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Drain:
    """Settles the visits of a journal."""

    def __init__(
        self,
        journal: Journal,
        line: Line,
        *,
        budget: Budget,
        live: LiveChecks,
        at_once: int = 1,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        uptime: Callable[[], Uptime] = Uptime.now,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._journal, self._line, self._budget, self._live = journal, line, budget, live
        self._at_once, self._now, self._uptime, self._chance = at_once, now, uptime, chance
        self._time_told: CentreTime | None = None
        self._ask_time_at = self._forget_at = 0.0  # of the machine's own count
        self._stopped = threading.Event()
        self._broken = threading.Event()  # of the visits in hand, the rest need not be tried
        self._caller_refused: Problem | None = None

    def stop(self) -> None:
        """End the drain when what it has in hand is concluded."""
        self._stopped.set()

    def keep_settling(self) -> None:
        """Settle visits until stopped, whatever comes in between: a full disk, a terminal that is enrolled again."""
        while not self._stopped.is_set():
            try:
                self.run(until_empty=False)
            except Exception as error:  # noqa: BLE001 - the counter goes on; what is journalled stays
                _log.error("outbox_interrupted", kind=type(error).__name__)
                self._wait(LONGEST_PAUSE_S)

    def run(self, *, until_empty: bool) -> Drained:
        """Settle visits until stopped, or until none is left that can be settled.

        Raises:
            BeingSettled: another drain settles them.
            TerminalRefused: the centre does not accept this terminal.
        """
        return self._run(until_empty=until_empty, tell=None)

    def settle_now(self, tell: Callable[[CentreError | Refused, float], None]) -> Drained:
        """Settle what can be settled now, for somebody who waits; what the centre fails at is left for later.

        `tell` is called with each trouble of the line, and after how many seconds it is tried again.

        Raises:
            BeingSettled, TerminalRefused: as `run`.
            CentreError, Refused: the line, or the centre, was in trouble too often in a row; all visits are kept.
        """
        return self._run(until_empty=True, tell=tell)

    def _run(self, *, until_empty: bool, tell: Callable[[CentreError | Refused, float], None] | None) -> Drained:
        done, failures = Drained(), 0
        with self._journal.settled_by_one(), ThreadPoolExecutor(self._at_once) as senders:
            self._journal.take_up_again()
            self._caller_refused = None
            while not self._stopped.is_set():
                told = self._go(senders)
                if not told:
                    if until_empty and self._is_empty(but_for_later=tell is not None):
                        break
                    self._forget()
                    self._wait(self._until_next())
                    continue
                _count(done, told)
                if self._caller_refused is not None:
                    raise TerminalRefused(self._caller_refused)
                errors = [each.error for each in told if each.error is not None]
                failures = failures + 1 if errors else 0
                if tell is not None and failures == MOST_FAILURES:
                    raise errors[0]
                pause_s = max(max(each.pause_s for each in told), self._jitter(failures) if failures else 0.0)
                if errors:
                    self._ask_time_at = 0.0  # whether it is back is asked before any visit is taken in hand
                    if tell is not None:
                        tell(errors[0], pause_s)
                self._wait(pause_s)
        return done

    def _go(self, senders: Executor) -> list[_Told]:
        """Settle some visits; none where none may be tried now."""
        if self._journal.next_at() is None:
            return []
        try:
            self._ask_time()
        except CentreError as error:
            return [_Told(error=error)]
        except Refused as refused:
            problem = refused.problem
            self._caller_refused = problem if problem.status == _CALLER_REFUSED else None
            return [_Told(pause_s=float(problem.retry_after_s or 0), error=refused)]
        taken = self._journal.take(IN_HAND, self._time())
        self._broken.clear()
        told = list(senders.map(self._settle, taken))
        self._journal.conclude([each.conclusion for each in told if each.conclusion is not None], self._time())
        return told

    def _ask_time(self) -> None:
        """Ask the centre what time it is, as often as it needs to be known.

        Raises:
            Refused, CentreError: as every request.
        """
        if self._uptime().seconds < self._ask_time_at:
            return
        offset_s = self._line.clock_offset_s()
        up = self._uptime()
        self._ask_time_at = up.seconds + TIME_GOOD_FOR_S
        if offset_s is not None:
            ahead = timedelta(seconds=offset_s)
            self._time_told = CentreTime(self._now() - ahead, up, ahead)
            if abs(ahead) > CLOCK_OFF:
                _log.warning("clock_off", seconds=round(offset_s))

    def _time(self) -> datetime:
        """Return the centre's time, or this machine's where the centre has named none."""
        return self._now() if self._time_told is None else self._time_told.later(self._uptime())

    def _settle(self, visit: Visit) -> _Told:
        if self._stopped.is_set() or self._broken.is_set():
            return _Told(self._back(visit, unsent=visit.first_sent_at is None))
        if visit.first_sent_at is not None and visit.first_sent_at < self._time() - KEY_HONOURED:
            return _Told(Conclusion(visit.visit_id, State.NEEDS_STAFF, problem=MAYBE_SETTLED))
        if self._day_is_doubtful(visit):
            return _Told(Conclusion(visit.visit_id, State.NEEDS_STAFF, problem=CLOCK_WRONG))
        self._wait(self._budget.take())
        self._live.let_pass(self._stopped)
        try:
            answer = self._line.verify_number(visit.request(), visit.visit_id)
        except CentreError as error:
            # Whether it was settled is not known; the key makes the next try tell.
            self._broken.set()
            return _Told(self._back(visit), error=error)
        except Refused as refused:
            return self._refused(visit, refused)
        if answer.outcome in NEED_STAFF:
            return _Told(Conclusion(visit.visit_id, State.NEEDS_STAFF, answer, answer.outcome.value))
        return _Told(Conclusion(visit.visit_id, State.SETTLED, answer))

    def _day_is_doubtful(self, visit: Visit) -> bool:
        if visit.content.stated or self._time_told is None:
            return False
        return self._time_told.puts_elsewhere(visit.journalled_at, visit.content.up)

    def _refused(self, visit: Visit, refused: Refused) -> _Told:
        problem = refused.problem
        if problem.status == _CALLER_REFUSED:
            self._caller_refused = problem
            self._broken.set()
            return _Told(self._back(visit))
        if problem.retry_after_s is not None:
            # Too many, or busy: nothing is wrong with the visit, so it costs no try; everything waits as told.
            self._broken.set()
            busy = refused if problem.status >= 500 else None
            return _Told(self._back(visit), pause_s=float(problem.retry_after_s), error=busy)
        if problem.status < 500:
            return _Told(Conclusion(visit.visit_id, State.NEEDS_STAFF, problem=problem.code))
        tries = visit.tries + 1
        if tries >= MOST_TRIES:
            return _Told(Conclusion(visit.visit_id, State.NEEDS_STAFF, problem=problem.code, tries=tries))
        later = self._time() + timedelta(seconds=self._jitter(tries))
        return _Told(Conclusion(visit.visit_id, State.JOURNALLED, not_before=later, tries=tries))

    @staticmethod
    def _back(visit: Visit, *, unsent: bool = False) -> Conclusion:
        return Conclusion(visit.visit_id, State.JOURNALLED, tries=visit.tries, unsent=unsent)

    def _jitter(self, failures: int) -> float:
        """Full jitter: anything up to the doubled pause, so that a nation's terminals do not come back as one."""
        return self._chance(0.0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures, 10)))

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._stopped.wait(seconds)

    def _is_empty(self, *, but_for_later: bool) -> bool:
        next_at = self._journal.next_at()
        return next_at is None or (but_for_later and next_at > self._time())

    def _until_next(self) -> float:
        next_at = self._journal.next_at()
        ahead = LOOK_AGAIN_S if next_at is None else (next_at - self._time()).total_seconds()
        return min(max(ahead, 0.05), LOOK_AGAIN_S)

    def _forget(self) -> None:
        """Forget what was kept for its time, where both clocks agree: one that jumped would forget everything."""
        if self._uptime().seconds < self._forget_at:
            return
        self._forget_at = self._uptime().seconds + FORGET_EVERY_S
        with suppress(CentreError, Refused):
            self._ask_time()
            if self._time_told is not None and abs(self._time_told.ahead) <= CLOCK_OFF:
                self._journal.forget_settled(self._time() - SETTLED_KEPT)
                self._journal.forget_holders((self._time() - HOLDERS_KEPT).date())


def _count(done: Drained, told: list[_Told]) -> None:
    for conclusion in (each.conclusion for each in told):
        match conclusion and conclusion.state:
            case State.SETTLED:
                done.settled += 1
            case State.NEEDS_STAFF:
                done.needs_staff += 1
            case State.JOURNALLED:
                done.put_back += 1
