"""A verdict is never passed by absence."""

import math
from importlib.resources import files

import pytest

from loadtest.verdict import Limit, LimitsMalformed, Measured, bound_of, judge, read_limits

LIMITS = (
    Limit("steady", "verification", "rate", 100.0),
    Limit("steady", "verification", "p99_ms", 50.0),
    Limit("steady", "verification", "error_ratio", 0.0),
)
GOOD = {"rate": 100.0, "p99_ms": 50.0, "error_ratio": 0.0}


def measured(requests: int = 10, **figures: float) -> Measured:
    return Measured("steady", "verification", requests, GOOD | figures)


def test_figures_at_their_limits_pass() -> None:
    assert judge(LIMITS, [measured()]).passed


@pytest.mark.parametrize(
    "figures",
    [
        {"rate": 99.9},
        {"p99_ms": 50.1},
        {"error_ratio": 0.000001},
        {"p99_ms": math.nan},
        {"rate": math.nan},
        {"rate": math.inf},
        {"p99_ms": -1.0},
        {"p99_ms": -math.inf},
    ],
)
def test_a_figure_beyond_its_limit_or_no_number_fails(figures: dict[str, float]) -> None:
    verdict = judge(LIMITS, [measured(**figures)])
    assert not verdict.passed
    assert [failed.figure for failed in verdict.failures] == list(figures)


def test_zero_requests_fail_every_figure() -> None:
    assert len(judge(LIMITS, [measured(requests=0)]).failures) == len(LIMITS)


@pytest.mark.parametrize("missing", GOOD)
def test_a_missing_figure_fails(missing: str) -> None:
    figures = {name: value for name, value in GOOD.items() if name != missing}
    failures = judge(LIMITS, [Measured("steady", "verification", 10, figures)]).failures
    assert [(f.figure, f.measured, f.reason) for f in failures] == [(missing, None, "the figure is missing")]


def test_an_operation_that_was_not_measured_fails() -> None:
    assert [f.reason for f in judge(LIMITS, []).failures] == ["was not measured"] * len(LIMITS)


def test_an_operation_measured_in_another_scenario_fails() -> None:
    other = Measured("parallel", "verification", 10, GOOD)
    verdict = judge(LIMITS, [other])
    assert len(verdict.failures) == len(LIMITS) + 1


def test_an_operation_without_a_limit_fails() -> None:
    stranger = Measured("steady", "verifcation", 10, GOOD)
    failures = judge(LIMITS, [measured(), stranger]).failures
    assert [(f.operation, f.reason) for f in failures] == [("verifcation", "no limit stands for this operation")]


def test_an_operation_measured_twice_fails() -> None:
    assert len(judge(LIMITS, [measured(), measured()]).failures) == len(LIMITS)


def test_nothing_promised_and_nothing_measured_is_no_pass() -> None:
    assert not judge([], []).passed


@pytest.mark.parametrize("size", ["full", "small", "counter"])
def test_the_limits_of_the_house_can_be_read(size: str) -> None:
    limits = read_limits(files("loadtest").joinpath("limits.toml").read_text(encoding="utf-8"), size)
    assert len({(x.scenario, x.operation, x.figure) for x in limits}) == len(limits)


def test_the_small_size_asserts_no_timing() -> None:
    limits = read_limits(files("loadtest").joinpath("limits.toml").read_text(encoding="utf-8"), "small")
    assert {limit.figure for limit in limits} == {"answered_ratio", "error_ratio"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[full]",
        "full = 1",
        "[full.steady]\nrate = 3",
        "[full.steady.verification]",
        "[full.steady.verification]\np98_ms = 3",
        "[full.steady.verification]\nrate = 'fast'",
        "[full.steady.verification]\nrate = true",
        "[full.steady.verification]\nrate = nan",
        "[full.steady.verification]\nrate = inf",
        "[full.steady.verification]\np99_ms = -1",
        "[full.steady.verification\nrate = 1",
        "[small.steady.verification]\nrate = 1",
    ],
)
def test_limits_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(LimitsMalformed):
        read_limits(text, "full")


def test_a_bound_is_that_of_its_figure_and_without_a_promise_there_is_none() -> None:
    assert bound_of(LIMITS, "steady", "verification", "p99_ms") == 50.0
    assert bound_of(LIMITS, "steady", "verification", "max_ms") == math.inf
    assert bound_of(LIMITS, "overload", "verification", "p99_ms") == math.inf
