"""Uploads that come to no end: refused and audited, their bytes deleted, and nobody's way barred."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import open_pool
from eligibility.wire.submissions import Manifest, Submission, SubmissionKind, SubmissionState
from payer_sync.intake.spool import Spool
from payer_sync.intake.tidying import tidy
from payer_sync.loading import ROLE
from payer_sync.manifest import build_manifest
from payer_sync.submission import advance_upload, announce, find_submission, state_of
from payer_sync.uploads import end_abandoned, end_announced_before

pytestmark = pytest.mark.database

INSURER = InsurerNumber("06130512")
FORTNIGHT = timedelta(days=14)
STOPPED = "update submission set touched_at = now() - interval '15 days' where submission_id = $1"
EVENTS = "select code, actor_kind, actor, insurer_number from audit_event where submission_id = $1"


@pytest.fixture
async def pool(database: str, insurers: tuple[str, ...]) -> AsyncIterator[Any]:
    """The intake's own pool, with its role."""
    made = await open_pool(database, role=ROLE, size=2)
    yield made
    await made.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool of this test."""
    return Spool(tmp_path / "spool")


async def _begin(owner: Any, spool: Spool, path: Path, **different: object) -> Submission:
    """Announce a file and take its first ten bytes."""
    now = datetime.now(UTC)
    manifest = build_manifest(path, SubmissionKind.DELTA, "eligibility", 1)
    manifest = Manifest.model_validate(manifest.model_dump() | different)
    submission, _ = await announce(owner, uuid7(now), INSURER, manifest, now)
    spool.touch(submission.submission_id)
    spool.write(submission.submission_id, 0, b"x" * 10)
    assert await advance_upload(owner, submission, 0, 10)
    return submission


async def _codes(owner: Any, submission_id: UUID) -> list[str]:
    rows = await owner.fetch("select code from feedback where submission_id = $1", submission_id)
    return [row["code"] for row in rows]


async def test_an_upload_that_nobody_goes_on_with_is_refused_and_its_bytes_are_deleted(
    owner: Any, pool: Any, spool: Spool, write: Any, record: Any
) -> None:
    stopped, alive = [await _begin(owner, spool, write(record(number))) for number in (1, 2)]
    await owner.execute(STOPPED, stopped.submission_id)

    for _ in range(2):  # the second time there is nothing left to do
        await tidy(pool, spool, FORTNIGHT, datetime.now(UTC))

    assert await state_of(owner, stopped.submission_id) is SubmissionState.REFUSED
    assert await state_of(owner, alive.submission_id) is SubmissionState.RECEIVING
    assert await _codes(owner, stopped.submission_id) == ["upload_abandoned"]
    events = await owner.fetch(EVENTS, stopped.submission_id)
    assert [tuple(event) for event in events] == [("upload_abandoned", "process", "intake", INSURER.digits)]
    assert [path.stem for path in spool.folder.iterdir()] == [str(alive.submission_id)]
    found = await find_submission(owner, stopped.submission_id, INSURER)
    assert found
    assert (found.faults, found.finished_at is not None) == (1, True)


async def test_a_chunk_makes_an_upload_young_again_and_one_that_comes_too_late_is_not_taken(
    owner: Any, pool: Any, spool: Spool, write: Any, record: Any
) -> None:
    goes_on, ended = [await _begin(owner, spool, write(record(number))) for number in (1, 2)]
    for one in (goes_on, ended):
        await owner.execute(STOPPED, one.submission_id)
    assert await advance_upload(owner, goes_on, 10, 20)

    assert await end_abandoned(owner, FORTNIGHT, datetime.now(UTC)) == [ended.submission_id]

    assert not await advance_upload(owner, ended, 10, 20)
    assert await state_of(owner, ended.submission_id) is SubmissionState.REFUSED


@pytest.mark.parametrize("state", [state for state in SubmissionState if state is not SubmissionState.RECEIVING])
async def test_only_uploads_are_abandoned(
    owner: Any, spool: Spool, insurers: tuple[str, ...], write: Any, record: Any, state: SubmissionState
) -> None:
    one = await _begin(owner, spool, write(record(1)))
    await owner.execute(STOPPED, one.submission_id)
    await owner.execute("update submission set state = $2 where submission_id = $1", one.submission_id, state.value)

    assert await end_abandoned(owner, FORTNIGHT, datetime.now(UTC)) == []


@pytest.mark.parametrize(
    ("state", "kept"),
    [("receiving", True), ("received", True), ("checking", True), ("merging", True), ("held", True),
     ("merged", False), ("refused", False)],
)  # fmt: skip
async def test_bytes_are_kept_as_long_as_their_submission_is_on_its_way(
    owner: Any, pool: Any, spool: Spool, write: Any, record: Any, state: str, kept: bool
) -> None:
    one = await _begin(owner, spool, write(record(1)))
    await owner.execute("update submission set state = $2 where submission_id = $1", one.submission_id, state)
    _age(spool.path(one.submission_id))

    await tidy(pool, spool, FORTNIGHT, datetime.now(UTC))

    assert spool.path(one.submission_id).exists() is kept


async def test_bytes_that_were_never_announced_are_deleted_after_an_hour_and_other_files_never(
    pool: Any, spool: Spool
) -> None:
    old, young = UUID(int=1), UUID(int=2)
    for submission_id in (old, young):
        spool.touch(submission_id)
    others = [spool.folder / name for name in ("readme.txt", "no-number.part", f"{old}.csv")]
    for path in others:
        path.touch()
    for path in (spool.path(old), *others):
        _age(path)

    await tidy(pool, spool, FORTNIGHT, datetime.now(UTC))

    assert set(spool.folder.iterdir()) == {spool.path(young), *others}


async def test_a_spool_that_was_never_used_needs_no_tidying(pool: Any, spool: Spool) -> None:
    await tidy(pool, spool, FORTNIGHT, datetime.now(UTC))

    assert not spool.folder.exists()


@pytest.mark.parametrize("wrong", [{"content_length": 10_000}, {"records": 9}])
async def test_the_same_bytes_announced_again_end_the_upload_before(
    owner: Any, insurers: tuple[str, ...], spool: Spool, write: Any, record: Any, wrong: dict[str, int]
) -> None:
    path = write(record(1))
    first, other = await _begin(owner, spool, path, **wrong), await _begin(owner, spool, write(record(2)))

    again = await _begin(owner, spool, path)
    await end_announced_before(owner, INSURER, again, datetime.now(UTC))

    assert await _codes(owner, first.submission_id) == ["announced_again"]
    events = await owner.fetch(EVENTS, first.submission_id)
    assert [tuple(event)[:2] for event in events] == [("announced_again", "insurer")]
    assert await state_of(owner, first.submission_id) is SubmissionState.REFUSED
    for one in (other, again):
        assert await state_of(owner, one.submission_id) is SubmissionState.RECEIVING


async def test_an_intake_ends_at_its_start_what_was_abandoned_and_takes_the_file_when_it_is_sent_again(
    intake: Any, upload: Any, send: Any, write: Any, record: Any, owner: Any, tmp_path: Path
) -> None:
    path = write(record(1), record(2))
    cut = await upload(path, only=100)
    intake.stop()
    await owner.execute(STOPPED, cut.submission_id)
    intake.start()

    async with asyncio.timeout(60):
        while await state_of(owner, cut.submission_id) is not SubmissionState.REFUSED:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the other process tells nobody but the table
    pushed = await send(path)

    assert pushed.submission.submission_id != cut.submission_id
    assert pushed.submission.merged == 2
    assert list((tmp_path / "intake" / "spool").iterdir()) == []


def _age(path: Path) -> None:
    long_ago = (datetime.now(UTC) - timedelta(hours=2)).timestamp()
    os.utime(path, (long_ago, long_ago))
