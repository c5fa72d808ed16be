"""Migrations have the right names, and together make exactly what schema.sql says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from eligibility.storage.migrate import IN_NO_TRANSACTION, migrate, migrations
from loadtest.embedded import Stores, create_database, database_url

SCHEMA = Path(__file__).parents[2] / "eligibility" / "storage" / "schema.sql"

CATALOGUE = """
select 'column' as kind, table_name || '.' || column_name as name,
       data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') || ' ' || is_identity as text
from information_schema.columns where table_schema = 'public'
union all select 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid)
from pg_constraint where connamespace = 'public'::regnamespace
union all select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
union all select 'trigger', tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all select 'function', proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
union all select 'policy', polrelid::regclass::text || '.' || polname, polcmd::text || polroles::regrole[]::text
       || coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '')
from pg_policy
union all select 'row security', oid::regclass::text, relrowsecurity::text || relforcerowsecurity::text
from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
union all select 'grant', table_name || ' ' || grantee || ' ' || privilege_type, ''
from information_schema.role_table_grants where table_schema = 'public' and grantee like 'eligibility_%'
union all select 'function grant', routine_name || ' ' || grantee, ''
from information_schema.routine_privileges where routine_schema = 'public' and grantee <> grantor
union all select 'column grant', table_name || '.' || column_name || ' ' || grantee || ' ' || privilege_type, ''
from information_schema.role_column_grants where table_schema = 'public' and grantee like 'eligibility_%'
order by 1, 2, 3
"""


async def _catalogue(connection: Any) -> list[tuple[str, ...]]:
    rows = [tuple(row) for row in await connection.fetch(CATALOGUE)]
    return [row for row in rows if "schema_migration" not in row[1]]


def test_numbers_are_without_gaps() -> None:
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_every_migration_bounds_its_wait_for_locks() -> None:
    assert [name for _, name, text in migrations() if "lock_timeout" not in text] == []


def test_only_what_says_so_is_made_in_no_transaction_and_falls_apart_into_statements() -> None:
    for _, name, text in migrations():
        assert text.startswith(IN_NO_TRANSACTION) == (" concurrently " in text), name
        if text.startswith(IN_NO_TRANSACTION):
            assert "$$" not in text
            assert "set local" not in text
            assert all(line.endswith(";") for line in text.splitlines() if not line.startswith("--"))


async def test_migrations_make_what_the_schema_says(owner: Any, running_stores: Stores) -> None:
    administrator = await asyncpg.connect(running_stores.database_url)
    await administrator.execute("drop database if exists schema_alone")
    await create_database(administrator, "schema_alone")
    try:
        alone = await asyncpg.connect(database_url(running_stores.database_url, "schema_alone"))
        await alone.execute(SCHEMA.read_text(encoding="utf-8"))
        now = datetime.now(UTC)
        for side in (alone, owner):  # one may have been made before midnight, and has that day's partition too
            for day in (now - timedelta(days=1), now):
                await side.execute("select prepare_partitions($1)", day)
        assert await _catalogue(alone) == await _catalogue(owner)
        await alone.close()
    finally:
        await administrator.execute("drop database schema_alone with (force)")
        await administrator.close()


async def test_a_second_run_has_nothing_to_do(owner: Any) -> None:
    assert await migrate(owner) == []
