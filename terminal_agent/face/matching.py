"""One visit's face match: takes frames through the gates, and comes to a decision after three good ones.

A session holds a face for as long as it lives, in memory only, and forgets it on `close` or after 60 seconds.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from threading import Event, RLock, Timer
from typing import Final, Self

import numpy as np
import structlog

from terminal_agent.face.evidence import rounded
from terminal_agent.face.faces import Face, FaceDetector, FaceEmbedder, Picture, Vector
from terminal_agent.face.gates import Steadiness, card_face, faces_that_count, light_hint, pose_hint
from terminal_agent.face.head_turn import HeadTurn
from terminal_agent.face.policy import (
    FRAMES,
    Attempt,
    Decision,
    MatchRules,
    Situation,
    before_pictures,
    decide,
    expired,
)
from terminal_agent.face.quality import measure
from terminal_agent.face.showing import SideBySide
from terminal_agent.face.words import Hint, Step

FRAMES_APART_S: Final = 0.3
ATTEMPT_S: Final = 10.0
HEAD_TURN_S: Final = 15.0  # what the challenge adds to an attempt
LIFETIME_S: Final = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FrameVerdict:
    """What one frame came to: a hint for the person, and how many of the wanted frames are taken."""

    hint: Hint | None
    taken: int
    wanted: int = FRAMES
    step: Step = Step.CONTINUE


@dataclass(slots=True)
class _Taken:
    picture: Picture
    vector: Vector
    score: float
    yaw: float


class FaceMatcher:
    """A detector, an embedder and the rules of the embedder's model file."""

    def __init__(
        self,
        detector: FaceDetector,
        embedder: FaceEmbedder,
        rules: MatchRules,
        clock: Callable[[], float] = time.monotonic,
        lifetime_s: float = LIFETIME_S,
        head_turn: Callable[[], HeadTurn] | None = None,
    ) -> None:
        self.rules = rules
        self._head_turn = head_turn
        self.detector = detector
        self.embedder = embedder
        self._clock = clock
        self._lifetime_s = lifetime_s

    def session(self, card_photo: Picture | None, situation: Situation) -> "MatchSession":
        """Begin a visit with the card's decoded photo; `result` says at once when the camera is of no use for it."""
        return MatchSession(
            self.detector,
            self.embedder,
            self.rules,
            situation,
            card_photo,
            self._clock,
            self._lifetime_s,
            self._head_turn,
        )


