"""What the bench of growth judges: the many beside the few, and that none was left unanswered."""

import numpy as np
import pytest

from loadtest.bench.growth import Floods, measured
from loadtest.driving.plan import Operation
from loadtest.figures import Outcome
from loadtest.promises import promised
from loadtest.run import Flood
from loadtest.verdict import judge


def flood(answered: int, ms: float, *, shed: int = 0, errors: int = 0) -> Flood:
    latency_ms = np.full(answered, ms)
    return Flood(
        Outcome("verification", 10, answered + shed + errors, answered, answered, shed, errors, {}, latency_ms, ()), 1.0
    )


def turn(verification: Flood, by_number: Flood) -> Floods:
    return {Operation.VERIFICATION: verification, Operation.NUMBER_VERIFICATION: by_number}


def test_both_operations_are_held_against_the_few() -> None:
    few = [turn(flood(100, 10.0), flood(300, 5.0))] * 2
    many = [turn(flood(90, 20.0), flood(150, 4.0))] * 2
    verification, by_number = measured(few, many)
    assert (verification.operation, by_number.operation) == ("verification", "number_verification")
    assert verification.figures == pytest.approx(
        {"growth_ratio": 0.9, "slowdown_ratio": 2.0, "answered_ratio": 1.0, "error_ratio": 0.0}
    )
    assert by_number.figures == pytest.approx(
        {"growth_ratio": 0.5, "slowdown_ratio": 0.8, "answered_ratio": 1.0, "error_ratio": 0.0}
    )


GOOD = flood(1000, 10.0)


@pytest.mark.parametrize(
    "worse",
    [
        flood(899, 10.0),
        flood(1000, 11.2),
        flood(1000, 10.0, shed=1),
        flood(1000, 10.0, errors=1),
        flood(0, 10.0, shed=1000),
    ],
)
def test_a_rate_a_latency_or_one_request_breaks_it(worse: Flood) -> None:
    limits, few = promised("growth"), [turn(GOOD, GOOD)]
    assert judge(limits, measured(few, few)).passed
    assert not judge(limits, measured(few, [turn(worse, GOOD)])).passed
    assert not judge(limits, measured(few, [turn(GOOD, worse)])).passed
