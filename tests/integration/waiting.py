"""Waits for what nobody tells: that sessions of a database wait for each other's locks, and that files are gone."""

import asyncio
from pathlib import Path
from typing import Any

TIMEOUT_S = 240
_WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


async def until_waiting(connection: Any, sessions: int) -> None:
    """Wait until so many sessions of the connection's database wait for a lock, so that a test can put one between."""
    async with asyncio.timeout(TIMEOUT_S):
        while await connection.fetchval(_WAITING) < sessions:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the other sessions tell nobody


async def until_left(folder: Path, *names: str) -> None:
    """Wait until a spool holds these uploads and no others: a file goes a moment after its merge is told."""
    async with asyncio.timeout(TIMEOUT_S):
        while {path.name for path in folder.glob("*.part")} != {*names}:  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)
