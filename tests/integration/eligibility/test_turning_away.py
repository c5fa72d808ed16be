"""Who finds no room is answered by the protocol itself, as the app would have answered (CASES F-12)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from eligibility.serving.slowness import Patience
from tests.integration.eligibility.by_hand import certificate_of, connected, echo, served
from tests.integration.eligibility.world import AT_ONCE, Authorities, World

HEAD = b"%b /v1/x HTTP/1.1\r\nhost: x\r\n"
POST = HEAD % b"POST"
WITH_BODY = POST + b"content-length: 5\r\n\r\n"
LAST = HEAD % b"GET" + b"connection: close\r\n\r\n"  # to the app, which counts what came
TURNED_AWAY = b"HTTP/1.1 503 "
LET_IN = b"HTTP/1.1 200 "
PATIENT = Patience(600, 1, 600)
DEADLINE_S = 120.0


def _no_room(address: bytes) -> bytes | None:
    return b"content-length: 2\r\n\r\nno" if address.startswith(b"/v1/") else None


@asynccontextmanager
async def _full(folder: Path, authorities: Authorities, **more: Any) -> AsyncIterator[Any]:
    """Connect to a server that has no room for anybody."""
    patience = more.pop("patience", PATIENT)
    async with (
        asyncio.timeout(DEADLINE_S),
        served(echo, folder, authorities, patience, turn_away=_no_room, **more) as url,
        connected(url) as connection,
    ):
        yield connection


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        (HEAD % b"GET" + b"\r\n", 1),
        (WITH_BODY + b"abcde", 1),
        ((WITH_BODY + b"abcde") * 500, 500),
        (POST + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nlater: 1\r\n\r\n", 1),
        (WITH_BODY + b"abcde" + b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" + WITH_BODY + b"abcde", 1),  # the third waits
    ],
    ids=["without a body", "with one", "many together", "in chunks", "health in between"],
)
async def test_the_connection_is_as_good_as_before(
    tmp_path: Path, authorities: Authorities, sent: bytes, refused: int
) -> None:
    async with _full(tmp_path, authorities) as (reader, writer):
        writer.write(sent)
        for _ in range(refused):
            assert (await reader.readuntil(b"no")).startswith(TURNED_AWAY)
        writer.write(LAST)
        rest = await reader.read()
        assert rest.count(LET_IN) == rest.count(b"HTTP/1.1 ") == sent.count(b"HTTP/1.1") - refused + 1


async def test_a_message_that_comes_in_parts_is_answered_once_it_is_whole(
    tmp_path: Path, authorities: Authorities
) -> None:
    async with _full(tmp_path, authorities) as (reader, writer):
        for part in (WITH_BODY[:20], WITH_BODY[20:] + b"ab", b"c", b"de"):
            writer.write(part)
            answer = asyncio.ensure_future(reader.readuntil(b"no"))
            done, _ = await asyncio.wait({answer}, timeout=0.1 if part != b"de" else DEADLINE_S)
            assert bool(done) == (part == b"de")
            if not done:
                answer.cancel()
        assert answer.result().startswith(TURNED_AWAY)


async def test_half_a_message_that_finds_no_room_is_cut_as_any(tmp_path: Path, authorities: Authorities) -> None:
    async with _full(tmp_path, authorities, patience=Patience(arrival_s=0.2)) as (reader, writer):
        writer.write(WITH_BODY + b"abcde" + WITH_BODY + b"a")
        answers = await reader.read()
        assert answers.startswith(TURNED_AWAY)
        assert answers.count(b"HTTP/1.1 ") == 2
        assert b"HTTP/1.1 408 " in answers


async def test_a_connection_that_was_turned_away_rests_no_longer_than_any(
    tmp_path: Path, authorities: Authorities
) -> None:
    async with _full(tmp_path, authorities, keep_alive_s=1) as (reader, writer):
        writer.write(WITH_BODY + b"abcde")
        answers = await reader.read()
        assert answers.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"connection: close\r\n\r\n",
        b"GET /v1/x HTTP/1.0\r\n\r\n",
        HEAD % b"HEAD" + b"\r\n" + LAST,
        POST + b"content-length: 1\r\nexpect: 100-continue\r\n\r\nx" + LAST,
        HEAD % b"GET" + b"\r\n" + LAST,
    ],
    ids=["the last one", "of old", "a head alone", "told to go on", "an ordinary one"],
)
async def test_only_what_is_ordinary_is_answered_here(tmp_path: Path, authorities: Authorities, sent: bytes) -> None:
    async with _full(tmp_path, authorities) as (reader, writer):
        writer.write(sent)
        answers = await reader.read()
        assert answers.count(TURNED_AWAY) == int(sent.startswith(b"GET /v1/x HTTP/1.1"))


async def test_a_client_that_reads_nothing_is_turned_away_no_further(tmp_path: Path, authorities: Authorities) -> None:
    answered = 0

    def large(address: bytes) -> bytes:
        nonlocal answered
        answered += 1
        return b"content-length: %d\r\n\r\n" % (1 << 20) + bytes(1 << 20)

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
        while not reached.is_set():  # the app is asked once nothing more can be written
            writer.write(HEAD % b"GET" + b"\r\n")
            await asyncio.sleep(0.01)
        before = answered
        writer.write((HEAD % b"GET" + b"\r\n") * 100)
        await asyncio.sleep(0.2)
        assert answered == before


async def test_the_centre_s_own_refusal_is_the_same_either_way(narrow: World) -> None:
    counter, certificate = await narrow.terminal(), await certificate_of(narrow)
    asked = HEAD % b"POST" + b"content-type: application/json\r\n%bcontent-length: 2\r\n\r\n{}"
    answers = []
    async with asyncio.timeout(DEADLINE_S), connected(narrow.url, certificate) as (reader, writer):
        async with narrow.owner.transaction():
            await narrow.owner.execute("lock table verification in access exclusive mode")
            inside = [asyncio.create_task(counter.number()) for _ in range(AT_ONCE)]
            while (await counter.http.get("/v1/challenges")).status_code != 503:
                pass
            for how in (b"", b"expect: 100-continue\r\n"):
                writer.write(asked % how)
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.splitlines()[1:-1])
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                assert head.startswith("http/1.1 503 ")
                assert int(fields.pop("retry-after")) == body.pop("retry_after_s")
                fields.pop("date")
                answers.append((fields, body))
        assert [(await one).status_code for one in inside] == [200] * AT_ONCE
    assert answers[0] == answers[1]
    assert answers[0][1]["code"] == "overloaded"
