"""`python -m loadtest run`: a nation's morning on this machine, measured, judged by limits.toml, and reported.

Figures that are compared are measured in alternating windows of one run, so that whatever else the machine does meets
both; computing is counted per process, which other processes disturb little.
"""

import asyncio
import sys
import threading
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console

from eligibility.storage.database import connect
from loadtest.bulking import Bulk, all_of, check_in_bulk, worker
from loadtest.driving.deck import make_deck, read_deck
from loadtest.driving.driver import drive
from loadtest.driving.plan import READINGS, Operation, Plan, Sent, Stream, Visit, number_of_processes
from loadtest.embedded import external_database
from loadtest.figures import Outcome, during, outcome, recovered_after_s
from loadtest.installation import publish_revocation
from loadtest.measuring import Observation, Watching, postgresql, redis, tree
from loadtest.merging import Merging, merge_meanwhile
from loadtest.processes import ServerProcess, end_when_told, server
from loadtest.promises import promised, show_verdict
from loadtest.reading import visits
from loadtest.record import Chapter, Record, Setting, commit, machine
from loadtest.report import write_report
from loadtest.seed import SEED, filled
from loadtest.site import Site, default_folder
from loadtest.verdict import Limit, Measured, bound_of, judge

_T = TypeVar("_T")
_Played = tuple[Operation, str]  # what is sent, and whether to the centre or the ceiling
PATHS: Final = {
    Operation.VERIFICATION: "/v1/verifications",
    Operation.NUMBER_VERIFICATION: "/v1/number-verifications",
    Operation.CHALLENGES: "/v1/challenges",
    Operation.MEDICATION_READING: "/v1/verifications/{}/medications",
    Operation.CHECKUP_READING: "/v1/verifications/{}/checkups",
}
SCENARIOS: Final = ("limit", "steady", "bulk", "parallel", "overload")
_POOL_OF_CHALLENGES: Final = 20  # fetched by one request
_OVERLOAD_BEGINS_S: Final = 2.0
_SUSTAINED_AT_LEAST: Final = 30.0  # a second: of fewer nothing would be due in a short run
_RECOVERY_SEEN_S: Final = 15.0
_RECOVERY_SEEN_AT_LEAST_S: Final = 2.0  # long enough for some request, however few a second there are
_NEEDS_EMBEDDED: Final = (
    "この計測は組み込みの PostgreSQL の負荷も測ります。ELIGIBILITY_DATABASE_URL を外してください。 / What is measured "
    "includes the computing of the embedded PostgreSQL: unset ELIGIBILITY_DATABASE_URL.\n"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is."""

    persons: int
    cards: int
    most_a_second: int  # beyond the verifications the machine could answer: how many are prepared
    limit_s: float
    limit_rounds: int
    limit_connections: int  # of each terminal, so that none of what may be answered waits for another's connection
    steady: Mapping[Operation, float]
    steady_s: float
    steady_rounds: int
    parallel: Mapping[Operation, float]
    parallel_s: float
    merged_rows: int
    bulk_items: int
    overload_s: float
    overload_connections: int  # of each terminal
    most_at_once: int  # requests in each API process, before the rest are shed
    warm: bool = True  # whether caches are filled before anything is measured
    may_run_out: bool = False  # whether a fast machine may send all that is prepared: no rate is judged


SIZES: Final = {
    "full": Size(
        persons=1_000_000, cards=8_000, most_a_second=9_000, limit_s=4, limit_rounds=8, limit_connections=3,
        steady={Operation.VERIFICATION: 2_500}, steady_s=60, steady_rounds=10,
        parallel={
            Operation.VERIFICATION: 600, Operation.NUMBER_VERIFICATION: 300, Operation.MEDICATION_READING: 100,
            Operation.CHECKUP_READING: 50,
        }, parallel_s=60, merged_rows=500_000, bulk_items=10_000,
        overload_s=60, overload_connections=16, most_at_once=384,
    ),
    "small": Size(
        persons=2_000, cards=40, most_a_second=3_000, limit_s=1, limit_rounds=1, limit_connections=1,
        steady={
            Operation.VERIFICATION: 30, Operation.NUMBER_VERIFICATION: 30, Operation.MEDICATION_READING: 15,
            Operation.CHECKUP_READING: 15,
        }, steady_s=2, steady_rounds=1,
        parallel={
            Operation.VERIFICATION: 20, Operation.NUMBER_VERIFICATION: 10, Operation.MEDICATION_READING: 5,
            Operation.CHECKUP_READING: 5,
        }, parallel_s=2, merged_rows=500, bulk_items=50,
        overload_s=1, overload_connections=4, most_at_once=128, warm=False, may_run_out=True,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Minute:
    """One window of several operations: what each came to, and what API and PostgreSQL computed for each answer.

    `beside` holds what a merge and a bulk check came to, in a minute that had them.
    """

    outcomes: Sequence[Outcome]
    answer_us: float
    beside: Sequence[Measured] = ()


@dataclass(frozen=True, slots=True)
class Flood:
    """One operation sent as fast as answers come, and what all processes computed for it, in seconds."""

    outcome: Outcome
    computed_s: float


class Morning:
    """One run: its site, its servers, and the chapters it has come to."""

    def __init__(
        self, site: Site, size: Size, deck: Path, screen: Console, workers: int, first_window: int | None = None
    ) -> None:
        self._site, self._size, self._deck, self._screen, self._workers = site, size, deck, screen, workers
        # No two windows send the same, of this run or another; what each sends follows from its number.
        self.first_window = int(time.time()) if first_window is None else first_window
        self._windows = self.first_window
        self._visits: tuple[Visit, ...] = ()
        self._limits: Sequence[Limit] = ()

    @contextmanager
    def flooding(self, numbers: int) -> Iterator[Callable[[Operation], Flood]]:
        """Serve the centre to terminals that have asked about so many numbers; what is given sends one operation.

        It sends for one window, as fast as answers come.
        """
        size = self._size
        with self._api() as self._centre:
            self._warm_up(Operation.VERIFICATION, self._centre)
            # Each process begins at a number of its own: together they ask about each at least once.
            self._warm_up(Operation.NUMBER_VERIFICATION, self._centre, numbers * number_of_processes(), 120)

            def flood(operation: Operation) -> Flood:
                sent, seen = self._as_answered(operation, self._centre)
                return Flood(outcome(operation.value, [sent], size.limit_s, in_time_s=0), _all_computed(seen))

            yield flood

    def minutes(self, rates: Mapping[Operation, float], count: int) -> Iterator[Minute]:
        """Send at set rates, one minute after the other; now and then a file is merged and a bulk check done beside.

        A minute is as long as the size's window of all peaks.
        """
        with self._api() as self._centre, worker(self._site):
            for number in range(count):
                beside: Sequence[Measured] = ()
                if number % _PEAK_EVERY == _PEAK_EVERY // 2:
                    made, merged, checked = self._all_peaks("minute", rates, self._size.parallel_s, vacuum=False)
                    beside = (_of_merge("minute", merged), _of_bulk("minute", checked))
                else:
                    made = self._at_rates("minute", rates, self._size.parallel_s, 1)
                answered = sum(one.answered for one in made.outcomes)
                computed_s = made.observation.computed_s["api"] + made.observation.computed_s["postgresql"]
                yield Minute(made.outcomes, computed_s / max(answered, 1) * 1e6, beside)

    def run(self, scenarios: Sequence[str], limits: Sequence[Limit]) -> list[Chapter]:
        """Play the scenarios, in this order; what is slow is said by the limits."""
        self.chapters: list[Chapter] = []
        self._limits = limits
        with ExitStack() as stack:
            self._centre = stack.enter_context(self._api(ELIGIBILITY_MOST_AT_ONCE=str(self._size.most_at_once)))
            environment, log = self._site.api_environment(self._workers), self._site.folder / "ceiling.log"
            self._ceiling = stack.enter_context(server("loadtest.bench.ceiling", [], environment, log))
            stack.enter_context(worker(self._site))
            if self._size.warm:
                for operation in _IN_CEILING:
                    for target in (self._centre, self._ceiling):
                        self._warm_up(operation, target)
            for scenario in scenarios:
                self._screen.print(f"[bold]{scenario}[/]")
                try:
                    chapter = getattr(self, f"_{scenario}")()
                except Exception as error:  # noqa: BLE001 (what was measured before is told, and its limits fail)
                    said = f"{type(error).__qualname__}: {error}"
                    chapter = Chapter(scenario, "It did not come to its end.", [], [], Observation(), [said])
                self.chapters.append(chapter)
                for one in chapter.outcomes:
                    self._screen.print(f"  {_told(one)}")
                for note in chapter.notes:
                    self._screen.print(f"  {note}", style="dim")
        return self.chapters

    # ── Scenarios ───────────────────────────────────────────────────────────────────────────────────────────────

    def _limit(self) -> Chapter:
        """As fast as answers come: all operations of the centre, and the ceiling's, by turns."""
        size, outcomes, measured, notes = self._size, [], [], []
        observation = Observation()
        sent: dict[_Played, list[list[Sent]]] = {}
        computed_s: dict[_Played, float] = {}
        targets = {"centre": self._centre, "ceiling": self._ceiling}
        played = [(o, name) for o in _LIGHTER for name in targets if name == "centre" or o in _IN_CEILING]
        for operation, name in by_turns(played, size.limit_rounds):
            window, seen = self._as_answered(operation, targets[name])
            sent.setdefault((operation, name), []).append(window)
            computed_s[operation, name] = computed_s.get((operation, name), 0.0) + _all_computed(seen)
            _extend(observation, seen)
        made = {one: outcome(one[0].value, blocks, size.limit_s, in_time_s=0) for one, blocks in sent.items()}
        cost_us = {one: computed_s[one] / max(made[one].answered, 1) * 1e6 for one in played}
        for operation in _LIGHTER:
            own, ceiling = (operation, "centre"), (operation, "ceiling")
            figures = made[own].figures()
            notes.append(f"{operation}: {cost_us[own]:,.0f} µs of computing each, driver and PostgreSQL included")
            if ceiling in made:
                figures["ceiling_ratio"] = made[own].rate / made[ceiling].rate
                # A ceiling that fails is low, and flatters.
                figures["error_ratio"] = max(made[own].error_ratio, made[ceiling].error_ratio)
                notes.append(
                    f"ceiling: {made[ceiling].rate:,.0f}/s, {cost_us[ceiling]:,.0f} µs each; the centre's rate is "
                    f"{figures['ceiling_ratio']:.2f} of it, by computing {cost_us[ceiling] / cost_us[own]:.2f}"
                )
                if made[ceiling].errors or made[ceiling].shed:
                    notes.append(f"the ceiling failed: {_told(made[ceiling])}")
            if operation is Operation.CHALLENGES:
                one = cost_us[own] / _POOL_OF_CHALLENGES
                figures["cost_ratio"] = one / cost_us[Operation.VERIFICATION, "centre"]
                notes.append(f"one challenge: {one:.1f} µs, {figures['cost_ratio']:.1%} of a verification")
            outcomes.append(made[own])
            measured.append(Measured("limit", operation.value, made[own].requests, figures))
        windows = f"{size.limit_rounds} × {size.limit_s:g} s"
        connections = size.limit_connections * TERMINALS_DRIVEN
        told = f"As fast as answers come over {connections:,} connections, all of these and the ceiling by turns, "
        told += f"{windows} each."
        return Chapter("limit", told, outcomes, measured, observation, notes)

    def _steady(self) -> Chapter:
        """Arrivals at a set rate, drawn as in life."""
        size = self._size
        chapter = self._at_rates("steady", size.steady, size.steady_s, size.steady_rounds)
        rates = " and ".join(f"{rate:,.0f}/s {operation}" for operation, rate in size.steady.items())
        return Chapter(
            "steady",
            f"{rates}, so many exactly, at random moments (Poisson), {size.steady_rounds} × {size.steady_s:g} s; "
            "latency from when each was due.",
            chapter.outcomes,
            [*chapter.measured, *self._memory("steady", chapter.observation)],
            chapter.observation,
            [_memory_told(chapter.observation)],
        )

    def _bulk(self) -> Chapter:
        """One bulk check alone."""
        done = self._check_in_bulk()
        told = f"A bulk check of {done.items:,} insured numbers alone, from sending it to its last result."
        return Chapter("bulk", told, [], [_of_bulk("bulk", done)], Observation(), [_bulk_told(done)])

    def _parallel(self) -> Chapter:
        """All peaks at once: counters, readings, a bulk check, and an insurer's file merged meanwhile."""
        size = self._size
        chapter, merged, checked = self._all_peaks("parallel", size.parallel, size.parallel_s, vacuum=True)
        note = f"merge: {merged.rows:,} rows in {merged.seconds:.1f} s ({merged.rows / merged.seconds:,.0f} rows/s)"
        rates = " and ".join(f"{rate:,.0f}/s {operation}" for operation, rate in size.parallel.items())
        told = (
            f"{rates} for {size.parallel_s:g} s, while an insurer's file of {size.merged_rows:,} rows is merged and "
            f"{checked.items:,} insured numbers are checked in bulk, {size.bulk_items:,} at a time. "
            f"Latencies are judged of what was due during the merge."
        )
        notes = [*merged.said, note, _bulk_told(checked), _memory_told(chapter.observation)]
        measured = [
            *chapter.measured,
            _of_merge("parallel", merged),
            _of_bulk("parallel", checked),
            *self._memory("parallel", chapter.observation),
        ]
        return Chapter("parallel", told, chapter.outcomes, measured, chapter.observation, notes)

    def _check_in_bulk(self, given_up: threading.Event | None = None) -> Bulk:
        numbers = read_deck(self._deck).numbers
        return check_in_bulk(self._site, self._centre.url, numbers, self._size.bulk_items, given_up)

    def _overload(self) -> Chapter:
        """Three times what can be sustained, then what is usual again."""
        size = self._size
        known = [m for c in self.chapters for m in c.measured if (m.scenario, m.operation) == ("limit", "verification")]
        rate = known[0].figures["rate"] if known else size.steady[Operation.VERIFICATION]
        sustained = max(rate, _SUSTAINED_AT_LEAST)
        usual, more = sustained / 3, sustained * 3 - sustained / 3
        begin, end = _OVERLOAD_BEGINS_S, _OVERLOAD_BEGINS_S + size.overload_s
        total = end + max(_RECOVERY_SEEN_S * min(size.overload_s / 60, 1), _RECOVERY_SEEN_AT_LEAST_S)
        # What is sent on top are number checks: cards could not sign so many challenges within their 120 seconds.
        check, by_number = Operation.VERIFICATION, Operation.NUMBER_VERIFICATION
        streams = [
            Stream(check, PATHS[check], round(usual * total), drawn=True),
            Stream(by_number, PATHS[by_number], round(more * size.overload_s), True, begin, size.overload_s),
        ]
        sent, seen = self._window(streams, total, self._centre, size.overload_connections, reconnect_s=end)
        outcomes, measured = [], []
        for operation in (check, by_number):
            own = [s for s in sent if s.operation is operation]
            made = outcome(operation.value, [own], total)
            accepted = outcome(operation.value, [[during(s, begin, end) for s in own]], size.overload_s)
            outcomes.append(made)
            figures = accepted.figures() | {"error_ratio": made.error_ratio}  # no error after it either
            measured.append(Measured("overload", operation.value, accepted.requests, figures))
        slow_ms = bound_of(self._limits, "parallel", check.value, "p99_ms")
        recovery_s = recovered_after_s(outcomes[0].series, int(end), slow_ms)
        after = outcome("recovery", [[during(s, end, total) for s in sent]], total - end)
        figures = {"recovery_s": recovery_s, "error_ratio": after.error_ratio}
        measured.append(Measured("overload", "recovery", after.requests, figures))
        connections = size.overload_connections * TERMINALS_DRIVEN
        told = (
            f"{sustained * 3:,.0f}/s, three times what can be sustained, for {size.overload_s:g} s over "
            f"{connections:,} connections; then all of them are opened anew at once, and {usual:,.0f} verifications/s "
            "go on as before."
        )
        shed, requests = (sum(getattr(one, name) for one in outcomes) for name in ("shed", "requests"))
        note = f"shed with 503 and Retry-After: {shed:,} of {requests:,}; back to normal {recovery_s:.0f} s after"
        measured += self._memory("overload", seen)
        return Chapter("overload", told, outcomes, measured, seen, [note, _memory_told(seen)])

    def _memory(self, scenario: str, seen: Observation) -> list[Measured]:
        figures = {"memory_mib": seen.most_memory_mib("api")}
        judged = self._size.persons >= _WHERE_MEMORY_COUNTS
        return [Measured(scenario, "api_process", 1, figures)] if judged else []

    # ── Servers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _api(self, **more: str) -> AbstractContextManager[ServerProcess]:
        self._publish()
        environment = {**self._site.api_environment(self._workers), **more}
        return server("eligibility", ["api"], environment, self._site.folder / "api.log")

    def _publish(self) -> None:
        # The centre trusts no list that is an hour old, and seeding alone may take longer.
        publish_revocation(self._site.folder, self._site.jpki)

    # ── Windows ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _as_answered(self, operation: Operation, target: ServerProcess) -> tuple[list[Sent], Observation]:
        """Send one operation for a window of the limit, as fast as answers come."""
        size = self._size
        most = int(size.most_a_second * _LIGHTER[operation] * size.limit_s)
        stream = Stream(operation, PATHS[operation], most, drawn=False, may_run_out=size.may_run_out)
        return self._window([stream], size.limit_s, target, size.limit_connections)

    def _at_rates(
        self,
        scenario: str,
        rates: Mapping[Operation, float],
        seconds: float,
        rounds: int,
        started: Any = None,
        met_s: Callable[[], float] | None = None,
    ) -> Chapter:
        """Send at set rates; latencies are judged of what was due in the first `met_s` of a window, where given."""
        blocks, observation = [], Observation()
        if READINGS & rates.keys() and not self._visits:
            self._visits = visits(self._site, self._centre.url, read_deck(self._deck), READING_TERMINALS)
        for _ in range(rounds):
            streams = [Stream(o, PATHS[o], round(rate * seconds), drawn=True) for o, rate in rates.items()]
            sent, seen = self._window(streams, seconds, self._centre, CONNECTIONS_EACH, started)
            blocks.append(sent)
            _extend(observation, seen)
        counted = min(met_s(), seconds) if met_s else seconds
        outcomes, measured = [], []
        for operation in rates:
            own = [[s for s in block if s.operation is operation] for block in blocks]
            whole = outcome(operation.value, own, seconds)
            part = outcome(operation.value, [[during(s, 0.0, counted) for s in block] for block in own], counted)
            outcomes.append(whole)
            measured.append(Measured(scenario, operation.value, whole.requests, whole.figures() | part.latencies()))
        return Chapter(scenario, "", outcomes, measured, observation)

    def _all_peaks(
        self, scenario: str, rates: Mapping[Operation, float], seconds: float, *, vacuum: bool
    ) -> tuple[Chapter, Merging, Bulk]:
        """Send at set rates beside one merge, and one bulk check after the other for as long as that takes.

        Latencies are judged of that time alone, which may be less than the window.
        """
        bulk: list[Future[list[Bulk]]] = []
        merged, given_up = threading.Event(), threading.Event()
        with (
            merge_meanwhile(self._site, self._size.merged_rows, self._windows, vacuum=vacuum) as merging,
            ThreadPoolExecutor(max_workers=1) as beside,
        ):

            def check_all_along() -> list[Bulk]:
                done = [self._check_in_bulk(given_up)]
                while not merged.is_set():
                    done.append(self._check_in_bulk(given_up))
                return done

            def started() -> None:
                merging.start()
                bulk.append(beside.submit(check_all_along))

            def met_s() -> float:
                met = merging.wait().seconds
                merged.set()
                return met

            try:
                chapter = self._at_rates(scenario, rates, seconds, 1, started, met_s)
            except BaseException:  # what checks in bulk beside is waited for
                given_up.set()
                raise
            finally:
                merged.set()
            return chapter, merging, all_of(bulk[0].result())

    def _window(
        self,
        streams: Sequence[Stream],
        seconds: float,
        target: ServerProcess,
        connections: int = 1,
        started: Any = None,
        reconnect_s: float | None = None,
    ) -> tuple[list[Sent], Observation]:
        self._publish()
        count = number_of_processes()
        each = TERMINALS_DRIVEN // count
        self._windows += 1
        plans = [
            Plan(
                self._site.folder, self._deck, self._centre.url, target.url, range(n * each, (n + 1) * each),
                connections, tuple(share(s, n, count) for s in streams), seconds, self._windows, self._visits,
                reconnect_s,
            )
            for n in range(count)
        ]  # fmt: skip
        part = "api" if target is self._centre else "ceiling"
        watching: list[Watching] = []

        @contextmanager
        def around(drivers: list[int]) -> Iterator[None]:
            parts = {
                part: lambda: tree(target.pid),
                "postgresql": lambda: postgresql(self._site.folder / "stores" / "postgresql"),
                "redis": redis,
                "driver": lambda: [p for pid in drivers for p in tree(pid)],
            }
            with Watching(parts, self._site.database) as watch:
                watching.append(watch)
                if started is not None:
                    started()
                yield

        sent = [one for process in drive(plans, around) for one in process]
        return sent, watching[0].observation

    def _warm_up(
        self, operation: Operation, target: ServerProcess, most: int | None = None, seconds: float = 15
    ) -> None:
        # If nothing else is said: until each process has seen each card once, as after a morning's first hour.
        count = self._size.cards * 3 if most is None else most
        self._window([Stream(operation, PATHS[operation], count, drawn=False)], seconds, target)


TERMINALS_DRIVEN: Final = 128
# Each driven terminal stands for some thousand of a nation: a request is not to wait for another one's answer.
CONNECTIONS_EACH: Final = 8
READING_TERMINALS: Final = range(0, TERMINALS_DRIVEN, 2)  # where a member of staff is signed in
_IN_CEILING: Final = (Operation.VERIFICATION, Operation.NUMBER_VERIFICATION)
_WHERE_MEMORY_COUNTS: Final = 1_000_000
_PEAK_EVERY: Final = 10  # minutes of an hour: one with a merge and a bulk check
# How many more of an operation a machine answers than verifications, at the very most.
_LIGHTER: Final = {Operation.VERIFICATION: 1, Operation.NUMBER_VERIFICATION: 3, Operation.CHALLENGES: 6}


def by_turns(compared: Sequence[_T], rounds: int) -> Iterator[_T]:
    """Yield all that are compared in each round, there and back: what changes slowly meanwhile meets each alike."""
    for number in range(rounds):
        yield from compared if number % 2 == 0 else reversed(compared)


def share(stream: Stream, number: int, count: int) -> Stream:
    """Return one process's part of a stream; all parts together are the whole."""
    return replace(stream, count=(stream.count + number) // count)


def _of_merge(scenario: str, done: Merging) -> Measured:
    figures = {"seconds": done.seconds, "error_ratio": float(done.rows < done.asked)}
    return Measured(scenario, "merge", 1, figures)


def _of_bulk(scenario: str, done: Bulk) -> Measured:
    figures = {"seconds": done.seconds, "error_ratio": 1 - done.answered / done.items}
    return Measured(scenario, "bulk_check", done.items, figures)


def _bulk_told(done: Bulk) -> str:
    shed = f", {done.shed} requests of it shed and sent again" if done.shed else ""
    return f"bulk check: {done.seconds:.2f} s{shed} {done.said}".rstrip()


def _memory_told(seen: Observation) -> str:
    return f"the largest API process holds {seen.most_memory_mib('api'):,.0f} MiB (RSS)"


def _all_computed(seen: Observation) -> float:
    return sum(seen.computed_s.values())


def _extend(into: Observation, seen: Observation) -> None:
    last = into.samples[-1].at_s if into.samples else 0.0
    for sample in seen.samples:
        into.samples.append(replace(sample, at_s=sample.at_s + last))
    for part, computed in seen.computed_s.items():
        into.computed_s[part] = into.computed_s.get(part, 0.0) + computed


def _told(made: Outcome) -> str:
    figures = made.figures()
    endings = ", ".join(f"{name} {count:,}" for name, count in sorted(made.endings.items(), key=lambda e: -e[1]))
    return (
        f"{made.operation:<20} {made.requests:>9,} requests  {figures['rate']:>7,.0f}/s  p50 {figures['p50_ms']:.1f}  "
        f"p95 {figures['p95_ms']:.1f}  p99 {figures['p99_ms']:.1f}  max {figures['max_ms']:.1f} ms  ({endings})"
    )


async def _stored(site: Site) -> tuple[int, str]:
    connection = await connect(site.database)
    try:
        stored = await connection.fetchval("select count(*) from verification")
        version, commits = await connection.fetchrow(
            "select current_setting('server_version'), current_setting('synchronous_commit')"
        )
    finally:
        await connection.close()
    return int(stored), f"{version}, embedded, synchronous_commit={commits}"


@contextmanager
def open_filled(folder: Path, persons: int, screen: Console) -> Iterator[Site]:
    """Open a site whose PostgreSQL can be watched, and fill it; end the process with 2 where that cannot be."""
    if external_database():
        sys.stderr.write(_NEEDS_EMBEDDED)
        sys.exit(2)
    with filled(folder, persons, SEED, screen) as (site, _):
        yield site


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `python -m loadtest run`."""
    parser.add_argument("--size", choices=sorted(SIZES), default="full", help="small is for CI: no time is judged")
    parser.add_argument("--site", type=Path, help="the folder of the site (default: one of this size in /var/tmp)")
    parser.add_argument("--scenarios", type=_scenarios, default=",".join(SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--steady-rounds", type=int, help="minutes at the steady rate (default: 10)")
    parser.add_argument("--first-window", type=int, metavar="N", help="send what the run of this number sent")
    parser.add_argument("--workers", type=int, default=number_of_processes(), help="API processes")
    parser.add_argument("--out", type=Path, default=Path("build") / "loadtest", help="the folder of the report")


def _scenarios(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    if unknown := [one for one in chosen if one not in SCENARIOS]:
        raise ArgumentTypeError(f"{', '.join(unknown)!r}: there are {', '.join(SCENARIOS)}")
    return chosen


def run(arguments: Namespace) -> int:
    """Measure, judge and report; return 1 when a limit does not hold."""
    end_when_told()
    size, screen = SIZES[arguments.size], Console(highlight=False, soft_wrap=True)
    if arguments.steady_rounds:
        size = replace(size, steady_rounds=arguments.steady_rounds)
    described, limits, begun, measured_code = machine(), promised(arguments.size), datetime.now(UTC), commit()
    with open_filled(arguments.site or default_folder(size.persons), size.persons, screen) as site:
        deck = asyncio.run(make_deck(site, SEED, size.persons, size.cards))
        stored, version = asyncio.run(_stored(site))
        morning = Morning(site, size, deck, screen, arguments.workers, arguments.first_window)
        chapters = morning.run(arguments.scenarios, limits)
    verdict = judge(limits, [measured for chapter in chapters for measured in chapter.measured])
    setting = Setting(
        arguments.size, size.persons, stored, SEED, morning.first_window, begun, arguments.workers,
        number_of_processes(), version, described, measured_code,
    )  # fmt: skip
    for path in write_report(Record(setting, chapters, verdict), arguments.out):
        screen.print(f"{path}")
    show_verdict(screen, verdict)
    screen.print("[green]✓ every limit holds[/]" if verdict.passed else "[red]✗ not every limit holds[/]")
    return 0 if verdict.passed else 1
