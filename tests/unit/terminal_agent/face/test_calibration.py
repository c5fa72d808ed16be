from datetime import UTC, datetime
from math import comb
from pathlib import Path

import cv2
import numpy as np
import pytest

from terminal_agent.face.bounds import lower_bound, upper_bound
from terminal_agent.face.calibrating import Models, TooFewPeople, calibrate
from terminal_agent.face.calibration import Calibration, CalibrationPoint, CalibrationUnusable
from terminal_agent.face.faces import Face, Picture, Vector
from tests.unit.terminal_agent.face.scripted import FRONTAL

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("errors", "trials", "expected"),
    [
        # Tables of exact one-sided 95 % bounds; for no errors 1 - 0.05^(1/n).
        (0, 1, 0.95),
        (0, 10, 0.25887),
        (0, 30, 0.09503),
        (1, 10, 0.39416),
        (2, 20, 0.28262),
        (5, 100, 0.10225),
        (10, 10, 1.0),
    ],
)
def test_upper_bounds_are_the_exact_ones(errors: int, trials: int, expected: float) -> None:
    assert upper_bound(errors, trials) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("errors", "trials"), [(1, 7), (3, 12), (9, 40), (50, 100)])
def test_at_the_upper_bound_so_few_errors_have_one_chance_in_twenty(errors: int, trials: int) -> None:
    rate = upper_bound(errors, trials)
    chance = sum(comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(errors + 1))
    assert chance == pytest.approx(0.05, rel=1e-9)
    assert lower_bound(errors, trials) < errors / trials < rate


def test_the_rule_of_three() -> None:
    for trials in (300, 30_000, 174_614_542):
        assert upper_bound(0, trials) == pytest.approx(3 / trials, rel=0.01)
    assert upper_bound(0, 30_000) <= 1e-4 < upper_bound(0, 29_900)


def test_many_errors_of_very_many_are_bounded_too() -> None:
    assert upper_bound(17_461, 174_614_542) == pytest.approx(1.0125e-4, rel=1e-3)


@pytest.mark.parametrize(("errors", "trials"), [(-1, 10), (11, 10), (0, 0)])
def test_counts_that_are_none_have_no_bound(errors: int, trials: int) -> None:
    with pytest.raises(ValueError, match="counted"):
        upper_bound(errors, trials)


class Painted:
    """Sees a face in every picture; a picture's grey is the person, its brightest corner what is wrong with it."""

    def detect(self, picture: Picture) -> list[Face]:
        rows, columns = picture.shape[:2]
        if picture[: rows // 4, : columns // 4].mean() > 240:
            return []
        scale = max(columns / 640, 0.6)  # a card's photo is small, the face in it is not
        moved = {
            name: tuple(value * scale for value in getattr(FRONTAL, name))
            for name in ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
        }
        width, height = FRONTAL.width * scale, FRONTAL.height * scale
        return [Face(FRONTAL.x * scale, FRONTAL.y * scale, width, height, **moved, score=0.99)]  # type: ignore[arg-type]

    def align(self, picture: Picture, face: Face) -> Picture:
        stripes = np.zeros((112, 112, 3), dtype=np.uint8) + np.uint8(100)
        stripes[::4] += 60
        stripes[0, 0] = int(picture[picture.shape[0] // 2 :, :].mean())
        return stripes

    def embed(self, crop: Picture) -> Vector:
        angle = float(crop[0, 0, 0]) / 255 * np.pi
        vector = np.zeros(128, dtype=np.float32)
        vector[:2] = np.cos(angle), np.sin(angle)
        return vector


EYES = Painted()
MODELS = Models(EYES, EYES, "d" * 64, "e" * 64, "test")


def paint(folder: Path, greys: list[int | None]) -> None:
    folder.mkdir(parents=True)
    for number, grey in enumerate(greys):
        picture = np.full((960, 1280, 3), 128 if grey is None else grey, dtype=np.uint8)
        if grey is None:
            picture[:240, :320] = 255
        cv2.imwrite(str(folder / f"{number}.png"), picture)


def test_every_card_is_compared_with_everybody(tmp_path: Path) -> None:
    paint(tmp_path / "a", [20, 20, 22, 20, 21, 20, 24, None])
    paint(tmp_path / "b", [200, 200, 200, 200])
    paint(tmp_path / "c", [110, 110, 140, 120, None])
    paint(tmp_path / "too few", [50, 50, 50])
    (tmp_path / "notes.txt").write_text("no person")
    (tmp_path / "c" / "notes.txt").write_text("no picture")
    seen: list[int] = []
    made = calibrate(tmp_path, MODELS, "painted", NOW, seen.append)
    assert seen == [1, 2, 3, 4]
    assert (made.people, made.pictures, made.gated_out) == (3, 20, 5)
    assert {(point.genuine, point.impostors) for point in made.points} == {(4, 8)}
    strictest, mildest = made.points[-1], made.points[0]
    assert strictest.false_matches == 0
    assert strictest.false_non_matches == 0
    assert mildest.false_matches == 5  # each of c with a and b, and back, but never a with b
    assert made.recommended is None
    assert "Claim: none" in made.summary()


@pytest.mark.parametrize("people", [0, 1])
def test_fewer_than_two_people_are_too_few(tmp_path: Path, people: int) -> None:
    for person in range(people):
        paint(tmp_path / str(person), [20, 20, 20, 20])
    paint(tmp_path / "faceless", [None, None, None, None])
    with pytest.raises(TooFewPeople):
        calibrate(tmp_path, MODELS, "painted", NOW)


def point(threshold: float, impostors: int = 40_000, false_matches: int = 0) -> CalibrationPoint:
    return CalibrationPoint(
        threshold=threshold, impostors=impostors, false_matches=false_matches, genuine=500, false_non_matches=9
    )


def made(*points: CalibrationPoint) -> Calibration:
    return Calibration(
        detector_sha256="d" * 64, recognizer_sha256="e" * 64, opencv="5.0.0", made_at=NOW, dataset="test",
        people=200, pictures=900, gated_out=4, points=points,
    )  # fmt: skip


def test_the_lowest_threshold_that_claims_enough_is_recommended() -> None:
    calibration = made(point(0.5), point(0.4, false_matches=3), point(0.45))
    assert calibration.recommended == point(0.45)
    assert calibration.allows_alone(0.45)
    assert calibration.allows_alone(0.8)
    assert not calibration.allows_alone(0.449)
    assert "0.45" in calibration.summary()
    assert "per visit of 2 attempts" in calibration.summary()


def test_below_the_floor_no_count_claims_anything() -> None:
    assert not made(point(0.36, impostors=10**9)).allows_alone(0.5)


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(made(point(0.5)).model_dump_json())
    assert Calibration.load(file) == made(point(0.5))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version":1', '"version":2'),
        ('"impostors":40000', '"impostors":0'),
        ('"false_matches":0', '"false_matches":-1'),
        ('"threshold":0.5', '"threshold":7'),
        ('"dataset"', '"claims":"anything","dataset"'),
        ('"frames":3', '"frames":1'),
        ('"e', '"x'),
    ],
)
def test_a_calibration_somebody_bent_is_not_used(tmp_path: Path, old: str, new: str) -> None:
    text = made(point(0.5)).model_dump_json()
    assert old in text
    file = tmp_path / "calibration.json"
    file.write_text(text.replace(old, new))
    with pytest.raises(CalibrationUnusable):
        Calibration.load(file)


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(made(point(0.5)).model_dump_json() + " " * 1_000_000)
    with pytest.raises(CalibrationUnusable):
        Calibration.load(file)
