import io

import pytest

from loadtest.bench.counters import Answered, Counters, CountersEnded


def test_what_was_answered_is_taken_once_there_is_something() -> None:
    said = io.StringIO()
    assert Counters(said, io.StringIO("[]\n[]\n[2.5, 1.0]\n")).take() == Answered([2.5, 1.0])
    assert said.getvalue() == "take\n" * 3


@pytest.mark.parametrize("heard", ["", "[]\n", "[2.5, 1"])
def test_counters_that_have_ended_are_told_in_words(heard: str) -> None:
    with pytest.raises(CountersEnded, match="standard error"):
        Counters(io.StringIO(), io.StringIO(heard)).take()
