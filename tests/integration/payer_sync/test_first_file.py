"""The way of a first file into the register: what its portions leave behind, and when it cannot go on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from itertools import cycle
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
from payer_sync.batches import CountersAsk, nobody_asks
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


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let codes and pages of holders come one at a time."""
    monkeypatch.setattr(first_file, "_NAMED_BESIDE_COUNTERS", 1)
    monkeypatch.setattr(first_file, "_PAGES_BESIDE_COUNTERS", 1)
    monkeypatch.setattr(first_file, "_PAGES_AT_ONCE", 1)


@asynccontextmanager
async def merging(
    database: str, owner: Any, file: Path, insurer: InsurerNumber, counters_ask: CountersAsk = nobody_asks
) -> AsyncIterator[FirstFile]:
    """Announce a file whose portions are then merged without a loader."""
    now = datetime.now(UTC)
    manifest = build_manifest(file, SubmissionKind.DELTA, "eligibility", 1)
    submission, _ = await announce(owner, uuid7(now), insurer, manifest, now)
    connection, aside = [await connect(database, role=ROLE, bulk=True) for _ in range(2)]
    with FirstFile(connection, aside, Filed(insurer, submission), LAYOUT, NOBODY, now, counters_ask) as first:
        yield first
    await aside.close()
    await connection.close()


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("asking", ["0", "1", "01", "001", "011"])  # whether counters ask, look by look, over and over
async def test_persons_of_every_portion_are_found_by_name_and_birth_date_once(
    database: str, owner: Any, insurers: tuple[str, ...], write: Any, record: Any, asking: str
) -> None:
    insurer = InsurerNumber(insurers[0])
    looks = cycle(look == "1" for look in asking)
    files = [write(*(record(person) for person in range(n, n + 100))) for n in (1, 101, 201, 301)]

    async def checked() -> AsyncGenerator[pl.DataFrame, None]:
        for portion in portions_of(*files, insurer=insurer):
            await owner.fetchval("select nextval('identifier_block_seq')")  # another load is between its portions
            yield portion

    async with merging(database, owner, files[0], insurer, lambda: next(looks)) as first:
        merged = await first.merge_alone(checked())
    found = await owner.fetch("select person_id, count(*) from stated_holder group by person_id")
    assert (merged, [row["count"] for row in found]) == (400, [1] * 400)


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("asking", [False, True])
async def test_whom_somebody_has_named_waits_for_the_end_however_few_are_named_at_once(
    database: str, owner: Any, insurers: tuple[str, ...], write: Any, record: Any, asking: bool
) -> None:
    insurer = InsurerNumber(insurers[0])
    files = [write(*(record(person) for person in range(n, n + 3))) for n in (1, 4)]
    portions = portions_of(*files, insurer=insurer)
    named = [portion["linkage_code"][place] for portion, place in zip(portions, (1, 2), strict=True)]
    await owner.executemany("insert into person (linkage_code) values ($1)", [(code,) for code in named])

    async def checked() -> AsyncGenerator[pl.DataFrame, None]:
        for portion in portions:
            yield portion

    async with merging(database, owner, files[0], insurer, lambda: asking) as first:
        merged = await first.merge_alone(checked())
    merged_codes = {row["linkage_code"] for row in await owner.fetch(
        "select linkage_code from coverage join person using (person_id)"
    )}  # fmt: skip
    assert merged == 4
    assert merged_codes == {code for portion in portions for code in portion["linkage_code"]} - set(named)


async def test_when_a_portion_cannot_be_merged_no_other_is_still_being_made(
    database: str, owner: Any, insurers: tuple[str, ...], write: Any, record: Any
) -> None:
    insurer = InsurerNumber(insurers[0])
    files = [write(record(1), record(2, 番号="0000001")), *(write(record(n)) for n in (3, 4, 5))]
    being_made: set[int] = set()

    async def checked() -> AsyncGenerator[pl.DataFrame, None]:
        for number, portion in enumerate(portions_of(*files, insurer=insurer)):
            being_made.add(number)
            try:
                yield portion
            finally:
                being_made.remove(number)

    async with merging(database, owner, files[0], insurer) as first:
        with pytest.raises(asyncpg.UniqueViolationError) as failed:
            await first.merge_alone(checked())
        # The driver tells PostgreSQL of a statement that was cancelled in a task of its own, which nobody waits for.
        names = {task.get_coro().__qualname__ for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        left = being_made, names - {"Connection._cancel"}
        assert failed.value.constraint_name != "person_linkage_code_key"
    assert left == (set(), set())
