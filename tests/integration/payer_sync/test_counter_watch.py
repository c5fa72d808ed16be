"""The intake sees that counters ask, and its loads come to the same whether or not they do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.codes import Method, Outcome
from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import open_pool
from eligibility.storage.recorder import Entry, Recorder, VerificationRecord
from eligibility.wire.submissions import SubmissionKind, SubmissionState
from payer_sync.intake.counter_watch import CounterWatch
from payer_sync.loading import ROLE, load
from payer_sync.manifest import build_manifest
from payer_sync.submission import Filed, announce

DEADLINE_S = 120.0


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Any]:
    made = await open_pool(database, role=ROLE, size=1)
    yield made
    await made.close()


@pytest.fixture
async def watch(pool: Any) -> AsyncIterator[CounterWatch]:
    made = CounterWatch(pool)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _answer() -> Entry:
    now = datetime.now(UTC)
    verification = VerificationRecord(
        uuid7(now), uuid4(), Method.NUMBER, date(2026, 11, 21), now, Outcome.VALID, None, None, None
    )
    event = AuditEvent(
        uuid7(now), now, EventKind.NUMBER_VERIFICATION, "valid", ActorKind.TERMINAL, "t", "1312345679",
        verification_id=verification.verification_id,
    )  # fmt: skip
    return Entry(event, verification=verification)


async def _until(seen: Callable[[], bool], recorder: Recorder | None = None) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not seen():
            if recorder:
                await recorder.record(_answer())
            await asyncio.sleep(0.1)


async def test_counters_are_seen_as_soon_as_they_ask_and_until_they_cease(
    recorder: Recorder, watch: CounterWatch
) -> None:
    assert watch.ask()  # nobody has looked yet, since nothing was made after it
    await _until(lambda: not watch.ask())
    await _until(watch.ask, recorder)
    await _until(lambda: not watch.ask())


async def test_what_cannot_be_seen_is_taken_for_counters_that_ask(pool: Any, watch: CounterWatch) -> None:
    await _until(lambda: not watch.ask())
    await pool.close()
    await _until(watch.ask)


async def test_a_look_that_has_to_wait_sees_nothing(pool: Any, watch: CounterWatch) -> None:
    await _until(lambda: not watch.ask())
    async with pool.acquire():  # by uploads
        await _until(watch.ask)
    await _until(lambda: not watch.ask())


@pytest.mark.parametrize("asking", [False, True])
async def test_a_file_comes_to_the_same_whether_or_not_counters_ask(
    database: str, owner: Any, insurers: tuple[str, ...], record: Callable[..., dict[str, str]],
    write: Callable[..., Path], asking: bool,
) -> None:  # fmt: skip
    asked_about = 0

    def ask() -> bool:
        nonlocal asked_about
        asked_about += 1
        return asking

    insurer = InsurerNumber(insurers[0])
    for persons in (range(1, 400), range(300, 500)):  # the first file, merged while it is read, and one after it
        asked_about, now, path = 0, datetime.now(UTC), write(*map(record, persons))
        manifest = build_manifest(path, SubmissionKind.DELTA, "eligibility", 1)
        submission, _ = await announce(owner, uuid7(now), insurer, manifest, now)
        state = await load(database, Filed(insurer, submission), path, ask)
        assert (state, asked_about > 0) == (SubmissionState.MERGED, True)
    assert await owner.fetchval("select count(*) from coverage where known_to = 'infinity'") == 499
