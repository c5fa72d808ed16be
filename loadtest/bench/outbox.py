"""The outbox's bench: a counter's queue comes back over a real line: `python -m loadtest.bench.outbox`.

Visits are journalled with the journal's own code. Then the terminal's own command drains them into a real centre, and
is killed now and then, while another terminal of the same centre asks at a steady pace for patients who stand there;
each of its checks is timed from when it was due. At the end the journal and the centre's records are held against each
other. A queue that does not empty in the time given is judged by what of it was settled, and said to be so.
"""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Final
from uuid import UUID

from rich.console import Console

from eligibility.domain.codes import Sex
from eligibility.domain.dates import day_in_japan
from eligibility.storage.database import connect
from loadtest.bench.counter_centre import BRANCH_NUMBER, INSURER, SYMBOL, BenchCentre, insure, open_centre
from loadtest.bench.processes import Usage
from loadtest.processes import end_when_told
from loadtest.promises import promised, show_verdict
from loadtest.verdict import Measured, Verdict, judge
from terminal_agent.client import Centre, CentreError, Refused
from terminal_agent.outbox.journal import InsuredPerson, Journal, State, request_of
from terminal_agent.outbox.sealing import Seal
from terminal_agent.settings import ENV_PREFIX, TerminalSettings

_BORN: Final = date(1980, 1, 1)
_PERSONS: Final = 1_000
_NOBODY: Final = 100  # one visit in so many has a number that names nobody
_AT_ONCE: Final = 10_000  # visits that are journalled in one go
_LIVE_A_SECOND: Final = 20.0
_FEWEST: Final = 2
_LOOK_EVERY_S: Final = 0.5
_SAMPLE: Final = 2_000  # visits whose answer is compared with the record the centre made
_API_WORKERS: Final = 2
_DRAINING: Final = "draining"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is drained, for how long at most, and how often the drain is killed meanwhile."""

    limits: str
    visits: int
    seconds: float
    kills: int
    quiet_s: float


SIZES: Final = {"small": Size("outbox_small", 2_000, 300, 3, 2), "full": Size("outbox", 1_000_000, 200, 5, 20)}


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of the drain: the visits that left the queue, in which time, and what the two sides disagree about."""

    concluded: int
    seconds: float
    kills: int
    lost: int
    duplicates: int
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Beside:
    """What the live checks met: their times without and with the drain, and how many got no answer."""

    quiet_ms: Sequence[float]
    busy_ms: Sequence[float]
    errors: int


