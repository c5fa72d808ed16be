"""A load that ends after any of its statements leaves the old data or the new, and the next one finishes it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.wire.submissions import SubmissionKind, SubmissionState
from loadtest.embedded import Stores, database_url
from payer_sync.gates import Decision, decide
from payer_sync.loading import load
from payer_sync.manifest import build_manifest
from payer_sync.submission import Filed, announce, state_of
from tests.integration.payer_sync.cutting import Cut, CuttingLine

pytestmark = pytest.mark.database

INSURER, OTHER = InsurerNumber("06130512"), "33120015"
LOSS = {"レコード種別": "2", "資格喪失日": "20261001", "喪失事由": "03"}
LIMIT = {"限度額証区分": "01", "限度額適用区分": "A03", "限度額有効開始日": "20260401", "限度額有効終了日": ""}
SOMEBODY = {"氏名": "佐藤　太郎", "氏名カナ": "ｻﾄｳ ﾀﾛｳ", "生年月日": "3420303", "性別": "1"}
# Everything a load changes, without the identifiers and times that differ from run to run.
FACTS = (
    "select p.linkage_code, c.insurer_number, c.number, c.name, c.address, c.lost_on, c.known_to = 'infinity'"
    " from coverage c join person p using (person_id) order by 1, 2, 3, 5, 6, 7",
    "select p.linkage_code, l.limit_class, l.category, l.known_to = 'infinity'"
    " from limit_certificate l join person p using (person_id) order by 1, 2, 3, 4",
    "select c.kind, c.state, q.record_number from mislink_case c join quarantined_record q using (case_id)"
    " order by 1, 3",
    "select insurer_number, code, told_in is null from insurer_notice order by 1, 2, 3",
    "select record_number, code from feedback order by submission_id, fault_number",
    "select kind, code from audit_event where submission_id is not null order by occurred_at, event_id",
)  # fmt: skip
ENDS = (SubmissionState.MERGED, SubmissionState.REFUSED, SubmissionState.HELD)
MOST_STATEMENTS = 400
KILLER = """
import asyncio, sys, uuid
from pathlib import Path
from eligibility.domain.identifiers import InsurerNumber
from payer_sync.loading import load
from payer_sync.submission import Filed, find_submission
from eligibility.storage.database import connect
async def main(url, submission, insurer, path):
    connection = await connect(url)
    found = await find_submission(connection, uuid.UUID(submission), InsurerNumber(insurer))
    await connection.close()
    await load(sys.argv[5], Filed(InsurerNumber(insurer), found), Path(path))
asyncio.run(main(*sys.argv[1:5]))
"""


async def _facts(owner: Any) -> list[list[tuple[Any, ...]]]:
    return [[tuple(row) for row in await owner.fetch(query)] for query in FACTS]


async def _cut_while_nothing_is_stated(database: str, owner: Any, filed: Filed, path: Path, how: Cut) -> bool:
    """Cut one message later each time until persons are named of whom nothing is stated; tell whether they were."""
    before = await _facts(owner)
    for at in range(1, MOST_STATEMENTS):
        assert await _load_and_cut(database, filed, path, at, how)
        await owner.execute("select pg_advisory_lock($1::text::bigint)", INSURER.digits)
        await owner.execute("select pg_advisory_unlock_all()")
        assert await _facts(owner) == before
        if await owner.fetchval("select exists (select person_id from person except select person_id from coverage)"):
            return True
    return False


@pytest.fixture
async def delta(take_in: Any, write: Any, record: Any) -> Path:
    """A file that makes every statement of the merge do something, on a register it fits."""
    await take_in(write(record(1, 保険者番号=OTHER, 資格取得日="20230401")), insurer=OTHER)
    await take_in(write(*(record(n, **LIMIT) for n in range(2, 9))))
    path: Path = write(
        record(1), record(2, **LOSS), record(3, レコード種別="3"), record(4, 住所="東京都"), record(5, **SOMEBODY),
        record(6, **LIMIT, 住所="x"), record(6, **LIMIT, 住所="y"), record(7, 番号="777"),
        record(8, **(LIMIT | {"限度額適用区分": "A02"})), record(9, 生年月日="20010229"), record(10),
    )  # fmt: skip
    return path


@pytest.fixture
async def full(take_in: Any, write: Any, record: Any) -> Path:
    """A full file that has to be approved, because it leaves somebody out."""
    await take_in(write(*(record(n) for n in range(1, 5))))
    path: Path = write(record(1), record(2, 住所="東京都"), record(3))
    return path


@pytest.fixture
async def first(take_in: Any, write: Any, record: Any) -> Path:
    """An insurer's first file: some of it stands alone, some of it has to wait for the rest."""
    await take_in(write(*(record(n, 保険者番号=OTHER, 資格取得日="20230401") for n in (1, 2))), insurer=OTHER)
    path: Path = write(
        record(1), record(2, **SOMEBODY), record(3, **LIMIT), record(4), record(4, **LIMIT), record(5, **LOSS),
        record(6, 性別="8"), *(record(n) for n in range(7, 12)),
    )  # fmt: skip
    return path


