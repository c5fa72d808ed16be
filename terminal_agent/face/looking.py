"""The camera's part of a visit: opens it, feeds the session, and switches it off when there is a decision."""

from collections.abc import Callable
from threading import Event

from terminal_agent.face.camera import open_camera
from terminal_agent.face.matching import FrameVerdict, MatchSession
from terminal_agent.face.policy import Decision
from terminal_agent.face.words import Step


def look(session: MatchSession, camera: str, tell: Callable[[FrameVerdict], None], stop: Event) -> Decision:
    """Show a session the camera's frames until it decides, is closed, or `stop` is set; run it in a worker thread.

    `tell` hears of every frame, `stop` is for the card that leaves or the person who chooses another way.

    Raises:
        CameraMissing: there is no camera, or no more pictures from it.
    """
    if session.result().step is not Step.CONTINUE:
        return session.result()
    with open_camera(camera) as frames:
        while not stop.is_set():
            verdict = session.add_frame(frames.read())
            tell(verdict)
            if verdict.step is not Step.CONTINUE:
                break
    if stop.is_set():
        session.close()
    return session.result()
