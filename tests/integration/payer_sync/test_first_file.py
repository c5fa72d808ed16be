"""The way of a first file into the register when it cannot go on."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import polars as pl
import pytest

from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.wire.submissions import SubmissionKind
from payer_sync.batches import nobody_asks
from payer_sync.contract import check_file
from payer_sync.first_file import FirstFile
from payer_sync.layouts.register import find_layout
from payer_sync.loading import ROLE
from payer_sync.manifest import build_manifest
from payer_sync.submission import Filed, announce

pytestmark = pytest.mark.database
LAYOUT = find_layout("eligibility", 1)


async def test_when_a_portion_cannot_be_merged_no_other_is_still_being_made(
    database: str, owner: Any, insurers: tuple[str, ...], write: Any, record: Any
) -> None:
    insurer, now = InsurerNumber(insurers[0]), datetime.now(UTC)
    files = [write(record(1), record(2, 番号="0000001")), *(write(record(n)) for n in (3, 4, 5))]
    portions = [checked.staged for file in files for checked in check_file(file, LAYOUT, insurer, date(2026, 11, 21))]
    manifest = build_manifest(files[0], SubmissionKind.DELTA, "eligibility", 1)
    submission, _ = await announce(owner, uuid7(now), insurer, manifest, now)
    being_made: set[int] = set()

    async def checked() -> AsyncGenerator[pl.DataFrame, None]:
        for number, portion in enumerate(portions):
            being_made.add(number)
            try:
                yield portion
            finally:
                being_made.remove(number)

    connection, aside = [await connect(database, role=ROLE, bulk=True) for _ in range(2)]
    filed, nobody = Filed(insurer, submission), pl.Series("record_number", [], dtype=pl.Int64)
    with FirstFile(connection, aside, filed, LAYOUT, nobody, now) as first:
        with pytest.raises(asyncpg.UniqueViolationError) as failed:
            await first.merge_alone(checked(), nobody_asks)
        left = being_made, [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert failed.value.constraint_name != "person_linkage_code_key"
    assert left == (set(), [])
    await aside.close()
    await connection.close()
