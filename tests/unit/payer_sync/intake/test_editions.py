"""An intake takes what is in force or overlaps, in practice also what comes next, and says the day of all else."""

from datetime import date

import pytest

from eligibility.serving.problems import Refusal
from payer_sync.intake.editions import refuse_unaccepted
from payer_sync.intake.problems import PROBLEMS
from payer_sync.layouts.register import find_layout


@pytest.mark.parametrize("practice", [True, False])
@pytest.mark.parametrize(
    ("edition", "day"), [(1, date(2026, 11, 21)), (1, date(2027, 9, 30)), (2, date(2027, 4, 1)), (2, date(2030, 1, 1))]
)
def test_editions_in_force_and_in_their_overlap_are_taken(edition: int, day: date, practice: bool) -> None:
    refuse_unaccepted(find_layout("eligibility", edition), day, practice=practice)


@pytest.mark.parametrize(
    ("edition", "day", "practice", "code", "said"),
    [
        (2, date(2027, 3, 31), False, "edition_not_yet", "2027-04-01"),
        (2, date(2026, 11, 21), False, "edition_not_yet", "2027-04-01"),
        (1, date(2027, 10, 1), False, "edition_ended", "2027-09-30"),
        (1, date(2027, 10, 1), True, "edition_ended", "2027-09-30"),
    ],
)
def test_others_are_refused_with_the_day(edition: int, day: date, practice: bool, code: str, said: str) -> None:
    with pytest.raises(Refusal) as refused:
        refuse_unaccepted(find_layout("eligibility", edition), day, practice=practice)

    assert refused.value.code == code
    assert code in PROBLEMS
    (fault,) = refused.value.faults
    assert fault.expected.count(said) == 2


def test_the_next_edition_is_taken_in_practice() -> None:
    refuse_unaccepted(find_layout("eligibility", 2), date(2026, 11, 21), practice=True)
