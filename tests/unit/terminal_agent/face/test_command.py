import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import cv2
import pytest

from terminal_agent.__main__ import main
from terminal_agent.face.settings import FaceSettings
from tests.unit.terminal_agent.face import networks
from tests.unit.terminal_agent.face.networks import scene


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    lines = ["TERMINAL_FACE_ENABLED=true", "TERMINAL_FACE_THRESHOLD=0.98"]
    for name, content in (("DETECTOR", networks.detector()), ("RECOGNIZER", networks.embedder())):
        (tmp_path / f"{name.lower()}.download").write_bytes(content)
        lines.append(f"TERMINAL_FACE_{name}_PATH={tmp_path}/models/{name.lower()}.onnx")
        lines.append(f"TERMINAL_FACE_{name}_SHA256={sha256(content).hexdigest()}")
    file = tmp_path / "terminal.env"
    file.write_text("\n".join(lines))
    return file


def run(*arguments: object) -> int:
    return main(["face", *(str(argument) for argument in arguments)])


def test_models_are_installed_and_then_it_is_ready(
    settings_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("state", "--settings", settings_file) == 1
    assert "モデルファイルがありません" in capsys.readouterr().out
    sources = [tmp_path / "detector.download", tmp_path / "recognizer.download"]
    assert run("install-models", "--from", *sources, "--settings", settings_file) == 0
    assert run("state", "--settings", settings_file) == 0
    assert "ready (uncalibrated: staff confirm)" in capsys.readouterr().out


def test_a_file_nobody_wants_is_refused_with_its_digest(
    settings_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").write_bytes(b"other")
    assert run("install-models", "--from", tmp_path / "other", "--settings", settings_file) == 64
    assert sha256(b"other").hexdigest() in capsys.readouterr().err.replace("\n", "")
    assert not (tmp_path / "models").exists()


def test_a_folder_of_pictures_is_measured_and_the_calibration_written(
    settings_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_settings: Callable[..., FaceSettings]
) -> None:
    del tiny_settings  # puts the models where the settings file names them
    pairs = tmp_path / "pairs"
    for person in (3, 4, 5):
        (pairs / str(person)).mkdir(parents=True)
        for number in range(4):
            # As big as a card's photo, so that nothing is resized: the tiny detector sees by cells.
            picture = scene((4, 3), seed=person, size=(320, 240), noise=number + 1)
            cv2.imwrite(str(pairs / str(person) / f"{number}.png"), picture)
    out = tmp_path / "calibration.json"
    assert run("calibrate", "--pairs", pairs, "--out", out, "--settings", settings_file) == 0
    written = json.loads(out.read_bytes())
    assert written["recognizer_sha256"] == sha256(networks.embedder()).hexdigest()
    assert (written["people"], written["dataset"], written["frames"]) == (3, "pairs", 3)
    assert {(point["genuine"], point["impostors"]) for point in written["points"]} == {(3, 6)}
    assert "Claim: none" in capsys.readouterr().out


@pytest.mark.parametrize("people", [0, 1])
def test_too_few_people_are_no_calibration(
    settings_file: Path, tmp_path: Path, people: int, tiny_settings: Callable[..., FaceSettings]
) -> None:
    del tiny_settings
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for person in range(people):
        (pairs / str(person)).mkdir()
    out = tmp_path / "calibration.json"
    assert run("calibrate", "--pairs", pairs, "--out", out, "--settings", settings_file) == 64
    assert not out.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [("TERMINAL_FACE_THRESHOLD=high", "threshold"), ("TERMINAL_FACE_DETECTOR_SHA256=12", "detector_sha256")],
)
def test_settings_that_are_wrong_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    file = tmp_path / "terminal.env"
    file.write_text(line)
    assert run("state", "--settings", file) in (1, 64)
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_no_folder_is_said_in_words(settings_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", "--pairs", "/nowhere", "--settings", settings_file) == 64
    assert "no folder" in capsys.readouterr().err


def test_without_settings_it_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("state") == 1
    assert "TERMINAL_FACE_ENABLED" in capsys.readouterr().out
