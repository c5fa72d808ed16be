"""The bridge as it runs: the folder, the card visits remembered and laid into it, and REST, each in its own thread."""

import os
import queue
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
import uvicorn
from cryptography import x509

from eligibility.domain.codes import ConsentClass
from eligibility.domain.identifiers import InstitutionCode
from eligibility.wire.staff import StaffSession
from eligibility.wire.verifications import Verification
from terminal_agent.bridge.errors import NothingToServe, NotStarted, RestPortTaken, StateUnusable
from terminal_agent.bridge.folder import Folder
from terminal_agent.bridge.responder import Responder
from terminal_agent.bridge.rest import make_app, own_token
from terminal_agent.bridge.sealed import SealedStore
from terminal_agent.bridge.text import CharacterCode
from terminal_agent.bridge.visits import VisitBook
from terminal_agent.client import Centre, CredentialsUnreadable
from terminal_agent.logs import configure_logs
from terminal_agent.loopback import LOOPBACK, PortTaken, bound_to_loopback
from terminal_agent.settings import TerminalSettings
from terminal_agent.withdrawal import without_consent

_log = structlog.get_logger(__name__)
STOP_S: Final = 15.0  # longer than the centre's slowest answer
_VISIT_ID_LENGTH: Final = 12
_AGAIN_S: Final = 5.0  # between two tries of what could not be laid into the folder
_TERMINAL: Final = re.compile(
    r"urn:eligibility:institution:([0-9B]{10}):terminal:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
SignedIn = Callable[[], StaffSession | None]


@dataclass(frozen=True, slots=True)
class _Withdrawal:
    """A consent that a patient took back."""

    verification_id: UUID
    consent_class: ConsentClass

    def is_of(self, visit: Verification) -> bool:
        """Whether the consent was given at this visit."""
        return visit.verification_id == self.verification_id


class Bridge:
    """One terminal's bridge; what it is not told to serve, it does not."""

    def __init__(self, settings: TerminalSettings, responder: Responder) -> None:
        self.responder = responder
        self._settings = settings
        self._encoding = CharacterCode.SHIFT_JIS if settings.bridge_encoding == "shift_jis" else CharacterCode.UTF_8
        self._folder = None if settings.bridge_folder is None else Folder(settings.bridge_folder, responder)
        self._stopping = threading.Event()
        # Two lines: what is remembered never waits for a share that does not answer.
        self._visits: queue.Queue[Verification | _Withdrawal | None] = queue.Queue()
        self._to_lay: queue.Queue[Verification | _Withdrawal | None] = queue.Queue()
        self._forgetful = False
        self._threads: list[threading.Thread] = []
        self._server: uvicorn.Server | None = None
        self.port: int | None = None
        self.lost = False  # the folder is no longer the one that is held: to be opened anew
        self._late: list[Verification] = []

    @property
    def trouble(self) -> str | None:
        """The code of what is wrong while the bridge runs: the latest visit could not be written down."""
        return StateUnusable.code if self._forgetful else None

    @property
    def not_laid_down(self) -> list[Verification]:
        """The card visits that could not be laid into `face/` yet."""
        return [*self._late, *(one for one in list(self._to_lay.queue) if isinstance(one, Verification))]

    def lay_down(self, verification: Verification) -> None:
        """Lay a card visit into `face/` that an earlier bridge remembered, and could not lay down."""
        self._to_lay.put(verification)

    def card_visit(self, verification: Verification) -> None:
        """Take note of a card visit; it is remembered and laid into `face/` by the bridge's own threads."""
        self._visits.put(verification)

    def consent_withdrawn(self, verification_id: UUID, consent_class: ConsentClass) -> None:
        """Take note that a patient took a consent back; what is told of the visit from now on is without it."""
        self._visits.put(_Withdrawal(verification_id, consent_class))

    @contextmanager
    def running(self, on_lost: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Serve until the block ends; `on_lost` is told when the folder is no longer the one that is held.

        Raises:
            BridgeError: something is in the way.
        """
        with ExitStack() as stack:
            if self._folder is not None:
                stack.enter_context(self._folder.held())
            stack.callback(self._stop)
            if self._settings.bridge_port is not None:
                self._start_rest(self._settings.bridge_port)
            if self._folder is not None:
                self._start("bridge folder", self._serve_folder, self._folder, on_lost)
                self._start("bridge face", self._lay_visits, self._folder)
            self._start("bridge visits", self._take_visits)
            yield

    def _stop(self) -> None:
        self._stopping.set()
        self._visits.put(None)
        if self._server is not None:
            self._server.should_exit = True
        until = time.monotonic() + STOP_S  # for all of them together: several may hang in one share
        for thread in reversed(self._threads):
            thread.join(max(0.0, until - time.monotonic()))

    def _start(self, name: str, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _start_rest(self, port: int) -> None:
        token = own_token(token_file(self._settings))
        try:
            listening = bound_to_loopback(port)
        except PortTaken as error:
            raise RestPortTaken from error
        self.port = int(listening.getsockname()[1])
        app = make_app(self.responder, token, frozenset({f"{LOOPBACK}:{self.port}", f"localhost:{self.port}"}))
        self._server = uvicorn.Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=2
            )
        )
        listening.listen()  # from now on callers wait in line, whenever the thread begins
        self._start("bridge rest", self._serve_rest, listening)

    def _serve_rest(self, listening: socket.socket) -> None:
        if self._server is not None:
            self._server.run(sockets=[listening])
        listening.close()

    def _serve_folder(self, folder: Folder, on_lost: Callable[[], None]) -> None:
        try:
            folder.serve(self._stopping, self._settings.bridge_poll_s)
        finally:
            if not self._stopping.is_set():
                self.lost = True
                on_lost()

    def _take_visits(self) -> None:
        """Remember what is told, in a thread that never touches the share, and pass it on to the one that does."""
        while (told := self._visits.get()) is not None:
            if isinstance(told, _Withdrawal):
                self._withdraw(told)
            else:
                self._remember(told)
            if self._folder is not None:
                self._to_lay.put(told)
        self._to_lay.put(None)

    def _lay_visits(self, folder: Folder) -> None:
        ended = False
        while not ended:
            try:
                told = self._to_lay.get(timeout=_AGAIN_S)
                ended = told is None
            except queue.Empty:
                told = None
            if isinstance(told, _Withdrawal):
                self._late = [
                    without_consent(one, told.consent_class) if told.is_of(one) else one for one in self._late
                ]
            elif told is not None:
                self._late.append(told)
            self._late = [one for one in self._late if not self._lay_down(folder, one)]

    def _remember(self, visit: Verification) -> None:
        try:
            self.responder.visits.remember(visit)
            self._forgetful = False
        except Exception as error:  # noqa: BLE001 - the visit itself must not suffer
            self._forgetful = True
            _log.error("visit_not_remembered", kind=type(error).__name__)

    def _withdraw(self, withdrawal: "_Withdrawal") -> None:
        try:
            self.responder.visits.withdraw(withdrawal.verification_id, withdrawal.consent_class)
        except Exception as error:  # noqa: BLE001 - at the centre the consent has ended
            self._forgetful = True
            _log.error("withdrawal_not_remembered", kind=type(error).__name__)

    def _lay_down(self, folder: Folder, visit: Verification) -> bool:
        try:
            content = self.responder.card_visit(visit, self._encoding)
            folder.deliver_visit(visit.verification_id.hex[-_VISIT_ID_LENGTH:], visit.verified_at, content)
        except OSError as error:
            _log.warning("visit_not_laid_down", kind=type(error).__name__)
            return False
        return True


@contextmanager
def open_bridge(settings: TerminalSettings, staff: SignedIn) -> Iterator[Bridge]:
    """Give a bridge with a line of its own to the centre; `staff` says who is signed in here, if anybody.

    Raises:
        CredentialsUnreadable: a certificate or key file is missing or malformed.
        SecretUnusable, StateUnusable: what it remembers is closed to it, or its key open to others.
    """
    institution, terminal_id = _names_in(settings.certificate)
    store = SealedStore(state_folder(settings), _now)
    try:
        with Centre.open(settings) as centre:
            visits = VisitBook(store, terminal_id, _now)
            yield Bridge(settings, Responder(centre, institution, visits, store, staff, _now))
    finally:
        store.close()


def run_bridge(settings: TerminalSettings) -> None:
    """Serve the folder and REST alone, until a signal ends it; nobody is signed in here.

    Raises:
        BridgeError: nothing is set to be served, something is in the way, or the folder was replaced meanwhile.
        CredentialsUnreadable: as `open_bridge`.
    """
    if settings.bridge_folder is None and settings.bridge_port is None:
        raise NothingToServe
    configure_logs()
    ended = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: ended.set())
    with open_bridge(settings, lambda: None) as bridge, bridge.running(ended.set):
        _log.info("bridge_ready", folder=settings.bridge_folder is not None, port=bridge.port)
        ended.wait()
    if bridge.lost:
        raise NotStarted


def state_folder(settings: TerminalSettings) -> Path:
    """Return the folder for what the bridge remembers, on this machine and not on the share."""
    if settings.bridge_state is not None:
        return settings.bridge_state
    above = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(above) / "eligibility-terminal"


def token_file(settings: TerminalSettings) -> Path:
    """Return the file of REST's token."""
    return settings.bridge_token or state_folder(settings) / "rest.token"


def _names_in(certificate: Path) -> tuple[InstitutionCode, UUID]:
    try:
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise CredentialsUnreadable from error
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        if found := _TERMINAL.fullmatch(uri):
            return InstitutionCode.parse(found[1]), UUID(found[2])
    raise CredentialsUnreadable


def _now() -> datetime:
    return datetime.now(UTC)
