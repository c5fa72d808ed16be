"""Runs the counter's screens: the visits' thread, the reader's watch and the local web server, until told to stop."""

import asyncio
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvicorn

from terminal_agent.bridge.beside import BridgeBeside
from terminal_agent.bridge.probe import look_at
from terminal_agent.card.pinless import PinlessSigner
from terminal_agent.client import Centre
from terminal_agent.face.mode import FaceMode, face_mode
from terminal_agent.face.state import FaceState, OffReason
from terminal_agent.health import Finding
from terminal_agent.kiosk.app import Changes, PatientScreen, make_app
from terminal_agent.kiosk.daybook import Daybook
from terminal_agent.kiosk.desks import Desks
from terminal_agent.kiosk.guard import Cookies, Keys
from terminal_agent.kiosk.memory import Memory
from terminal_agent.kiosk.passcode import Passcode
from terminal_agent.kiosk.rendering import Renderer
from terminal_agent.kiosk.runner import STOP_S, Runner
from terminal_agent.kiosk.slot import FolderSlot, ReaderSlot, Slot
from terminal_agent.kiosk.staff import StaffScreen
from terminal_agent.language import Language
from terminal_agent.logs import configure_logs
from terminal_agent.loopback import LOOPBACK, bound_to_loopback
from terminal_agent.outbox.command import drain_of
from terminal_agent.outbox.draining import LiveChecks
from terminal_agent.outbox.opening import open_for_counter
from terminal_agent.probing import examine
from terminal_agent.sealing import KEY_BYTES
from terminal_agent.settings import TerminalSettings

_log = structlog.get_logger(__name__)
_PATIENT_FILE, _STAFF_FILE = "patient-url", "staff-url"


