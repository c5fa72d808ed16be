"""What grows with every visit stands in partitions: made ahead, guarded like the whole, dropped in time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from eligibility.domain.ids import uuid7
from eligibility.storage.clearing import TooYoung, drop_used_challenges, prepare_partitions, retire_records
from eligibility.storage.database import connect

NOW = datetime(2031, 3, 15, 12, tzinfo=UTC)


async def _verification(owner: Any, at: datetime) -> str:
    return str(
        await owner.fetchval(
            "insert into verification (verification_id, occurred_at, institution_code, terminal_id, method, asked_for,"
            " known_at, outcome) values ($1, $2, '1312345679', $1, 'pin', $3, $2, 'valid')"
            " returning tableoid::regclass::text",
            uuid7(at), at, at.date(),
        )
    )  # fmt: skip


async def _event(owner: Any, at: datetime) -> str:
    return str(
        await owner.fetchval(
            "insert into audit_event (event_id, occurred_at, kind, code, actor_kind, actor)"
            " values ($1, $2, 'verification', 'valid', 'terminal', 't') returning tableoid::regclass::text",
            uuid7(at), at,
        )
    )  # fmt: skip


async def _burn(connection: Any, nonce: bytes, expires_at: datetime) -> str | None:
    place = await connection.fetchval(
        "insert into used_challenge values ($1, $2) on conflict do nothing returning tableoid::regclass::text",
        nonce, expires_at,
    )  # fmt: skip
    return None if place is None else str(place)


async def test_what_happens_goes_to_its_month_and_its_day(owner: Any) -> None:
    assert await owner.fetchval("select prepare_partitions($1)", NOW) == 9
    assert await owner.fetchval("select prepare_partitions($1)", NOW) == 0
    assert await _verification(owner, NOW) == "verification_203103"
    assert await _event(owner, NOW) == "audit_event_203103"
    assert await _event(owner, datetime(2031, 4, 1, tzinfo=UTC)) == "audit_event_203104"
    assert await _event(owner, datetime(2031, 3, 31, 23, 59, 59, 999_000, tzinfo=UTC)) == "audit_event_203103"
    assert await _burn(owner, b"n", NOW) == "used_challenge_20310315"
    assert await _burn(owner, b"n", NOW + timedelta(days=2)) == "used_challenge_20310317"


async def test_what_no_partition_stands_ready_for_is_kept_all_the_same(owner: Any) -> None:
    assert await _verification(owner, NOW) == "verification_other"
    assert await _event(owner, NOW) == "audit_event_other"
    assert await _burn(owner, b"n", NOW) == "used_challenge_other"
    assert await _burn(owner, b"n", NOW) is None


async def test_what_came_while_no_worker_was_there_stays_and_the_next_partitions_are_made(
    owner: Any, database: str
) -> None:
    await _burn(owner, b"n", NOW)
    await _verification(owner, NOW)
    await _event(owner, NOW)
    worker = await connect(database, role="eligibility_worker")
    await prepare_partitions(worker, NOW)
    await worker.close()
    assert await _burn(owner, b"n", NOW) is None
    assert await _burn(owner, b"m", NOW) == "used_challenge_other"
    assert await _burn(owner, b"n", NOW + timedelta(days=1)) == "used_challenge_20310316"
    assert await _verification(owner, NOW) == "verification_other"
    assert await _event(owner, NOW) == "audit_event_other"
    assert await _verification(owner, datetime(2031, 4, 1, tzinfo=UTC)) == "verification_203104"
    assert await _event(owner, datetime(2031, 4, 1, tzinfo=UTC)) == "audit_event_203104"


async def test_nobody_who_writes_is_waited_for_where_a_partition_cannot_be_made(owner: Any, database: str) -> None:
    for keep in (_verification, _event):
        await keep(owner, NOW)
    await _burn(owner, b"n", NOW)
    worker = await connect(database, role="eligibility_worker")
    assert await worker.fetchval("select prepare_partitions($1)", NOW) == 6
    async with owner.transaction():
        assert await _burn(owner, b"m", NOW) == "used_challenge_other"
        assert await _verification(owner, NOW) == "verification_other"
        assert await _event(owner, NOW) == "audit_event_other"
        assert await worker.fetchval("select prepare_partitions($1)", NOW) == 0
    await worker.close()


async def test_two_workers_make_each_partition_once(owner: Any, database: str) -> None:
    worker = await connect(database, role="eligibility_worker")
    async with owner.transaction():
        assert await owner.fetchval("select prepare_partitions($1)", NOW) == 9
        assert await worker.fetchval("select prepare_partitions($1)", NOW) == 0
    assert await worker.fetchval("select prepare_partitions($1)", NOW) == 0
    await worker.close()


async def test_the_partitions_of_today_are_there_after_the_migrations(owner: Any) -> None:
    now = datetime.now(UTC)
    assert await _burn(owner, b"n", now) == f"used_challenge_{now:%Y%m%d}"
    assert await _event(owner, now) == f"audit_event_{now:%Y%m}"


async def test_a_nonce_is_used_once_with_the_expiry_that_it_was_made_with(owner: Any) -> None:
    now = datetime.now(UTC)
    assert await _burn(owner, b"n", now) is not None
    assert await _burn(owner, b"n", now) is None
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    assert await _burn(owner, b"m", midnight) is not None
    assert await _burn(owner, b"m", midnight) is None


@pytest.mark.parametrize("change", ["update {} set code = 'x'", "delete from {}", "truncate {}"])
async def test_no_event_is_changed_in_its_partition_either(owner: Any, change: str) -> None:
    place = await _event(owner, datetime.now(UTC))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute(change.format(place))


@pytest.mark.parametrize("role", ["eligibility_counter", "eligibility_payer", "eligibility_worker"])
async def test_no_process_touches_a_partition_itself(owner: Any, database: str, role: str) -> None:
    place = await _event(owner, datetime.now(UTC))
    process = await connect(database, role=role)
    for statement in (f"drop table {place}", f"select 1 from {place}", "select drop_records_of_month('2020-01-01')"):  # noqa: S608
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await process.execute(statement)
    if role != "eligibility_worker":
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await process.execute("select drop_used_challenges(now())")
    await process.close()


async def test_a_day_is_dropped_only_when_all_of_it_is_over(owner: Any) -> None:
    await owner.execute("select prepare_partitions($1)", NOW)
    for hours in (0, 24, 48):
        await _burn(owner, b"n", NOW + timedelta(hours=hours))
    start = datetime(2031, 3, 16, tzinfo=UTC)
    before_own_days = await owner.fetchval("select drop_used_challenges($1)", start - timedelta(seconds=1))
    assert before_own_days >= 0  # the days of the migration itself
    assert await owner.fetchval("select count(*) from used_challenge") == 3
    assert await owner.fetchval("select drop_used_challenges($1)", start) == 1
    assert await owner.fetchval("select count(*) from used_challenge") == 2


async def test_days_that_somebody_reads_are_dropped_the_next_time(owner: Any, database: str) -> None:
    await owner.execute("select prepare_partitions($1)", NOW)
    await _burn(owner, b"n", NOW)
    worker = await connect(database, role="eligibility_worker")
    async with owner.transaction():
        await owner.execute("lock table used_challenge in access share mode")  # as a backup does for hours
        with pytest.raises(asyncpg.LockNotAvailableError):
            await drop_used_challenges(worker, NOW + timedelta(days=2))
    assert await drop_used_challenges(worker, NOW + timedelta(days=2)) >= 1
    kept = await owner.fetchval("select detail from audit_event where kind = 'cleared'")
    assert "days_of_used_challenges" in kept
    assert await owner.fetchval("select count(*) from used_challenge") == 0
    await worker.close()


async def test_no_writer_of_a_challenge_is_kept_waiting_for_a_drop(owner: Any) -> None:
    set_for = "select array_to_string(proconfig, ' ') from pg_proc where proname = 'drop_used_challenges'"
    assert "lock_timeout=50ms" in await owner.fetchval(set_for)


async def test_a_challenge_without_a_partition_is_forgotten_by_itself(owner: Any) -> None:
    await _burn(owner, b"n", NOW)
    await _burn(owner, b"n", NOW + timedelta(hours=1))
    await owner.execute("select drop_used_challenges($1)", NOW + timedelta(minutes=1))
    assert await owner.fetchval("select array_agg(expires_at) from used_challenge") == [NOW + timedelta(hours=1)]


@pytest.mark.parametrize("ready", [True, False])
async def test_a_month_is_retired_after_its_years_and_leaves_an_event(owner: Any, ready: bool) -> None:
    if ready:
        await owner.execute("select prepare_partitions($1)", NOW)
    kept = [datetime(2031, 2, 28, 23, 59, 59, 999_000, tzinfo=UTC), datetime(2031, 4, 1, tzinfo=UTC)]
    for at in (NOW, *kept):
        await _verification(owner, at)
        await _event(owner, at)
    # The last of them are of 1 April 2031 in Japan.
    for too_early in (NOW, datetime(2036, 3, 31, 15, tzinfo=UTC), datetime(2036, 4, 1, 14, 59, tzinfo=UTC)):
        for month in (date(2031, 3, 1), date(9999, 1, 1), date(9999, 12, 1)):
            with pytest.raises(TooYoung):
                await retire_records(owner, month, too_early)
    over = datetime(2036, 4, 1, 15, tzinfo=UTC)
    assert await retire_records(owner, date(2031, 3, 1), over) == 2
    assert await retire_records(owner, date(2031, 3, 1), over) == 0
    for table in ("verification", "audit_event"):
        left = await owner.fetch(f"select occurred_at from {table} where occurred_at < $1 order by 1", over)  # noqa: S608
        assert [row["occurred_at"] for row in left] == kept
    codes = await owner.fetch("select code, detail->>'month' as month from audit_event where kind = 'cleared'")
    assert [tuple(row) for row in codes] == [("records_retired", "2031-03")]
