"""Model files on disk, the tiny ones and the real ones, and settings that name them."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from terminal_agent.face import card_photo
from terminal_agent.face.settings import FaceSettings
from tests.unit.terminal_agent.face import networks

REAL_DETECTOR = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
REAL_RECOGNIZER = "0fe838d0428ea190ced10eacac8c632338adccb160a1b986d8a6b8fb40f1d4e6"


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TERMINAL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _patience_with_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_photo, "_CELL_TIMEOUT_S", 120)


@pytest.fixture
def tiny_settings(tmp_path: Path) -> Callable[..., FaceSettings]:
    """Give a maker of settings for the tiny models, which are put into a folder."""
    folder = tmp_path / "models"
    folder.mkdir()
    digests = {}
    for name, content in (("detector", networks.detector()), ("recognizer", networks.embedder())):
        (folder / f"{name}.onnx").write_bytes(content)
        digests[name] = sha256(content).hexdigest()

    def make(**changes: Any) -> FaceSettings:
        values: dict[str, Any] = {
            "enabled": True,
            "detector_path": folder / "detector.onnx",
            "detector_sha256": digests["detector"],
            "recognizer_path": folder / "recognizer.onnx",
            "recognizer_sha256": digests["recognizer"],
            "threshold": 0.98,
            **changes,
        }
        return FaceSettings(**values)

    return make


@pytest.fixture(scope="session")
def real_settings(shared_data: Path) -> FaceSettings:
    """Give settings for the real detector and the stand-in recogniser; skips where the files are absent."""
    folder = shared_data / "face_models"
    if not folder.is_dir() or not (shared_data / "faces").is_dir():
        pytest.skip(f"no real face models and pictures at {shared_data}")
    return FaceSettings(
        enabled=True,
        detector_path=folder / "face_detection_yunet_2023mar.onnx",
        detector_sha256=REAL_DETECTOR,
        recognizer_path=folder / "face_recognition_mobilefacenet.onnx",
        recognizer_sha256=REAL_RECOGNIZER,
        threshold=0.42,
    )
