"""The camera's part of a visit, where it fails: the patient always has another way."""

import queue
from pathlib import Path

import cv2
import numpy as np
import pytest

from terminal_agent.face.faces import Face, Picture
from terminal_agent.face.matching import ATTEMPT_S, FaceMatcher, MatchSession
from terminal_agent.face.policy import Situation
from terminal_agent.face.words import Step
from terminal_agent.kiosk.gaze import Gaze
from terminal_agent.kiosk.visit import Event, FaceNotConfirmed
from tests.unit.terminal_agent.face.scripted import CALIBRATED, Clock, Scripted


class _OutOfOrder(Scripted):
    """Finds the face on the card, and fails at what a camera gives."""

    def detect(self, picture: Picture) -> tuple[Face, ...]:
        if picture.shape != (480, 640, 3):
            raise RuntimeError("the network has another idea of a picture")
        return tuple(super().detect(picture))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def session_of(scripted: Scripted, clock: Clock) -> MatchSession:
    matcher = FaceMatcher(scripted, scripted, CALIBRATED, clock)
    return matcher.session(scripted.picture(), Situation(photo_verified=True))


def test_whatever_fails_at_a_picture_leads_to_another_way(tmp_path: Path, clock: Clock) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((100, 100, 3), dtype=np.uint8))
    posted: queue.Queue[Event] = queue.Queue()
    gaze = Gaze(session_of(_OutOfOrder(), clock), f"folder:{tmp_path}", posted.put)
    gaze.start()
    assert posted.get(timeout=120) == FaceNotConfirmed(may_try_again=False)
    gaze.close()


def test_a_second_attempt_after_the_photo_has_had_its_time_is_none(clock: Clock) -> None:
    session = session_of(Scripted(), clock)
    gaze = Gaze(session, "folder:nowhere", lambda _: None)
    clock.now += ATTEMPT_S + 1
    assert session.result().step is Step.RETRY
    assert gaze.again(lambda _: None)
    session.close()  # as its timer does
    assert not gaze.again(lambda _: None)
