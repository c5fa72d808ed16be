"""Face mode as a whole: opened from the settings at the start, ready or off for a reason; nothing in between."""

import secrets
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from pydantic import ValidationError

from terminal_agent.card.connection import Connection
from terminal_agent.card.cv_certificate import Authorities, load_authorities
from terminal_agent.card.pins import NumberB
from terminal_agent.card.visual import CHALLENGE_BYTES, CheckedSurface, VisualSession, read_surface
from terminal_agent.face.calibration import Calibration, CalibrationUnusable
from terminal_agent.face.card_photo import decode_photo
from terminal_agent.face.faces import FaceEmbedder, Picture
from terminal_agent.face.head_turn import HeadTurn
from terminal_agent.face.matching import FaceMatcher, MatchSession
from terminal_agent.face.models import ModelSpec, ModelTrouble, read_model
from terminal_agent.face.policy import ABSOLUTE_FLOOR, MatchRules, Situation
from terminal_agent.face.settings import FaceSettings
from terminal_agent.face.state import FaceState, OffReason
from terminal_agent.settings import SettingsFileMalformed

YOUNGEST: Final = 6  # years; of younger faces nobody has measured anything
_SAME: Final = 0.9999
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FaceMode:
    """Whether faces are compared on this terminal, and with what."""

    state: FaceState
    matcher: FaceMatcher | None = None
    authorities: Authorities = field(default_factory=dict)  # pinned; what `card.visual.read_surface` asks for
    camera: str = "0"  # what `looking.look` opens

    def visit(self, connection: Connection, number: NumberB, *, pin_possible: bool, today: date) -> MatchSession:
        """Open a card's photo with the number printed on it, check both, and begin the visit.

        This selects the visual application, so a PIN presented before is forgotten; the challenge is drawn here.

        Raises:
            CardError: as `card.visual.read_surface`; after `CardDataForged` and `CardCopied` staff should look.
            ValueError: face mode is off.
        """
        session = VisualSession.open(connection)
        card = read_surface(session, number, self.authorities, secrets.token_bytes(CHALLENGE_BYTES))
        child = _age(card.surface.birth_date, today) < YOUNGEST
        return self.begin(card, Situation(pin_possible, card.verified, child))

    def begin(self, card: CheckedSurface, situation: Situation) -> MatchSession:
        """Begin a visit with the photo of a card whose signatures were checked.

        Raises:
            ValueError: face mode is off.
        """
        if self.matcher is None:
            raise ValueError("face mode is off")
        return self.matcher.session(decode_photo(card.surface.photo, trusted=card.verified), situation)


def face_mode(file: Path | None) -> FaceMode:
    """Open face mode from the environment and the terminal's settings file; malformed settings turn it off too."""
    try:
        settings = FaceSettings.load(file)
    except ValidationError as error:
        names = ", ".join("_".join(str(part) for part in fault["loc"]) for fault in error.errors())
        return FaceMode(FaceState(OffReason.SETTINGS_INCOMPLETE, names))
    except SettingsFileMalformed as error:
        return FaceMode(FaceState(OffReason.SETTINGS_INCOMPLETE, str(error)))
    return open_face(settings)


def open_face(settings: FaceSettings) -> FaceMode:
    """Read, check and try the models; any trouble turns face mode off with its reason, and is logged once."""
    try:
        mode = _open(settings)
    except ModelTrouble as trouble:
        mode = FaceMode(FaceState(trouble.reason, trouble.detail))
    if mode.state.ready:
        _log.info("face_mode_ready", calibrated=mode.state.calibrated)
    elif mode.state.off is not OffReason.NOT_ENABLED:
        _log.warning("face_mode_off", reason=str(mode.state.off), detail=mode.state.detail)
    return mode


