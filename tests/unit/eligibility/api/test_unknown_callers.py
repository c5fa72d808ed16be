"""Of one minute's refusals of unknown callers so many are told one by one, and the others as a number."""

from datetime import timedelta

import pytest

from eligibility.api.unknown_callers import TOLD_A_MINUTE, UnknownCallers
from tests.vectors.generate import NOW


def _flooded(more: int) -> UnknownCallers:
    callers = UnknownCallers()
    told = [callers.count("caller_unknown", NOW) for _ in range(TOLD_A_MINUTE + more)]
    assert told == [{}] * TOLD_A_MINUTE + [None] * more
    return callers


def test_a_flood_of_one_code_hides_no_other() -> None:
    assert _flooded(1).count("enrolment_code_refused", NOW + timedelta(seconds=59)) == {}


@pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(days=1), timedelta(seconds=-1)])
def test_the_first_refusal_of_another_minute_tells_how_many_were_not_told(later: timedelta) -> None:
    callers = _flooded(7)
    assert callers.count("malformed", NOW + later) == {"caller_unknown": 7}
    assert callers.count("caller_unknown", NOW + later) == {}


def test_a_minute_in_which_all_were_told_leaves_nothing_to_tell() -> None:
    assert _flooded(0).count("caller_unknown", NOW + timedelta(minutes=1)) == {}
