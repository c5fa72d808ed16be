import io

import pytest

from loadtest.bench.counters import Answered, Counters, CountersEnded


def test_what_was_answered_is_taken_once_there_is_something() -> None:
    said = io.StringIO()
    heard = io.StringIO("[]\n[]\n[[7.1, 2.5], [7.2, 1.0]]\n")
    assert Counters(said, heard).take() == Answered([(7.1, 2.5), (7.2, 1.0)])
    assert said.getvalue() == "take\n" * 3


@pytest.mark.parametrize("heard", ["", "[]\n", "[[7.1, 2.5], [7"])
def test_counters_that_have_ended_are_told_in_words(heard: str) -> None:
    with pytest.raises(CountersEnded, match="standard error"):
        Counters(io.StringIO(), io.StringIO(heard)).take()


def test_what_was_due_before_and_after_a_merge_dilutes_nothing() -> None:
    answered = Answered([(n / 100, 90.0 if 400 <= n < 405 else 1.0) for n in range(1_000)])
    assert answered.percentile(99) == 1.0
    assert answered.during(4.0, 5.0) == Answered(answered.questions[400:500])
    assert answered.during(4.0, 5.0).percentile(99) == 90.0
