"""The line to PostgreSQL is lost in the middle of a load: nobody waits on a line that is gone."""

import asyncio
import socket
from collections.abc import AsyncGenerator

import asyncpg
import pytest

from eligibility.storage.database import connect
from payer_sync.feedback import copy_rows
from tests.integration.payer_sync.cutting import DeafLine

pytestmark = pytest.mark.database

DEADLINE_S = 30.0
STILL_S = 0.2
PIECE = memoryview(b"1\n" * 500_000)
PIECES = 200  # nobody reads from the line: the system takes some of them, never all


async def test_a_copy_ends_that_waits_for_room_when_its_line_is_lost(database: str) -> None:
    sent = 0

    async def rows() -> AsyncGenerator[memoryview, None]:
        nonlocal sent
        for sent in range(PIECES):  # noqa: B007
            yield PIECE

    async def until_nothing_is_sent() -> None:
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(STILL_S)

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
