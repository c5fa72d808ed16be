"""What a migration carries over while processes of the release before still run, and what waits until they are gone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from eligibility.__main__ import main as centre_command
from eligibility.domain.codes import Sex
from eligibility.domain.names import NAME_VARIANTS, name_key
from eligibility.storage.database import check_reachable, connect
from eligibility.storage.lookups import holders_by_attributes
from eligibility.storage.migrate import NotMigrated, OtherMigrations, apply, migrate, migrations, missing
from loadtest.embedded import Stores, create_database, database_url
from loadtest.processes import ServerDidNotStart, server
from tests.holders import holders_not_found

pytestmark = pytest.mark.database
ROLES = ("eligibility_counter", "eligibility_payer", "eligibility_worker")
HOLDERS = 29  # the migration that gives holders a table; the next takes the trigger and the index away
CONSENTS = next(number for number, name, _ in migrations() if name.endswith("_pre_consents_of_a_verification.sql"))
OLD_FORMS = next(number for number, name, _ in migrations() if name.endswith("_pre_old_forms_of_names.sql"))
COVERAGE = (
    "person_id, coverage_id, known_from, submission_id, insurer_number, symbol, number, branch_number, symbol_key,"
    " number_key, name, name_kana, name_key, birth_date, sex, postal_code, address, relation, card_class, acquired_on,"
    " preschool, viewing_suspended"
)
STATED = (
    "select {0}, {0}, '2026-04-01', gen_random_uuid(), '06130512', '', '{0}', '', '', '{0}', '名{0}', '', '名{0}',"
    " '1980-01-01', '1', '', '', '1', '01', '2024-04-01', false, false"
)


QUARANTINED = """
insert into insurer (insurer_number, name) values ('06130512', '');
insert into submission (submission_id, insurer_number, layout, edition, kind, file_name, content_length, content_digest,
    stated_records, state, created_at)
values ('00000000-0000-7000-8000-000000000000', '06130512', 'eligibility', 1, 'delta', '', 0, sha256(''), 1, 'merged',
    '2026-04-01');
insert into mislink_case (opened_at, submission_id, insurer_number, lead_record, kind)
values ('2026-04-01', '00000000-0000-7000-8000-000000000000', '06130512', 1, 'review');
insert into quarantined_record
    (case_id, record_number, reasons, symbol_key, number_key, branch_number, acquired_on, stated)
