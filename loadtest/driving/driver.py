"""Sends prepared requests when they are due, whatever the answers do, and times each from when it was due.

A request waits for a free connection of its terminal, and that wait is part of its latency: nothing is hidden by a
server that is slow to answer (no coordinated omission).
"""

import asyncio
import json
import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from functools import partial
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final, cast

import numpy as np
import uvloop

from loadtest.driving import preparing
from loadtest.driving.connection import LOST, Answer, Connection, terminal_tls
from loadtest.driving.deck import read_deck, read_keys
from loadtest.driving.plan import ANSWERED, ERROR, READINGS, SHED, Operation, Plan, Sent, Stream
from loadtest.driving.preparing import Request

_START_IN_S: Final = 0.2
_TICK_S: Final = 0.001
_AGAIN_S: Final = 0.05  # after a first connection that was refused; twice as long after each further one, up to:
_AGAIN_AT_MOST_S: Final = 1.0
_TURNED_AWAY: Final = "overloaded"  # the only code that promises that nothing was done


class DriverFailed(Exception):
    """A driver process ended without its figures; its words are the message."""


def drive(plans: Sequence[Plan], around: Any = None) -> list[list[Sent]]:
    """Run one process for each plan, all sending in the same window; return what each stream came to.

    `around`, if given, is called with the processes' ids when all have prepared, and gives what is entered and left
    as a context while they send.

    Raises:
        DriverFailed: one of them could not prepare or send.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # what a driver imports is imported once, not for every window
    pipes, processes = [], []
    for plan in plans:
        here, there = context.Pipe()
        process = context.Process(target=_run, args=(plan, there), daemon=True)
        process.start()
        there.close()
        pipes.append(here)
        processes.append(process)
    try:
        for pipe in pipes:
            _take(pipe)
        watching = around([process.pid for process in processes]) if around else nullcontext()
        with watching:
            start = time.monotonic() + _START_IN_S
            for pipe in pipes:
                pipe.send(start)
            sent = [_take(pipe) for pipe in pipes]
        for pipe in pipes:  # only now, so that what each has computed could still be asked
            pipe.send("end")
        return sent
    finally:
        for pipe in pipes:  # a driver that still waits for a word ends by itself
            pipe.close()
        for process in processes:
            process.join(timeout=5)
            if process.is_alive():
                process.terminate()


def _take(pipe: Pipe) -> Any:
    try:
        kind, said = pipe.recv()
    except EOFError as error:
        raise DriverFailed("a driver process ended before its figures") from error
    if kind == "failed":
        raise DriverFailed(said)
    return said


def _run(plan: Plan, pipe: Pipe) -> None:
    os.setsid()  # it stands for other machines: what it computes is not a share of this session's
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            pipe.send(("sent", runner.run(_Driver(plan, pipe).run())))
        pipe.recv()
    except (EOFError, asyncio.CancelledError):
        pass  # the parent has gone
    except Exception as error:  # noqa: BLE001 (told to the parent, which raises)
        with suppress(BrokenPipeError):  # the parent has gone meanwhile
            pipe.send(("failed", f"{type(error).__qualname__}: {error}"))
    finally:
        pipe.close()


class _Driver:
    """One process's connections, the requests it has prepared, and what became of them."""

    def __init__(self, plan: Plan, pipe: Pipe) -> None:
        self._plan, self._pipe = plan, pipe
        self._deck = read_deck(plan.deck)
        self._keys = read_keys(plan.site)
        # The one that was used longest ago is next, so that none grows old: those that were opened together would be
        # renewed together, a thousand handshakes at once in the middle of a window.
        self._free: dict[int, deque[Connection]] = {n: deque() for n in plan.terminals}
        self._waiting: dict[int, deque[tuple[Request, float, _Running]]] = {n: deque() for n in plan.terminals}
        self._connections: list[Connection] = []
        self._closing = False

    async def run(self) -> list[Sent]:
        tasks = await self._connect(self._plan.target)
        running = [_Running(stream) for stream in self._plan.streams]
        prepared = await self._prepare(running)
        self._pipe.send(("ready", None))
        start = await asyncio.to_thread(self._pipe.recv)
        # While this sends, the parent says nothing: what can be read then is that it has gone. A thread looks, because
        # a loop that watches a pipe makes it one that does not wait.
        gone = asyncio.ensure_future(asyncio.to_thread(self._pipe.poll, None))
        own = cast(asyncio.Task[Any], asyncio.current_task())
        gone.add_done_callback(lambda _: own.cancel())
        window_end = start + self._plan.seconds
        sending = []
        for queue, one in zip(prepared, running, strict=True):
            begin = start + one.stream.begin_s
            end = window_end if one.stream.seconds is None else begin + one.stream.seconds
            send = self._send_at if one.stream.drawn else self._send_on_answer
            sending.append(send(begin, end, queue, one))
        if self._plan.reconnect_s is not None:
            sending.append(self._reconnect_at(start + self._plan.reconnect_s))
        await asyncio.gather(*sending)
        drained = time.monotonic() + self._plan.drain_s
        while any(one.open for one in running) and time.monotonic() < drained:  # noqa: ASYNC110 (a clock decides)
            await asyncio.sleep(0.01)
        self._closing = True
        for task in tasks:
            task.cancel()
        for connection in self._connections:
            connection.close()
        return [one.sent(start) for one in running]

    async def _connect(self, url: str) -> list[asyncio.Task[None]]:
        pki, terminals = self._plan.site / "pki", self._plan.site / "terminals"
        opening = []
        for number in self._plan.terminals:
            path = terminals / f"{number:04}.crt"
            context = terminal_tls(pki / "server_authority.crt", path, path.with_suffix(".key"))
            for _ in range(self._plan.connections_each):
                connection = Connection(number, self._idle)
                self._connections.append(connection)
                opening.append((context, connection))
        for context, connection in opening:
            await preparing.connected(url, context, connection)
        return [asyncio.create_task(self._keep(url, *each)) for each in opening]

    async def _keep(self, url: str, context: Any, connection: Connection) -> None:
        # A server that closes a connection is asked again at once, as a terminal would.
        again_s = _AGAIN_S
        while not self._closing:
            await connection.lost.wait()
            try:
                await preparing.connected(url, context, connection)
                again_s = _AGAIN_S
            except OSError:
                await asyncio.sleep(again_s)
                again_s = min(again_s * 2, _AGAIN_AT_MOST_S)

    def _idle(self, connection: Connection) -> None:
        waiting = self._waiting[connection.number]
        if waiting:
            request, due, running = waiting.popleft()
            running.begin(connection, request, due)
        elif connection not in self._free[connection.number]:  # one that was lost may stand there still
            self._free[connection.number].append(connection)

    async def _prepare(self, running: Sequence["_Running"]) -> list[deque[tuple[int, Request]]]:
        """Return each stream's requests with their terminals; everything that costs is done here."""
        plan, prepared = self._plan, []
        for one in running:
            stream, terminals = one.stream, list(plan.terminals)
            own = [visit for visit in plan.visits if visit.terminal in plan.terminals]
            count = stream.count
            offset = plan.seed * 7919 + plan.terminals.start * 104_729
            if stream.operation is Operation.VERIFICATION:
                each = -(-count // len(terminals))
                fetched = await self._challenges(each)
                requests = []
                for n in range(count):
                    challenge = fetched[n % len(terminals)][n // len(terminals)]
                    requests.append(preparing.verification(stream.path, self._deck, self._keys, offset + n, challenge))
            elif stream.operation is Operation.NUMBER_VERIFICATION:
                requests = [preparing.number_verification(stream.path, self._deck, offset + n) for n in range(count)]
            elif stream.operation in READINGS:
                terminals = [visit.terminal for visit in own]
                readings = [preparing.reading(stream.path, visit) for visit in own]
                requests = [readings[n % len(readings)] for n in range(count)]
            else:
                requests = [preparing.challenges(stream.path)] * count
            prepared.append(deque((terminals[n % len(terminals)], request) for n, request in enumerate(requests)))
        return prepared

    async def _challenges(self, each: int) -> list[list[str]]:
        """Fetch challenges for every terminal from the centre, which may not be what is measured."""
        fetched: list[list[str]] = []
        pki, terminals = self._plan.site / "pki", self._plan.site / "terminals"
        for number in self._plan.terminals:
            path = terminals / f"{number:04}.crt"
            connection = Connection(number, lambda _: None)
            context = terminal_tls(pki / "server_authority.crt", path, path.with_suffix(".key"))
            await preparing.connected(self._plan.centre, context, connection)
            fetched.append(await preparing.fetch_challenges(connection, each))
            connection.close()
        return fetched

    async def _send_at(self, start: float, end: float, queue: deque[tuple[int, Request]], running: "_Running") -> None:
        seed = (self._plan.seed, self._plan.terminals.start, list(Operation).index(running.stream.operation))
        for moment, (terminal, request) in zip(arrivals(start, end, len(queue), seed), queue, strict=True):
            while (now := time.monotonic()) < moment:  # noqa: ASYNC110 (a clock decides)
                await asyncio.sleep(max(moment - now, _TICK_S))
            self._send(terminal, request, moment, running)

    async def _reconnect_at(self, moment: float) -> None:
        while (now := time.monotonic()) < moment:  # noqa: ASYNC110 (a clock decides)
            await asyncio.sleep(moment - now)
        for connection in self._connections:
            connection.renew()

    async def _send_on_answer(
        self, start: float, end: float, queue: deque[tuple[int, Request]], running: "_Running"
    ) -> None:
        while (now := time.monotonic()) < start:  # noqa: ASYNC110 (a clock decides)
            await asyncio.sleep(start - now)
        end += now - start  # a process that wakes late sends as long as the others
        running.refill = partial(self._refill, queue, running, end)
        for _ in range(len(self._connections)):
            self._refill(queue, running, end)
        while time.monotonic() < end and queue:  # noqa: ASYNC110 (a clock decides)
            await asyncio.sleep(0.01)
        running.refill = None
        running.short = not queue and time.monotonic() < end - _TICK_S

    def _refill(self, queue: deque[tuple[int, Request]], running: "_Running", end: float) -> None:
        if queue and (now := time.monotonic()) < end:
            terminal, request = queue.popleft()
            self._send(terminal, request, now, running)

    def _send(self, terminal: int, request: Request, due: float, running: "_Running") -> None:
        running.open += 1
        free = self._free[terminal]
        while free:
            connection = free.popleft()
            if connection.fresh:
                running.begin(connection, request, due)
                return
            connection.close()
        self._waiting[terminal].append((request, due, running))


class _Running:
    """One stream while it is sent."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.open = 0
        self.short = False
        self.refill: Any = None
        self._due: list[float] = []
        self._latency: list[float] = []
        self._ending: list[int] = []
        self._endings: Counter[str] = Counter()

    def begin(self, connection: Connection, request: Request, due: float) -> None:
        connection.send(request.pieces, partial(self._answered, due, request.expected))

    def _answered(self, due: float, expected: Sequence[bytes], answer: Answer) -> None:
        self.open -= 1
        self._due.append(due)
        self._latency.append(time.monotonic() - due)
        kind, name = ending(answer, expected)
        self._ending.append(kind)
        self._endings[name] += 1
        if self.refill is not None:
            self.refill()

    def sent(self, start: float) -> Sent:
        endings = dict(self._endings)
        if self.open:
            endings["never answered"] = self.open
        if self.short:
            endings["too few prepared"] = 1
        return Sent(
            self.stream.operation,
            np.array(self._due) - start,
            np.array(self._latency),
            np.array(self._ending, dtype=np.uint8),
            endings,
            self.open + int(self.short and not self.stream.may_run_out),
        )


def ending(answer: Answer, expected: Sequence[bytes]) -> tuple[int, str]:
    """Return how a request ended, and by which name that is counted.

    An answer that does not hold what is expected of it is somebody else's, or wrong: under load, too, an error.
    Shed is what was turned away before anything was done, and told when to come back. Every other refusal is an error:
    a terminal that meets `busy` does not know whether its request took effect.
    """
    if answer.status == LOST:
        return ERROR, "connection lost"
    if answer.status == 200:
        own = all(part in answer.body for part in expected)
        return (ANSWERED, _outcome(answer.body)) if own else (ERROR, "200, but not the answer to this")
    code = _code(answer.body)
    if answer.status == 503 and code == _TURNED_AWAY and answer.retry_after.isdigit():
        return SHED, "shed"
    return ERROR, f"{answer.status} {code}".strip()


def arrivals(start: float, end: float, count: int, seed: Sequence[int]) -> list[float]:
    """Draw exactly so many moments between two, in order: a Poisson process of which it is known how many came."""
    moments: list[float] = np.sort(np.random.default_rng(seed).uniform(start, end, count)).tolist()
    return moments


def _outcome(body: bytes) -> str:
    at = body.find(b'"outcome":"')
    return body[at + 11 : body.find(b'"', at + 11)].decode("ascii") if at >= 0 else "answered"


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body).get("code", ""))
    except (ValueError, AttributeError):
        return ""
