"""What a migration carries over while processes of the release before still run, and what waits until they are gone."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from eligibility.storage.database import connect
from eligibility.storage.migrate import migrate, migrations, missing
from loadtest.embedded import Stores, create_database, database_url
from tests.holders import holders_not_found

pytestmark = pytest.mark.database
HOLDERS = 29  # the migration that gives holders a table; the next takes the trigger and the index away
COVERAGE = (
    "person_id, coverage_id, known_from, submission_id, insurer_number, symbol, number, branch_number, symbol_key,"
    " number_key, name, name_kana, name_key, birth_date, sex, postal_code, address, relation, card_class, acquired_on,"
    " preschool, viewing_suspended"
)
STATED = (
    "select {0}, {0}, '2026-04-01', gen_random_uuid(), '06130512', '', '{0}', '', '', '{0}', '名{0}', '', '名{0}',"
    " '1980-01-01', '1', '', '', '1', '01', '2024-04-01', false, false"
)


@pytest.fixture
async def before(running_stores: Stores) -> AsyncIterator[str]:
    """The address of a database of the release before."""
    administrator = await asyncpg.connect(running_stores.database_url)
    await administrator.execute("drop database if exists release_before")
    await create_database(administrator, "release_before")
    address = database_url(running_stores.database_url, "release_before")
    owner = await connect(address)
    await owner.execute("create table schema_migration (number integer primary key, name text, applied_at timestamptz)")
    for number, name, text in migrations():
        if number < HOLDERS:
            await owner.execute(text)
            await owner.execute("insert into schema_migration (number, name) values ($1, $2)", number, name)
    await owner.close()
    yield address
    await administrator.execute("drop database release_before with (force)")
    await administrator.close()


async def test_whoever_is_insured_is_found_whichever_release_states_it(before: str, tmp_path: Path) -> None:
    owner, payer = await connect(before), await connect(before, role="eligibility_payer")

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


async def test_an_empty_database_gets_everything_at_once(running_stores: Stores) -> None:
    administrator = await asyncpg.connect(running_stores.database_url)
    await administrator.execute("drop database if exists new_centre")
    await create_database(administrator, "new_centre")
    owner = await connect(database_url(running_stores.database_url, "new_centre"))
    assert len(await migrate(owner, post=False)) == len(migrations())
    assert await missing(owner) == []
    await owner.close()
    await administrator.execute("drop database new_centre with (force)")
    await administrator.close()
