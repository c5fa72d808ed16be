import pytest

from terminal_agent.face.matching import FaceMatcher, FrameVerdict, MatchSession
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
    moved,
)

VERIFIED = Situation(photo_verified=True)


class Booth:
    """A session before a scripted camera of five frames a second."""

    def __init__(self, situation: Situation = VERIFIED, card: Scene | None = None, lifetime_s: float = 60.0) -> None:
        self.eyes, self.clock = Scripted(), Clock()
        matcher = FaceMatcher(self.eyes, self.eyes, CALIBRATED, self.clock, lifetime_s)
        photo = self.eyes.picture(card or Scene(vector=CARD_VECTOR))
        self.session: MatchSession = matcher.session(photo, situation)

    def show(self, *scenes: Scene, noise: bool = True) -> FrameVerdict:
        """Show scenes, and return the last verdict."""
        verdict = None
        for scene in scenes:
            self.clock.now += 0.2
            verdict = self.session.add_frame(self.eyes.picture(scene, noise))
        assert verdict is not None
        return verdict


@pytest.fixture
def booth() -> Booth:
    return Booth()


def test_three_good_frames_are_accepted(booth: Booth) -> None:
    assert booth.session.result().step is Step.CONTINUE
    verdict = booth.show(*[Scene()] * 6)
    assert (verdict.step, verdict.taken, verdict.hint) == (Step.ACCEPT, 3, None)
    decision = booth.session.result()
    assert (decision.step, decision.reason) == (Step.ACCEPT, Reason.ALIKE)
    assert decision.evidence is not None
    assert decision.evidence.score == 0.8


def test_frames_are_taken_only_a_third_of_a_second_apart(booth: Booth) -> None:
    assert [booth.show(Scene()).taken for _ in range(6)] == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("scene", "hint"),
    [
        (Scene(faces=()), Hint.NO_FACE),
        (Scene(faces=(face(score=0.79),)), Hint.NO_FACE),
        (Scene(faces=(FRONTAL, moved(FRONTAL, 200))), Hint.SEVERAL_FACES),
        (Scene(faces=(face(right_eye=(281, 220), left_eye=(319, 220)),)), Hint.COME_CLOSER),
        (Scene(faces=(face(right_eye=(270, 210), left_eye=(330, 230)),)), Hint.HOLD_HEAD_UPRIGHT),
        (Scene(faces=(face(nose=(310, 250)),)), Hint.LOOK_STRAIGHT),
        (Scene(faces=(face(nose=(290, 250)),)), Hint.LOOK_STRAIGHT),
        (Scene(faces=(face(nose=(300, 265)),)), Hint.LOOK_LEVEL),
        (Scene(faces=(face(nose=(300, 235)),)), Hint.LOOK_LEVEL),
        (Scene(crop_brightness=-100), Hint.TOO_DARK),
        (Scene(crop_brightness=120), Hint.TOO_BRIGHT),
        (Scene(crop_flat=True), Hint.BLURRED),
        (Scene(faces=(moved(FRONTAL, 10),)), Hint.KEEP_STILL),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_gate_that_fails_gives_its_hint_and_no_score(booth: Booth, scene: Scene, hint: Hint) -> None:
    booth.show(Scene())
    embedded = booth.eyes.embedded
    verdict = booth.show(scene)
    assert (verdict.hint, verdict.taken, verdict.step) == (hint, 0, Step.CONTINUE)
    assert booth.eyes.embedded == embedded


def test_a_bystander_far_behind_does_not_disturb(booth: Booth) -> None:
    small = face(x=10, y=10, width=50, height=80)
    assert booth.show(*[Scene(faces=(FRONTAL, small))] * 6).step is Step.ACCEPT


def test_the_same_still_picture_is_not_taken_for_a_person(booth: Booth) -> None:
    booth.eyes.scenes = [Scene(vector=CARD_VECTOR)]
    scene = Scene()
    frame = booth.eyes.picture(scene)
    for _ in range(6):
        booth.clock.now += 0.2
        booth.session.add_frame(frame)
    assert booth.session.result().reason is Reason.SAME_PICTURE


def test_a_person_who_is_swapped_half_way_is_not_accepted(booth: Booth) -> None:
    other = alike(0.8)
    other[1] *= -1
    booth.show(*[Scene()] * 4, *[Scene(vector=other)] * 2)
    assert booth.session.result().reason is Reason.PERSON_SWAPPED


def test_one_retry_and_then_a_choice(booth: Booth) -> None:
    stranger = Scene(vector=alike(0.2))
    assert booth.show(*[stranger] * 6).step is Step.RETRY
    assert booth.show(stranger).step is Step.RETRY
    booth.session.retry()
    assert booth.session.result().step is Step.CONTINUE
    assert booth.show(*[stranger] * 6).step is Step.CHOOSE
    with pytest.raises(ValueError, match="no attempt"):
        booth.session.retry()


def test_no_retry_gives_a_third_attempt_and_a_good_second_is_accepted(booth: Booth) -> None:
    booth.show(*[Scene(vector=alike(0.2))] * 6)
    booth.session.retry()
    assert booth.show(*[Scene()] * 6).step is Step.ACCEPT


def test_an_attempt_ends_after_ten_seconds(booth: Booth) -> None:
    booth.show(Scene(), Scene())
    booth.clock.now += 10
    assert booth.session.result().reason is Reason.NO_GOOD_PICTURES
    assert booth.session.result().step is Step.RETRY


@pytest.mark.parametrize(
    "card",
    [
        Scene(faces=()),
        Scene(faces=(FRONTAL, moved(FRONTAL, 150))),
        Scene(faces=(face(right_eye=(286, 220), left_eye=(314, 220)),)),
        Scene(faces=(face(nose=(313, 250)),)),
    ],
    ids=["no face", "two faces", "too small", "turned"],
)
def test_a_card_photo_that_cannot_be_compared_leads_elsewhere_at_once(card: Scene) -> None:
    booth = Booth(card=card)
    assert booth.session.result().step is Step.CHOOSE
    assert booth.session.result().reason is Reason.PHOTO_UNUSABLE
    assert booth.show(Scene()).step is Step.CHOOSE
    assert booth.eyes.embedded == 0


def test_a_young_child_is_never_compared() -> None:
    booth = Booth(Situation(young_child=True, photo_verified=True))
    assert booth.session.result().step is Step.STAFF
    assert booth.eyes.embedded == 0


def test_a_closed_session_holds_no_face_and_says_so(booth: Booth) -> None:
    booth.show(*[Scene()] * 4)
    with booth.session:
        pass
    assert booth.session.closed.is_set()
    assert booth.session.result().reason is Reason.EXPIRED
    assert booth.show(*[Scene()] * 6).step is Step.CHOOSE


def test_a_session_forgets_by_itself_when_its_time_is_over() -> None:
    booth = Booth(lifetime_s=0.01)
    assert booth.session.closed.wait(120)
    assert booth.session.result().step is Step.CHOOSE
