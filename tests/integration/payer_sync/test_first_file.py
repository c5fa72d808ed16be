"""The way of a first file into the register: what its portions leave behind, and when it cannot go on."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import polars as pl
import pytest

from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.wire.submissions import SubmissionKind
from payer_sync import first_file
from payer_sync.batches import nobody_asks
from payer_sync.contract import check_file
from payer_sync.first_file import FirstFile
from payer_sync.layouts.register import find_layout
from payer_sync.loading import ROLE
from payer_sync.manifest import build_manifest
from payer_sync.submission import Filed, announce

pytestmark = pytest.mark.database
LAYOUT = find_layout("eligibility", 1)
NOBODY = pl.Series("record_number", [], dtype=pl.Int64)


def portions_of(*files: Path, insurer: InsurerNumber) -> list[pl.DataFrame]:
    """Check files; return what of each would be merged at once."""
    return [checked.staged for file in files for checked in check_file(file, LAYOUT, insurer, date(2026, 11, 21))]


async def announced(owner: Any, file: Path, insurer: InsurerNumber, now: datetime) -> Filed:
    """Announce a file whose portions are then merged without a loader."""
    manifest = build_manifest(file, SubmissionKind.DELTA, "eligibility", 1)
    submission, _ = await announce(owner, uuid7(now), insurer, manifest, now)
    return Filed(insurer, submission)


@pytest.mark.parametrize("at_once", [1, 3, 1_000])
async def test_persons_of_every_portion_are_found_by_name_and_birth_date_once(
    database: str,
    owner: Any,
    insurers: tuple[str, ...],
    write: Any,
    record: Any,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    insurer, now = InsurerNumber(insurers[0]), datetime.now(UTC)
    monkeypatch.setattr(first_file, "_HOLDERS_AT_ONCE", at_once)
    files = [write(*(record(person) for person in range(n, n + 2))) for n in (1, 3, 5, 7)]

    async def checked() -> AsyncGenerator[pl.DataFrame, None]:
        for portion in portions_of(*files, insurer=insurer):
            await owner.fetchval("select nextval('identifier_block_seq')")  # another load is between its portions
            yield portion

    connection, aside = [await connect(database, role=ROLE, bulk=True) for _ in range(2)]
    with FirstFile(connection, aside, await announced(owner, files[0], insurer, now), LAYOUT, NOBODY, now) as first:
        merged = await first.merge_alone(checked(), nobody_asks)
    await aside.close()
    await connection.close()
    found = await owner.fetch("select person_id, count(*) from stated_holder group by person_id")
    assert (merged, [row["count"] for row in found]) == (8, [1] * 8)


async def test_when_a_portion_cannot_be_merged_no_other_is_still_being_made(
    database: str, owner: Any, insurers: tuple[str, ...], write: Any, record: Any
) -> None:
    insurer, now = InsurerNumber(insurers[0]), datetime.now(UTC)
    files = [write(record(1), record(2, 番号="0000001")), *(write(record(n)) for n in (3, 4, 5))]
    being_made: set[int] = set()

    async def checked() -> AsyncGenerator[pl.DataFrame, None]:
        for number, portion in enumerate(portions_of(*files, insurer=insurer)):
            being_made.add(number)
            try:
                yield portion
            finally:
                being_made.remove(number)

    connection, aside = [await connect(database, role=ROLE, bulk=True) for _ in range(2)]
    with FirstFile(connection, aside, await announced(owner, files[0], insurer, now), LAYOUT, NOBODY, now) as first:
        with pytest.raises(asyncpg.UniqueViolationError) as failed:
            await first.merge_alone(checked(), nobody_asks)
        # The driver tells PostgreSQL of a statement that was cancelled in a task of its own, which nobody waits for.
        names = {task.get_coro().__qualname__ for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        left = being_made, names - {"Connection._cancel"}
        assert failed.value.constraint_name != "person_linkage_code_key"
    assert left == (set(), set())
    await aside.close()
    await connection.close()
