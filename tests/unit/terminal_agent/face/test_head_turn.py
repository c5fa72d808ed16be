from itertools import product

import pytest

from terminal_agent.face.faces import Face
from terminal_agent.face.head_turn import HeadTurn
from terminal_agent.face.matching import FaceMatcher
from terminal_agent.face.policy import Situation
from terminal_agent.face.words import Hint, Reason, Step
from tests.unit.terminal_agent.face.scripted import (
    CALIBRATED,
    CARD_VECTOR,
    FRONTAL,
    Clock,
    Scene,
    Scripted,
    alike,
    face,
)

LEFT, RIGHT = Hint.TURN_LEFT, Hint.TURN_RIGHT
EYES_APART = 60


def turned(ratio: float) -> Face:
    """Return a face with this yaw ratio; positive is towards the person's own left."""
    return face(nose=(300 + ratio * EYES_APART, 250))


@pytest.mark.parametrize("wanted", list(product((LEFT, RIGHT), repeat=2)))
def test_turns_as_asked_with_the_front_between_are_done(wanted: tuple[Hint, Hint]) -> None:
    challenge = HeadTurn(wanted)
    challenge.begin(0.05)
    for hint in wanted:
        assert challenge.see(FRONTAL) is hint
        assert not challenge.done
        challenge.see(turned(0.36 if hint is LEFT else -0.36))
    assert challenge.done
    assert challenge.see(FRONTAL) is None


@pytest.mark.parametrize(
    "ratios",
    [
        [0.0] * 20,
        [0.24, 0.0, -0.24],
        [-0.4, 0.0, -0.4, 0.0],
        [0.4, 0.4, 0.4, 0.3],
        [0.4, -0.4, 0.4, -0.4],
        [0.2, -0.2] * 10,
    ],
    ids=["still", "too little", "the other way", "no front between", "never to the front", "a flat photo waved"],
)
def test_anything_else_is_not(ratios: list[float]) -> None:
    challenge = HeadTurn((LEFT, RIGHT))
    challenge.begin(0.0)
    for ratio in ratios:
        challenge.see(turned(ratio))
    assert not challenge.done


def test_the_sides_cannot_be_foreseen() -> None:
    drawn = set()
    for _ in range(200):
        challenge = HeadTurn()
        challenge.begin(0.0)
        first = challenge.see(FRONTAL)
        challenge.see(turned(0.4 if first is LEFT else -0.4))
        drawn.add((first, challenge.see(FRONTAL)))
    assert drawn == set(product((LEFT, RIGHT), repeat=2))


class Booth:
    def __init__(self) -> None:
        self.eyes, self.clock = Scripted(), Clock()
        matcher = FaceMatcher(self.eyes, self.eyes, CALIBRATED, self.clock, head_turn=lambda: HeadTurn((RIGHT, LEFT)))
        self.session = matcher.session(self.eyes.picture(Scene(vector=CARD_VECTOR)), Situation(photo_verified=True))

    def show(self, *faces: Face, other: bool = False) -> Hint | None:
        hint = None
        vector = alike(0.8)
        if other:  # as like the card as the first person, but not like the first person
            vector[1] *= -1
        for one in faces:
            self.clock.now += 0.2
            hint = self.session.add_frame(self.eyes.picture(Scene(faces=(one,), vector=vector))).hint
        return hint


def test_the_third_frame_is_taken_after_the_turns() -> None:
    booth = Booth()
    booth.show(*[FRONTAL] * 4)
    assert booth.show(FRONTAL) is RIGHT
    assert booth.show(turned(-0.4)) is Hint.LOOK_STRAIGHT
    assert booth.show(FRONTAL) is LEFT
    assert booth.show(turned(0.4)) is None
    assert booth.session.result().step is Step.CONTINUE
    booth.show(*[FRONTAL] * 3)
    assert booth.session.result().step is Step.ACCEPT


def test_who_does_not_turn_is_offered_another_way_and_not_accepted() -> None:
    booth = Booth()
    booth.show(*[FRONTAL] * 130)
    assert booth.session.result().reason is Reason.HEAD_NOT_TURNED
    booth.session.retry()
    booth.show(*[FRONTAL] * 140)
    assert booth.session.result().step is Step.CHOOSE


def test_another_person_who_turns_for_the_first_is_found_out() -> None:
    booth = Booth()
    booth.show(*[FRONTAL] * 5)
    booth.show(turned(-0.4), FRONTAL, turned(0.4))
    booth.show(*[FRONTAL] * 3, other=True)
    assert booth.session.result().reason is Reason.PERSON_SWAPPED
