"""The bridge beside the counter's screens: they do not wait for it, and it is tried until it runs."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from eligibility.domain.codes import ConsentClass
from eligibility.wire.verifications import Verification
from terminal_agent.bridge.errors import BridgeError, NotStarted
from terminal_agent.bridge.service import STOP_S, Bridge, SignedIn, open_bridge
from terminal_agent.client import CentreError
from terminal_agent.settings import TerminalSettings

_log = structlog.get_logger(__name__)
TRY_AGAIN_S: Final = 30.0
MEANWHILE: Final = 500  # visits and withdrawals that wait for the bridge while it does not run: a busy counter's day


class BridgeBeside:
    """The bridge of a counter; whatever is in its way, the patients at the counter are served."""

    def __init__(self, settings: TerminalSettings, staff: SignedIn) -> None:
        self._settings = settings
        self._staff = staff
        self._lock = threading.Lock()
        self._bridge: Bridge | None = None
        self._meanwhile: deque[Callable[[Bridge], None]] = deque(maxlen=MEANWHILE)
        self._stopping = threading.Event()
        self._woken = threading.Event()  # by the end, or by a bridge that lost its folder
        self._trouble: str | None = NotStarted.code

    @property
    def trouble(self) -> str | None:
        """The code of what keeps the bridge from running, or is wrong while it does; None while all is well."""
        with self._lock:
            return self._trouble if self._bridge is None else self._bridge.trouble

    def card_visit(self, verification: Verification) -> None:
        """As `Bridge.card_visit`, now or once it runs."""
        self._tell(lambda bridge: bridge.card_visit(verification))

    def consent_withdrawn(self, verification_id: UUID, consent_class: ConsentClass) -> None:
        """As `Bridge.consent_withdrawn`, now or once it runs."""
        self._tell(lambda bridge: bridge.consent_withdrawn(verification_id, consent_class))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the bridge running until the block ends, in a thread of its own: a dead share answers late or never."""
        thread = threading.Thread(target=self._keep_running, name="bridge", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._woken.set()
            thread.join(STOP_S)
            self._tell_what_is_lost()

    def _keep_running(self) -> None:
        while True:
            self._woken.clear()
            if self._stopping.is_set():
                return
            try:
                with open_bridge(self._settings, self._staff) as bridge, bridge.running(self._woken.set):
                    self._hand_over(bridge)
                    self._woken.wait()
                    if bridge.lost:
                        self._take_back()
                if bridge.lost:
                    self._keep_for_the_next(bridge)
                    raise NotStarted
            except Exception as error:  # noqa: BLE001 - whatever it is, the counter goes on
                self._wait_for_better(error)

    def _hand_over(self, bridge: Bridge) -> None:
        with self._lock:
            self._bridge, self._trouble = bridge, None
            while self._meanwhile:
                self._meanwhile.popleft()(bridge)
        _log.info("bridge_ready", folder=self._settings.bridge_folder is not None, port=bridge.port)

    def _take_back(self) -> None:
        with self._lock:
            self._bridge, self._trouble = None, NotStarted.code

    def _keep_for_the_next(self, bridge: Bridge) -> None:
        with self._lock:
            for visit in reversed(bridge.not_laid_down):
                self._meanwhile.appendleft(partial(Bridge.lay_down, verification=visit))

    def _tell_what_is_lost(self) -> None:
        with self._lock:
            waiting = len(self._meanwhile) + (0 if self._bridge is None else len(self._bridge.not_laid_down))
        if waiting:
            _log.error("visits_not_laid_down", waiting=waiting)

    def _wait_for_better(self, error: Exception) -> None:
        code = error.code if isinstance(error, BridgeError | CentreError) else type(error).__name__
        if code != self._trouble:
            _log.error("bridge_not_running", code=code)
        with self._lock:
            self._bridge, self._trouble = None, code
        self._stopping.wait(TRY_AGAIN_S)

    def _tell(self, told: Callable[[Bridge], None]) -> None:
        with self._lock:
            if self._bridge is None:
                self._meanwhile.append(told)
            else:
                told(self._bridge)
