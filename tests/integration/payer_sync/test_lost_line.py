"""The line to PostgreSQL is lost in the middle of a load: nobody waits on a line that is gone."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.wire.submissions import SubmissionKind
from payer_sync.copying import copy_rows
from payer_sync.loading import load
from payer_sync.manifest import build_manifest
from payer_sync.submission import Filed, announce
from tests.integration.payer_sync.cutting import DeafLine

pytestmark = pytest.mark.database

DEADLINE_S = 120.0
STILL_S = 0.2
STILL_LOOKS = 10  # in a row at which nothing more was sent
PIECE = memoryview(b"1\n" * 500_000)
RECORDS = 120_000  # a few batches
PIECES = 200  # nobody reads from the line: the system takes some of them, never all


async def test_a_copy_ends_that_waits_for_room_when_its_line_is_lost(database: str) -> None:
    sent = 0

    async def rows() -> AsyncGenerator[memoryview, None]:
        nonlocal sent
        for sent in range(PIECES):  # noqa: B007
            yield PIECE

    async def until_nothing_is_sent() -> None:
        await line.deaf.wait()
        before, still = 0, 0
        while still < STILL_LOOKS:
            await asyncio.sleep(STILL_S)
            before, still = sent, still + 1 if before == sent > 0 else 0

    line = DeafLine(database)
    async with line as url, asyncio.timeout(DEADLINE_S):
        connection = await connect(url, bulk=True)
        await connection.execute("create temp table taken (n int)")
        copying = asyncio.create_task(copy_rows(connection, "taken", ["n"], rows(), timeout_s=3600))
        await until_nothing_is_sent()
        waited_at = sent

        line.hang_up()

        with pytest.raises((ConnectionError, asyncpg.PostgresConnectionError)):
            await copying
    assert 0 < waited_at <= sent <= waited_at + 1 < PIECES


async def test_a_load_whose_line_is_lost_leaves_nothing_at_work(
    database: str, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    await take_in(write(record(0)))
    path, insurer, now = write(*map(record, range(1, RECORDS))), InsurerNumber("06130512"), datetime.now(UTC)
    manifest = build_manifest(path, SubmissionKind.DELTA, "eligibility", 1)
    submission, _ = await announce(owner, uuid7(now), insurer, manifest, now)
    line = DeafLine(database)
    async with line as url, asyncio.timeout(DEADLINE_S):
        loading = asyncio.create_task(load(url, Filed(insurer, submission), path))
        await line.deaf.wait()
        line.hang_up()
        with pytest.raises((ConnectionError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)) as lost:
            await loading

    async with asyncio.timeout(DEADLINE_S):
        while any(thread.name.startswith("reading") for thread in threading.enumerate()):  # noqa: ASYNC110
            await asyncio.sleep(STILL_S)  # what is being made at the moment is made to its end
    assert lost.value.__traceback__  # the queue has it at hand until it tries again: nothing may hang on it


async def test_whether_the_server_is_still_there_is_asked_while_an_answer_takes_long(database: str) -> None:
    async with DeafLine(database) as url:  # by TCP: a server on the same host is never gone without a word
        connection = await connect(url, bulk=True)
        line = connection._transport.get_extra_info("socket")
        asked = line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, times = (
            line.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        await connection.close()
    assert (asked, idle + interval * times) == (1, 120)
