"""The queue: whatever is wrong with one file, the next ones have their turn."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect, open_pool
from eligibility.storage.enrolment import enrol_insurer
from eligibility.wire.submissions import SubmissionKind
from payer_sync.batches import nobody_asks
from payer_sync.intake.queue import ALONE_AFTER, GIVE_UP_AFTER, KILLED_AT_MOST, LoadQueue
from payer_sync.intake.spool import Spool
from payer_sync.loading import ROLE
from payer_sync.manifest import build_manifest
from payer_sync.submission import announce
from tests.integration.waiting import until_left, until_waiting

pytestmark = pytest.mark.database
DEADLINE_S = 240.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Where uploads are."""
    made = Spool(tmp_path / "spool")
    made.claim(())
    return made


@pytest.fixture
async def queue(database: str, spool: Spool) -> AsyncIterator[LoadQueue]:
    """A queue at work."""
    pool = await open_pool(database, role=ROLE, size=2)
    made = LoadQueue(pool, database, spool, 2, timedelta(hours=1), nobody_asks)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await pool.close()


async def _received(owner: Any, spool: Spool, insurer: str, content: bytes, path: Path, killed: int = 0) -> Path:
    """Let a file be complete in the spool; return where."""
    now = datetime.now(UTC)
    manifest = build_manifest(path, SubmissionKind.DELTA, "eligibility", 1)
    submission, _ = await announce(owner, uuid7(now), InsurerNumber(insurer), manifest, now)
    spool.touch(submission.submission_id)
    spool.write(submission.submission_id, 0, content)
    await owner.execute(
        "update submission set state = 'received', unended_loads = $2 where submission_id = $1",
        submission.submission_id, killed,
    )  # fmt: skip
    return spool.path(submission.submission_id)


async def _until_merged(owner: Any, files: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await owner.fetchval("select count(*) from submission where state = 'merged'") < files:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_list_of_files_that_cannot_be_read_once_is_read_again(
    queue: LoadQueue, spool: Spool, owner: Any, insurers: tuple[str, ...], write: Any, record: Any
) -> None:
    path = write(record(1))
    await _received(owner, spool, insurers[0], path.read_bytes(), path)
    await owner.execute("alter table submission rename column state to condition")
    with capture_logs() as logs:
        queue.announce()
        async with asyncio.timeout(DEADLINE_S):
            while not logs:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    await owner.execute("alter table submission rename column condition to state")
    queue.announce()

    await _until_merged(owner, 1)
    assert [(said["event"], said["error"]) for said in logs] == [("queue_unreadable", "UndefinedColumnError")]


async def test_a_file_waits_while_the_database_takes_no_changes(
    queue: LoadQueue, spool: Spool, owner: Any, insurers: tuple[str, ...], write: Any, record: Any
) -> None:
    name = await owner.fetchval("select quote_ident(current_database())")
    path = write(record(1))
    await owner.execute(f"alter database {name} set default_transaction_read_only = on")
    await _received(owner, spool, insurers[0], path.read_bytes(), path)
    with capture_logs() as logs:
        queue.announce()
        async with asyncio.timeout(DEADLINE_S):
            while sum(said["event"] == "load_failed" for said in logs) < GIVE_UP_AFTER:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    await owner.execute(f"alter database {name} reset default_transaction_read_only")

    await _until_merged(owner, 1)
    assert {said["error"] for said in logs if said["event"] == "load_failed"} == {"ReadOnlySQLTransactionError"}


async def test_a_file_waits_while_the_spool_is_away(
    queue: LoadQueue, spool: Spool, tmp_path: Path, owner: Any, insurers: tuple[str, ...], write: Any, record: Any
) -> None:
    path, elsewhere = write(record(1)), tmp_path / "elsewhere"
    await _received(owner, spool, insurers[0], path.read_bytes(), path)
    spool.folder.rename(elsewhere)
    spool.folder.mkdir()  # where a volume is mounted otherwise
    with capture_logs() as logs:
        queue.announce()
        async with asyncio.timeout(DEADLINE_S):
            while sum(said["event"] == "load_failed" for said in logs) < GIVE_UP_AFTER + 1:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    spool.folder.rmdir()
    elsewhere.rename(spool.folder)

    await _until_merged(owner, 1)
    assert {said["error"] for said in logs if said["event"] == "load_failed"} == {"SpoolAway"}


async def test_bytes_that_cannot_be_deleted_stop_nobody(
    queue: LoadQueue, spool: Spool, database: str, owner: Any, insurers: tuple[str, ...], write: Any, record: Any
) -> None:
    holder = await connect(database)
    path = write(record(1))
    async with holder.transaction():
        # Near a merge's end it notes in its insurer's row what its data are as of.
        await holder.execute("select from insurer where insurer_number = $1 for no key update", insurers[0])
        spooled = await _received(owner, spool, insurers[0], path.read_bytes(), path)
        queue.announce()
        await until_waiting(owner, 1)
        spooled.unlink()
        spooled.mkdir()  # no file any more, which is all that `unlink` deletes
    await holder.close()
    await _until_merged(owner, 1)

    for n, insurer in enumerate(insurers, 2):
        path = write(record(n, 保険者番号=insurer))
        await _received(owner, spool, insurer, path.read_bytes(), path)
    queue.announce()

    await _until_merged(owner, 3)
    await until_left(spool.folder, spooled.name)


@pytest.mark.parametrize(("killed", "state"), [(KILLED_AT_MOST - 1, "merged"), (KILLED_AT_MOST, "refused")])
async def test_a_file_over_which_many_processes_were_killed_is_given_up_and_the_next_one_merged(
    queue: LoadQueue,
    spool: Spool,
    owner: Any,
    insurers: tuple[str, ...],
    write: Any,
    record: Any,
    killed: int,
    state: str,
) -> None:
    for n in (1, 2):
        path = write(record(n))
        await _received(owner, spool, insurers[0], path.read_bytes(), path, killed if n == 1 else 0)
    queue.announce()

    await _until_merged(owner, 2 if state == "merged" else 1)
    await until_left(spool.folder)
    rows = await owner.fetch("select state, unended_loads from submission order by created_at")
    assert [tuple(row) for row in rows] == [(state, 0), ("merged", 0)]
    told = [row["code"] for row in await owner.fetch("select code from feedback")]
    assert told == ([] if state == "merged" else ["centre_failed"])


async def test_a_file_over_which_some_processes_were_killed_is_loaded_while_no_other_is(
    queue: LoadQueue,
    spool: Spool,
    database: str,
    owner: Any,
    insurers: tuple[str, ...],
    write: Any,
    record: Any,
    take_in: Any,
) -> None:
    holder = await connect(database)
    await enrol_insurer(owner, InsurerNumber("39131156"), "x", datetime.now(UTC))
    async with holder.transaction():
        await holder.execute("select from insurer where insurer_number = $1 for no key update", insurers[0])
        path = write(record(1))
        await _received(owner, spool, insurers[0], path.read_bytes(), path, ALONE_AFTER)
        queue.announce()
        await until_waiting(owner, 1)
        path = write(record(2, 保険者番号=insurers[1]))
        other = await _received(owner, spool, insurers[1], path.read_bytes(), path)
        queue.announce()
        for n in range(3, 6):  # as long as the other's load would take, and longer
            await take_in(write(record(n, 保険者番号="39131156")), insurer="39131156")
        waits = "select state from submission where submission_id = $1"
        assert await owner.fetchval(waits, UUID(other.stem)) == "received"
    await holder.close()

    await _until_merged(owner, 5)
