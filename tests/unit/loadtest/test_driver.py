"""What a driver counts as shed, when it sends, and how its connections end."""

import asyncio
import json
import multiprocessing
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from loadtest.driving import connection as driving_connection
from loadtest.driving.connection import LOST, Answer, Connection
from loadtest.driving.driver import _run, _Running, arrivals, ending
from loadtest.driving.plan import ANSWERED, ERROR, SHED, Operation, Plan, Stream


def problem(code: str, retry_after_s: int | None = 2) -> bytes:
    return json.dumps({"status": 503, "code": code, "retry_after_s": retry_after_s}).encode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200, b'{"outcome":"valid"}'), (ANSWERED, "valid")),
        (Answer(200, b'{"challenges":[]}'), (ANSWERED, "answered")),
        (Answer(503, problem("overloaded"), b"2"), (SHED, "shed")),
        (Answer(503, problem("overloaded")), (ERROR, "503 overloaded")),
        (Answer(503, problem("overloaded"), b"soon"), (ERROR, "503 overloaded")),
        (Answer(429, problem("overloaded"), b"2"), (ERROR, "429 overloaded")),
        (Answer(503, problem("busy"), b"2"), (ERROR, "503 busy")),
        (Answer(503, problem("revocation_unknown"), b"2"), (ERROR, "503 revocation_unknown")),
        (Answer(503, b"<html>", b"2"), (ERROR, "503")),
        (Answer(503, b"[]", b"2"), (ERROR, "503")),
        (Answer(500, problem("internal", None)), (ERROR, "500 internal")),
        (Answer(LOST), (ERROR, "connection lost")),
    ],
)
def test_only_what_was_turned_away_before_anything_was_done_is_shed(answer: Answer, expected: tuple[int, str]) -> None:
    assert ending(answer, ()) == expected


HOLDER = (b'"outcome":"valid"', b'"birth_date":"1967-03-03"', '"name":"佐藤　太郎"'.encode())
SHOWN = '{"outcome":"valid","coverage":{"name":"佐藤　太郎","birth_date":"1967-03-03"}}'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (SHOWN, ANSWERED),
        (SHOWN.replace("太郎", "次郎"), ERROR),
        (SHOWN.replace("1967", "1976"), ERROR),
        ('{"outcome":"lapsed","coverage":null}', ERROR),
        ("<html>", ERROR),
        ("", ERROR),
    ],
)
def test_an_answer_about_somebody_else_is_an_error(body: str, kind: int) -> None:
    assert ending(Answer(200, body.encode()), HOLDER)[0] == kind


def test_exactly_so_many_arrive_in_order_within_their_time() -> None:
    moments = arrivals(100.0, 160.0, 2500, (1, 2))
    assert len(moments) == 2500
    assert moments == sorted(moments)
    assert moments[0] >= 100.0
    assert moments[-1] < 160.0


def test_arrivals_are_as_irregular_as_in_life_and_no_two_streams_agree() -> None:
    gaps = np.diff(arrivals(0.0, 1000.0, 100_000, (1, 2)))
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.05)  # a Poisson process'; a metronome's is 0
    assert not set(arrivals(0.0, 1.0, 100, (1, 2))) & set(arrivals(0.0, 1.0, 100, (1, 3)))


class Centre:
    """A server that answers a request when it is told to."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def asked_by(self, connection: Connection) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", port)
            yield
            connection.close()
            self.answer.set()
            await self._ended.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.readline():
                await reader.readline()
                await self.answer.wait()
                self.answer.clear()
                body = problem("overloaded")
                head = f"HTTP/1.1 503 Busy\r\nretry-AFTER: 2\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self._ended.set()


def asked(connection: Connection) -> asyncio.Future[Answer]:
    came: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    connection.send([b"GET / HTTP/1.1\r\n\r\n"], came.set_result)
    return came


async def test_an_answer_is_told_with_its_retry_after_and_a_lost_one_without() -> None:
    centre, connection = Centre(), Connection(0, lambda _: None)
    async with centre.asked_by(connection):
        came = asked(connection)
        centre.answer.set()
        assert await came == Answer(503, problem("overloaded"), b"2")
        came = asked(connection)
        connection.close()
        assert await came == Answer(LOST)


async def test_a_connection_without_an_open_answer_is_renewed_at_once() -> None:
    centre, connection = Centre(), Connection(0, lambda _: None)
    async with centre.asked_by(connection):
        connection.renew()
        assert not connection.open
        await connection.lost.wait()


async def test_a_connection_is_fresh_until_nothing_was_asked_on_it_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    centre, connection = Centre(), Connection(0, lambda _: None)
    assert not connection.fresh
    async with centre.asked_by(connection):
        assert connection.fresh
        monkeypatch.setattr(driving_connection, "_FRESH_S", 0.0)
        assert connection.open
        assert not connection.fresh


async def test_a_connection_with_an_open_answer_is_renewed_after_it() -> None:
    centre, connection = Centre(), Connection(0, lambda _: None)
    async with centre.asked_by(connection):
        came = asked(connection)
        connection.renew()
        assert connection.open
        centre.answer.set()
        assert (await came).status == 503
        assert not connection.open
        await connection.lost.wait()


@pytest.mark.parametrize(("may_run_out", "errors"), [(True, 0), (False, 1)])
def test_too_few_prepared_is_told_and_an_error_where_a_rate_is_judged(may_run_out: bool, errors: int) -> None:
    running = _Running(Stream(Operation.CHALLENGES, "/", 1, drawn=False, may_run_out=may_run_out))
    running.short = True
    sent = running.sent(0.0)
    assert sent.endings == {"too few prepared": 1}
    assert sent.unsent == errors


@contextmanager
def driver(folder: Path, seconds: float) -> Iterator[tuple[Pipe, BaseProcess]]:
    """A driver process that has begun to send nothing for so long, and the parent's end of its pipe."""
    (folder / "deck.json").write_text('{"cards": [], "numbers": [], "medicated": []}', encoding="utf-8")
    here, there = (context := multiprocessing.get_context("forkserver")).Pipe()
    nowhere = "https://localhost:1"
    plan = Plan(folder, folder / "deck.json", nowhere, nowhere, range(0), 1, (), seconds, 1, reconnect_s=seconds)
    process = context.Process(target=_run, args=(plan, there))
    process.start()
    there.close()
    try:
        assert here.recv() == ("ready", None)
        here.send(time.monotonic())
        yield here, process
    finally:
        process.kill()
        process.join()


def test_a_driver_waits_for_the_last_word_of_its_parent(tmp_path: Path) -> None:
    with driver(tmp_path, 0.0) as (pipe, _):
        assert pipe.recv() == ("sent", [])
        assert not pipe.poll(1), "it neither says more nor ends"
        pipe.send("end")
        with pytest.raises(EOFError):
            pipe.recv()


def test_a_driver_whose_parent_has_gone_ends(tmp_path: Path) -> None:
    with driver(tmp_path, 600.0) as (pipe, process):
        pipe.close()
        process.join(timeout=60)
        assert process.exitcode == 0
