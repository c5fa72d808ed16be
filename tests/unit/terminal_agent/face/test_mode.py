import builtins
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError
from structlog.testing import capture_logs

from terminal_agent.card.virtual_surface import AUTHORITY_ID, VisualIssuer
from terminal_agent.face.calibration import Calibration, CalibrationPoint
from terminal_agent.face.mode import FaceMode, face_mode, open_face
from terminal_agent.face.policy import Situation
from terminal_agent.face.settings import FaceSettings
from terminal_agent.face.state import FaceState, OffReason
from tests.unit.terminal_agent.face import networks

Settings = Callable[..., FaceSettings]


def calibration(settings: FaceSettings, impostors: int = 40_000, false_matches: int = 0, **changes: Any) -> str:
    point = CalibrationPoint(
        threshold=0.9, impostors=impostors, false_matches=false_matches, genuine=100, false_non_matches=1
    )
    values: dict[str, Any] = {
        "detector_sha256": settings.detector_sha256,
        "recognizer_sha256": settings.recognizer_sha256,
        "opencv": "5.0.0",
        "made_at": datetime(2026, 11, 21, tzinfo=UTC),
        "dataset": "test",
        "people": 200,
        "pictures": 800,
        "gated_out": 3,
        "points": (point,),
        **changes,
    }
    return Calibration(**values).model_dump_json()


def test_with_everything_in_place_it_is_ready_and_not_calibrated(tiny_settings: Settings) -> None:
    mode = open_face(tiny_settings())
    assert mode.state.ready
    assert not mode.state.calibrated
    assert mode.matcher is not None
    assert not mode.matcher.rules.calibrated
    assert mode.state.mend is None


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"enabled": False}, "not_enabled", ""),
        ({"detector_path": None}, "settings_incomplete", "detector_path"),
        ({"recognizer_sha256": None}, "settings_incomplete", "recognizer_sha256"),
        ({"threshold": None}, "settings_incomplete", "threshold"),
        ({"threshold": 0.362}, "threshold_too_low", "0.362"),
        ({"threshold": -1.0}, "threshold_too_low", "-1.0"),
        ({"detector_sha256": "0" * 64}, "model_differs", "detector"),
        ({"recognizer_sha256": "0" * 64}, "model_differs", "recognizer"),
        ({"recognizer_path": Path("/nowhere/model.onnx")}, "model_missing", "recognizer"),
        ({"calibration": Path("/nowhere/calibration.json")}, "calibration_unusable", "calibration.json"),
        ({"card_authorities": Path("/nowhere/keys")}, "authorities_unusable", "keys"),
    ],
)
def test_any_trouble_turns_it_off_with_its_reason(
    tiny_settings: Settings, changes: dict[str, Any], reason: str, detail: str
) -> None:
    with capture_logs() as logs:
        mode = open_face(tiny_settings(**changes))
    assert (mode.state.off, mode.state.detail, mode.matcher) == (reason, detail, None)
    assert [entry["event"] for entry in logs] == ([] if reason == "not_enabled" else ["face_mode_off"])


@pytest.mark.parametrize(
    ("model", "place", "reason"),
    [
        (networks.detector(), "recognizer", "model_unusable"),
        (networks.embedder(), "detector", "model_unusable"),
        (networks.short_embedder(), "recognizer", "model_unusable"),
        (networks.constant_embedder(), "recognizer", "self_test_failed"),
        (b"pinned, but no network", "recognizer", "model_unusable"),
        (b"pinned, but no network", "detector", "model_unusable"),
        (b"", "recognizer", "model_unusable"),
    ],
)
def test_a_wrong_network_that_somebody_pinned_is_found_by_trying_it(
    tiny_settings: Settings, tmp_path: Path, model: bytes, place: str, reason: str
) -> None:
    file = tmp_path / "wrong.onnx"
    file.write_bytes(model)
    mode = open_face(tiny_settings(**{f"{place}_path": file, f"{place}_sha256": sha256(model).hexdigest()}))
    assert (mode.state.off, mode.state.detail) == (reason, place)


