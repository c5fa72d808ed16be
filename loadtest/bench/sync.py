"""The bench of the insurers' push: `make bench-sync` prints its figures beside their limits, all of one run.

A made-up register is pushed by the real client to a real intake, into a database of its own, as an insurer's first
file and then as a delta, while what it costs is looked at from outside. Counters ask meanwhile. The same code runs at
every size; below the full size only the correctness of what was merged decides about the exit code.
"""

import asyncio
import gc
import os
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from eligibility.domain.dates import day_in_japan
from loadtest.bench import check, guard
from loadtest.bench.counters import Answered, CountersEnded, counters
from loadtest.bench.files import Sent, write_delta, write_first
from loadtest.bench.intake import (
    Intake,
    WrongOutcome,
    copy_bare,
    database,
    insured_numbers,
    postmaster_pid,
    running_intake,
    settle,
    verify,
)
from loadtest.bench.phases import Phase, show_phases
from loadtest.bench.processes import Usage
from loadtest.embedded import Stores, stores
from loadtest.pki import Enrolment
from loadtest.population import Nation
from loadtest.processes import end_when_told
from loadtest.promises import promised, show_verdict
from loadtest.verdict import Limit, Measured, judge

_BUILD: Final = Path(__file__).parents[2] / "build"
FULL_SIZE: Final = 5_000_000  # what the limits are for
_SIZES: Final = {"small": 100_000, "full": FULL_SIZE}
_SEED: Final = 20261121
# Of their files one after the other is merged while counters ask. The hundredth part of one merge's questions is a
# single pause of the machine's, of which it has one in ten to twenty seconds without any merge, too: medians count.
_OTHER_INSURERS: Final = ("01133016", "01133024", "01133032", "01133040", "01133057")
_QUIET_S: Final = {True: 10.0, False: 1.0}  # how long they ask before each merge, at full size and below
_GUARD_SHARE: Final = 0.05  # of the size, and at most as many persons as the guard's own bench takes
_GUARD_MOST: Final = 20_000
_STEPS: Final = 26  # of the progress bar


@dataclass(slots=True)
class Bench:
    """One run: what it works with, and what it has measured."""

    persons: int
    folder: Path
    stores: Stores
    enrolment: Enrolment
    usage: Usage
    today: date
    step: Callable[[str], None]
    phases: list[Phase] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether the size is the one that the limits are for."""
        return self.persons >= FULL_SIZE


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 1 when a limit does not hold at the full size, 2 when a merge or a counter failed at any."""
    parser = ArgumentParser(prog="python -m loadtest.bench.sync", description=__doc__)
    parser.add_argument("--size", type=read_size, default=FULL_SIZE, help="small, full or so many persons")
    persons: int = parser.parse_args(arguments).size
    screen = Console(highlight=False, soft_wrap=True)
    end_when_told()
    try:
        bench = run(persons, screen, day_in_japan(datetime.now(UTC)))
    except (WrongOutcome, CountersEnded) as wrong:
        screen.print(f"[red]✗[/] {wrong}")
        return 2
    show_phases(screen, bench.phases)
    verdict = judge(limits(), bench.measured)
    show_verdict(screen, verdict)
    for remark in bench.remarks:
        screen.print(f"  {remark}", style="dim")
    screen.print("\n[green]✓[/] every merge came to what the files state")
    if not bench.full:
        screen.print(f"  The limits are for {FULL_SIZE:,} persons; at {persons:,} nothing is asserted of speed.")
        return 0
    missed = len(verdict.failures)
    screen.print(f"[red]✗ {missed} limits do not hold[/]" if missed else "[green]✓ every limit holds[/]")
    return 1 if missed else 0


def limits() -> tuple[Limit, ...]:
    """Return what is promised of the push, and of the guard that it goes through."""
    return (*promised("sync"), *promised(guard.SIZE))


