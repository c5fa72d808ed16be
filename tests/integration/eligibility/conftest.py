"""The running centre that these tests call."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.embedded import Stores
from tests.integration.eligibility.world import AT_ONCE, Authorities, Counter, World, make_authorities, running_world


@pytest.fixture(scope="session")
def authorities() -> Authorities:
    return make_authorities()


@pytest.fixture
async def world(
    tmp_path: Path, authorities: Authorities, database: str, owner: Any, running_stores: Stores
) -> AsyncIterator[World]:
    async with running_world(tmp_path, authorities, database, owner, running_stores.redis_url) as running:
        yield running


@pytest.fixture
async def narrow(
    tmp_path: Path, authorities: Authorities, database: str, owner: Any, running_stores: Stores
) -> AsyncIterator[World]:
    """A centre that works on few requests at once."""
    redis = running_stores.redis_url
    async with running_world(tmp_path, authorities, database, owner, redis, most_at_once=AT_ONCE) as running:
        yield running


@pytest.fixture
async def counter(world: World) -> Counter:
    return await world.terminal()
