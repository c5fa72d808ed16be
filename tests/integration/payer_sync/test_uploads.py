"""Uploads that stop: in what order files take effect then, and what becomes of uploads that come to no end."""

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
from payer_sync.gates import Decision, DecisionRefused, decide
from payer_sync.intake.spool import Spool
from payer_sync.intake.tidying import tidy
from payer_sync.loading import ROLE
from payer_sync.manifest import build_manifest
from payer_sync.push import Intake
from payer_sync.submission import advance_upload, announce, find_submission, state_of, waiting_submissions
from payer_sync.uploads import end_abandoned, end_announced_before
from tests.integration.waiting import until_left

pytestmark = pytest.mark.database

INSURER = InsurerNumber("06130512")
FORTNIGHT, TEN_MINUTES = timedelta(days=14), timedelta(minutes=10)
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
    made = Spool(tmp_path / "spool")
    made.claim(())
    return made


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
    rows = await owner.fetch("select code from feedback where submission_id = $1 order by fault_number", submission_id)
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
    assert [path.stem for path in spool.folder.glob("*.part")] == [str(alive.submission_id)]
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


async def test_a_file_waits_for_those_announced_before_it_as_long_as_they_come_in(
    owner: Any, spool: Spool, insurers: tuple[str, ...], write: Any, record: Any
) -> None:
    earlier, later = [await _begin(owner, spool, write(record(number))) for number in (1, 2)]
    await _receive(owner, later)
    assert await _waiting(owner) == []

    await owner.execute("update submission set touched_at = now() - interval '9 minutes'")
    assert await _waiting(owner) == []

    await owner.execute("update submission set touched_at = now() - interval '11 minutes'")
    assert await _waiting(owner) == [later.submission_id]

    await _receive(owner, earlier)
    assert await _waiting(owner) == [earlier.submission_id, later.submission_id]


@pytest.mark.parametrize("ended", ["held", "merged", "refused"])
async def test_a_file_waits_for_none_that_has_ended(
    owner: Any, spool: Spool, insurers: tuple[str, ...], write: Any, record: Any, ended: str
) -> None:
    earlier, later = [await _begin(owner, spool, write(record(number))) for number in (1, 2)]
    await _receive(owner, later)
    await owner.execute("update submission set state = $2 where submission_id = $1", earlier.submission_id, ended)

    assert await _waiting(owner) == [later.submission_id]


async def test_files_of_other_layouts_and_insurers_and_earlier_ones_do_not_wait(
    owner: Any, spool: Spool, insurers: tuple[str, ...], write: Any, record: Any
) -> None:
    first = await _begin(owner, spool, write(record(1)))
    await _begin(owner, spool, write(record(2)))  # still comes in
    other_layout = await _begin(owner, spool, write(record(3)), layout="checkup")
    other_insurer = await _begin(owner, spool, write(record(4)))
    await owner.execute(
        "update submission set insurer_number = $2 where submission_id = $1", other_insurer.submission_id, insurers[1]
    )
    for one in (first, other_layout, other_insurer):
        await _receive(owner, one)

    assert await _waiting(owner) == [one.submission_id for one in (first, other_layout, other_insurer)]


async def test_a_file_that_arrives_after_a_later_one_was_merged_does_not_change_things_back(
    intake: Any, upload: Any, send: Any, write: Any, record: Any, owner: Any, credentials: Any
) -> None:
    old, new = write(record(1, 住所="old"), record(2)), write(record(1, 住所="new"))
    begun = await upload(old, only=100)
    await owner.execute("update submission set touched_at = now() - interval '11 minutes'")
    assert (await send(new)).submission.state is SubmissionState.MERGED

    with Intake(intake.url, credentials(INSURER.digits).context()) as connection:
        rest = await asyncio.to_thread(old.read_bytes)
        await asyncio.to_thread(connection.send, begun, 100, rest[100:])
    await _until(owner, begun.submission_id, SubmissionState.REFUSED)

    assert await _codes(owner, begun.submission_id) == ["upload_overtaken"]
    address = "select address from coverage where known_to = 'infinity' order by number"
    assert [row["address"] for row in await owner.fetch(address)] == ["new"]
    # Sent again it is what the insurer says now.
    assert (await send(old)).submission.merged == 2
    assert [row["address"] for row in await owner.fetch(address)] == ["old", "東京都千代田区千代田１－１"]


