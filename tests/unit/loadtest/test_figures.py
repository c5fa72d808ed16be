"""Figures of what was sent: nothing that went wrong disappears."""

import math

import numpy as np
import pytest

from loadtest.driving.plan import ANSWERED, ERROR, SHED, Operation, Sent
from loadtest.figures import Second, during, outcome, recovered_after_s


def sent(*requests: tuple[float, float, int], unsent: int = 0) -> Sent:
    due, latency, ending = (np.array(column) for column in zip(*requests, strict=True)) if requests else ([], [], [])
    return Sent(
        Operation.VERIFICATION, np.array(due, float), np.array(latency, float), np.array(ending, np.uint8), {}, unsent
    )


def test_rates_and_percentiles_are_of_answers_alone() -> None:
    made = outcome("verification", [[sent((0.1, 0.010, ANSWERED), (0.2, 0.030, ANSWERED), (0.3, 9.0, SHED))]], 2.0)
    assert (made.requests, made.answered, made.shed, made.errors) == (3, 2, 1, 0)
    assert made.rate == 1.0
    assert made.percentile(50) == pytest.approx(20.0)
    assert made.figures()["max_ms"] == pytest.approx(30.0)
    assert made.error_ratio == 0.0
    assert made.figures()["answered_ratio"] == pytest.approx(2 / 3)


def test_what_was_never_answered_is_an_error() -> None:
    made = outcome("verification", [[sent((0.1, 0.01, ANSWERED), unsent=3)], [sent((0.1, 0.01, ERROR))]], 1.0)
    assert (made.requests, made.errors) == (5, 4)
    assert made.error_ratio == pytest.approx(0.8)


def test_nothing_sent_gives_no_number() -> None:
    made = outcome("verification", [], 1.0)
    assert made.requests == 0
    assert all(math.isnan(value) for value in made.figures().values())


def test_all_shed_gives_no_latency() -> None:
    made = outcome("verification", [[sent((0.1, 0.01, SHED))]], 1.0)
    assert math.isnan(made.figures()["p99_ms"])


def test_seconds_of_several_blocks_follow_each_other() -> None:
    block = [sent((0.5, 0.01, ANSWERED), (1.5, 0.02, ERROR))]
    made = outcome("verification", [block, block], 2.0)
    assert [(s.at_s, s.answered, s.errors) for s in made.series] == [(0, 1, 0), (1, 0, 1), (2, 1, 0), (3, 0, 1)]


def test_a_part_of_a_window_is_judged_by_what_was_due_in_it() -> None:
    calm_and_loud = sent((1.9, 0.01, ANSWERED), (2.0, 0.9, ANSWERED), (3.0, 0.1, ERROR), (4.0, 0.01, SHED))
    made = outcome("verification", [[during(calm_and_loud, 2.0, 4.0)]], 2.0)
    assert (made.requests, made.answered, made.shed, made.errors) == (2, 1, 0, 1)
    assert made.figures()["p99_ms"] == pytest.approx(900.0)


def test_what_is_answered_long_after_its_window_is_no_rate_that_was_sustained() -> None:
    late = sent((0.1, 0.01, ANSWERED), (1.9, 0.9, ANSWERED), (0.2, 60.0, ANSWERED))
    made = outcome("verification", [[late]], 2.0)
    assert (made.answered, made.rate) == (3, 1.0)
    assert [second.arrived for second in made.series] == [1, 0]


def test_as_fast_as_answers_come_nothing_counts_that_was_open_at_the_end() -> None:
    block = [sent((0.1, 0.2, ANSWERED), (0.5, 0.5, ANSWERED), (0.9, 0.2, ANSWERED))]
    assert outcome("verification", [block], 1.0).rate == 3.0
    assert outcome("verification", [block], 1.0, in_time_s=0).rate == 2.0


def test_what_was_never_answered_counts_in_every_part() -> None:
    made = outcome("verification", [[during(sent((1.0, 0.01, ANSWERED), unsent=2), 5.0, 9.0)]], 4.0)
    assert (made.requests, made.errors) == (2, 2)


def second(at: int, *, shed: int = 0, errors: int = 0, p99: float = 5.0) -> Second:
    return Second(at, 10, 10, shed, errors, 1.0, p99, p99)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ([second(9), second(10), second(11)], 0.0),
        ([second(9, shed=5), second(10), second(11)], 0.0),
        ([second(10, shed=1), second(11), second(12)], 1.0),
        ([second(10), second(11, errors=1), second(12)], 2.0),
        ([second(10, p99=2000.0), second(11, p99=2000.0), second(12)], 2.0),
        ([second(10, p99=math.nan), second(11)], 1.0),
    ],
)
def test_recovery_lasts_to_the_last_bad_second(series: list[Second], expected: float) -> None:
    assert recovered_after_s(series, 10, 1000.0) == expected


def test_recovery_that_nobody_saw_is_no_number() -> None:
    assert math.isnan(recovered_after_s([second(3)], 10, 1000.0))