@dataclass(slots=True)
class Live:
    """A terminal whose patients do not wait: one check at each due time, each timed from then."""

    settings: TerminalSettings
    errors: int = 0
    _times_ms: list[float] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _asking: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._asking = threading.Thread(target=self._ask, name="live checks")

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask for the block."""
        self._asking.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._asking.join()

    def take(self) -> list[float]:
        """Return the times since the last take; wait until there are two, of which a percentile can be told."""
        while len(self._times_ms) < _FEWEST and self._asking.is_alive():
            time.sleep(1 / _LIVE_A_SECOND)
        taken, self._times_ms = self._times_ms, []
        return taken

    def _ask(self) -> None:
        asked = request_of(_person(0), day_in_japan(datetime.now(UTC)))
        with Centre.open(self.settings) as centre:
            due = time.perf_counter()
            while not self._stopping.wait(max(0.0, due - time.perf_counter())):
                try:
                    centre.verify_number(asked)
                except (CentreError, Refused):
                    self.errors += 1
                self._times_ms.append((time.perf_counter() - due) * 1000)
                due += 1 / _LIVE_A_SECOND


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 1 when a promise is not kept."""
    parser = ArgumentParser(prog="python -m loadtest.bench.outbox", description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--visits", type=int, metavar="N", help="another queue, of so many")
    parser.add_argument("--seconds", type=float, metavar="N", help="another time after which what waits is left")
    parser.add_argument("--pace", type=float, default=1000.0, metavar="N", help="the drain's budget of checks a second")
    chosen = parser.parse_args(arguments)
    end_when_told()
    size = SIZES[chosen.size]
    size = replace(size, visits=chosen.visits or size.visits, seconds=chosen.seconds or size.seconds)
    drained, beside = run(size, chosen.pace)
    measured = [
        Measured("drain", "settled", drained.concluded, {
            "rate": drained.concluded / drained.seconds, "lost": drained.lost, "duplicates": drained.duplicates,
            "memory_mib": drained.memory_mib,
        }),
        Measured("drain", "live", len(beside.busy_ms), {
            "p95_ms": _p95(beside.busy_ms), "slowdown_ratio": _p95(beside.busy_ms) / _p95(beside.quiet_ms),
            "error_ratio": beside.errors / len(beside.busy_ms),
        }),
    ]  # fmt: skip
    limits = promised(size.limits)
    verdict = judge(limits, measured)
    _show(size, drained, beside, verdict)
    return 0 if verdict.passed else 1


def run(size: Size, pace: float) -> tuple[Drained, Beside]:
    """Journal, drain and compare; return what came of it, and what the live checks beside it met."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eligibility-bench-")))
        key = folder / "outbox.key"
        journal = Journal(folder / "outbox.db", Seal.from_file(key))
        stack.callback(journal.close)
        ids = _fill(journal, size.visits)
        centre = stack.enter_context(open_centre(folder, _API_WORKERS))
        asyncio.run(_insure(centre))
        settings = asyncio.run(centre.enrol(_DRAINING)).model_copy(
            update={
                "outbox_file": folder / "outbox.db", "outbox_key_file": key, "outbox_checks_a_second": pace,
            }
        )  # fmt: skip
        live = Live(asyncio.run(centre.enrol("live")))
        stack.enter_context(live.asking())
        time.sleep(size.quiet_s / 4)  # its first checks open the line
        live.take()
        time.sleep(size.quiet_s)
        quiet_ms = live.take()
        usage = stack.enter_context(Usage())
        seconds, kills = _drain(journal, settings, size, usage)
        busy_ms = live.take()
        lost, duplicates = asyncio.run(_compare(centre, journal, folder / "outbox.db", set(ids)))
        memory_mib = usage.peak_mib("drain")
        concluded = size.visits - _waiting(journal)
        beside = Beside(quiet_ms, busy_ms, live.errors)
        return Drained(concluded, seconds, kills, lost, duplicates, memory_mib), beside


def _fill(journal: Journal, visits: int) -> list[UUID]:
    now = datetime.now(UTC) - timedelta(days=1)
    day = day_in_japan(now)
    ids: list[UUID] = []
    while len(ids) < visits:
        first, last = len(ids), min(len(ids) + _AT_ONCE, visits)
        ids += journal.add_all([(_person(n), day) for n in range(first, last)], now)
    return ids


def _person(n: int) -> InsuredPerson:
    number = f"9{n}" if n % _NOBODY == _NOBODY - 1 else str(1 + n % _PERSONS)
    return InsuredPerson(INSURER, SYMBOL, number, BRANCH_NUMBER, _BORN)


async def _insure(centre: BenchCentre) -> None:
    owner = await connect(centre.site.database)
    await insure(owner, "架空 花子", _BORN, Sex.FEMALE, [str(1 + n) for n in range(_PERSONS)])
    await owner.close()


def _drain(journal: Journal, settings: TerminalSettings, size: Size, usage: Usage) -> tuple[float, int]:
    """Run the terminal's own drain until the queue is empty or the time is over; return the time and the kills."""
    started, kills = time.monotonic(), 0
    while time.monotonic() - started < size.seconds and (waiting := _waiting(journal)):
        command = [sys.executable, "-m", "terminal_agent", "outbox", "drain"]
        drain = subprocess.Popen(command, env=_environment(settings), stdout=subprocess.DEVNULL)  # noqa: S603 (our own module)
        usage.watch("drain", drain.pid)
        # Killed when its share of the queue, or of the time, is done; the last one is left to end by itself.
        share, until = size.visits // (size.kills + 1), time.monotonic() + size.seconds / (size.kills + 1)
        while drain.poll() is None and time.monotonic() - started < size.seconds:
            time.sleep(_LOOK_EVERY_S if size.visits > _AT_ONCE else 0.05)
            if kills < size.kills and (time.monotonic() > until or _waiting(journal) <= waiting - share):
                break
        if drain.poll() is None:
            os.kill(drain.pid, signal.SIGKILL)
            kills += 1
        if drain.wait() not in (0, -signal.SIGKILL):
            raise subprocess.CalledProcessError(drain.returncode, command)
    return time.monotonic() - started, kills


def _environment(settings: TerminalSettings) -> Mapping[str, str]:
    stated = settings.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    return inherited | {ENV_PREFIX + name.upper(): str(value) for name, value in stated.items()}


def _waiting(journal: Journal) -> int:
    counts = journal.counts()
    return counts[State.JOURNALLED] + counts[State.SETTLING]


async def _compare(centre: BenchCentre, journal: Journal, file: Path, ids: set[UUID]) -> tuple[int, int]:
    with sqlite3.connect(file) as base:
        states = {UUID(visit_id): State(state) for visit_id, state in base.execute("select visit_id, state from visit")}
    base.close()
    told = {v.visit_id: v.answer.verification_id for v in journal.latest(_SAMPLE, State.SETTLED) if v.answer}
    owner = await connect(centre.site.database, command_timeout_s=None)
    terminal = await owner.fetchval("select terminal_id from terminal where name = $1", _DRAINING)
    rows = await owner.fetch("select idempotency_key, made_id from kept_answer where terminal_id = $1", terminal)
    records = await owner.fetchval("select count(*) from verification where terminal_id = $1", terminal)
    events = await owner.fetchval(
        "select count(*) from audit_event where kind = 'number_verification' and code <> 'repeated' and actor = $1",
        str(terminal),
    )
    await owner.close()
    made = dict(rows)
    return count_lost(ids, states, made, told), count_duplicates(ids, made, records, events)


def count_lost(
    ids: Set[UUID], states: Mapping[UUID, State], made: Mapping[UUID, UUID], told: Mapping[UUID, UUID]
) -> int:
    """Return how many visits were lost.

    That is what the journal forgot, what it calls answered and the centre never heard of, and an answer (`told`, by
    visit) that is not the record which the centre made.
    """
    answered = {visit_id for visit_id, state in states.items() if state in (State.SETTLED, State.NEEDS_STAFF)}
    return (
        len(ids - states.keys())
        + len(answered - made.keys())
        + sum(visit_id in made and made[visit_id] != record for visit_id, record in told.items())
    )


def count_duplicates(ids: Set[UUID], made: Mapping[UUID, UUID], records: int, events: int) -> int:
    """Return how many records and events there are beyond one for each key, and how many keys nobody journalled."""
    return abs(records - len(made)) + abs(events - len(made)) + len(made.keys() - ids)


def _p95(times_ms: Sequence[float]) -> float:
    return quantiles(times_ms, n=20, method="inclusive")[-1]


def _show(size: Size, drained: Drained, beside: Beside, verdict: Verdict) -> None:
    out = sys.stdout.write
    out(f"{drained.concluded:,} of {size.visits:,} visits settled in {drained.seconds:.0f} s, {drained.kills} kills\n")
    if drained.concluded < size.visits:
        out("  the rest still waits in the journal: the run's time was over\n")
    for when, times_ms in (("before", beside.quiet_ms), ("beside the drain", beside.busy_ms)):
        out(f"live checks {when}: p50 {median(times_ms):.1f} ms, p95 {_p95(times_ms):.1f} ms ({len(times_ms)} times)\n")
    show_verdict(Console(highlight=False), verdict)


if __name__ == "__main__":
    sys.exit(main())
