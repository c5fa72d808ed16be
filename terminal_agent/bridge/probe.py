"""Looks whether the bridge can serve what is set, without getting in the way of the one that runs."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx

from terminal_agent.bridge.errors import (
    BridgeError,
    FolderMissing,
    FolderSilent,
    FolderUnusable,
    NotRunning,
    RestPortTaken,
    SecretUnusable,
)
from terminal_agent.bridge.rest import own_token
from terminal_agent.bridge.sealed import KEY_FILE
from terminal_agent.bridge.service import state_folder, token_file
from terminal_agent.loopback import LOOPBACK
from terminal_agent.sealing import KeyFileUnusable, own_key
from terminal_agent.settings import TerminalSettings

_PATIENCE_S: Final = 2.0
_NO_TOKEN: Final = 401
SHARE_PATIENCE_S: Final = 3.0


class ShareLook:
    """Looks at a share, which may answer late or never: one look is out at a time, in a thread of its own."""

    def __init__(self, look: Callable[[], None], patience_s: float = SHARE_PATIENCE_S) -> None:
        self._look = look
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._out: threading.Thread | None = None
        self._until = 0.0
        self._found: BridgeError | None = None

    def __call__(self) -> None:
        """Look, or wait for the look that is out; whoever comes when its time is over does not wait.

        Raises:
            BridgeError: what the look raised.
            FolderSilent: it has not come back in time.
        """
        with self._lock:
            if self._out is None or not self._out.is_alive():
                self._out = threading.Thread(target=self._go, name="bridge share look", daemon=True)
                self._until = time.monotonic() + self._patience_s
                self._out.start()
            out = self._out
        out.join(max(0.0, self._until - time.monotonic()))
        if out.is_alive():
            raise FolderSilent
        if self._found is not None:
            raise self._found

    def _go(self) -> None:
        try:
            self._look()
            self._found = None
        except BridgeError as error:
            self._found = error


def look_at(root: Path, *, served: bool = False) -> ShareLook:
    """Return the look at a shared folder; in one that is `served` no part may be missing."""
    return ShareLook(lambda: _probe_folder(root, served))


def probe(settings: TerminalSettings, share: Callable[[], None] | None = None) -> None:
    """Look at the secrets, write into the shared folder and call the port, as far as they are set.

    `share` is the look of who looks again and again; without it the folder is looked at once.

    Raises:
        SecretUnusable: the token or the key is damaged, or open to others.
        FolderMissing, FolderUnusable: the folder is not there, or cannot be written.
        FolderSilent: the share it lies on does not answer.
        NotRunning, RestPortTaken: nobody listens on the port, or another program does.
    """
    if settings.bridge_folder is not None or settings.bridge_port is not None:
        _probe_secrets(settings)
    if settings.bridge_folder is not None:
        (share or look_at(settings.bridge_folder))()
    if settings.bridge_port:  # 0 is another port at each start
        _probe_port(settings.bridge_port)


def _probe_secrets(settings: TerminalSettings) -> None:
    key, token = state_folder(settings) / KEY_FILE, token_file(settings)
    try:
        if _can_be_read(key):
            own_key(key)
        if settings.bridge_port is not None and _can_be_read(token):
            own_token(token)
    except KeyFileUnusable as error:
        raise SecretUnusable from error


def _can_be_read(file: Path) -> bool:
    """Tell whether there is something to read: what is not there or empty is made at the start, not by looking."""
    return os.access(file, os.R_OK) and file.stat().st_size > 0


def _probe_folder(root: Path, served: bool) -> None:
    try:
        if not root.is_dir():
            raise FolderMissing
        for part in ("req", "res", "face", "err", ".bridge"):
            folder = root / part
            if not folder.exists():
                if served:
                    raise FolderMissing
                folder = root  # before the bridge's first start
            # A name that no request has; the clinic's software leaves it alone for the moment it is there.
            file = folder / f".probe-{uuid4()}"
            file.touch(exist_ok=False)
            file.unlink()
    except OSError as error:
        raise FolderUnusable from error


def _probe_port(port: int) -> None:
    with closing(socket.socket()) as line:
        line.settimeout(_PATIENCE_S)
        try:
            line.connect((LOOPBACK, port))
        except OSError as error:
            raise NotRunning from error
    try:
        # trust_env off: no proxy of the environment stands between this machine and itself.
        with httpx.Client(trust_env=False, timeout=_PATIENCE_S) as http:
            answer = http.get(f"http://{LOOPBACK}:{port}/v1/card-visits/last")
            ours = answer.status_code == _NO_TOKEN and answer.json().get("code") == "token_missing"
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise RestPortTaken from error
    if not ours:
        raise RestPortTaken
