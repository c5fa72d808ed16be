"""Sees how much memory and processor time each of the processes takes that a bench measures."""

import math
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

_LOOK_EVERY_S: Final = 0.5


class Usage:
    """Looks at processes twice a second: the peak of each one's memory, and its processor time so far.

    Memory is what the kernel keeps as the high-water mark of a process's resident set (VmHWM). That of a PostgreSQL
    backend includes the pages of the shared buffers which it has touched.
    """

    def __init__(self) -> None:
        self._kinds: dict[int, str] = {}
        self._postmaster: int | None = None
        self._peaks: dict[str, int] = {}
        self._cpu: dict[int, float] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def watch(self, kind: str, pid: int) -> None:
        """Look at one process."""
        with self._lock:
            self._kinds[pid] = kind

    def watch_children(self, kind: str, postmaster_pid: int) -> None:
        """Look at a process and all it starts."""
        with self._lock:
            self._kinds[postmaster_pid] = kind
            self._postmaster = postmaster_pid

    def peak_mib(self, kind: str) -> float:
        """Return the largest memory that one process of a kind has had; no number where none was seen."""
        self._look()
        return self._peaks.get(kind, math.nan) / 1024

    def cpu_s(self, kind: str) -> float:
        """Return the processor time of all processes of a kind, those that have ended included."""
        self._look()
        return sum(spent for pid, spent in self._cpu.items() if self._kinds[pid] == kind)

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        with self._lock:
            if self._postmaster:
                kind = self._kinds[self._postmaster]
                self._kinds |= dict.fromkeys(_children(self._postmaster), kind)
            for pid, kind in self._kinds.items():
                with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                    self._peaks[kind] = max(self._peaks.get(kind, 0), _peak_kib(pid))
                    self._cpu[pid] = _cpu_s(pid)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def _cpu_s(pid: int) -> float:
    # After the name in parentheses, which may hold anything: user and system time are the 12th and 13th field.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