class Screens:
    """The screens of one counter."""

    def __init__(
        self,
        settings: TerminalSettings,
        centre: Centre,
        slot: Slot,
        *,
        face: FaceMode | None = None,
        pinless: PinlessSigner | None = None,
    ) -> None:
        self._settings = settings
        self._slot = slot
        self._centre = centre
        self._face = face or FaceMode(FaceState(OffReason.NOT_ENABLED))
        self._keys = Keys()
        self._passcode = Passcode.read(settings.visual_passcode, _now) if settings.visual_passcode else None
        self._socket = bound_to_loopback(settings.screens_port)
        self._server: _Server | None = None
        self.daybook = Daybook(_now)
        self.desks = Desks(_now)
        self.live = LiveChecks()
        outbox = open_for_counter(settings, _now())
        self.journal = outbox.journal
        if settings.outbox_file is None or outbox.seal is None:
            self.memory = Memory(None, secrets.token_bytes(KEY_BYTES), _now)
        else:
            # Beside the outbox, under a key derived from the same: what differs from the last visit.
            self.memory = Memory(settings.outbox_file.with_suffix(".visits"), outbox.seal.key, _now)
        self.runner = Runner(
            slot,
            centre,
            daybook=self.daybook,
            memory=self.memory,
            language=Language(settings.screens_language),
            face=self._face,
            pinless=pinless,
            journal=self.journal,
            journal_lost=self._without_outbox,
            live=self.live,
        )
        self.bridge: BridgeBeside | None = None
        if settings.bridge_folder is not None or settings.bridge_port is not None:
            self.bridge = BridgeBeside(settings, self.desks.latest)
            self.runner.on_answer(self.bridge.card_visit)
            self.daybook.on_withdrawal(self.bridge.consent_withdrawn)
        self._share = None if settings.bridge_folder is None else look_at(settings.bridge_folder, served=True)

    @property
    def _without_outbox(self) -> bool:
        """Whether an outbox is set that could not be opened."""
        return self._settings.outbox_file is not None and self.journal is None

    @property
    def port(self) -> int:
        """Where the screens listen."""
        return int(self._socket.getsockname()[1])

    @property
    def patient_url(self) -> str:
        """What the patient's browser opens."""
        return f"http://{LOOPBACK}:{self.port}/enter/{self._keys.patient}"

    @property
    def staff_url(self) -> str:
        """What the staff's browser opens."""
        return f"http://{LOOPBACK}:{self.port}/enter/{self._keys.staff}"

    async def serve(self, on_started: Callable[[], None] = lambda: None) -> None:
        """Serve until the process is told to stop, or `stop` is called."""
        loop = asyncio.get_running_loop()
        patient_changes = Changes(loop)
        self.runner.on_change(patient_changes.tell)
        renderer = Renderer()
        patient = PatientScreen(self.runner, renderer, self._settings.consents_asked, patient_changes)
        staff_changes = Changes(loop)
        self.runner.on_change(staff_changes.tell)
        self.daybook.on_change(staff_changes.tell)
        cookies = Cookies(self.port)
        staff = StaffScreen(
            self.runner,
            self.daybook,
            self._centre,
            self.desks,
            self._passcode,
            renderer,
            staff_changes,
            self._examine,
            self.journal,
            _now,
            cookies,
        )
        hosts = frozenset({f"{LOOPBACK}:{self.port}", f"localhost:{self.port}"})
        app = make_app(patient, self._keys, cookies, hosts, staff.routes())
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=2
        )
        self._server = _Server(config, [self._write_addresses, on_started], [patient_changes, staff_changes])
        # The bridge outlasts the runner, whose last visit it takes.
        with nullcontext() if self.bridge is None else self.bridge.running():
            self.runner.start()
            try:
                with self._draining():
                    await self._server.serve(sockets=[self._socket])
            finally:
                # Nothing is served any more. Not in the loop's pool: its threads may all be taken, and the visit at
                # the counter is kept for later here.
                self.runner.stop()
                self.memory.close()
                if self.journal is not None:
                    self.journal.close()
                self._remove_addresses()

    def stop(self) -> None:
        """Tell the server to end; safe from any thread."""
        if self._server is not None:
            self._server.should_exit = True

    @contextmanager
    def _draining(self) -> Iterator[None]:
        """Settle journalled visits beside the live ones, over a line of its own, for the block."""
        if self.journal is None:
            yield
            return
        with Centre.open(self._settings) as line:
            drain = drain_of(self._settings, self.journal, line, self.live)
            thread = threading.Thread(target=drain.keep_settling, name="outbox", daemon=True)
            thread.start()
            try:
                yield
            finally:
                drain.stop()
                thread.join(STOP_S)

    def _examine(self) -> tuple[Finding, ...]:
        bridge_trouble = None if self.bridge is None else self.bridge.trouble
        return examine(
            self._settings,
            self._face,
            without_outbox=self._without_outbox,
            bridge_trouble=bridge_trouble,
            share=self._share,
        )

    def _write_addresses(self) -> None:
        folder = self._settings.run_folder
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name, url in ((_PATIENT_FILE, self.patient_url), (_STAFF_FILE, self.staff_url)):
            begun = folder / f".{name}"
            begun.unlink(missing_ok=True)
            descriptor = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchmod(descriptor, 0o640)  # the browser's user is another member of the service's group
            with os.fdopen(descriptor, "w") as opened:
                opened.write(url + "\n")
            begun.replace(folder / name)  # whoever sees the file reads a whole address

    def _remove_addresses(self) -> None:
        if self._settings.run_folder is not None:
            for name in (_PATIENT_FILE, _STAFF_FILE):
                (self._settings.run_folder / name).unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """Says when it listens, and ends the event streams before it waits for open answers."""

    def __init__(
        self, config: uvicorn.Config, on_started: Sequence[Callable[[], None]], streams: Sequence[Changes]
    ) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._streams = streams

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on a signal without raising it again afterwards: the card is let go of first."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            for told in self._on_started:
                told()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for stream in self._streams:
            stream.close()
        await super().shutdown(sockets)


def run_screens(settings: TerminalSettings, file: Path | None, virtual: Path | None) -> None:
    """Serve the screens of this terminal until a signal ends it, and beside them the bridge to the clinic's software.

    `file` is where face mode finds its own settings.

    Raises:
        CredentialsUnreadable: a certificate or key file is missing or malformed.
        PortTaken: another program listens there.
    """
    configure_logs()
    slot = ReaderSlot(settings.reader) if virtual is None else FolderSlot(virtual)
    with Centre.open(settings) as centre:
        screens = Screens(settings, centre, slot, face=face_mode(file))

        def started() -> None:
            # The addresses hold this start's keys: they go to who started it, or to the run folder, never to the log.
            _log.info("listening", port=screens.port)
            if settings.run_folder is None:
                print(f"patient  {screens.patient_url}\nstaff    {screens.staff_url}", flush=True)  # noqa: T201

        asyncio.run(screens.serve(started))


def _now() -> datetime:
    return datetime.now(UTC)
