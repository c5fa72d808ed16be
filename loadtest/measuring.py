"""What the machine does while requests are sent: computing and memory of each part, and PostgreSQL's own counters."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import asyncpg
import psutil

_EVERY_S: Final = 1.0
_DATABASE: Final = """
select coalesce(sum(active_time), 0) as active_ms, coalesce(sum(xact_commit), 0) as commits,
       (select wal_bytes from pg_stat_wal) as wal_bytes
from pg_stat_database where datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One second: per part the share of one core, and the memory; per second the database's work."""

    at_s: float
    cores: Mapping[str, float]
    memory_mib: Mapping[str, float]  # of the largest process, its shared pages included (RSS)
    database_active: float  # sessions at work, on the mean
    commits: float
    wal_mib: float


@dataclass(slots=True)
class Observation:
    """The samples of one window, and what each part computed in all of it."""

    samples: list[Sample] = field(default_factory=list)
    computed_s: dict[str, float] = field(default_factory=dict)

    def most_memory_mib(self, part: str) -> float:
        """Return the most that one process of a part held; no number where it could not be seen."""
        seen = (s.memory_mib.get(part, math.nan) for s in self.samples)
        return max((held for held in seen if not math.isnan(held)), default=math.nan)


class Watching:
    """Samples in a thread of its own from entering to leaving."""

    def __init__(self, parts: Mapping[str, Callable[[], Sequence[psutil.Process]]], database: str) -> None:
        self._parts, self._database = parts, database
        self.observation = Observation()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True)
        self._before: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._before = {part: computed_s(find()) for part, find in self._parts.items()}
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        after = {part: computed_s(find()) for part, find in self._parts.items()}
        self.observation.computed_s = {part: after[part] - self._before[part] for part in after}

    async def _watch(self) -> None:
        connection = await asyncpg.connect(self._database)
        began, last = time.monotonic(), time.monotonic()
        computed, database = dict(self._before), await connection.fetchrow(_DATABASE)
        while not await asyncio.to_thread(self._ended.wait, _EVERY_S):
            now = time.monotonic()
            latest = {part: computed_s(find()) for part, find in self._parts.items()}
            counters = await connection.fetchrow(_DATABASE)
            passed = now - last
            self.observation.samples.append(
                Sample(
                    now - began,
                    {part: max(latest[part] - computed[part], 0) / passed for part in latest},
                    {part: largest_mib(find()) for part, find in self._parts.items()},
                    float(counters["active_ms"] - database["active_ms"]) / 1000 / passed,
                    float(counters["commits"] - database["commits"]) / passed,
                    float(counters["wal_bytes"] - database["wal_bytes"]) / 2**20 / passed,
                )
            )
            computed, database, last = latest, counters, now
        await connection.close()


def tree(pid: int) -> Sequence[psutil.Process]:
    """Return a process and all below it; those that have ended are left out."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def postgresql(data: Path) -> Sequence[psutil.Process]:
    """Return the processes of the embedded server whose data are in a folder."""
    return tree(int((data / "postmaster.pid").read_text(encoding="ascii").split()[0]))


def redis() -> Sequence[psutil.Process]:
    """Return the Redis that this process has started."""
    return [child for child in psutil.Process().children() if child.name() == "redis-server"]


def computed_s(processes: Sequence[psutil.Process]) -> float:
    """Return what these processes have computed, and those below them that have ended and been waited for."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def largest_mib(processes: Sequence[psutil.Process]) -> float:
    """Return the most memory that one of these processes holds (RSS); no number where none can be looked at."""
    held = []
    for process in processes:
        try:
            held.append(process.memory_info().rss / 2**20)
        except psutil.Error:
            continue
    return max(held, default=math.nan)
