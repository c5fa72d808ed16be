"""Who sends or reads slowly, or a head without end, is cut off and holds nobody's place meanwhile (CASES F-9, I-7)."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from eligibility.serving.limits import LARGE_BYTES
from eligibility.serving.slowness import MAX_FIELDS, MAX_HEAD_BYTES, Patience
from eligibility.wire.bulk import MAX_BULK_BYTES
from tests.integration.eligibility.by_hand import certificate_of, connected, echo, served
from tests.integration.eligibility.world import AT_ONCE, INSURER, Authorities, World

HALF = b"POST /v1/verifications HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
GET = b"GET / HTTP/1.1\r\nhost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
SHORT = Patience(arrival_s=0.2, bytes_a_second=1024, reading_s=0.2)
FAR = 600.0  # seconds: what would only come after the test is over
NEVER = Patience(FAR, 1, FAR)
LARGE = 64 << 20  # bytes: more than all buffers between two sockets hold
DEADLINE_S = 120.0


async def _early(scope: Any, receive: Any, send: Any) -> None:
    """Answer before anything of the body has come."""
    if scope["type"] == "lifespan":
        await echo(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("path", "known"),
    [(b"/v1/verifications", True), (b"/v1/card-registrations", False), (b"/v1/bulk-verifications", False)],
)
async def test_half_a_message_holds_nobody_s_place(narrow: World, path: bytes, known: bool) -> None:
    counter = await narrow.terminal()
    certificate = await certificate_of(narrow) if known else None
    async with AsyncExitStack() as connections:
        for _ in range(AT_ONCE + 1):
            _, writer = await connections.enter_async_context(connected(narrow.url, certificate))
            writer.write(HALF.replace(b"/v1/verifications", path))
            await writer.drain()
        await asyncio.sleep(0.2)  # until they are seen; were it too short, this would only be easier
        async with asyncio.timeout(DEADLINE_S):
            # Each holds a place for as long as its sender is looked up, and then no more.
            while [(await counter.number()).status_code for _ in range(AT_ONCE * 2)] != [200] * AT_ONCE * 2:
                pass


async def test_half_bulk_checks_have_a_room_of_their_own(world: World) -> None:
    counter, certificate = await world.terminal(), await certificate_of(world)
    head = HALF.replace(b"/v1/verifications", b"/v1/bulk-verifications").replace(b"500", b"%d" % MAX_BULK_BYTES)
    bulk = {"items": [{"item_id": "1", "insurer_number": INSURER, "number": "1", "birth_date": "1980-01-01"}]}
    large = b" " * (LARGE_BYTES // 1024) + json.dumps(bulk).encode()
    async with asyncio.timeout(DEADLINE_S):
        async with AsyncExitStack() as connections:
            opened = [
                await connections.enter_async_context(connected(world.url, certificate))
                for _ in range(LARGE_BYTES // MAX_BULK_BYTES + 1)
            ]
            for _, writer in opened:
                writer.write(head + bytes(MAX_BULK_BYTES - 2))
            heads = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _ in opened]
            answered, waiting = await asyncio.wait(heads, return_when=asyncio.FIRST_COMPLETED)
            for answer in answered:
                assert answer.result().startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: " in answer.result().lower()
            assert (await counter.number()).status_code == 200
            other = await world.terminal()
            assert (await other.http.post("/v1/bulk-verifications", content=large)).status_code == 202
            for task in waiting:
                task.cancel()
        while (await counter.http.post("/v1/bulk-verifications", content=large)).status_code != 202:
            pass  # until it is seen that they have gone


async def test_messages_that_come_to_their_end_together_are_not_all_let_in(narrow: World) -> None:
    certificate = await certificate_of(narrow)
    async with AsyncExitStack() as connections:
        opened = [await connections.enter_async_context(connected(narrow.url, certificate)) for _ in range(AT_ONCE * 2)]
        for _, writer in opened:
            writer.write(HALF)
        await asyncio.sleep(0.2)
        async with narrow.owner.transaction():
            await narrow.owner.execute("lock table audit_event in access exclusive mode")  # a refusal is recorded
            for _, writer in opened:
                writer.write(b"x" * 499)
            heads = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _ in opened]
            waiting = set(heads)
            while len(waiting) > AT_ONCE:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        answers = [await head for head in heads]
    shed = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]
    assert len(shed) == AT_ONCE
    assert all(b"retry-after: " in answer.lower() for answer in shed)


async def test_a_message_whose_sender_goes_away_leaves_no_event(narrow: World) -> None:
    counter = await narrow.terminal()
    async with connected(narrow.url) as (_, writer):
        writer.write(HALF.replace(b"/v1/verifications", b"/v1/card-registrations"))
        await asyncio.sleep(0.2)
    assert (await counter.number()).status_code == 200
    assert [code for _, code in await narrow.events()] == ["none"]


async def test_who_is_calling_is_asked_before_the_message_is_whole(narrow: World) -> None:
    async with connected(narrow.url) as (reader, writer):
        writer.write(HALF)
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "sent",
    [b"GET / HT", b"GET / HTTP/1.1\r\nx: 1\r\n", HALF, b"\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" + HALF],
    ids=["line", "headers", "body", "nothing begun", "the second"],
)
async def test_a_request_that_does_not_come_to_its_end_is_cut(
    tmp_path: Path, authorities: Authorities, sent: bytes
) -> None:
    async with served(echo, tmp_path, authorities, SHORT) as url, connected(url) as (reader, writer):
        writer.write(sent)
        assert (await reader.read()).endswith(
            b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )


async def test_the_rest_of_a_message_that_was_answered_early_is_no_slowness(
    tmp_path: Path, authorities: Authorities
) -> None:
    patience = Patience(arrival_s=4, bytes_a_second=1024, reading_s=FAR)  # a slowness would end before a rest
    serving = served(_early, tmp_path, authorities, patience, keep_alive_s=8)
    async with serving as url, connected(url) as (reader, writer):
        writer.write(HALF)
        first = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x" * 499)
        assert first.startswith(b"HTTP/1.1 401 ")
        assert await reader.read() == b""  # it rests, and is closed as any that rests, without a word


async def test_a_drop_now_and_then_does_not_help(tmp_path: Path, authorities: Authorities) -> None:
    async with served(echo, tmp_path, authorities, SHORT) as url, connected(url) as (reader, writer):
        writer.write(HALF)
        answer = asyncio.create_task(reader.readline())
        while not answer.done():
            writer.write(b"x")
            await asyncio.sleep(0.05)
        assert answer.result().startswith(b"HTTP/1.1 408 ")


async def test_a_slow_line_that_goes_on_bringing_something_is_waited_for(
    tmp_path: Path, authorities: Authorities
) -> None:
    body = b"x" * 4096
    slow = Patience(arrival_s=0.1, bytes_a_second=len(body) / FAR)
    async with served(echo, tmp_path, authorities, slow) as url, connected(url) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 1024):
            writer.write(body[start : start + 1024])
            await asyncio.sleep(0.2)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_a_connection_on_which_nothing_is_asked_is_closed(tmp_path: Path, authorities: Authorities) -> None:
    serving = served(echo, tmp_path, authorities, NEVER, keep_alive_s=1)
    async with serving as url, connected(url) as (reader, _):
        assert await reader.read() == b""


async def test_who_does_not_read_an_answer_is_cut(tmp_path: Path, authorities: Authorities) -> None:
    ended = asyncio.Event()

    async def large(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await echo(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(LARGE >> 20):
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
        ended.set()

    patience = Patience(FAR, 1, reading_s=0.2)
    async with served(large, tmp_path, authorities, patience) as url, connected(url, limit=1024) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(ended.wait(), DEADLINE_S)


@pytest.mark.parametrize(
    "sent",
    [
        GET + b"a: b\r\n" * (MAX_FIELDS + 1),  # a field is known to be whole when the next one begins
        GET + b"a: b\r\n" * MAX_FIELDS + b"\r\n",
        GET + b"a: " + b"b" * MAX_HEAD_BYTES,
        GET + b"a: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET /" + b"a" * MAX_HEAD_BYTES,
        b"\r\n" * (MAX_HEAD_BYTES // 2 + 1),
        CHUNKED + b"1;" + b"a" * MAX_HEAD_BYTES,
        CHUNKED + b"0\r\n" + b"a: b\r\n" * (MAX_FIELDS + 1),
        CHUNKED + b"0\r\n" + b"a: b\r\n" * MAX_FIELDS + b"\r\n",
    ],
    ids=["fields", "whole", "field", "whole field", "address", "nothing", "chunk", "trailers", "whole trailers"],
)
async def test_a_head_without_end_is_cut(tmp_path: Path, authorities: Authorities, sent: bytes) -> None:
    async with served(echo, tmp_path, authorities, NEVER) as url, connected(url) as (reader, writer):
        writer.write(sent)
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")


async def test_a_trailer_without_end_is_cut_and_brings_no_second_answer(
    tmp_path: Path, authorities: Authorities
) -> None:
    async with served(_early, tmp_path, authorities, NEVER) as url, connected(url) as (reader, writer):
        writer.write(CHUNKED + b"0\r\na: ")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401 ")
        writer.write(b"b" * (MAX_HEAD_BYTES + 1))
        assert await reader.read() == b""


@pytest.mark.parametrize(
    "sent",
    [
        GET + b"a: b\r\n" * (MAX_FIELDS - 1) + b"\r\n",
        GET + b"a: " + b"b" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n" * MAX_HEAD_BYTES + b"0\r\na: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (MAX_HEAD_BYTES * 9) + bytes(MAX_HEAD_BYTES * 9),
        (GET + b"\r\n") * 500,
    ],
    ids=["fields", "field", "many chunks", "body", "many requests"],
)
async def test_only_what_is_kept_of_a_head_counts(tmp_path: Path, authorities: Authorities, sent: bytes) -> None:
    async with served(echo, tmp_path, authorities, NEVER) as url, connected(url) as (reader, writer):
        writer.write(sent + b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answers = await reader.read()
        assert answers.count(b"HTTP/1.1 200 ") == sent.count(b"HTTP/1.1") + 1
        assert answers.count(b"HTTP/1.1 ") == answers.count(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "sent",
    [
        GET + b"host: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: 1\r\n\r\n",
        b"GET / HTTP/1.0\r\nhost: x\r\nhost: x\r\n\r\n",
        GET + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n" + GET + b"\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nx",
    ],
    ids=["two hosts", "no host", "two hosts of old", "upgrade", "upgrade with a body"],
)
async def test_a_request_that_can_be_read_in_two_ways_is_refused(
    tmp_path: Path, authorities: Authorities, sent: bytes
) -> None:
    async with served(echo, tmp_path, authorities, NEVER) as url, connected(url) as (reader, writer):
        writer.write(sent)
        answers = await reader.read()
        assert answers.startswith(b"HTTP/1.1 400 ")
        assert answers.count(b"HTTP/1.1 ") == 1


async def test_a_request_of_http_1_0_needs_no_host(tmp_path: Path, authorities: Authorities) -> None:
    async with served(echo, tmp_path, authorities, NEVER) as url, connected(url) as (reader, writer):
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
