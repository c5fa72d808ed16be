"""Waits until sessions of a database wait for each other's locks, so that a test can put one between two others."""

import asyncio
from typing import Any

TIMEOUT_S = 60
_WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


async def until_waiting(connection: Any, sessions: int) -> None:
    """Wait until so many sessions of the connection's database wait for a lock."""
    async with asyncio.timeout(TIMEOUT_S):
        while await connection.fetchval(_WAITING) < sessions:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the other sessions tell nobody
