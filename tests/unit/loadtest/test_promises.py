import io

from rich.console import Console

from loadtest.promises import promised, show_verdict, written
from loadtest.run import SIZES
from loadtest.verdict import Limit, Measured, bound_of, judge

LIMITS = (Limit("delta", "merged", "seconds", 5), Limit("merge", "counters", "slowdown_ratio", 2))


def _shown(measured: list[Measured]) -> list[str]:
    said = io.StringIO()
    show_verdict(Console(file=said, width=120), judge(LIMITS, measured))
    return [line.rstrip() for line in said.getvalue().splitlines()]


def test_every_figure_stands_beside_its_limit_and_says_whether_it_holds() -> None:
    shown = _shown(
        [Measured("delta", "merged", 50, {"seconds": 7.5912}), Measured("merge", "counters", 9, {"slowdown_ratio": 2})]
    )
    assert [line.split() for line in shown[-2:]] == [
        ["delta", "merged", "seconds", "7.59", "≤", "5", "✗"],
        ["merge", "counters", "slowdown_ratio", "2", "≤", "2", "✓"],
    ]


def test_what_cannot_be_judged_says_why() -> None:
    shown = _shown([Measured("delta", "merged", 0, {"seconds": 1.0}), Measured("tea", "made", 1, {"seconds": 1.0})])
    assert any("no request was sent" in line and "✗" in line for line in shown)
    assert any("was not measured" in line and "–" in line for line in shown)
    assert any("tea" in line and "no limit stands for this operation" in line for line in shown)


def test_a_figure_shows_three_digits_that_count_or_thousands_whole() -> None:
    assert [written(value) for value in (0.00123, 0.35249, 7.5912, 63639.4, 1000)] == [
        "0.00123", "0.352", "7.59", "63,639", "1,000",
    ]  # fmt: skip


def test_every_size_that_a_command_judges_by_has_limits() -> None:
    for size in ("full", "small", "counter", "outbox", "outbox_small", "growth", "hour", "sync", "guard"):
        assert promised(size)


def test_what_is_sent_at_a_set_rate_is_promised_at_that_rate() -> None:
    size, limits = SIZES["full"], promised("full")
    for scenario, rates in (("steady", size.steady), ("parallel", size.parallel)):
        assert {operation: bound_of(limits, scenario, operation, "rate") for operation in rates} == rates
