"""Who finds no room is answered by the protocol itself, as the app would have answered (CASES F-12)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response

from eligibility.api.problems import PROBLEMS
from eligibility.serving.problems import install_problem_handlers
from eligibility.serving.slowness import MAX_HEAD_BYTES, Patience
from tests.integration.eligibility.by_hand import Connection, connected, echo, served
from tests.integration.eligibility.world import Authorities

HEAD = b"%b /v1/x HTTP/1.1\r\nhost: x\r\n"
POST = HEAD % b"POST"
WITH_BODY = POST + b"content-length: 5\r\n\r\n"
LAST = HEAD % b"GET" + b"connection: close\r\n\r\n"  # to the app, which counts what came
TURNED_AWAY = b"HTTP/1.1 503 "
LET_IN = b"HTTP/1.1 200 "
PATIENT = Patience(600, 1, 600)
DEADLINE_S = 120.0


def _no_room(address: bytes) -> Response | None:
    return Response(b"no", 503) if address.startswith(b"/v1/") else None


@asynccontextmanager
async def _full(
    folder: Path, authorities: Authorities, patience: Patience = PATIENT, **more: Any
) -> AsyncIterator[Connection]:
    """Connect to a server that has no room for anybody."""
    async with (
        asyncio.timeout(DEADLINE_S),
        served(echo, folder, authorities, patience, turn_away=_no_room, **more) as url,
        connected(url) as connection,
    ):
        yield connection


@pytest.mark.parametrize(
    "sent",
    [
        HEAD % b"GET" + b"\r\n",
        WITH_BODY + b"abcde",
        (WITH_BODY + b"abcde") * 500,
        POST + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nlater: 1\r\n\r\n",
        WITH_BODY + b"abcde" + b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" + WITH_BODY + b"abcde",
    ],
    ids=["without a body", "with one", "many together", "in chunks", "health in between"],
)
async def test_the_connection_is_as_good_as_before(tmp_path: Path, authorities: Authorities, sent: bytes) -> None:
    async with _full(tmp_path, authorities) as (reader, writer):
        writer.write(sent)
        assert (await reader.readuntil(b"no")).startswith(TURNED_AWAY)  # one of what was read together
        writer.write(LAST)
        rest = await reader.read()
        assert rest.count(LET_IN) == rest.count(b"HTTP/1.1 ") == sent.count(b"HTTP/1.1")


async def test_a_message_that_comes_in_parts_is_refused_at_its_head(tmp_path: Path, authorities: Authorities) -> None:
    async with _full(tmp_path, authorities) as (reader, writer):
        for _ in range(2):
            writer.write(WITH_BODY)
            assert (await reader.readuntil(b"no")).startswith(TURNED_AWAY)
            for part in (b"ab", b"c", b"de"):
                writer.write(part)
                await asyncio.sleep(0.01)
        writer.write(LAST)
        assert (await reader.read()).startswith(LET_IN)


@pytest.mark.parametrize(
    ("first", "more", "then"),
    [
        (WITH_BODY + b"abcde", WITH_BODY[:20], b"HTTP/1.1 408 "),
        (WITH_BODY + b"abcde", b"\r\n" * MAX_HEAD_BYTES, b"HTTP/1.1 431 "),
        (WITH_BODY + b"abcde", b"\0", b"HTTP/1.1 400 "),
        (WITH_BODY, b"a", b""),  # another answer would be taken for the next request's
        (POST + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"a: " + b"b" * MAX_HEAD_BYTES, b""),
    ],
    ids=["half a head", "nothing begun", "no request", "half a body", "a trailer"],
)
async def test_what_comes_after_a_refusal_is_cut_as_any(
    tmp_path: Path, authorities: Authorities, first: bytes, more: bytes, then: bytes
) -> None:
    async with _full(tmp_path, authorities, patience=Patience(arrival_s=0.2)) as (reader, writer):
        writer.write(first)
        assert (await reader.readuntil(b"no")).startswith(TURNED_AWAY)
        writer.write(more)
        answers = await reader.read()
        assert answers.startswith(then)
        assert answers.count(b"HTTP/1.1 ") == bool(then)


async def test_half_a_message_was_answered_when_the_server_ends(tmp_path: Path, authorities: Authorities) -> None:
    async with AsyncExitStack() as opened:
        async with served(echo, tmp_path, authorities, PATIENT, turn_away=_no_room) as url:
            reader, writer = await opened.enter_async_context(connected(url))
            writer.write(WITH_BODY + b"a")
            await reader.readuntil(b"no")
        assert await reader.read() == b""


async def test_a_connection_that_was_turned_away_rests_no_longer_than_any(
    tmp_path: Path, authorities: Authorities
) -> None:
    async with _full(tmp_path, authorities, keep_alive_s=3) as (reader, writer):
        writer.write(WITH_BODY + b"abcde")
        answers = await reader.read()
        assert answers.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        (POST + b"connection: close\r\n\r\n", 0),
        (b"GET /v1/x HTTP/1.0\r\n\r\n", 0),
        (HEAD % b"HEAD" + b"\r\n" + LAST, 0),
        (POST + b"content-length: 1\r\nexpect: 100-continue\r\n\r\nx" + LAST, 0),
        (b"GET http://x/v1/x HTTP/1.1\r\nhost: x\r\n\r\n" + LAST, 0),
        (b"GET /%761/x HTTP/1.1\r\nhost: x\r\n\r\n" + LAST, 0),
        (HEAD % b"GET" + b"\r\n" + LAST, 1),
    ],
    ids=["the last one", "of old", "a head alone", "told to go on", "absolute", "written otherwise", "an ordinary one"],
)
async def test_only_what_is_ordinary_is_answered_here(
    tmp_path: Path, authorities: Authorities, sent: bytes, refused: int
) -> None:
    async with _full(tmp_path, authorities) as (reader, writer):
        writer.write(sent)
        answers = await reader.read()
        assert answers.count(TURNED_AWAY) == refused
        assert answers.count(LET_IN) == sent.count(b"HTTP/1.") - refused


async def test_a_client_that_reads_nothing_is_turned_away_no_further(tmp_path: Path, authorities: Authorities) -> None:
    answered = 0

    def large(address: bytes) -> Response:
        nonlocal answered
        answered += 1
        return Response(bytes(1 << 20), 503)

    async def never(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await echo(scope, receive, send)
            return
        reached.set()
        await asyncio.Event().wait()

    reached = asyncio.Event()
    async with (
        asyncio.timeout(DEADLINE_S),
        served(never, tmp_path, authorities, PATIENT, turn_away=large) as url,
        connected(url, limit=1024) as (_, writer),
    ):
        for _ in range(100):  # the app is asked once nothing more can be written
            writer.write(HEAD % b"GET" + b"\r\n")
            await asyncio.sleep(0.01)
            if reached.is_set():
                break
        await reached.wait()
        before = answered
        writer.write((HEAD % b"GET" + b"\r\n") * 100)
        await asyncio.sleep(0.2)
        assert answered == before


async def test_the_centre_s_refusal_is_the_same_by_the_app_and_by_the_protocol(
    tmp_path: Path, authorities: Authorities
) -> None:
    centre = FastAPI()
    install_problem_handlers(centre, PROBLEMS, _unheard, most_at_once=0)
    answers = []
    async with asyncio.timeout(DEADLINE_S):
        for app, turn_away in ((centre, None), (echo, centre.state.admission.turn_away)):
            async with (
                served(app, tmp_path, authorities, PATIENT, turn_away=turn_away) as url,
                connected(url) as (reader, writer),
            ):
                writer.write(WITH_BODY + b"abcde")
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.splitlines()[1:-1])
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                assert int(fields.pop("retry-after")) == body.pop("retry_after_s")
                assert fields.pop("date")
                answers.append((head.splitlines()[0], fields, body))
    assert answers[0] == answers[1]
    assert answers[0][0] == "http/1.1 503 service unavailable"
    assert answers[0][2]["code"] == "overloaded"


async def _unheard(request: Request, code: str) -> None:
    """Leave no event."""
