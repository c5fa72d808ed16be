"""Rows on their way to PostgreSQL when the line is lost: nobody waits for room on a line that is gone."""

import asyncio
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