def test_without_opencv_the_terminal_runs_and_says_what_is_missing(
    tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "terminal_agent.face.opencv":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert open_face(tiny_settings()).state.off is OffReason.OPENCV_MISSING


def test_a_mode_that_is_off_begins_nothing() -> None:
    with pytest.raises(ValueError, match="off"):
        FaceMode(FaceState(OffReason.NOT_ENABLED)).begin(None, Situation())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("impostors", "false_matches", "threshold", "calibrated"),
    [
        (30_000, 0, 0.98, True),
        (40_000, 0, 0.90, True),
        (29_900, 0, 0.98, False),
        (40_000, 1, 0.98, False),
        (1_000_000, 60, 0.98, True),
        (40_000, 0, 0.89, False),
    ],
)
def test_a_face_alone_needs_a_calibration_that_claims_enough_at_the_threshold(
    tiny_settings: Settings, tmp_path: Path, impostors: int, false_matches: int, threshold: float, calibrated: bool
) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(calibration(tiny_settings(), impostors, false_matches))
    mode = open_face(tiny_settings(calibration=file, threshold=threshold))
    assert mode.state.ready
    assert mode.state.calibrated is calibrated


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", "not json", '{"version": 1}', "null", "\xff\xfe"],
)
def test_a_calibration_that_is_none_turns_it_off(tiny_settings: Settings, tmp_path: Path, content: str) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(content)
    assert open_face(tiny_settings(calibration=file)).state.off is OffReason.CALIBRATION_UNUSABLE


@pytest.mark.parametrize(
    "changes", [{"recognizer_sha256": "0" * 64}, {"detector_sha256": "0" * 64}], ids=["recogniser", "detector"]
)
def test_a_calibration_of_other_models_turns_it_off(
    tiny_settings: Settings, tmp_path: Path, changes: dict[str, Any]
) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(calibration(tiny_settings(), **changes))
    state = open_face(tiny_settings(calibration=file)).state
    assert state.off is OffReason.CALIBRATION_UNUSABLE
    assert "of other models" in state.detail


def test_pinned_authorities_come_from_a_folder(tiny_settings: Settings, tmp_path: Path, issuer: VisualIssuer) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    pem = issuer.authority.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{AUTHORITY_ID.hex()}.pem").write_bytes(pem)
    assert open_face(tiny_settings(card_authorities=folder)).authorities.keys() == {AUTHORITY_ID}
    (folder / "readme.txt").write_text("not a key")
    assert open_face(tiny_settings(card_authorities=folder)).state.off is OffReason.AUTHORITIES_UNUSABLE


@pytest.mark.parametrize("reason", OffReason)
def test_each_reason_is_told_in_both_languages_with_how_to_mend_it(reason: OffReason) -> None:
    state = FaceState(reason)
    assert state.mend is not None
    for sentence in (state.words, state.mend):
        assert any(character > "぀" for character in sentence.ja)
        assert sentence.en.replace("—", "-").isascii()


@pytest.mark.parametrize(
    "changes",
    [
        {"detector_sha256": "xyz"},
        {"recognizer_sha256": "A" * 64},
        {"threshold": 1.01},
        {"threshold": float("nan")},
        {"clearly_different": -1.5},
        {"enabled": "perhaps"},
    ],
)
def test_malformed_settings_are_refused(tiny_settings: Settings, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tiny_settings(**changes)


def test_settings_come_from_the_terminals_own_file(tmp_path: Path) -> None:
    file = tmp_path / "terminal.env"
    file.write_text("TERMINAL_CENTRE_URL=https://centre.test\nTERMINAL_FACE_ENABLED=true\nTERMINAL_FACE_CAMERA=\n")
    settings = FaceSettings.load(file)
    assert settings.enabled
    assert settings.camera == "0"
    assert face_mode(file).state.detail.startswith("detector_path, detector_sha256")
    file.write_text("TERMINAL_FACE_ENABLED=true\nTERMINAL_FACE_THRESHOLD=high\n")
    assert face_mode(file).state == FaceState(OffReason.SETTINGS_INCOMPLETE, "threshold")


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("[face]\nenabled = true\nthreshold = 'high'\n", "threshold"),
        ("[face]\nenabled = true\nthresh = 0.5\n", "face.thresh"),
        ("face = 1\n", "face"),
        ("[face\n", "terminal.toml"),
    ],
)
def test_a_toml_file_has_a_table_of_its_own_for_faces(tmp_path: Path, text: str, detail: str) -> None:
    file = tmp_path / "terminal.toml"
    file.write_text("screens_port = 8480\n[face]\nenabled = true\nthreshold = 0.5\n")
    assert FaceSettings.load(file).threshold == 0.5
    file.write_text(text)
    assert face_mode(file).state == FaceState(OffReason.SETTINGS_INCOMPLETE, detail)
