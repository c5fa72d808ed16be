"""Runs a server as several processes on one port, so that every core of a machine answers.

The kernel deals new connections out among the processes (SO_REUSEPORT). They share nothing: each has its own pool, its
own group commit and its own memory of certificates.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import structlog
import uvloop

from eligibility.serving.mutual_tls import ServerTls, make_server
from eligibility.serving.turning_away import TurnAway

_log = structlog.get_logger(__name__)
_RESTART_AFTER_S: Final = 1.0
_COLLECT_EVERY: Final = 20_000  # objects; the default is 700
OnStarted = Callable[[int], None]


def serve_with_workers(
    app: Any,
    *,
    workers: int,
    host: str,
    port: int,
    tls: ServerTls,
    turn_away: TurnAway | None,
    on_started: OnStarted | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    `on_started` is told the port once every process listens; of `turn_away` see `make_server`. A process that dies is
    replaced; one that cannot even start ends them all. Nothing may run in this process yet that does not survive a
    fork: no event loop, no thread.
    """
    _keep_collector_rare()
    _bound(host, port, shared=False).close()  # a port that another server has is refused, not shared
    with _bound(host, port) as reserved:  # keeps the port while a process is replaced; it never listens
        address, port = reserved.getsockname()[:2]
        serve = partial(_serve, app, tls, turn_away)
        if workers == 1:
            with _bound(address, port) as listening:
                return serve(listening, lambda: on_started and on_started(port))
        return _Processes(serve, workers, (address, port)).run(lambda: on_started and on_started(port))


class _Processes:
    """The processes of one server, and what happens when one of them ends."""

    def __init__(self, serve: Callable[..., int], workers: int, address: tuple[str, int]) -> None:
        self._serve, self._workers, self._address = serve, workers, address
        self._running: set[int] = set()
        self._stopping = False
        self._alive, self._held = os.pipe()  # held by this process alone: its end tells the others that it is gone
        # They lead sessions of their own: what ends a terminal's processes is passed on to them, unless it is ignored.
        hung_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        self._endings = (signal.SIGTERM, signal.SIGINT, *((signal.SIGHUP,) if hung_up else ()))

    def run(self, on_started: Callable[[], Any]) -> int:
        ready, told = os.pipe()
        for ending in self._endings:
            signal.signal(ending, self._stop)
        for _ in range(self._workers):
            self._start(told)
        if not self._all_listen(ready):
            self._stop()
            self._wait()
            return 3
        on_started()
        while self._running:
            ended, status = self._reap()
            self._running.discard(ended)
            if not self._stopping:
                _log.error("worker_ended", status=status)
                time.sleep(_RESTART_AFTER_S)
                if not self._stopping:
                    self._start(told)
        return 0

    def _start(self, told: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, self._endings)  # one that came now would be lost to the child
        child = os.fork()
        if child:
            self._running.add(child)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._endings)
            if self._stopping:  # it had come before
                self._stop()
            return
        status = 3
        try:
            # Linux shares processors out between sessions before it does between processes: each gets its own share.
            os.setsid()
            for ending in self._endings:
                signal.signal(ending, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._endings)
            os.close(self._held)
            threading.Thread(target=_end_with, args=(self._alive,), daemon=True).start()
            with _bound(*self._address) as listening:
                status = self._serve(listening, lambda: os.write(told, b"."))
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 3
        except OSError as error:  # a key that cannot be read among them
            sys.stderr.write(f"a worker cannot serve: {error}\n")
        except Exception:  # noqa: BLE001 (nothing above here may go on in this process, nor tell of it)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _all_listen(self, ready: int) -> bool:
        listening = 0
        os.set_blocking(ready, False)
        while listening < self._workers and not self._stopping:
            try:
                listening += len(os.read(ready, self._workers))
            except BlockingIOError:
                ended, _ = os.waitpid(-1, os.WNOHANG)
                if ended:
                    self._running.discard(ended)
                    return False
                time.sleep(0.01)
        return listening >= self._workers

    def _stop(self, *_: Any) -> None:
        self._stopping = True
        for child in self._running:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    def _wait(self) -> None:
        while self._running:
            self._running.discard(self._reap()[0])

    @staticmethod
    def _reap() -> tuple[int, int]:
        ended, status = os.wait()
        return ended, os.waitstatus_to_exitcode(status)


def _end_with(other: int) -> None:
    """End this process when the one that holds the other end of a pipe has gone."""
    os.read(other, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _keep_collector_rare() -> None:
    # A request leaves a few hundred objects and next to no cycles: looking for them every 700 objects finds nothing and
    # costs a tenth of the time. What exists before the first request is never looked at again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 20, 50)


def _serve(
    app: Any, tls: ServerTls, turn_away: TurnAway | None, listening: socket.socket, on_started: Callable[[], Any]
) -> int:
    server = make_server(app, host="", port=0, tls=tls, on_started=lambda _: on_started(), turn_away=turn_away)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=[listening]))
    return 0


def _bound(host: str, port: int, *, shared: bool = True) -> socket.socket:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound
