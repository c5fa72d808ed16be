"""Finds out how the terminal's parts are; each probe ends by itself, and no trouble of one keeps the others waiting."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from eligibility.wire.problems import Sentence
from terminal_agent.bridge.errors import BridgeError
from terminal_agent.bridge.probe import probe
from terminal_agent.card.errors import CardError, ReaderMissing
from terminal_agent.card.reader import reader_names
from terminal_agent.client import Centre, CentreError, Refused
from terminal_agent.face.camera import FOLDER, CameraMissing, open_camera
from terminal_agent.face.mode import FaceMode
from terminal_agent.health import CertificateProbe, Finding, Probes, judge
from terminal_agent.outbox.opening import OutboxNotOpen, aside_of
from terminal_agent.outbox.opening import probe as probe_outbox
from terminal_agent.outbox.sealing import OutboxTrouble
from terminal_agent.settings import TerminalSettings


def examine(
    settings: TerminalSettings,
    face: FaceMode,
    *,
    try_camera: bool = False,
    without_outbox: bool = False,
    bridge_trouble: str | None = None,
    share: Callable[[], None] | None = None,
) -> tuple[Finding, ...]:
    """Probe every part and return a finding for each.

    The centre is asked over the network, with the settings' time limits. The camera is only opened with `try_camera`:
    not while a patient may be before it. `without_outbox` says of the counter that asks that it could not open its own,
    `bridge_trouble` what is wrong with its bridge, `share` is its look at the shared folder.
    """
    service, reader, readers = _card_side(settings.reader)
    centre, said, offset_s = _centre(settings)
    probes = Probes(
        service=service,
        reader=reader,
        readers=readers,
        certificates=(
            _certificate("TERMINAL_CERTIFICATE", settings.certificate, settings.key),
            _certificate("TERMINAL_CENTRE_AUTHORITY", settings.centre_authority),
        ),
        centre=centre,
        centre_said=said,
        clock_offset_s=offset_s,
        face=face.state,
        camera=_camera(face.camera, try_camera) if face.state.ready else None,
        bridge_set=settings.bridge_folder is not None or settings.bridge_port is not None,
        bridge=bridge_trouble or _bridge(settings, share),
        outbox_set=settings.outbox_file is not None,
        outbox=_outbox(settings) or (OutboxNotOpen.code if without_outbox else None),
        outbox_aside=() if settings.outbox_file is None else aside_of(settings.outbox_file),
    )
    return judge(probes, datetime.now(UTC))


def _card_side(wanted: str | None) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Return what is wrong with the service, what with the reader, and the readers that would do."""
    try:
        names = reader_names()
    except CardError as error:
        return error.code, None, ()
    fitting = tuple(name for name in names if wanted is None or wanted.casefold() in name.casefold())
    return None, None if fitting else ReaderMissing.code, fitting


def _certificate(name: str, path: Path, key: Path | None = None) -> CertificateProbe:
    with suppress(OSError, ValueError, TypeError):
        found = x509.load_pem_x509_certificate(path.read_bytes())
        fits = key is None or load_pem_private_key(key.read_bytes(), None).public_key() == found.public_key()
        return CertificateProbe(name, found.not_valid_before_utc, found.not_valid_after_utc, fits)
    return CertificateProbe(name)


def _centre(settings: TerminalSettings) -> tuple[str | None, Sentence | None, float | None]:
    try:
        with Centre.open(settings) as centre:
            return None, None, centre.clock_offset_s()
    except Refused as refused:
        return refused.problem.code, refused.problem.staff, None
    except CentreError as error:
        return error.code, None, None


def _camera(name: str, try_it: bool) -> str | None:
    try:
        if try_it:
            with open_camera(name) as camera:
                camera.read()
        elif not _may_be_there(name):
            raise CameraMissing
    except CameraMissing as error:
        return error.code
    return None


def _bridge(settings: TerminalSettings, share: Callable[[], None] | None) -> str | None:
    try:
        probe(settings, share)
    except BridgeError as error:
        return error.code
    return None


def _outbox(settings: TerminalSettings) -> str | None:
    try:
        probe_outbox(settings)
    except OutboxTrouble as error:
        return error.code
    return None


def _may_be_there(name: str) -> bool:
    if name.startswith(FOLDER):
        return Path(name.removeprefix(FOLDER)).is_dir()
    return Path(f"/dev/video{name}" if name.isdigit() else name).exists()