async def test_files_take_effect_in_the_order_of_announcement_though_the_later_one_arrives_first(
    intake: Any, upload: Any, send: Any, write: Any, record: Any, owner: Any, credentials: Any
) -> None:
    old, new = write(record(1, 住所="old")), write(record(1, 住所="new"))
    begun = await upload(old, only=100)
    sending = asyncio.create_task(send(new))
    async with asyncio.timeout(240):
        while not await owner.fetchval("select exists (select from submission where state <> 'receiving')"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the other process tells nobody but the table

    with Intake(intake.url, credentials(INSURER.digits).context()) as connection:
        rest = await asyncio.to_thread(old.read_bytes)
        await asyncio.to_thread(connection.send, begun, 100, rest[100:])

    assert (await sending).submission.merged == 1
    merged = "select submission_id from submission where state = 'merged' order by finished_at limit 1"
    assert await owner.fetchval(merged) == begun.submission_id
    rows = await owner.fetch("select address from coverage order by known_from")
    assert [row["address"] for row in rows] == ["old", "new"]


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
    others = [spool.folder / name for name in ("readme.txt", "no-number.part", f"{old}.csv", ".spool")]
    for path in others:
        path.touch()
    for path in (spool.path(old), *others):
        _age(path)

    await tidy(pool, spool, FORTNIGHT, datetime.now(UTC))

    assert set(spool.folder.iterdir()) == {spool.path(young), *others}


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


async def test_a_file_that_is_held_because_other_bytes_arrived_ends_when_the_right_ones_are_announced(
    owner: Any, take_in: Any, write: Any, record: Any, tmp_path: Path
) -> None:
    good, damaged = write(record(1, 住所="大阪")), tmp_path / "damaged.csv"
    damaged.write_bytes(good.read_bytes().replace("大阪".encode("cp932"), "京都".encode("cp932")))
    held = (await take_in(good, spool=damaged)).submission
    assert held.state is SubmissionState.HELD

    now, manifest = datetime.now(UTC), build_manifest(good, SubmissionKind.DELTA, "eligibility", 1)
    again, new = await announce(owner, uuid7(now), INSURER, manifest, now)
    assert (new, again.state) == (True, SubmissionState.RECEIVING)
    await end_announced_before(owner, INSURER, again, now)

    assert await _codes(owner, held.submission_id) == ["held_digest", "announced_again"]
    assert await state_of(owner, held.submission_id) is SubmissionState.REFUSED
    with pytest.raises(DecisionRefused):
        await decide(owner, held.submission_id, Decision.APPROVED, "operator", "x", now)
    assert (await take_in(good)).submission.submission_id == again.submission_id
    assert [row["address"] for row in await owner.fetch("select address from coverage")] == ["大阪"]


async def test_a_file_that_another_gate_holds_waits_when_it_is_announced_again(
    owner: Any, spool: Spool, take_in: Any, write: Any, record: Any
) -> None:
    await take_in(write(record(1), record(2)))
    path = write(record(1))
    held = (await take_in(path, kind="full")).submission
    assert held.state is SubmissionState.HELD
    assert (await take_in(path, kind="full")).submission == held

    delta = await _begin(owner, spool, path)  # of the same bytes
    await end_announced_before(owner, INSURER, delta, datetime.now(UTC))

    assert await state_of(owner, held.submission_id) is SubmissionState.HELD


async def test_an_intake_ends_at_its_start_what_was_abandoned_and_takes_the_file_when_it_is_sent_again(
    intake: Any, upload: Any, send: Any, write: Any, record: Any, owner: Any, tmp_path: Path
) -> None:
    path = write(record(1), record(2))
    cut = await upload(path, only=100)
    intake.stop()
    await owner.execute(STOPPED, cut.submission_id)
    intake.start()

    await _until(owner, cut.submission_id, SubmissionState.REFUSED)
    pushed = await send(path)

    assert pushed.submission.submission_id != cut.submission_id
    assert pushed.submission.merged == 2
    await until_left(tmp_path / "intake" / "spool")


async def _receive(owner: Any, submission: Submission) -> None:
    await owner.execute("update submission set state = 'received' where submission_id = $1", submission.submission_id)


async def _waiting(owner: Any) -> list[UUID]:
    return [filed.submission.submission_id for filed in await waiting_submissions(owner, TEN_MINUTES)]


async def _until(owner: Any, submission_id: UUID, state: SubmissionState) -> None:
    async with asyncio.timeout(240):
        while await state_of(owner, submission_id) is not state:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the other process tells nobody but the table


def _age(path: Path) -> None:
    long_ago = (datetime.now(UTC) - timedelta(hours=2)).timestamp()
    os.utime(path, (long_ago, long_ago))
