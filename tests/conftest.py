"""What every test may ask for: the two stores, a database of its own, real data, and a card reader."""

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import argon2
import asyncpg
import pytest
from hypothesis import settings

from eligibility.identity import staff_factors
from eligibility.storage import database as storage
from eligibility.storage import registrations
from eligibility.storage.database import connect
from eligibility.storage.migrate import migrate
from loadtest.embedded import Stores, create_database, database_url, stores
from terminal_agent.card.pcscd import OwnPcscd, PcscdUnavailable, own_pcscd

# How long an example takes is the machine's affair: no test asserts a time.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")
# Nor is it a test's affair how soon a busy machine lets PostgreSQL answer.
storage.CONNECT_TIMEOUT_S = storage.COMMAND_TIMEOUT_S = 120.0
storage.connect.__kwdefaults__["command_timeout_s"] = storage.COMMAND_TIMEOUT_S
registrations.LONGEST_LOCK_WAIT_MS = 120_000
# A password's hash is dear on purpose, and each centre that a test runs makes one: by the same function, cheaply.
staff_factors.PasswordHasher = partial(argon2.PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)  # type: ignore[misc, assignment]
_numbers = itertools.count(1)
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (the folder made in it is this run's own)
_ROOM_BYTES: Final = 4 << 30
_ENDINGS: Final = 12  # of PostgreSQL's five seconds, in which a session that was just closed has to be gone
SHARED_DATA = Path(os.environ.get("ELIGIBILITY_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data for tests; asking for it skips the test, visibly, where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real test data are not at {SHARED_DATA} (set ELIGIBILITY_TEST_DATA)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def running_stores() -> Iterator[Stores]:
    """PostgreSQL and Redis for this test run.

    Not in pytest's own folder: that is closed to the user as whom PostgreSQL runs when the tests run as root. In memory
    where there is room: each test has a database of its own, and making one is all writing of files. Every setting of
    PostgreSQL is as elsewhere, and what is about durability has stores of its own.
    """
    folder = tempfile.TemporaryDirectory(prefix="eligibility-stores-", dir=_roomy_memory())
    with folder as made, stores(Path(made)) as running:
        yield running


def _roomy_memory() -> Path | None:
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES else None


@pytest.fixture(scope="session")
def template(running_stores: Stores) -> str:
    """The name of a migrated database that others are copied from."""
    import asyncio

    name = f"eligibility_template_{os.getpid()}"

    async def make() -> None:
        administrator = await asyncpg.connect(running_stores.database_url)
        await administrator.execute(f"drop database if exists {name}")
        await create_database(administrator, name)
        await administrator.close()
        owner = await asyncpg.connect(database_url(running_stores.database_url, name))
        try:
            await migrate(owner)
        finally:
            await owner.close()

    asyncio.run(make())
    return name


@pytest.fixture
async def database(running_stores: Stores, template: str) -> AsyncIterator[str]:
    """The owner's address of a fresh, migrated database that only this test sees."""
    name = f"eligibility_test_{os.getpid()}_{next(_numbers)}"
    administrator = await asyncpg.connect(running_stores.database_url)
    # Copied beside the log, which would fill what memory there is with thousands of copies.
    await _when_left_alone(administrator, f"create database {name} template {template} strategy file_copy")
    try:
        yield database_url(running_stores.database_url, name)
    finally:
        await _when_left_alone(administrator, f"drop database {name} with (force)")
        await administrator.close()


async def _when_left_alone(administrator: Any, statement: str) -> None:
    for _ in range(_ENDINGS - 1):
        try:
            await administrator.execute(statement)
        except asyncpg.ObjectInUseError:
            continue
        return
    await administrator.execute(statement)


@pytest.fixture
async def owner(database: str) -> AsyncIterator[Any]:
    """A connection to the test's database as the schema's owner."""
    connection = await connect(database)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def pcscd() -> Iterator[OwnPcscd]:
    """Give this run's pcscd with an empty reader; skip, saying why, where none can run."""
    with pytest.MonkeyPatch.context() as patch:
        try:
            running = own_pcscd()
            daemon = running.__enter__()
        except PcscdUnavailable as reason:
            pytest.skip(str(reason))
        try:
            # Before pyscard is first used in this process: its library reads the variable once.
            for name, value in daemon.environment.items():
                patch.setenv(name, value)
            yield daemon
        finally:
            running.__exit__(None, None, None)