def run(persons: int, screen: Console, today: date) -> Bench:
    """Push, merge, copy, check and ask with a register of so many persons on a day; return what was measured.

    Raises:
        WrongOutcome: a merge did not come to what its file states.
        CountersEnded: a question that counters asked meanwhile failed.
    """
    _BUILD.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-sync-", dir=_BUILD)))
        # Not under the project: PostgreSQL's own start script cannot do with a path that has a space in it.
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="eligibility-stores-"))
        step = stack.enter_context(_progress(screen))
        step("PostgreSQL and Redis start")
        running = stack.enter_context(stores(Path(data)))
        usage = stack.enter_context(Usage())
        if running.embedded:
            usage.watch_children("postgresql", asyncio.run(postmaster_pid(running.database_url)))
        bench = Bench(persons, folder, running, Enrolment.create(datetime.now(UTC)), usage, today, step)
        _measure(bench)
        return bench


def _measure(bench: Bench) -> None:
    whole, delta, tenths = _write_files(bench)
    tenth = tenths[0]
    before = _first_of_a_tenth(bench, tenth, "before")
    with _intake(bench, "whole", whole.insurer, *_OTHER_INSURERS) as intake:
        bench.step(f"first load of {whole.records:,} records")
        first = _push(bench, intake, whole, "first load")
        _rest(bench, intake)
        bench.step(f"delta of {delta.records:,} records")
        changed = _push(bench, intake, delta, "delta of 1 %")
        bench.step("bare COPY of the same rows into one table with its primary key")
        copied, seconds = asyncio.run(copy_bare(intake.address, bench.folder))
        bare = Phase("bare COPY into one indexed table", copied, seconds)
        bench.phases.append(bare)
        _rest(bench, intake)
        # What the machine gives changes within minutes: a tenth on either side of the whole is fairer than one.
        after = _first_of_a_tenth(bench, tenth, "after")
        of_a_tenth = (before.rows + after.rows) / (before.seconds + after.seconds)
        compared = {"copy_ratio": first.rate / bare.rate, "growth_ratio": first.rate / of_a_tenth}
        bench.measured += [
            Measured("first_load", "merged", first.rows, {"rate": first.rate} | compared),
            Measured("delta", "merged", changed.rows, {"seconds": changed.seconds}),
        ]
        _ask_meanwhile(bench, intake, tenths)
    bench.step("parse and validate alone")
    alone = check.measure(whole.path, whole.insurer, bench.today)
    bench.phases.append(alone)
    bench.measured.append(Measured("check", "alone", alone.rows, {"rate": alone.rate}))
    _keep_peaks(bench)
    bench.step("planted wrong links, and what the guard makes of them")
    _guard(bench)


def _first_of_a_tenth(bench: Bench, tenth: Sent, when: str) -> Phase:
    with _intake(bench, f"tenth_{when}", tenth.insurer) as intake:
        bench.step(f"first load of {tenth.records:,} records, {when} the whole")
        return _push(bench, intake, tenth, f"first load of a tenth, {when}")


