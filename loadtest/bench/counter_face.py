"""The face's part of the counter's bench: from a card's verified photo to the decision over three frames.

Computing is processor time, of all threads together: what else runs on the machine does not count, and neither does
waiting between the frames, for which the session's clock is set forward.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from eligibility.domain.codes import Sex
from loadtest.bench.counter_part import NotMeasured, figures_of
from loadtest.cards import issue_card, with_photo
from loadtest.pki import Jpki
from loadtest.verdict import Measured
from terminal_agent.card.pins import NumberB
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardHolder, CardPins
from terminal_agent.card.virtual_surface import VisualIssuer
from terminal_agent.card.visual import CheckedSurface, VisualSession, read_surface
from terminal_agent.face.faces import Picture
from terminal_agent.face.matching import FaceMatcher
from terminal_agent.face.mode import FaceMode, open_face
from terminal_agent.face.models import KNOWN_MODELS
from terminal_agent.face.policy import Situation
from terminal_agent.face.settings import FaceSettings
from terminal_agent.face.words import Reason, Step

_TIMES: Final = 30
_FRAME: Final = (480, 640)
_DETECTOR, _RECOGNIZER = KNOWN_MODELS
_HOLDER: Final = CardHolder("架空 花子", "架空市", date(1985, 4, 12), Sex.FEMALE, date(2034, 4, 12), "8123")


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def measure_decision(data: Path) -> Measured | NotMeasured:
    """Measure with the models and pictures of the test data."""
    mode = open_face(
        FaceSettings(
            enabled=True,
            detector_path=data / "face_models" / "face_detection_yunet_2023mar.onnx",
            detector_sha256=_DETECTOR,
            recognizer_path=data / "face_models" / "face_recognition_mobilefacenet.onnx",
            recognizer_sha256=_RECOGNIZER,
            threshold=0.42,
        )
    )
    if mode.matcher is None:
        return NotMeasured(f"{mode.state.words.en} {mode.state.detail} ({data / 'face_models'})")
    try:
        card_picture, live_picture = ((data / "faces" / name).read_bytes() for name in ("a_2.jpg", "a_1.jpg"))
    except OSError:
        return NotMeasured(f"there are no pictures at {data / 'faces'}")
    card = _card(mode.matcher, card_picture)
    frames = list(_frames(live_picture))
    _decide(mode, card, frames)  # the first time, everything is cold
    times = [_decide(mode, card, frames) for _ in range(_TIMES)]
    measured = figures_of("face", "decision", [computing for computing, _ in times])
    return replace(measured, figures={**measured.figures, "wall_p50_ms": median(wall for _, wall in times)})


def _card(matcher: FaceMatcher, picture: bytes) -> CheckedSurface:
    """Return the checked surface of a virtual card with this photo."""
    from terminal_agent.face.opencv import decode  # only where OpenCV loads

    decoded = decode(picture)
    if decoded is None:
        raise ValueError("the picture cannot be read")
    (face,) = matcher.detector.detect(decoded)
    issuer, now = VisualIssuer.create(), datetime.now(UTC)
    plain = issue_card(Jpki.create(now), "0001", _HOLDER, CardPins("2741", "KARUTA77", "5906"), now)
    content = with_photo(plain, issuer, picture, (face.x, face.y, face.width, face.height))
    session = VisualSession.open(VirtualCard(content))
    return read_surface(session, NumberB.parse(_HOLDER.number_b), issuer.authorities, bytes(32))


def _frames(picture: bytes) -> Iterator[Picture]:
    """Make frames of 640 x 480 with the picture in their middle, and a sensor's noise."""
    from terminal_agent.face.opencv import decode

    decoded = decode(picture)
    if decoded is None:
        raise ValueError("the picture cannot be read")
    rows, columns = _FRAME
    width = round(decoded.shape[1] * rows / decoded.shape[0])
    down = np.linspace(0, decoded.shape[0] - 1, rows).astype(int)
    across = np.linspace(0, decoded.shape[1] - 1, width).astype(int)
    shown = decoded[down][:, across]
    chance = np.random.default_rng(1)
    for _ in range(8):
        frame = np.full((rows, columns, 3), 128, dtype=np.int16)
        frame[:, (columns - width) // 2 :][:, :width] = shown
        frame += chance.integers(-4, 5, frame.shape, dtype=np.int16)
        yield np.clip(frame, 0, 255).astype(np.uint8)


def _decide(mode: FaceMode, card: CheckedSurface, frames: list[Picture]) -> tuple[float, float]:
    """Make one visit and return the milliseconds of the processor, and those on the wall."""
    if mode.matcher is None:
        raise ValueError("face mode is off")
    clock = _Clock()
    matcher = FaceMatcher(mode.matcher.detector, mode.matcher.embedder, mode.matcher.rules, clock)
    timed = FaceMode(mode.state, matcher)
    computing, wall = time.process_time(), time.perf_counter()
    with timed.begin(card, Situation(photo_verified=card.verified)) as session:
        for frame in frames:
            clock.now += 0.4
            if session.add_frame(frame).step is not Step.CONTINUE:
                break
        took = (time.process_time() - computing) * 1000, (time.perf_counter() - wall) * 1000
        if session.result().reason is not Reason.UNCALIBRATED:  # alike, with the models' usual threshold
            raise RuntimeError(f"the bench's visit ended otherwise: {session.result().reason}")
    return took
