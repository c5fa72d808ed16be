"""The steps of a submission, and which it may take."""

import itertools

import pytest

from eligibility.wire.submissions import SubmissionState as S
from payer_sync.submission import STEPS, StepRefused, state_after_chunk, step

ALLOWED = {
    (S.RECEIVING, S.RECEIVING),
    (S.RECEIVING, S.RECEIVED),
    (S.RECEIVING, S.REFUSED),  # abandoned
    (S.RECEIVED, S.CHECKING),
    (S.CHECKING, S.CHECKING),  # after a kill
    (S.CHECKING, S.MERGING),
    (S.CHECKING, S.REFUSED),
    (S.MERGING, S.CHECKING),  # after a kill
    (S.MERGING, S.HELD),
    (S.HELD, S.RECEIVED),  # an operator decided
    (S.HELD, S.REFUSED),  # it had arrived damaged and is sent again
    (S.MERGING, S.MERGED),
    (S.MERGING, S.REFUSED),
}


@pytest.mark.parametrize(("state", "following"), list(itertools.product(S, S)))
def test_only_the_written_steps_are_taken(state: S, following: S) -> None:
    if (state, following) in ALLOWED:
        assert step(state, following) is following
    else:
        with pytest.raises(StepRefused):
            step(state, following)


def test_every_state_leads_to_an_end() -> None:
    reached = {S.MERGED, S.REFUSED}
    for _ in S:
        reached |= {state for state, following in STEPS.items() if following & reached}
    assert reached == set(S)


@pytest.mark.parametrize(("received", "length", "state"), [(0, 0, S.RECEIVED), (0, 1, S.RECEIVING), (9, 9, S.RECEIVED)])
def test_an_upload_is_received_with_its_last_byte(received: int, length: int, state: S) -> None:
    assert state_after_chunk(received, length) is state
