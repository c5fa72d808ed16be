"""What tests of several rooms need: the counters' recorder."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from eligibility.storage.database import open_pool
from eligibility.storage.recorder import Recorder


@pytest.fixture
async def recorder(database: str) -> AsyncIterator[Recorder]:
    """What makes counters' answers durable, at work."""
    pool = await open_pool(database, role="eligibility_counter", size=2)
    made = Recorder(pool)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await pool.close()
