"""Turns measured figures into pass or fail by the promised limits; what is missing, unknown or no number fails."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

AT_LEAST: Final = frozenset(
    {"rate", "ceiling_ratio", "copy_ratio", "growth_ratio", "answered_ratio", "recall", "precision"}
)
AT_MOST: Final = frozenset(
    {
        "p50_ms", "p95_ms", "p99_ms", "max_ms", "error_ratio", "cost_ratio", "slowdown_ratio", "memory_mib",
        "recovery_s", "seconds", "lost", "duplicates", "waiting_ratio",
    }
)  # fmt: skip


class LimitsMalformed(ValueError):
    """The limits do not have the form [size.scenario.operation] with known figures and finite numbers."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One promised figure of an operation in a scenario."""

    scenario: str
    operation: str
    figure: str
    bound: float

    @property
    def words(self) -> str:
        """The promise as it is read."""
        return f"{'≥' if self.figure in AT_LEAST else '≤'} {self.bound:,g}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one operation came to in one scenario; `figures` holds what could be measured, and nothing else."""

    scenario: str
    operation: str
    requests: int
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure beside its limit. `measured` is None where there is nothing to judge, which never passes."""

    scenario: str
    operation: str
    figure: str
    limit: str
    measured: float | None
    passed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All figures of a run, judged."""

    judged: tuple[Judged, ...]

    @property
    def passed(self) -> bool:
        """Whether something was judged and nothing failed."""
        return bool(self.judged) and all(one.passed for one in self.judged)

    @property
    def failures(self) -> tuple[Judged, ...]:
        """What did not hold."""
        return tuple(one for one in self.judged if not one.passed)


def read_limits(text: str, size: str) -> tuple[Limit, ...]:
    """Return the limits of a size of run.

    Raises:
        LimitsMalformed: another form, a figure nobody knows, no finite number, or a size without limits.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LimitsMalformed(str(error)) from error
    limits = tuple(
        _limit(scenario, operation, figure, bound)
        for scenario, operations in _tables(table.get(size), size)
        for operation, figures in _tables(operations, scenario)
        for figure, bound in _items(figures, operation)
    )
    if not limits:
        raise LimitsMalformed(f"nothing is promised for the size {size!r}")
    return limits


def judge(limits: Sequence[Limit], measured: Sequence[Measured]) -> Verdict:
    """Judge every limit, and fail what was measured without one: a forgotten promise is no promise kept."""
    found: dict[tuple[str, str], list[Measured]] = {}
    for one in measured:
        found.setdefault((one.scenario, one.operation), []).append(one)
    judged = [_judge(limit, found.get((limit.scenario, limit.operation), [])) for limit in limits]
    promised = {(limit.scenario, limit.operation) for limit in limits}
    judged += [
        Judged(scenario, operation, "", "", None, passed=False, reason="no limit stands for this operation")
        for scenario, operation in found
        if (scenario, operation) not in promised
    ]
    return Verdict(tuple(judged))


def bound_of(limits: Sequence[Limit], scenario: str, operation: str, figure: str) -> float:
    """Return what is promised of a figure; infinity where nothing is."""
    wanted = (scenario, operation, figure)
    return next((one.bound for one in limits if (one.scenario, one.operation, one.figure) == wanted), math.inf)


def _judge(limit: Limit, found: Sequence[Measured]) -> Judged:
    def said(measured: float | None, *, passed: bool, reason: str = "") -> Judged:
        return Judged(limit.scenario, limit.operation, limit.figure, limit.words, measured, passed, reason)

    if not found:
        return said(None, passed=False, reason="was not measured")
    if len(found) > 1:
        return said(None, passed=False, reason="was measured more than once")
    one = found[0]
    value = one.figures.get(limit.figure)
    if one.requests <= 0:
        return said(value, passed=False, reason="no request was sent")
    if value is None:
        return said(None, passed=False, reason="the figure is missing")
    if not math.isfinite(value):
        return said(value, passed=False, reason="not a number")
    if value < 0:
        return said(value, passed=False, reason="below zero")
    passed = value >= limit.bound if limit.figure in AT_LEAST else value <= limit.bound
    return said(value, passed=passed)


def _tables(value: Any, name: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise LimitsMalformed(f"{name!r} is not a table")
    return list(value.items())


def _items(value: Any, name: str) -> list[tuple[str, Any]]:
    items = _tables(value, name)
    if not items:
        raise LimitsMalformed(f"{name!r} promises nothing")
    return items


def _limit(scenario: str, operation: str, figure: str, bound: Any) -> Limit:
    if figure not in AT_LEAST | AT_MOST:
        raise LimitsMalformed(f"{scenario}.{operation}: nobody measures {figure!r}")
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not math.isfinite(bound) or bound < 0:
        raise LimitsMalformed(f"{scenario}.{operation}.{figure}: not a number from 0 on")
    return Limit(scenario, operation, figure, float(bound))
