"""Group commit: many entries, one statement, and each told the truth about its own."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.codes import ConsentClass, Method, Outcome
from eligibility.domain.identifiers import PersonId
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect, open_pool
from eligibility.storage.recorder import ConsentRecord, Entry, Recorder, RecorderAway, VerificationRecord
from tests.integration.waiting import until_waiting

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def _entry(nonce: bytes | None, *, code: str = "valid", consents: int = 0) -> Entry:
    verification = VerificationRecord(
        uuid7(NOW), uuid4(), Method.PIN, date(2026, 11, 21), NOW, Outcome.VALID, PersonId(1), 1, b"card"
    )
    event = AuditEvent(
        uuid7(NOW), NOW, EventKind.VERIFICATION, code, ActorKind.TERMINAL, "t", "1312345679", person_id=1,
        verification_id=verification.verification_id, detail={"method": "pin"},
    )  # fmt: skip
    agreed = tuple(
        ConsentRecord(uuid7(NOW), ConsentClass.MEDICATION, NOW + timedelta(hours=24)) for _ in range(consents)
    )
    return Entry(event, nonce, nonce and NOW + timedelta(seconds=120), verification, agreed)


async def test_every_entry_of_a_crowd_is_recorded_once(recorder: Recorder, owner: Any) -> None:
    answers = await asyncio.gather(*(recorder.record(_entry(n.to_bytes(16), consents=n % 2)) for n in range(1200)))
    assert all(answers)
    for table, rows in (("verification", 1200), ("used_challenge", 1200), ("audit_event", 1200), ("consent", 600)):
        assert await owner.fetchval(f"select count(*) from {table}") == rows  # noqa: S608


async def test_copies_of_one_challenge_in_one_crowd_succeed_once(recorder: Recorder, owner: Any) -> None:
    answers = await asyncio.gather(*(recorder.record(_entry(bytes(16), consents=1)) for _ in range(40)))
    assert sorted(answers) == [False] * 39 + [True]
    assert await owner.fetchval("select count(*) from verification") == 1
    assert await owner.fetchval("select count(*) from consent") == 1
    late = await owner.fetch("select kind, code, verification_id from audit_event where kind = 'request_refused'")
    assert {(r["kind"], r["code"], r["verification_id"]) for r in late} == {
        ("request_refused", "challenge_replayed", None)
    }
    assert len(late) == 39


async def test_two_processes_that_meet_each_other_s_challenges_never_wait_for_each_other(
    recorder: Recorder, database: str, owner: Any
) -> None:
    pool = await open_pool(database, role="eligibility_counter", size=1)
    other = Recorder(pool)
    running = asyncio.create_task(other.run())
    nonces = [bytes([n]) * 16 for n in range(3)]
    third = await connect(database)
    rival = third.transaction()
    await rival.start()
    await third.execute("insert into used_challenge values ($1, $2)", nonces[1], NOW + timedelta(seconds=120))
    forward = [asyncio.create_task(recorder.record(_entry(nonce))) for nonce in nonces]
    backward = [asyncio.create_task(other.record(_entry(nonce))) for nonce in reversed(nonces)]
    await until_waiting(owner, 2)
    await rival.rollback()
    answers = await asyncio.gather(*forward), await asyncio.gather(*backward)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await pool.close()
    await third.close()
    assert [one != another for one, another in zip(answers[0], reversed(answers[1]), strict=True)] == [True] * 3


async def test_an_entry_that_cannot_be_stored_takes_no_other_down(recorder: Recorder, owner: Any) -> None:
    entries = [_entry(n.to_bytes(16), code="bad\x00code" if n == 5 else "valid") for n in range(10)]
    answers = await asyncio.gather(*(recorder.record(e) for e in entries), return_exceptions=True)
    assert [type(a) for a in answers] == [RecorderAway if n == 5 else bool for n in range(10)]
    assert await owner.fetchval("select count(*) from verification") == 9


async def test_a_database_that_goes_away_is_told_and_one_that_returns_is_used(recorder: Recorder, owner: Any) -> None:
    assert await recorder.record(_entry(b"before"))
    await owner.execute("revoke insert on verification from eligibility_counter")
    with pytest.raises(RecorderAway):
        await recorder.record(_entry(b"during"))
    await owner.execute("grant insert on verification to eligibility_counter")
    await owner.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'eligibility_counter' and datname = "
        "current_database()"
    )
    outcomes = []
    for n in range(3):
        try:
            outcomes.append(await recorder.record(_entry(b"after" + bytes([n]))))
        except RecorderAway:
            outcomes.append(None)
    assert outcomes[-1] is True
    assert await owner.fetchval("select count(*) from verification") == 1 + outcomes.count(True)