async def _announce(owner: Any, path: Path, kind: SubmissionKind) -> Filed:
    now = datetime.now(UTC)
    submission, _ = await announce(owner, uuid7(now), INSURER, build_manifest(path, kind, "eligibility", 1), now)
    return Filed(INSURER, submission)


async def _load_and_cut(database: str, filed: Filed, path: Path, at: int, how: Cut) -> bool:
    """Load over a line that is cut; tell whether it was."""
    line = CuttingLine(database, at, how)
    async with line as url:
        try:
            await load(url, filed, path)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            assert line.cut
    return line.cut


async def _cut_everywhere(database: str, owner: Any, filed: Filed, path: Path, how: Cut) -> int:
    """Load again and again, cut one message later each time, until it ends; return how often it was cut."""
    before = await _facts(owner)
    for at in range(1, MOST_STATEMENTS):
        cut = await _load_and_cut(database, filed, path, at, how)
        # Whoever comes next waits for the transaction that the cut left to its server.
        await owner.execute("select pg_advisory_lock($1::text::bigint)", INSURER.digits)
        await owner.execute("select pg_advisory_unlock_all()")
        state = await state_of(owner, filed.submission.submission_id)
        if state in ENDS:
            assert not cut or await load(database, filed, path) is state
            return at
        assert await _facts(owner) == before
        assert cut
    raise AssertionError


@pytest.mark.parametrize("how", list(Cut))
async def test_a_merge_that_is_cut_after_any_statement_ends_like_one_that_is_not(
    database: str, owner: Any, delta: Path, how: Cut, running_stores: Stores
) -> None:
    filed = await _announce(owner, delta, SubmissionKind.DELTA)
    async with _twin(owner, database, running_stores) as (own, twin, twin_owner):
        cuts = await _cut_everywhere(database, own, filed, delta, how)
        await load(twin, filed, delta)
        facts = await _facts(own)
        assert facts == await _facts(twin_owner)
    assert cuts > 40
    codes = {row[1] for row in facts[4]}
    assert {"mislink_suspected", "covered_elsewhere", "contradicts", "overlaps", "malformed_date"} <= codes


@pytest.mark.parametrize("how", list(Cut))
async def test_a_first_file_that_is_cut_between_naming_persons_and_merging_ends_like_one_that_is_not(
    database: str, owner: Any, first: Path, how: Cut, running_stores: Stores
) -> None:
    filed = await _announce(owner, first, SubmissionKind.FULL)
    async with _twin(owner, database, running_stores) as (own, twin, twin_owner):
        named_only = await _cut_while_nothing_is_stated(database, own, filed, first, how)
        await _cut_everywhere(database, own, filed, first, how)
        await load(twin, filed, first)
        assert await _facts(own) == await _facts(twin_owner)
        persons = "select linkage_code from person order by 1"
        assert await own.fetch(persons) == await twin_owner.fetch(persons)
    assert named_only


