"""What every part of the counter's bench returns: its times as figures, or why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from loadtest.verdict import Measured


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A part that this machine has not the means for."""

    reason: str


def figures_of(scenario: str, operation: str, times_ms: Sequence[float]) -> Measured:
    """Return the middle, the 95th percentile and the worst of at least two times."""
    figures = {
        "p50_ms": median(times_ms),
        "p95_ms": quantiles(times_ms, n=20, method="inclusive")[-1],
        "max_ms": max(times_ms),
    }
    return Measured(scenario, operation, len(times_ms), figures)