select case_id, 1, '{}', '', '1', '', '2024-04-01', '{"name": "郞", "name_key": "郞"}' from mislink_case;
"""
Before = Callable[[int], Awaitable[str]]


@pytest.fixture
async def before(running_stores: Stores) -> AsyncIterator[Before]:
    """Makes a database of the release before a migration and returns its address."""
    administrator = await asyncpg.connect(running_stores.database_url)

    async def make(migration: int) -> str:
        await administrator.execute("drop database if exists release_before")
        await create_database(administrator, "release_before")
        address = database_url(running_stores.database_url, "release_before")
        owner = await connect(address)
        await owner.execute(
            "create table schema_migration (number integer primary key, name text, applied_at timestamptz)"
        )
        for number, name, text in migrations():
            if number < migration:
                await apply(owner, number, name, text)
        await owner.close()
        return address

    yield make
    await administrator.execute("drop database release_before with (force)")
    await administrator.close()


async def test_whoever_is_insured_is_found_whichever_release_states_it(before: Before, tmp_path: Path) -> None:
    address = await before(HOLDERS)
    owner, payer = await connect(address), await connect(address, role="eligibility_payer")

    async def state(person: int) -> None:
        await payer.execute(f"insert into coverage ({COVERAGE}) {STATED.format(person)}")

    await state(1)
    assert await migrate(owner, post=False) == ["0029_pre_stated_holders.sql"]
    assert (await missing(owner))[0] == "0030_post_stated_holders.sql"
    assert await holders_not_found(owner) == []

    # Three ways in which a process of the release before states something, none of which tells the holder.
    await state(2)
    rows = tmp_path / "rows"
    await owner.copy_from_query(STATED.format(3), output=rows)
    columns = [name.strip() for name in COVERAGE.split(",")]
    await payer.copy_to_table("coverage", source=rows, columns=columns)
    kept = COVERAGE.partition("known_from, ")[2]
    closed = "with closed as (update coverage set known_to = '2026-05-01' where person_id = 1 returning *)"
    moved = f"insert into coverage ({COVERAGE}) select 4, 4, '2026-05-01', {kept} from closed"  # noqa: S608 (constants)
    await payer.execute(f"{closed} {moved}")
    assert await holders_not_found(owner) == []
    assert await owner.fetchval("select count(*) from stated_holder") == 4

    # The release before came back and went again, without the trigger.
    await owner.execute("alter table coverage disable trigger state_holders")
    await state(5)
    assert await holders_not_found(owner) == [(5, 5)]
    assert (await migrate(owner))[0] == "0030_post_stated_holders.sql"
    assert (await holders_not_found(owner), await missing(owner)) == ([], [])
    await payer.close()
    await owner.close()


async def test_a_holder_is_found_by_every_form_of_the_name_whichever_release_has_stored_its_key(
    before: Before,
) -> None:
    address = await before(OLD_FORMS)
    owner, payer = await connect(address), await connect(address, role="eligibility_payer")
    counter = await connect(address, role="eligibility_counter")

    async def state(person: int, name: str, key: str) -> None:
        stated = STATED.format(person).replace(f"'名{person}', '', '名{person}'", "$1, '', $2")
        await payer.execute(f"insert into coverage ({COVERAGE}) {stated}", name, key)
        await payer.execute("insert into stated_holder values (holder_hash($1, '1980-01-01'), $2)", key, person)

    async def found(name: str) -> list[int]:
        asked = await holders_by_attributes(counter, date(1980, 1, 1), Sex.MALE, name)
        return sorted(person for person, _ in asked)

    await state(1, "𠮷内　悅子", "吉内悅子")
    await state(2, "吉内　悦子", "吉内悦子")
    await state(3, "山田　悦子", "山田悦子")
    assert [name[4:] for name in await migrate(owner, post=False)] == ["_pre_old_forms_of_names.sql"]
    rows = await owner.fetch("select old, name_key_now(old) from unnest($1::text[]) as f (old)", [*NAME_VARIANTS])
    forms = {old: new for old, new in rows if old != new}
    assert len(forms) == 148
    assert forms.items() <= NAME_VARIANTS.items()
    assert await found("吉内悦子") == await found("吉内　悅子") == [1, 2]

    # What processes of the release before state now.
    for person, old in enumerate(forms, 4):
        await state(person, f"{old}　{person}", f"{old}{person}")
    assert [await found(f"{new}{person}") for person, new in enumerate(forms.values(), 4)] == [
        [person] for person in range(4, len(forms) + 4)
    ]

    # The release before came back and went again, without the trigger.
    await owner.execute("alter table coverage disable trigger state_holders_now")
    await state(1000, "淸", "淸")
    assert await found("清") == []
    await owner.execute(QUARANTINED)
    assert "_post_old_forms_of_names.sql" in [name[4:] for name in await migrate(owner)]
    assert await found("清") == [1000]
    keys = await owner.fetch("select name, name_key from coverage")
    assert [row["name"] for row in keys if row["name_key"] != name_key(row["name"])] == []
    assert (await holders_not_found(owner), await missing(owner)) == ([], [])
    assert await owner.fetchval("select stated ->> 'name_key' from quarantined_record") == "郎"
    for connection in (owner, payer, counter):
        await connection.close()


GIVEN = "insert into consent select 1, gen_random_uuid(), $1, '', gen_random_uuid(), now(), now() + '1h'"


async def _making_waits(owner: Any, migrating: asyncio.Task[list[str]]) -> None:
    others = "select max(lockers_total) from pg_stat_progress_create_index where datname = current_database()"
    async with asyncio.timeout(60):
        while not await owner.fetchval(others):
            if migrating.done():
                await migrating
            await asyncio.sleep(0.01)


async def test_counters_record_consents_while_their_index_is_made(before: Before) -> None:
    address = await before(CONSENTS)
    owner, watch, slow = await connect(address), await connect(address), await connect(address)
    counter = await connect(address, role="eligibility_counter", command_timeout_s=60)
    async with slow.transaction():
        await slow.execute(GIVEN, "medication")
        migrating = asyncio.create_task(migrate(owner))
        await _making_waits(watch, migrating)
        await counter.execute(GIVEN, "checkup")
        assert not migrating.done()
    await migrating
    key = "select indisvalid, pg_get_indexdef(indexrelid) from pg_index where indexrelid = 'consent_pkey'::regclass"
    valid, said = await owner.fetchrow(key)
    assert valid
    assert said.endswith("(person_id, verification_id, class)")
    assert await owner.fetchval("select count(*) from consent") == 2
    for connection in (owner, watch, slow, counter):
        await connection.close()


async def test_two_who_migrate_take_turns_while_an_index_is_made(before: Before) -> None:
    address = await before(CONSENTS)
    first, second, watch, slow = [await connect(address) for _ in range(4)]
    async with slow.transaction():
        await slow.execute(GIVEN, "medication")
        migrating = asyncio.create_task(migrate(first))
        await _making_waits(watch, migrating)
        waiting = asyncio.create_task(migrate(second))
        asked = "select count(*) from pg_stat_activity where query like '%pg_try_advisory_lock%' and pid = $1"
        async with asyncio.timeout(60):
            while not await watch.fetchval(asked, second.get_server_pid()):  # noqa: ASYNC110 (the server knows)
                await asyncio.sleep(0.01)
    assert len(await migrating) == len(migrations()) - CONSENTS + 1
    assert await waiting == []
    for connection in (first, second, watch, slow):
        await connection.close()


async def test_an_index_whose_making_was_ended_is_made_anew(before: Before) -> None:
    address = await before(CONSENTS)
    owner, watch, slow = await connect(address), await connect(address), await connect(address)
    left = "select count(*) from pg_index where indrelid = 'consent'::regclass and not indisvalid"
    async with slow.transaction():
        await slow.execute(GIVEN, "medication")
        migrating = asyncio.create_task(migrate(owner))
        await _making_waits(watch, migrating)
        await watch.execute("select pg_terminate_backend($1)", owner.get_server_pid())
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
            await migrating
        assert await watch.fetchval(left) == 1
    assert (await migrate(watch))[0].endswith("_pre_consents_of_a_verification.sql")
    assert (await watch.fetchval(left), await missing(watch)) == (0, [])
    for connection in (owner, watch, slow):
        await connection.close()


async def test_an_index_that_was_made_and_not_noted_is_made_again(before: Before) -> None:
    owner = await connect(await before(CONSENTS + 1))
    await owner.execute("delete from schema_migration where number = $1", CONSENTS)
    assert len(await migrate(owner)) == len(migrations()) - CONSENTS + 1
    assert await missing(owner) == []
    await owner.close()


async def test_an_empty_database_gets_everything_at_once(running_stores: Stores) -> None:
    administrator = await asyncpg.connect(running_stores.database_url)
    await administrator.execute("drop database if exists new_centre")
    await create_database(administrator, "new_centre")
    owner = await connect(database_url(running_stores.database_url, "new_centre"))
    assert len(await migrate(owner, post=False)) == len(migrations())
    assert await missing(owner) == []
    # A number that another line of the project gave to something else is not taken for one's own.
    await owner.execute("update schema_migration set name = '0001_pre_of_another_line.sql' where number = 1")
    for read in (migrate, missing):
        with pytest.raises(OtherMigrations, match="0001_pre_of_another_line"):
            await read(owner)
    await owner.close()
    await administrator.execute("drop database new_centre with (force)")
    await administrator.close()


async def test_a_process_starts_only_on_what_its_release_needs(before: Before, tmp_path: Path) -> None:
    address = await before(len(migrations()) + 1)
    owner = await connect(address)

    async def reach() -> None:
        for role in ROLES:
            await check_reachable(address, role)

    async def lacks(name: str) -> None:
        for role in ROLES:
            with pytest.raises(NotMigrated, match=name):
                await check_reachable(address, role)

    await reach()
    await owner.execute("insert into schema_migration (number, name) values (9999, '9999_pre_of_the_next_release.sql')")
    await owner.execute("delete from schema_migration where name like '%!_post!_%' escape '!'")
    await reach()
    await owner.execute("delete from schema_migration where number = 43")
    await lacks("0043_pre_ledger_read_by_processes.sql")
    await owner.execute(f"revoke select on schema_migration from {', '.join(ROLES)}")  # noqa: S608 (constants)
    await lacks([name for _, name, _ in migrations() if "_pre_" in name][-1])
    await owner.execute("drop table schema_migration")
    await lacks("0001_pre_facts_and_records.sql")
    await owner.close()

    told = {f"INTAKE_{name}": "x" for name in ("SPOOL_FOLDER", "TLS_CERTIFICATE", "TLS_KEY", "INSURER_AUTHORITIES")}
    told["INTAKE_DATABASE_URL"] = address
    with (
        pytest.raises(ServerDidNotStart, match="0001_pre_facts_and_records"),
        server("payer_sync", ["intake"], told, tmp_path / "log"),
    ):
        pass


async def test_an_older_release_does_not_call_a_newer_schema_the_newest(
    before: Before, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = await before(len(migrations()) + 1)
    monkeypatch.setenv("ELIGIBILITY_DATABASE_URL", address)
    assert await asyncio.to_thread(centre_command, ["migrate"]) == 0
    assert capsys.readouterr().out == "The schema is the newest.\n"
    owner = await connect(address)
    await owner.execute("insert into schema_migration (number, name) values (9999, '9999_pre_of_the_next_release.sql')")
    await owner.close()
    assert await asyncio.to_thread(centre_command, ["migrate"]) == 0
    said = capsys.readouterr().out
    assert said == "The schema is newer than this release: 9999_pre_of_the_next_release.sql is not known here.\n"