class MatchSession:
    """One visit: at most two attempts of three frames each. Safe to close from another thread.

    The photo it is given becomes its own, to be wiped at the end.
    """

    def __init__(
        self,
        detector: FaceDetector,
        embedder: FaceEmbedder,
        rules: MatchRules,
        situation: Situation,
        card_photo: Picture | None,
        clock: Callable[[], float],
        lifetime_s: float,
        head_turn: Callable[[], HeadTurn] | None,
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._rules = rules
        self._situation = situation
        self._clock = clock
        self._head_turn = head_turn
        self._lock = RLock()
        self.closed: Final = Event()
        self._attempt = 1
        self._gates: Counter[Hint] = Counter()
        self._photo = card_photo
        self._live: Picture | None = None
        self._card = None if card_photo is None or situation.young_child else self._card_vector(card_photo)
        self._decision = before_pictures(situation, photo_usable=self._card is not None)
        self._begin()
        self._timer = Timer(lifetime_s, self.close)
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_frame(self, frame: Picture) -> FrameVerdict:
        """Look at a frame of the camera; it counts if it passes every gate and 0.3 s lie behind the last that did."""
        with self._lock:
            self._judge_time()
            if self._decision.step is not Step.CONTINUE:
                return self._verdict(None)
            hint = self._look(frame)
            if hint is not None:
                self._gates[hint] += 1
            if len(self._taken) == FRAMES:
                self._decide()
            return self._verdict(hint)

    def result(self) -> Decision:
        """Return what comes next; CONTINUE while more frames are wanted."""
        with self._lock:
            self._judge_time()
            return self._decision

    def retry(self) -> None:
        """Begin the second attempt, after RETRY."""
        with self._lock:
            if self._decision.step is not Step.RETRY:
                raise ValueError("there is no attempt to repeat")
            self._attempt += 1
            self._decision = before_pictures(self._situation, photo_usable=True)
            self._begin()

    def pictures(self) -> SideBySide | None:
        """Return the card's photo and the last frame where staff should look; None once they are forgotten."""
        with self._lock:
            if not self._decision.staff_should_look or self._photo is None or self._live is None:
                return None
            return SideBySide(self._photo.copy(), self._live.copy())

    def close(self) -> None:
        """Forget the faces: the card left, the visit is over, or its time ran out."""
        with self._lock:
            self._timer.cancel()
            self._forget_frames()
            for picture in (self._photo, self._live):
                if picture is not None:
                    picture.fill(0)
            self._photo = self._live = None
            if self._card is not None:
                self._card.fill(0)
                self._card = None
            if self._decision.step in (Step.CONTINUE, Step.RETRY):
                self._decision = expired(self._situation)
            self.closed.set()

    def _card_vector(self, photo: Picture) -> Vector | None:
        face = card_face(self._detector.detect(photo))
        return None if face is None else self._embedder.embed(self._embedder.align(photo, face))

    def _begin(self) -> None:
        self._steadiness = Steadiness()
        self._taken: list[_Taken] = []
        self._taken_count = 0
        self._turn = None if self._head_turn is None else self._head_turn()
        self._gates.clear()
        self._began = self._clock()
        self._last_taken = self._began - FRAMES_APART_S

    def _judge_time(self) -> None:
        allowed = ATTEMPT_S if self._turn is None else ATTEMPT_S + HEAD_TURN_S
        if self._decision.step is Step.CONTINUE and self._clock() - self._began > allowed:
            self._decide()

    def _decide(self) -> None:
        attempt = self._summary()
        self._decision = decide(attempt, self._attempt, self._rules, self._situation)
        _log.info(
            "face_decided",
            step=str(self._decision.step),
            reason=str(self._decision.reason),
            attempt=self._attempt,
            model=self._rules.model_sha256[:8],
            score=rounded(attempt.mean) if attempt.scores else None,
            gates={str(hint): count for hint, count in self._gates.items()},
        )
        if self._decision.staff_should_look and self._taken:
            self._live = self._taken[-1].picture.copy()
        self._forget_frames()

    def _look(self, frame: Picture) -> Hint | None:
        found = faces_that_count(self._detector.detect(frame))
        if len(found) != 1:
            self._steadiness.lose()
            return Hint.SEVERAL_FACES if found else Hint.NO_FACE
        face = found[0]
        if self._turn is not None and len(self._taken) == FRAMES - 1 and not self._turn.done:
            return self._watch_turn(self._turn, face)
        hint = pose_hint(face)
        if hint is not None:
            self._steadiness.lose()
            return hint
        crop = self._embedder.align(frame, face)
        quality = measure(crop)
        hint = light_hint(quality) or self._steadiness.hint(face, quality)
        if hint is None and self._clock() - self._last_taken >= FRAMES_APART_S:
            self._take(frame, face, crop)
        return hint

    def _watch_turn(self, turn: HeadTurn, face: Face) -> Hint | None:
        """Ask for the turns after the second frame; the third is taken from the front again, of the same person."""
        if not turn.asked:
            turn.begin(self._taken[-1].yaw)
        self._steadiness.lose()
        return turn.see(face)

    def _take(self, frame: Picture, face: Face, crop: Picture) -> None:
        if self._card is None:
            return
        vector = self._embedder.embed(crop)
        self._taken.append(_Taken(frame.copy(), vector, float(self._card @ vector), face.yaw_ratio))
        self._taken_count += 1
        self._last_taken = self._clock()

    def _summary(self) -> Attempt:
        pairs = list(combinations(self._taken, 2))
        return Attempt(
            scores=tuple(one.score for one in self._taken),
            least_alike_frames=min((float(one.vector @ other.vector) for one, other in pairs), default=1.0),
            least_difference=min((_difference(one.picture, other.picture) for one, other in pairs), default=255.0),
            head_turned=self._turn is None or not self._turn.asked or self._turn.done,
        )

    def _forget_frames(self) -> None:
        for one in self._taken:
            one.picture.fill(0)
            one.vector.fill(0)
        self._taken = []

    def _verdict(self, hint: Hint | None) -> FrameVerdict:
        return FrameVerdict(hint, self._taken_count, step=self._decision.step)


def _difference(one: Picture, other: Picture) -> float:
    if one.shape != other.shape:
        return 255.0
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())
