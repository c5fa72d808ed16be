"""Whether face mode is ready, and if not why, in words that the screens and `doctor` show."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eligibility.wire.problems import Sentence


class OffReason(StrEnum):
    """Why face mode is off. Never a weaker matcher instead."""

    NOT_ENABLED = "not_enabled"
    OPENCV_MISSING = "opencv_missing"
    SETTINGS_INCOMPLETE = "settings_incomplete"
    THRESHOLD_TOO_LOW = "threshold_too_low"
    MODEL_MISSING = "model_missing"
    MODEL_DIFFERS = "model_differs"
    MODEL_UNUSABLE = "model_unusable"
    SELF_TEST_FAILED = "self_test_failed"
    CALIBRATION_UNUSABLE = "calibration_unusable"
    AUTHORITIES_UNUSABLE = "authorities_unusable"


def _say(ja: str, en: str) -> Sentence:
    return Sentence(ja=ja, en=en)


_OFF: Final[dict[OffReason, tuple[Sentence, Sentence]]] = {
    OffReason.NOT_ENABLED: (
        _say("顔照合: 停止 — 設定されていません。", "Face match: off — not enabled."),
        _say(
            "使う場合は TERMINAL_FACE_ENABLED=true と設定してください。", "To use it, set TERMINAL_FACE_ENABLED=true."
        ),
    ),
    OffReason.OPENCV_MISSING: (
        _say("顔照合: 停止 — OpenCV を読み込めません。", "Face match: off — OpenCV cannot be loaded."),
        _say(
            "opencv-python と、システムの libgl1・libglib2.0-0 を導入してください。",
            "Install opencv-python and the system packages libgl1 and libglib2.0-0.",
        ),
    ),
    OffReason.SETTINGS_INCOMPLETE: (
        _say("顔照合: 停止 — モデル未設定。", "Face match: off — no models are set."),
        _say(
            "検出・照合モデルのパスと SHA-256、しきい値を設定してください(docs/face.md)。",
            "Set path and SHA-256 of both models, and the threshold (docs/face.md).",
        ),
    ),
    OffReason.THRESHOLD_TOO_LOW: (
        _say("顔照合: 停止 — しきい値が低すぎます。", "Face match: off — the threshold is too low."),
        _say(
            "校正で得た値を設定してください。0.363 未満は使えません。",
            "Set the value a calibration gave; below 0.363 is never used.",
        ),
    ),
    OffReason.MODEL_MISSING: (
        _say("顔照合: 停止 — モデルファイルがありません。", "Face match: off — a model file is missing."),
        _say(
            "python -m terminal_agent face install-models で導入してください。",
            "Install it with python -m terminal_agent face install-models.",
        ),
    ),
    OffReason.MODEL_DIFFERS: (
        _say(
            "顔照合: 停止 — モデルファイルが設定の SHA-256 と異なります。",
            "Face match: off — a model file is not the one whose SHA-256 is set.",
        ),
        _say(
            "モデルを入れ直すか、設定を確かめてください。自動では使われません。",
            "Install the model again, or check the settings; it is not used as it is.",
        ),
    ),
    OffReason.MODEL_UNUSABLE: (
        _say("顔照合: 停止 — モデルを読み込めません。", "Face match: off — a model cannot be loaded."),
        _say("モデルの種類と OpenCV の版を確かめてください。", "Check the kind of model and OpenCV's version."),
    ),
    OffReason.SELF_TEST_FAILED: (
        _say("顔照合: 停止 — 起動時の自己診断に失敗しました。", "Face match: off — the self-test failed."),
        _say("モデルの種類と OpenCV の版を確かめてください。", "Check the kind of model and OpenCV's version."),
    ),
    OffReason.CALIBRATION_UNUSABLE: (
        _say("顔照合: 停止 — 校正ファイルを使えません。", "Face match: off — the calibration file cannot be used."),
        _say(
            "このモデルで校正をやり直すか、校正ファイルの設定を外してください(受付の確認が必要になります)。",
            "Calibrate this model again, or unset the calibration file (staff then confirm each match).",
        ),
    ),
    OffReason.AUTHORITIES_UNUSABLE: (
        _say(
            "顔照合: 停止 — カードの写真の署名を確かめる公開鍵を読めません。",
            "Face match: off — the public keys that vouch for cards' photos cannot be read.",
        ),
        _say(
            "TERMINAL_FACE_CARD_AUTHORITIES のフォルダを確かめるか、設定を外してください(受付の確認が必要になります)。",
            "Check the folder TERMINAL_FACE_CARD_AUTHORITIES, or unset it (staff then confirm each match).",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class FaceState:
    """Ready, or off for a reason; `detail` names a setting or a file, never a person's data."""

    off: OffReason | None = None
    detail: str = ""
    calibrated: bool = False

    @property
    def ready(self) -> bool:
        """Whether the face button is shown."""
        return self.off is None

    @property
    def words(self) -> Sentence:
        """What the staff screen and `doctor` show."""
        if self.off is not None:
            return _OFF[self.off][0]
        if self.calibrated:
            return _say("顔照合: 使用できます。", "Face match: ready.")
        return _say("顔照合: 使用できます(未校正: 受付が確認)。", "Face match: ready (uncalibrated: staff confirm).")

    @property
    def mend(self) -> Sentence | None:
        """How to mend it; None where nothing is broken."""
        return None if self.off is None else _OFF[self.off][1]
