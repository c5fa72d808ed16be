"""The camera's part of a visit in a thread of its own: posts its hints and what it comes to, and keeps no picture."""

import threading
from collections.abc import Callable

import structlog

from eligibility.wire.problems import Sentence
from eligibility.wire.verifications import FaceEvidence
from terminal_agent.face.camera import CameraMissing
from terminal_agent.face.looking import look
from terminal_agent.face.matching import FrameVerdict, MatchSession
from terminal_agent.face.policy import Decision
from terminal_agent.face.showing import SideBySide
from terminal_agent.face.words import Hint, Step
from terminal_agent.kiosk.visit import Event, FaceConfirmed, FaceHint, FaceLeftToStaff, FaceNotConfirmed

_log = structlog.get_logger(__name__)
STOP_S = 5.0


class Gaze:
    """One visit's look at a face; `close` forgets it."""

    def __init__(self, session: MatchSession, camera: str, post: Callable[[Event], None]) -> None:
        self._session = session
        self._camera = camera
        self._post = post
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._decision: Decision | None = None
        self._hint: Hint | None = None

    @property
    def evidence(self) -> FaceEvidence | None:
        """What a match that may stand alone rests on."""
        decision = self._decision
        if decision is None or decision.step is not Step.ACCEPT or decision.evidence is None:
            return None
        return decision.evidence.wire()

    @property
    def said_to_staff(self) -> Sentence | None:
        """Why staff should look."""
        return None if self._decision is None else self._decision.reason.words

    @property
    def pictures(self) -> SideBySide | None:
        """The card's photo beside the last frame, where staff should look."""
        return self._session.pictures()

    def again(self, post: Callable[[Event], None]) -> bool:
        """Make ready for the second attempt; False where the photo has had its time, or there is none left."""
        self._post = post
        try:
            self._session.retry()
        except ValueError:
            return False
        return True

    def start(self) -> None:
        """Switch the camera on."""
        self._hint = None
        self._thread = threading.Thread(target=self._look, args=(self._post,), name="camera", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Switch the camera off and forget the face: the patient chose another way."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def close(self) -> None:
        """Forget the face: the card left, or the visit is over."""
        self.stop()
        self._session.close()

    def _look(self, post: Callable[[Event], None]) -> None:
        try:
            decision = look(self._session, self._camera, self._tell, self._stopping)
        except CameraMissing as error:
            _log.warning("camera_missing", code=error.code)
            post(FaceNotConfirmed(may_try_again=False))
            return
        except Exception as error:  # noqa: BLE001 - the PIN and staff are still there, whatever a picture did
            _log.error("camera_failed", kind=type(error).__name__)
            post(FaceNotConfirmed(may_try_again=False))
            return
        if self._stopping.is_set():
            return
        self._decision = decision
        match decision.step:
            case Step.ACCEPT:
                post(FaceConfirmed())
            case Step.CONFIRM | Step.STAFF:
                post(FaceLeftToStaff())
            case _:
                post(FaceNotConfirmed(may_try_again=decision.step is Step.RETRY))

    def _tell(self, verdict: FrameVerdict) -> None:
        if verdict.hint is not self._hint:
            self._hint = verdict.hint
            self._post(FaceHint(verdict.hint))
