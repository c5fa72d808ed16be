from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest

from terminal_agent.face.camera import CameraMissing, open_camera
from terminal_agent.face.looking import look
from terminal_agent.face.matching import FaceMatcher, FrameVerdict
from terminal_agent.face.opencv import SfaceEmbedder, YunetDetector
from terminal_agent.face.opencv_camera import FolderCamera
from terminal_agent.face.policy import MatchRules, Situation
from terminal_agent.face.words import Hint, Reason, Step
from tests.unit.terminal_agent.face import networks
from tests.unit.terminal_agent.face.networks import scene
from tests.unit.terminal_agent.face.scripted import Clock

RULES = MatchRules("ab" * 32, accept=0.95, clearly_different=0.5, calibrated=True)
VERIFIED = Situation(photo_verified=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), scene((6, 9), noise=number + 1))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def matcher(clock: Clock) -> FaceMatcher:
    return FaceMatcher(YunetDetector(networks.detector()), SfaceEmbedder(networks.embedder()), RULES, clock)


class FastCamera:
    """The folder's camera on a clock that its own pauses move."""

    def __init__(self, folder: Path, noise: float = 0.0) -> None:
        self.clock = Clock()
        self.camera = FolderCamera(folder, noise, self.clock, self._pause)

    def _pause(self, seconds: float) -> None:
        self.clock.now += seconds


def test_pictures_are_shown_in_turn_each_for_a_while(folder: Path) -> None:
    fast = FastCamera(folder)
    frames = [fast.camera.read() for _ in range(18)]
    assert np.array_equal(frames[0], frames[4])
    assert not np.array_equal(frames[0], frames[7])
    assert not np.array_equal(frames[7], frames[13])
    fast.clock.now += 0.3
    assert np.array_equal(fast.camera.read(), frames[0])


def test_noise_makes_no_two_frames_the_same(folder: Path) -> None:
    fast = FastCamera(folder, noise=2.0)
    one, other = fast.camera.read(), fast.camera.read()
    assert 0.5 < np.abs(one.astype(int) - other.astype(int)).mean() < 5


def test_a_big_picture_is_fitted_into_a_frame(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "big.jpg"), np.zeros((3000, 2000, 3), dtype=np.uint8))
    assert FastCamera(tmp_path).camera.read().shape == (720, 480, 3)


@pytest.mark.parametrize("name", ["folder:/nowhere", "97", "/dev/nothing", "", "folder:"])
def test_a_camera_that_is_not_there_is_said_to_be_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(CameraMissing), open_camera(name if name != "folder:" else f"folder:{tmp_path}"):
        pass


def test_a_folder_without_a_readable_picture_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(CameraMissing), open_camera(f"folder:{tmp_path}"):
        pass


def test_a_person_before_the_camera_is_matched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = FastCamera(folder, noise=1.0)
    monkeypatch.setattr("terminal_agent.face.opencv_camera.FolderCamera", lambda _: fast.camera)
    heard: list[FrameVerdict] = []
    with matcher(fast.clock).session(scene((6, 9)), VERIFIED) as session:
        decision = look(session, f"folder:{folder}", heard.append, Event())
    assert decision.step is Step.ACCEPT
    assert [verdict.taken for verdict in heard][-1] == 3
    assert heard[0].hint is Hint.KEEP_STILL


def test_a_picture_that_never_changes_is_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted(folder.glob("*.png"))[1:]:
        path.unlink()
    fast = FastCamera(folder)
    monkeypatch.setattr("terminal_agent.face.opencv_camera.FolderCamera", lambda _: fast.camera)
    with matcher(fast.clock).session(scene((6, 9)), VERIFIED) as session:
        assert look(session, f"folder:{folder}", lambda _: None, Event()).reason is Reason.SAME_PICTURE


def test_a_card_that_leaves_ends_the_looking_and_the_session(folder: Path) -> None:
    stop = Event()
    clock = Clock()
    session = matcher(clock).session(scene((6, 9)), VERIFIED)
    decision = look(session, f"folder:{folder}", lambda _: stop.set(), stop)
    assert decision.step is Step.CHOOSE
    assert session.closed.is_set()


def test_without_a_usable_photo_the_camera_is_never_opened() -> None:
    session = matcher(Clock()).session(scene(), VERIFIED)
    assert look(session, "folder:/nowhere", lambda _: None, Event()).reason is Reason.PHOTO_UNUSABLE
    session.close()
