from uuid import UUID

import pytest

from loadtest.bench.outbox import count_duplicates, count_lost
from terminal_agent.outbox.journal import State

ONE, TWO, OTHER = (UUID(int=n) for n in (1, 2, 3))
MADE = {ONE: UUID(int=11), TWO: UUID(int=12)}
STATES = {ONE: State.SETTLED, TWO: State.NEEDS_STAFF}


def test_both_sides_agree() -> None:
    assert count_lost({ONE, TWO}, STATES, MADE, dict(MADE)) == 0
    assert count_duplicates({ONE, TWO}, MADE, records=2, events=2) == 0


def test_what_waits_is_not_lost_whether_or_not_the_centre_has_heard_of_it() -> None:
    waiting = {ONE: State.SETTLING, TWO: State.JOURNALLED}
    assert count_lost({ONE, TWO}, waiting, {ONE: MADE[ONE]}, {}) == 0


@pytest.mark.parametrize(
    ("states", "made", "told"),
    [
        ({ONE: State.SETTLED}, MADE, {}),  # the journal forgot a visit
        (STATES, {ONE: MADE[ONE]}, {}),  # the centre never heard of one that is called answered
        (STATES, MADE, {ONE: MADE[TWO]}),  # an answer that is another record's
    ],
)
def test_a_lost_visit_is_counted(states: dict[UUID, State], made: dict[UUID, UUID], told: dict[UUID, UUID]) -> None:
    assert count_lost({ONE, TWO}, states, made, told) == 1


@pytest.mark.parametrize(
    ("made", "records", "events"), [(MADE, 3, 2), (MADE, 2, 3), (MADE, 1, 2), (MADE | {OTHER: UUID(int=13)}, 3, 3)]
)
def test_an_effect_too_many_or_too_few_is_counted(made: dict[UUID, UUID], records: int, events: int) -> None:
    assert count_duplicates({ONE, TWO}, made, records, events) == 1
