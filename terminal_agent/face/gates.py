"""What a picture must be like before a face in it is compared, and the hint when it is not (docs/face.md).

A gate that fails gives no score, so it says nothing about how alike two faces are.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot
from statistics import median
from typing import Final

from terminal_agent.face.faces import Face
from terminal_agent.face.quality import Quality
from terminal_agent.face.words import Hint

# FACE.md's measurements behind each: docs/face.md has the table.
MIN_SCORE: Final = 0.8
BYSTANDER_SHARE: Final = 0.25  # of the biggest face's area: smaller ones stand behind and do not count
MIN_EYE_DISTANCE: Final = 40.0
MAX_YAW: Final = 0.15
MAX_ROLL_DEGREES: Final = 15.0
PITCH: Final = (0.42, 0.68)
GREY: Final = (50.0, 200.0)
MAX_CLIPPED_SHARE: Final = 0.10
MIN_SHARPNESS: Final = 30.0
MIN_EDGES_SHARE: Final = 0.5  # of the median of the last frames; our choice, nobody measured it
MAX_MOVED: Final = 0.15  # eye distances between two frames
_HISTORY: Final = 10
_HISTORY_TO_JUDGE: Final = 3

CARD_MIN_EYE_DISTANCE: Final = 30.0
CARD_MAX_YAW: Final = 0.20


def faces_that_count(faces: Sequence[Face]) -> list[Face]:
    """Return the faces the detector is sure of, without those too small to stand at the counter; biggest first."""
    sure = sorted((face for face in faces if face.score >= MIN_SCORE), key=lambda face: face.area, reverse=True)
    return [face for face in sure if face.area >= BYSTANDER_SHARE * sure[0].area]


def pose_hint(face: Face) -> Hint | None:
    """Return what the person should do about distance or pose; None where both are right."""
    if face.eye_distance < MIN_EYE_DISTANCE:
        return Hint.COME_CLOSER
    if abs(face.roll_degrees) >= MAX_ROLL_DEGREES:
        return Hint.HOLD_HEAD_UPRIGHT
    if abs(face.yaw_ratio) >= MAX_YAW:
        return Hint.LOOK_STRAIGHT
    if not PITCH[0] <= face.pitch_ratio <= PITCH[1]:
        return Hint.LOOK_LEVEL
    return None


def light_hint(quality: Quality) -> Hint | None:
    """Return what is wrong with light or focus; None where both are right."""
    if quality.mean_grey < GREY[0]:
        return Hint.TOO_DARK
    if quality.mean_grey > GREY[1] or quality.clipped_share >= MAX_CLIPPED_SHARE:
        return Hint.TOO_BRIGHT
    if quality.sharpness < MIN_SHARPNESS:
        return Hint.BLURRED
    return None


@dataclass(slots=True)
class Steadiness:
    """What the frames before say about this one: has the head moved, has motion blurred it?"""

    _centre: tuple[float, float] | None = None
    _edges: deque[float] = field(default_factory=lambda: deque(maxlen=_HISTORY))

    def lose(self) -> None:
        """Forget where the face was: there was none in the frame."""
        self._centre = None

    def hint(self, face: Face, quality: Quality) -> Hint | None:
        """Return KEEP_STILL for a face that moved, was not there before, or is blurred by motion; remember it."""
        before, self._centre = self._centre, face.centre
        usual = median(self._edges) if len(self._edges) >= _HISTORY_TO_JUDGE else 0.0
        self._edges.append(quality.edges)
        if before is None:
            return Hint.KEEP_STILL
        moved = hypot(face.centre[0] - before[0], face.centre[1] - before[1])
        if moved >= MAX_MOVED * face.eye_distance or quality.edges < MIN_EDGES_SHARE * usual:
            return Hint.KEEP_STILL
        return None


def card_face(faces: Sequence[Face]) -> Face | None:
    """Return the only face of a card's photo, or None where it cannot be compared with anybody."""
    found = faces_that_count(faces)
    if len(found) != 1:
        return None
    face = found[0]
    usable = face.eye_distance >= CARD_MIN_EYE_DISTANCE and abs(face.yaw_ratio) < CARD_MAX_YAW
    return face if usable else None
