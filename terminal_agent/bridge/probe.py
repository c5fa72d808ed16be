"""Looks whether the bridge can serve what is set, without getting in the way of the one that runs."""

import socket
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx

from terminal_agent.bridge.errors import FolderMissing, FolderUnusable, NotRunning, RestPortTaken
from terminal_agent.loopback import LOOPBACK
from terminal_agent.settings import TerminalSettings

_PATIENCE_S: Final = 2.0
_NO_TOKEN: Final = 401


def probe(settings: TerminalSettings) -> None:
    """Write into the shared folder and call the port, as far as they are set.

    Raises:
        FolderMissing, FolderUnusable: the folder is not there, or cannot be written.
        NotRunning, RestPortTaken: nobody listens on the port, or another program does.
    """
    if settings.bridge_folder is not None:
        _probe_folder(settings.bridge_folder)
    if settings.bridge_port:  # 0 is another port at each start
        _probe_port(settings.bridge_port)


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
