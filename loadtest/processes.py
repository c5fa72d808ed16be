"""Starts server processes of the platform for demo and load test, and ends them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_START_S: Final = 180.0
# The niceness of what may take its time while people stand at counters: intake, worker, and an insurer's own client.
BESIDE_COUNTERS: Final = 10
# Where Linux has it: a process that is started so is told to end when the one that started it is gone, by kill -9 too.
ENDING_WITH_US: Final = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()


class ServerDidNotStart(Exception):
    """A server ended, or did not listen in time; its last words are the message."""

    def __init__(self, last_words: str) -> None:
        super().__init__(f"a server did not start; its last words:\n{last_words}")


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that listens."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://localhost:{self.port}"


def end_when_told() -> None:
    """End this process in order when it is told to, so that the servers it has started end with it."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))


@contextmanager
def server(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path, niceness: int = 0
) -> Iterator[ServerProcess]:
    """Run `python -m module arguments`; give the process once it says that it listens, and end it afterwards.

    Raises:
        ServerDidNotStart: it did not listen.
    """
    with running(module, arguments, environment, log, niceness) as process:
        yield ServerProcess(_port_of(process, log), process.pid)


@contextmanager
def running(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path, niceness: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m module arguments`, what it says going to a file, and end it afterwards."""
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 (our own modules)
            command_of(module, arguments, niceness),
            env=clean_environment() | dict(environment),
            stdout=file,
            stderr=file,
            start_new_session=True,  # as a service of its own, which it would be in the field
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def clean_environment() -> dict[str, str]:
    """Return this process' environment without the allocator's settings, which polars has changed for itself alone."""
    return {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}


def command_of(module: str, arguments: Sequence[str], niceness: int = 0) -> list[str]:
    """Return `python -m module arguments`; with niceness it gives way to the others of the machine, as `nice` says."""
    return [*ENDING_WITH_US, "nice", "-n", str(niceness), sys.executable, "-m", module, *arguments]


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if line.startswith("{") and (said := json.loads(line)).get("event") == "listening":
                return int(said["port"])
        time.sleep(0.02)
    raise ServerDidNotStart(log.read_text(encoding="utf-8")[-2000:])