@pytest.mark.parametrize("how", list(Cut))
async def test_holding_and_retiring_may_be_cut_after_any_statement(
    database: str, owner: Any, full: Path, how: Cut
) -> None:
    filed = await _announce(owner, full, SubmissionKind.FULL)
    before = await owner.fetch("select coverage_id, lost_on from coverage order by 1, known_from")

    await _cut_everywhere(database, owner, filed, full, how)
    assert await state_of(owner, filed.submission.submission_id) is SubmissionState.HELD
    assert await owner.fetch("select coverage_id, lost_on from coverage order by 1, known_from") == before

    now = datetime.now(UTC)
    await decide(owner, filed.submission.submission_id, Decision.APPROVED, "operator", "x", now)
    await _cut_everywhere(database, owner, filed, full, how)
    assert await state_of(owner, filed.submission.submission_id) is SubmissionState.MERGED
    retired = await owner.fetch("select number from coverage where known_to = 'infinity' and loss_reason = '99'")
    assert [row["number"] for row in retired] == ["0000004"]
    assert await owner.fetchval("select count(*) from feedback where code = 'retired'") == 1


@pytest.mark.parametrize("at", [3, 12, 20, 30, 40])
async def test_a_process_killed_in_the_middle_leaves_what_was(database: str, owner: Any, delta: Path, at: int) -> None:
    filed = await _announce(owner, delta, SubmissionKind.DELTA)
    before = await _facts(owner)
    process: asyncio.subprocess.Process | None = None

    def kill() -> None:
        if process and process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)

    async with CuttingLine(database, at, Cut.ANSWERED, kill) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLER,
            database, str(filed.submission.submission_id), INSURER.digits, str(delta), url,
        )  # fmt: skip
        assert await process.wait() == -signal.SIGKILL
    await owner.execute("select pg_advisory_lock($1::text::bigint)", INSURER.digits)
    await owner.execute("select pg_advisory_unlock_all()")

    assert await _facts(owner) == before
    assert await load(database, filed, delta) is SubmissionState.MERGED
    assert await load(database, filed, delta) is SubmissionState.MERGED
    assert (
        await owner.fetchval(
            "select count(*) from audit_event where submission_id = $1", filed.submission.submission_id
        )
        == 1
    )


async def test_two_loaders_of_one_file_merge_it_once(database: str, owner: Any, delta: Path) -> None:
    filed = await _announce(owner, delta, SubmissionKind.DELTA)

    states = await asyncio.gather(*(load(database, filed, delta) for _ in range(3)))

    assert set(states) == {SubmissionState.MERGED}
    events = await owner.fetchval(
        "select count(*) from audit_event where submission_id = $1", filed.submission.submission_id
    )
    assert events == 1


async def test_what_was_acknowledged_is_written_before_it_is_told(database: str) -> None:
    connection = await asyncpg.connect(database)
    for setting in ("fsync", "synchronous_commit"):
        assert await connection.fetchval(f"show {setting}") == "on"
    await connection.close()


@asynccontextmanager
async def _twin(owner: Any, database: str, stores: Stores) -> AsyncIterator[tuple[Any, str, Any]]:
    """Copy a database; yield a new connection to it, and the copy's address and a connection to that."""
    name = await owner.fetchval("select current_database()")
    await owner.close()  # a database that is copied has no connections
    administrator = await asyncpg.connect(stores.database_url)
    await administrator.execute(f"create database {name}_twin template {name}")
    address = database_url(stores.database_url, f"{name}_twin")
    connections = [await connect(database), await connect(address)]
    try:
        yield connections[0], address, connections[1]
    finally:
        for connection in connections:
            await connection.close()
        await administrator.execute(f"drop database {name}_twin with (force)")
        await administrator.close()