def _write_files(bench: Bench) -> tuple[Sent, Sent, list[Sent]]:
    """Write a register, a delta of it, and registers of a tenth of its size, of other insurers and of other persons."""
    nation = Nation.make(bench.persons, _SEED, bench.today, insurers=1)
    insurer = nation.insurers[0].number
    bench.step(f"files of {bench.persons:,} persons are written")
    whole = write_first(nation, bench.folder / "whole.csv", insurer)
    newcomers = Nation.make(max(bench.persons // 250, 20), _SEED + 1, bench.today, insurers=1)
    delta = write_delta(nation, newcomers, bench.folder / "delta.csv", insurer, bench.today)
    del nation, newcomers
    tenths = [
        write_first(
            Nation.make(bench.persons // 10, _SEED + 2 + number, bench.today, insurers=1),
            bench.folder / f"tenth{number}.csv",
            other,
        )
        for number, other in enumerate(_OTHER_INSURERS)
    ]
    gc.collect()
    bench.remarks.append(f"the first file: {whole.records:,} records, {whole.path.stat().st_size / 1e6:,.0f} MB")
    return whole, delta, tenths


@contextmanager
def _intake(bench: Bench, name: str, *insurers: str) -> Iterator[Intake]:
    with database(bench.stores.database_url, f"bench_sync_{name}_{os.getpid()}", insurers) as address:
        folder = bench.folder / name
        folder.mkdir()
        with running_intake(address, folder, bench.enrolment, insurers) as intake:
            bench.usage.watch("intake", intake.pid)
            yield intake


def _push(bench: Bench, intake: Intake, sent: Sent, said: str) -> Phase:
    """Push a file and verify what became of it; what counts is from the loader's first byte to the merge's commit."""
    before = (bench.usage.cpu_s("intake"), bench.usage.cpu_s("postgresql"))
    pushed = intake.push(sent.path, sent.insurer, lambda pid: bench.usage.watch("client", pid))
    spent = (bench.usage.cpu_s("intake") - before[0], bench.usage.cpu_s("postgresql") - before[1])
    asyncio.run(verify(intake.address, pushed.submission, sent))
    database_cpu_s = spent[1] if bench.stores.embedded else None
    phase = Phase(said, sent.records, pushed.load_s, spent[0], database_cpu_s, pushed.began)
    bench.phases.append(phase)
    bench.remarks.append(
        f"{said}: checked and staged in {pushed.checking_s:.1f} s, merged in {pushed.load_s - pushed.checking_s:.1f} s;"
        f" {pushed.whole_s:.1f} s with the upload, for the insurer's office"
    )
    return phase


def _rest(bench: Bench, intake: Intake) -> None:
    bench.step("what was written until now comes to rest")
    asyncio.run(settle(intake.address))


def _ask_meanwhile(bench: Bench, intake: Intake, others: Sequence[Sent]) -> None:
    numbers = asyncio.run(insured_numbers(intake.address))
    turns: list[tuple[Answered, Answered]] = []
    with counters(intake.address, numbers) as asking:
        for other in others:  # by turns: what the machine gives changes within a minute
            _rest(bench, intake)
            asking.take()
            bench.step("counters ask while nothing else happens")
            time.sleep(_QUIET_S[bench.full])
            quiet = asking.take()
            bench.step(f"counters ask while another insurer's {other.records:,} records are merged")
            load = _push(bench, intake, other, "first load of a tenth, counters asking")
            # Not the client's start, the upload and the verification, in which a stall of the merge would count less.
            busy = asking.take().during(load.began, load.began + load.seconds)
            turns.append((quiet, busy))
            bench.remarks += [_answers("quiet", quiet), _answers("during a merge", busy)]
    p99_quiet, p99_busy = (statistics.median(one.percentile(99) for one in each) for each in zip(*turns, strict=True))
    asked = sum(len(busy.questions) for _, busy in turns)
    bench.measured.append(Measured("merge", "counters", asked, {"slowdown_ratio": p99_busy / p99_quiet}))


def _answers(when: str, answered: Answered) -> str:
    p50, p99, longest = (answered.percentile(percent) for percent in (50, 99, 100))
    asked = f"counters, {when}: {len(answered.questions):,} questions, made durable"
    return f"{asked}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, the longest {longest:.0f} ms"


def _keep_peaks(bench: Bench) -> None:
    for kind in ("client", "intake", "postgresql"):
        bench.measured.append(Measured("memory", kind, 1, {"memory_mib": bench.usage.peak_mib(kind)}))


def _guard(bench: Bench) -> None:
    persons = min(int(bench.persons * _GUARD_SHARE), _GUARD_MOST)
    with database(bench.stores.database_url, f"bench_sync_guard_{os.getpid()}", ()) as address:
        guarded = asyncio.run(guard.measure(address, bench.folder, persons, _SEED, bench.today))
    bench.measured.append(guard.judged(guarded))
    bench.remarks.append(
        f"guard: {guarded.caught.total():,} of {guarded.planted.total():,} wrong links among {guarded.rows:,}"
        f" records kept from the register, {guarded.alarms.total():,} false alarms"
    )


@contextmanager
def _progress(screen: Console) -> Iterator[Callable[[str], None]]:
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    # Once a second: drawing takes a processor from those who are measured, whether there is a screen or not.
    with Progress(*columns, console=screen, transient=True, refresh_per_second=1) as progress:
        task = progress.add_task("", total=_STEPS)

        def step(said: str) -> None:
            progress.update(task, advance=1, description=said)

        yield step


def read_size(text: str) -> int:
    """Return how many persons a size means.

    Raises:
        ArgumentTypeError: none that can be measured.
    """
    try:
        size = _SIZES.get(text) or int(text.replace(",", "").replace("_", ""))
    except ValueError:
        size = 0
    if size < 1_000:
        raise ArgumentTypeError("small, full, or at least 1000 persons")
    return size


if __name__ == "__main__":
    sys.exit(main())
