"""What a driver is told to send, and what it tells of it afterwards."""

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray


class Operation(StrEnum):
    """What is asked of the centre."""

    VERIFICATION = "verification"
    NUMBER_VERIFICATION = "number_verification"
    CHALLENGES = "challenges"
    MEDICATION_READING = "medication_reading"
    CHECKUP_READING = "checkup_reading"


READINGS: Final = frozenset({Operation.MEDICATION_READING, Operation.CHECKUP_READING})


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests of one operation: drawn over its time as they come in life, or sent as fast as answers come.

    Of what is drawn all `count` requests are sent, so that a set rate is met exactly; otherwise they are the most.
    """

    operation: Operation
    path: str
    count: int
    drawn: bool
    begin_s: float = 0.0  # from the start of the window
    seconds: float | None = None  # to the end of the window
    may_run_out: bool = False  # of what is not drawn: whether it may all be sent before its end


@dataclass(frozen=True, slots=True)
class Visit:
    """A verification whose patient agreed, on a terminal where a member of staff is signed in by a token."""

    terminal: int
    verification_id: UUID
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """One driver process's part: its streams, its terminals, the time it sends for."""

    site: Path
    deck: Path
    centre: str  # the address that hands out challenges
    target: str  # the address that is measured
    terminals: range
    connections_each: int
    streams: tuple[Stream, ...]
    seconds: float
    seed: int
    visits: tuple[Visit, ...] = ()  # those whose terminals are among the process's own are read
    reconnect_s: float | None = None  # from the start: when every connection is ended and opened anew, all at once
    drain_s: float = 60.0  # how long answers are waited for after the last request


@dataclass(slots=True)
class Sent:
    """What one stream came to: for each request when it was meant to leave, how long its answer took, and how it ended.

    An error is named by its status and problem code; shed is what was turned away with 503 and Retry-After.
    """

    operation: Operation
    intended_s: NDArray[np.float64]  # from the start of the window
    latency_s: NDArray[np.float64]
    ending: NDArray[np.uint8]  # 0 answered, 1 shed, 2 an error
    endings: dict[str, int] = field(default_factory=dict)  # how many of each outcome, shedding and error
    unsent: int = 0  # due, but never sent or never answered: errors too

    @property
    def requests(self) -> int:
        """How many were due."""
        return len(self.latency_s) + self.unsent


ANSWERED, SHED, ERROR = 0, 1, 2


def number_of_processes() -> int:
    """Return how many processes prepare and send: one for each core, at most two."""
    return min(2, os.cpu_count() or 1)
