"""Looks whether the bridge can serve what is set, without getting in the way of the one that runs."""

import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx

from terminal_agent.bridge.errors import FolderMissing, FolderUnusable, NotRunning, RestPortTaken, SecretUnusable
from terminal_agent.bridge.rest import own_token
from terminal_agent.bridge.sealed import KEY_FILE
from terminal_agent.bridge.service import state_folder, token_file
from terminal_agent.loopback import LOOPBACK
from terminal_agent.sealing import KeyFileUnusable, own_key
from terminal_agent.settings import TerminalSettings

_PATIENCE_S: Final = 2.0
_NO_TOKEN: Final = 401


def probe(settings: TerminalSettings) -> None:
    """Look at the secrets, write into the shared folder and call the port, as far as they are set.

    Raises:
        SecretUnusable: the token or the key is damaged, or open to others.
        FolderMissing, FolderUnusable: the folder is not there, or cannot be written.
        NotRunning, RestPortTaken: nobody listens on the port, or another program does.
    """
    if settings.bridge_folder is not None or settings.bridge_port is not None:
        _probe_secrets(settings)
    if settings.bridge_folder is not None:
        _probe_folder(settings.bridge_folder)
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


def _probe_folder(root: Path) -> None:
    if not root.is_dir():
        raise FolderMissing
    for part in ("req", "res", "face", "err", ".bridge"):
        folder = root / part
        if not folder.exists():  # before the bridge's first start
            folder = root
        # A name that no request has; the clinic's software leaves it alone for the moment it is there.
        file = folder / f".probe-{uuid4()}"
        try:
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
