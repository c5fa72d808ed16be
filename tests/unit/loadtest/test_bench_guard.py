"""What the guard's bench counts as caught, as a false alarm, and as neither."""

import pytest

from loadtest.bench.guard import Guarded, Planted

WRONG, REVIEW = "mislink_suspected", "mislink_review"


@pytest.fixture
def guarded() -> Guarded:
    """What became of nine records of which all that were planted into, and one more, were kept."""
    planted = Planted(
        wrong={1: "random", 2: "random", 3: "same name"},
        harmless={4: "old forms", 5: "spaces", 6: "spaces"},
        renamed={7, 8},
    )
    found = Guarded()
    found.count(planted, {1: {WRONG}, 2: {REVIEW}, 4: {WRONG}, 5: {REVIEW}, 7: {REVIEW}, 8: {WRONG}, 9: {REVIEW}})
    return found


def test_whatever_is_kept_without_a_wrong_link_is_a_false_alarm_but_a_new_surname_for_review(guarded: Guarded) -> None:
    assert guarded.alarms == {"old forms": 1, "spaces": 1, "changed surname": 1, "unchanged": 1}
    assert (guarded.reviewed, guarded.renamed) == (1, 2)
    assert guarded.harmless == {"old forms": 1, "spaces": 2}


def test_recall_and_precision_count_what_is_kept_by_one_rule(guarded: Guarded) -> None:
    assert guarded.recall == 2 / 3
    assert guarded.precision == 2 / 6