def model_specs(settings: FaceSettings) -> tuple[ModelSpec, ModelSpec]:
    """Return which detector and which recogniser the settings name.

    Raises:
        ModelTrouble: something is not set.
    """
    wanted = ("detector_path", "detector_sha256", "recognizer_path", "recognizer_sha256")
    missing = [name for name in wanted if getattr(settings, name) is None]
    if missing:
        raise ModelTrouble(OffReason.SETTINGS_INCOMPLETE, ", ".join(missing))
    paths = settings.detector_path, settings.recognizer_path
    digests = settings.detector_sha256, settings.recognizer_sha256
    detector, recognizer = (
        ModelSpec(name, path, digest)
        for name, path, digest in zip(("detector", "recognizer"), paths, digests, strict=True)
        if path is not None and digest is not None
    )
    return detector, recognizer


def _open(settings: FaceSettings) -> FaceMode:
    if not settings.enabled:
        return FaceMode(FaceState(OffReason.NOT_ENABLED))
    detector_spec, recognizer_spec = model_specs(settings)
    if settings.threshold is None:
        raise ModelTrouble(OffReason.SETTINGS_INCOMPLETE, "threshold")
    if not settings.threshold >= ABSOLUTE_FLOOR:
        raise ModelTrouble(OffReason.THRESHOLD_TOO_LOW, f"{settings.threshold}")
    try:
        from terminal_agent.face.opencv import OpencvError, SfaceEmbedder, YunetDetector
    except ImportError as error:  # the package, or the system's libGL and glib
        raise ModelTrouble(OffReason.OPENCV_MISSING, "") from error
    detector_bytes, recognizer_bytes = read_model(detector_spec), read_model(recognizer_spec)
    name = detector_spec.name
    try:
        detector = YunetDetector(detector_bytes)
        detector.detect(np.zeros((240, 320, 3), dtype=np.uint8))
        name = recognizer_spec.name
        embedder = SfaceEmbedder(recognizer_bytes)
        passed = _self_test(embedder)
    except (OpencvError, ValueError) as error:
        raise ModelTrouble(OffReason.MODEL_UNUSABLE, name) from error
    if not passed:
        raise ModelTrouble(OffReason.SELF_TEST_FAILED, name)
    calibrated = _calibrated(settings, detector_spec, recognizer_spec, settings.threshold)
    rules = MatchRules(recognizer_spec.sha256, settings.threshold, settings.clearly_different, calibrated)
    authorities = _authorities(settings.card_authorities)
    matcher = FaceMatcher(detector, embedder, rules, head_turn=HeadTurn if settings.head_turn else None)
    return FaceMode(FaceState(calibrated=calibrated), matcher, authorities, settings.camera)


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _authorities(folder: Path | None) -> Authorities:
    if folder is None:
        return {}
    try:
        return load_authorities({path.stem: path.read_bytes() for path in sorted(folder.iterdir())})
    except (OSError, ValueError) as error:
        raise ModelTrouble(OffReason.AUTHORITIES_UNUSABLE, folder.name) from error


def _self_test(embedder: FaceEmbedder) -> bool:
    """Tell whether the same picture twice gives one vector, and two pictures give two."""
    one, other = (_pattern(seed) for seed in (1, 2))
    first, again, different = embedder.embed(one), embedder.embed(one), embedder.embed(other)
    return float(first @ again) > _SAME and float(first @ different) < _SAME


def _pattern(seed: int) -> Picture:
    small = np.random.default_rng(seed).integers(0, 256, (14, 14, 3), dtype=np.uint8)
    return np.kron(small, np.ones((8, 8, 1), dtype=np.uint8))


def _calibrated(settings: FaceSettings, detector: ModelSpec, recognizer: ModelSpec, threshold: float) -> bool:
    if settings.calibration is None:
        return False
    try:
        calibration = Calibration.load(settings.calibration)
    except CalibrationUnusable as error:
        raise ModelTrouble(OffReason.CALIBRATION_UNUSABLE, settings.calibration.name) from error
    if (calibration.detector_sha256, calibration.recognizer_sha256) != (detector.sha256, recognizer.sha256):
        raise ModelTrouble(OffReason.CALIBRATION_UNUSABLE, f"{settings.calibration.name}: of other models")
    return calibration.allows_alone(threshold)
