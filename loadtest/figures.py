"""Turns what was sent into figures: rates, percentiles of latency, and how they went over the seconds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.driving.plan import ANSWERED, ERROR, SHED, Sent

Floats = NDArray[np.float64]
_NO_NUMBERS = (float("nan"),) * 3
_IN_TIME_S = 1.0  # what takes longer after its window was not sustained


@dataclass(frozen=True, slots=True)
class Second:
    """One second of a window, by when requests were due; `arrived` is how many answers came in it, whenever due."""

    at_s: int
    arrived: int
    answered: int
    shed: int
    errors: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One operation of one scenario, all its processes and blocks together."""

    operation: str
    seconds: float
    requests: int
    answered: int
    in_time: int  # of those answered, how many while their window lasted or soon after
    shed: int
    errors: int
    endings: Mapping[str, int]
    latency_ms: Floats  # of what was answered
    series: tuple[Second, ...]

    @property
    def rate(self) -> float:
        """Answers per second, of those that came in time."""
        return self.in_time / self.seconds if self.seconds else float("nan")

    @property
    def error_ratio(self) -> float:
        """The share of requests that were neither answered nor turned away before anything was done."""
        return self.errors / self.requests if self.requests else float("nan")

    def percentile(self, percent: float) -> float:
        """Return a percentile of latency in ms; no number where nothing was answered."""
        return float(np.percentile(self.latency_ms, percent)) if len(self.latency_ms) else float("nan")

    def latencies(self) -> dict[str, float]:
        """Return those of them that are about how long answers took."""
        percentiles = {f"p{percent}_ms": self.percentile(percent) for percent in (50, 95, 99)}
        return percentiles | {"max_ms": self.percentile(100)}

    def figures(self) -> dict[str, float]:
        """Return the figures that limits are about."""
        return {
            "rate": self.rate,
            **self.latencies(),
            "answered_ratio": self.answered / self.requests if self.requests else float("nan"),
            "error_ratio": self.error_ratio,
        }


def shares(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return which shares of all their requests were answered, and ended in an error."""
    requests = max(sum(one.requests for one in outcomes), 1)
    return {
        "answered_ratio": sum(one.answered for one in outcomes) / requests,
        "error_ratio": sum(one.errors for one in outcomes) / requests,
    }


def outcome(
    operation: str, blocks: Sequence[Sequence[Sent]], seconds_each: float, in_time_s: float = _IN_TIME_S
) -> Outcome:
    """Put together what several processes sent of one operation, in one or several windows of one length.

    For `in_time_s` after its window an answer still counts towards the rate. Where requests leave as fast as answers
    come there is no such time: whatever was open at the end would count as more than was answered in the window.
    """
    series: list[Second] = []
    for number, block in enumerate(blocks):
        series += _series(block, round(number * seconds_each))
    everything = [sent for block in blocks for sent in block]
    endings: Counter[str] = Counter()
    for sent in everything:
        endings.update(sent.endings)
    ending = np.concatenate([s.ending for s in everything]) if everything else np.array([])
    latency = np.concatenate([s.latency_s for s in everything]) if everything else np.array([])
    ended = np.concatenate([s.intended_s + s.latency_s for s in everything]) if everything else np.array([])
    return Outcome(
        operation=operation,
        seconds=seconds_each * len(blocks),
        requests=sum(s.requests for s in everything),
        answered=int((ending == ANSWERED).sum()),
        in_time=int(((ending == ANSWERED) & (ended <= seconds_each + in_time_s)).sum()),
        shed=int((ending == SHED).sum()),
        errors=int((ending == ERROR).sum()) + sum(s.unsent for s in everything),
        endings=dict(endings),
        latency_ms=latency[ending == ANSWERED] * 1000,
        series=tuple(series),
    )


def during(sent: Sent, begin_s: float, end_s: float) -> Sent:
    """Return what was due from one moment of the window to another, as a window of its own, without endings' names.

    Whatever was never answered counts in every part.
    """
    here = (sent.intended_s >= begin_s) & (sent.intended_s < end_s)
    due = sent.intended_s[here] - begin_s
    return Sent(sent.operation, due, sent.latency_s[here], sent.ending[here], unsent=sent.unsent)


def recovered_after_s(series: Sequence[Second], load_ended_s: int, p99_ms: float) -> float:
    """Return how long after the load's end requests were last shed, failed or slow; no number where none followed."""
    after = [s for s in series if s.at_s >= load_ended_s]
    if not after:
        return float("nan")
    bad = [s.at_s + 1 for s in after if s.shed or s.errors or not s.p99_ms <= p99_ms]
    return float(max(bad, default=load_ended_s) - load_ended_s)


def _series(block: Sequence[Sent], offset: int) -> list[Second]:
    if not any(len(s.latency_s) for s in block):
        return []
    due = np.concatenate([s.intended_s for s in block])
    latency = np.concatenate([s.latency_s for s in block]) * 1000
    ending = np.concatenate([s.ending for s in block])
    seconds = np.floor(due).astype(int)
    arrived = np.floor(due + latency / 1000).astype(int)[ending == ANSWERED]
    made = []
    for second in range(int(seconds.min()), int(seconds.max()) + 1):
        here = seconds == second
        answered = latency[here & (ending == ANSWERED)]
        p50, p99, most = np.percentile(answered, [50, 99, 100]).tolist() if len(answered) else _NO_NUMBERS
        made.append(
            Second(offset + second, int((arrived == second).sum()), len(answered), int((here & (ending == SHED)).sum()),
                   int((here & (ending == ERROR)).sum()), p50, p99, most)
        )  # fmt: skip
    return made
