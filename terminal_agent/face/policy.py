"""The decision about a face, as a pure function (docs/face.md, "Decision"). It never refuses anybody anything."""

from dataclasses import dataclass
from typing import Final

from eligibility.wire.problems import Sentence
from terminal_agent.face.evidence import FaceEvidence
from terminal_agent.face.words import Reason, Step

# Below this nothing accepts, whatever the settings say: the point where both kinds of error are equally frequent.
ABSOLUTE_FLOOR: Final = 0.363
MAX_ATTEMPTS: Final = 2
FRAMES: Final = 3
MIN_DIFFERENCE: Final = 0.5  # mean absolute difference of two pictures' pixels; a still file has 0


@dataclass(frozen=True, slots=True)
class MatchRules:
    """What belongs to a model file: its digest, its two thresholds, and whether a calibration stands behind them."""

    model_sha256: str
    accept: float
    clearly_different: float
    calibrated: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of the visit before any picture is taken."""

    pin_possible: bool = True  # False for a card without a PIN (顔認証マイナンバーカード) or with a blocked one
    photo_verified: bool = False  # the chip data's signature leads to a pinned authority, and the card is no clone
    young_child: bool = False  # under about six nobody has measured anything


@dataclass(frozen=True, slots=True)
class Attempt:
    """What three frames came to; `scores` are cosines with the card's photo, one for each frame that was taken."""

    scores: tuple[float, ...]
    least_alike_frames: float = 1.0  # the lowest cosine of any two of the frames
    least_difference: float = 255.0  # the lowest difference of any two of the frames' pixels
    head_turned: bool = True  # as asked, or nobody asked

    @property
    def mean(self) -> float:
        """The score: the mean, since the best of several would accept more strangers (docs/face.md)."""
        return sum(self.scores) / len(self.scores)


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes next, why, and what may be told the centre."""

    step: Step
    reason: Reason
    staff_should_look: bool = False  # at both pictures, side by side; never said on the patient's screen
    evidence: FaceEvidence | None = None  # with ACCEPT and CONFIRM only

    @property
    def words(self) -> Sentence:
        """What the patient's screen says."""
        return self.step.words


def before_pictures(situation: Situation, photo_usable: bool) -> Decision:
    """Decide whether the camera is of any use for this visit; CONTINUE means it is."""
    if situation.young_child:
        return Decision(Step.STAFF, Reason.YOUNG_CHILD)
    if not photo_usable:
        return _other_way(situation, Reason.PHOTO_UNUSABLE, look=True)
    return Decision(Step.CONTINUE, Reason.LOOKING)


def decide(attempt: Attempt, number: int, rules: MatchRules, situation: Situation) -> Decision:
    """Decide after an attempt, `number` counting from 1: accept, let staff confirm, try once more, or another way."""
    fault = _fault(attempt, rules)
    if fault is None:
        evidence = FaceEvidence.of(attempt.mean, _threshold(rules), rules.model_sha256, rules.calibrated)
        if not situation.photo_verified:
            return Decision(Step.CONFIRM, Reason.PHOTO_UNVERIFIED, staff_should_look=True, evidence=evidence)
        if not rules.calibrated:
            return Decision(Step.CONFIRM, Reason.UNCALIBRATED, staff_should_look=True, evidence=evidence)
        return Decision(Step.ACCEPT, Reason.ALIKE, evidence=evidence)
    if number < MAX_ATTEMPTS:
        return Decision(Step.RETRY, fault)
    return _other_way(situation, fault, look=fault in _STAFF_SHOULD_LOOK)


def expired(situation: Situation) -> Decision:
    """Decide for a visit whose pictures were dropped because it took too long."""
    return _other_way(situation, Reason.EXPIRED, look=False)


_STAFF_SHOULD_LOOK: Final = frozenset({Reason.CLEARLY_DIFFERENT, Reason.SAME_PICTURE, Reason.PERSON_SWAPPED})


def _fault(attempt: Attempt, rules: MatchRules) -> Reason | None:
    """Return why an attempt does not count as the person; None when it does. NaN compares false and so never does."""
    if not attempt.head_turned:
        return Reason.HEAD_NOT_TURNED
    if len(attempt.scores) < FRAMES:
        return Reason.NO_GOOD_PICTURES
    if not attempt.least_difference > MIN_DIFFERENCE:
        return Reason.SAME_PICTURE
    if not attempt.least_alike_frames >= _threshold(rules):
        return Reason.PERSON_SWAPPED
    if attempt.mean >= _threshold(rules):
        return None
    return Reason.CLEARLY_DIFFERENT if attempt.mean < rules.clearly_different else Reason.NOT_ALIKE


def _threshold(rules: MatchRules) -> float:
    return max(rules.accept, ABSOLUTE_FLOOR)


def _other_way(situation: Situation, reason: Reason, look: bool) -> Decision:
    step = Step.CHOOSE if situation.pin_possible else Step.STAFF
    return Decision(step, reason, staff_should_look=look)
