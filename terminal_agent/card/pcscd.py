"""Starts a pcscd of one's own with vpcd's reader in it, apart from the machine's pcscd, for demos and tests.

pcscd's socket is compiled in, but a socket handed over as systemd does (`LISTEN_FDS`) is used in its place, and
clients follow `PCSCLITE_CSOCK_NAME`. In a mount namespace of its own the daemon cannot touch the machine's pid file
either, and needs no root. So any number of them run side by side.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START_TIMEOUT_S: Final = 60.0  # of a busy machine
STOP_TIMEOUT_S: Final = 5.0
READER_NAME: Final = "Virtual PCD"

_DRIVERS: Final = (
    Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so"),
    Path("/usr/local/lib/pcsc/drivers/serial/libifdvpcd.so"),
)
_ATTEMPTS: Final = 3
# systemd's protocol wants the socket as descriptor 3 and names the daemon's own pid, which all the execs keep.
_HAND_OVER: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.execvpe(sys.argv[2], sys.argv[2:], os.environ | {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
"""
_LISTENING: Final = "0A"  # /proc/net/tcp, column st


class PcscdUnavailable(Exception):
    """No pcscd of our own can run here; the text says why and what to install."""


@dataclass(frozen=True, slots=True)
class OwnPcscd:
    """A running pcscd: where vpcd listens for a card, and what its clients need in their environment."""

    vpcd_port: int
    socket: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program needs to talk to this pcscd; it must stand before the program first uses PC/SC."""
        return {"PCSCLITE_CSOCK_NAME": str(self.socket)}


@contextmanager
def own_pcscd() -> Iterator[OwnPcscd]:
    """Run a pcscd with an empty vpcd reader until the block ends.

    Raises:
        PcscdUnavailable: it, its driver or the right to start it is missing.
    """
    program, driver = _program(), _driver()
    refusals = []
    for wrap in _ways():
        for _ in range(_ATTEMPTS):
            with ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pcscd-")))
                port = _free_port()
                listening = stack.enter_context(_listening_socket(folder / "pcscd.comm"))
                log = stack.enter_context((folder / "log").open("wb"))
                _configure(folder / "readers", driver, port)
                process = _launch([*wrap, program], folder, listening, log.fileno())
                stack.callback(_stop, process)
                refusal = _wait_until_ready(process, port)
                if refusal is None:
                    yield OwnPcscd(port, folder / "pcscd.comm")
                    return
                refusals.append(f"{refusal}: {_last_line(folder / 'log')}")
    raise PcscdUnavailable("pcscd does not start here; it says: " + " | ".join(dict.fromkeys(refusals)))


def _program() -> str:
    program = shutil.which("pcscd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        raise PcscdUnavailable("pcscd is not installed (Debian: apt-get install pcscd)")
    return program


def _driver() -> Path:
    for driver in _DRIVERS:
        if driver.exists():
            return driver
    raise PcscdUnavailable("vpcd's driver is not installed (Debian: apt-get install vsmartcard-vpcd)")


def _ways() -> list[list[str]]:
    """How to start it, best first: with /run hidden from it, then as it is (root in a container may not unshare)."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return [[]]
    namespaces = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    hide_run = ["sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$0" "$@"']
    return [[unshare, *namespaces, *hide_run], []]


def _listening_socket(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen(16)
    return listening


def _configure(folder: Path, driver: Path, port: int) -> None:
    folder.mkdir()
    lines = (
        f'FRIENDLYNAME "{READER_NAME}"',
        f"DEVICENAME   /dev/null:0x{port:04X}",
        f"LIBPATH      {driver}",
        f"CHANNELID    0x{port:04X}",
    )
    (folder / "vpcd").write_text("\n".join(lines) + "\n")


def _launch(program: list[str], folder: Path, listening: socket.socket, log: int) -> subprocess.Popen[bytes]:
    die_with_us = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
    command = [*die_with_us, *program, "--foreground", "--config", str(folder / "readers")]
    return subprocess.Popen(  # noqa: S603 - found above, and no part comes from outside
        [sys.executable, "-I", "-S", "-c", _HAND_OVER, str(listening.fileno()), *command],
        pass_fds=(listening.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> str | None:
    """Wait until vpcd listens; return what went wrong instead, if anything."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return f"it ended with status {process.returncode}"
        if _is_listening(port):
            return None
        time.sleep(0.02)
    return f"vpcd did not listen within {START_TIMEOUT_S:.0f} s"


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    """Return a port of which the next is free too: vpcd's two slots take one each.

    They lie below the range from which the system gives ports to others, so nobody takes them in between.
    """
    for _ in range(100):
        port = random.randrange(20000, 32000, 2)  # noqa: S311 - not a secret
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise PcscdUnavailable("no two neighbouring ports are free for vpcd")


def _is_listening(port: int) -> bool:
    """Look into the kernel's table: to connect would put a card in, to bind would take the port."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTENING and int(columns[1].rsplit(":", 1)[1], 16) == port:
                return True
    return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
