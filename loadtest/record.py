"""A whole run as it is judged and reported: the machine, the data, the figures, and how they went over time."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

from loadtest.figures import Outcome
from loadtest.measuring import Observation
from loadtest.verdict import Measured, Verdict


@dataclass(frozen=True, slots=True)
class Chapter:
    """One scenario: what was sent, what it came to, and what the machine did meanwhile."""

    scenario: str
    told: str  # what was done, in a sentence
    outcomes: Sequence[Outcome]
    measured: Sequence[Measured]
    observation: Observation
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and on what a run was made."""

    size: str
    persons: int
    verifications: int  # stored before the run
    seed: int
    first_window: int  # with the seed: which arrivals, cards and persons
    started_at: datetime
    workers: int
    driver_processes: int
    postgresql: str
    machine: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A run."""

    setting: Setting
    chapters: Sequence[Chapter]
    verdict: Verdict


def machine() -> dict[str, str]:
    """Describe the machine, and how busy it was with other things."""
    model = platform.processor() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.2f} (one minute's mean; above 0.2 others were computing too)",
    }


def commit() -> str:
    """Return the commit of the working tree, marked where it was changed; nothing outside of one."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()
