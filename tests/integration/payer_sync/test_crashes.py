"""PostgreSQL and the loader die together, at any statement: what was acknowledged is there, whole; the rest goes on."""

import asyncio
import os
import random
import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_insurer
from eligibility.storage.migrate import migrate
from eligibility.wire.submissions import SubmissionKind, SubmissionState
from loadtest.embedded import Stores, create_database, database_url, stores
from payer_sync.loading import load
from payer_sync.manifest import build_manifest
from payer_sync.submission import Filed, announce, state_of
from tests.holders import holders_not_found
from tests.integration.payer_sync.cutting import Cut, CuttingLine

pytestmark = pytest.mark.database

INSURER = InsurerNumber("06130512")
ROUNDS = int(os.environ.get("ELIGIBILITY_CRASH_ROUNDS", "8"))
RECORDS = 30
MESSAGES = 90  # a load of such a file has about as many
RECOVERY_S = 240


@pytest.fixture
def own_stores() -> Iterator[Stores]:
    """Stores that nobody else uses: this test crashes them."""
    with tempfile.TemporaryDirectory(prefix="eligibility-crashed-") as folder, stores(Path(folder)) as running:
        if not running.embedded:
            pytest.skip("a server of others is not crashed")
        yield running


async def _up(address: str) -> Any:
    async with asyncio.timeout(RECOVERY_S):
        while True:
            try:
                return await connect(address)
            except (OSError, asyncpg.PostgresError):  # it recovers
                await asyncio.sleep(0.05)


async def test_no_acknowledged_file_is_lost_when_postgresql_and_the_loader_die(
    own_stores: Stores, write: Any, record: Any
) -> None:
    administrator = await connect(own_stores.database_url)
    await create_database(administrator, "crashed")
    await administrator.close()
    address = database_url(own_stores.database_url, "crashed")
    owner = await connect(address)
    await migrate(owner)
    await enrol_insurer(owner, INSURER, "x", datetime.now(UTC))
    chance = random.Random(1)  # noqa: S311
    acknowledged: set[int] = set()
    waiting: dict[int, tuple[Filed, Path]] = {}

    for number in range(ROUNDS):
        first = number * RECORDS + 1
        path = write(*(record(n, 住所=str(number)) for n in range(first, first + RECORDS)))
        manifest, now = build_manifest(path, SubmissionKind.DELTA, "eligibility", 1), datetime.now(UTC)
        submission, _ = await announce(owner, uuid7(now), INSURER, manifest, now)
        waiting[number] = Filed(INSURER, submission), path
        victim = await owner.fetchval("select pg_backend_pid()")
        bystander = await connect(address)
        down = asyncio.Event()
        bystander.add_termination_listener(lambda _, down=down: down.set())

        def crash(victim: int = victim) -> None:
            os.kill(victim, signal.SIGKILL)  # all other processes of the server die with it, and it recovers

        async with CuttingLine(address, chance.randrange(5, MESSAGES), chance.choice(list(Cut)), crash) as line:
            for one, (filed, file) in list(waiting.items()):
                try:
                    state = await load(line, filed, file)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    break
                assert state is SubmissionState.MERGED
                acknowledged.add(one)
                del waiting[one]
        await asyncio.wait_for(down.wait(), RECOVERY_S)  # the server has noticed; from now on it takes nobody in
        owner.terminate()
        owner = await _up(address)

        found = await owner.fetch("select address, count(*) as records from coverage group by address")
        whole = {int(row["address"]) for row in found}
        assert {row["records"] for row in found} <= {RECORDS}
        assert acknowledged <= whole
        for one, (filed, _) in waiting.items():
            ended = await state_of(owner, filed.submission.submission_id) is SubmissionState.MERGED
            assert ended == (one in whole)

    for filed, file in waiting.values():
        assert await load(address, filed, file) is SubmissionState.MERGED
    assert await owner.fetchval("select count(*) from coverage") == ROUNDS * RECORDS
    assert await owner.fetchval("select count(*) from audit_event where kind = 'submission_merged'") == ROUNDS
    assert await holders_not_found(owner) == []
    await owner.close()
