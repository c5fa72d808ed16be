"""Brings a database to the newest schema: each migration once, in order, in a transaction of its own.

But for those that say so in their first line: an index of a table that counters write to is made `concurrently`, so
that none of them waits, and PostgreSQL does so in no transaction. Such a migration can be run again wherever it ended.
"""

import asyncio
import re
from importlib.resources import files
from typing import Any

import asyncpg

_FILE_NAME = re.compile(r"(\d{4})_(pre|post)_[a-z0-9_]+\.sql")
_LEDGER = """
create table if not exists schema_migration (
    number     integer primary key,
    name       text not null,
    applied_at timestamptz not null default now()
)
"""
IN_NO_TRANSACTION = "-- In no transaction.\n"
_TURN_LOOKED_FOR_S = 0.2
_LOCK = 0x656C6967  # any fixed number: two migrators of one database take turns


class OtherMigrations(Exception):
    """The database has had another migration under a number of this release: it is another line's."""


class NotMigrated(Exception):
    """The database has not had what this release needs."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the database has not had {name}: run python -m eligibility migrate, as its owner")


def migrations() -> list[tuple[int, str, str]]:
    """Return number, file name and text of every migration, in order.

    Raises:
        ValueError: a file's name does not have the form NNNN_pre_what.sql or NNNN_post_what.sql.
    """
    found = []
    for path in files("eligibility.storage.migrations").iterdir():
        if path.name.endswith(".sql"):
            match = _FILE_NAME.fullmatch(path.name)
            if not match:
                raise ValueError(f"not a migration's name: {path.name}")
            found.append((int(match[1]), path.name, path.read_text(encoding="utf-8")))
    return sorted(found)


async def migrate(connection: Any, *, post: bool = True) -> list[str]:
    """Apply what is missing, as the schema's owner; return the names of what was applied.

    A `post` migration takes away what processes of the release before still need. Without `post`, a database that has
    been in use is brought as far as the first of them; an empty one gets everything.

    Raises:
        OtherMigrations: the database is another line's.
    """
    applied = []
    # Whoever waited for the lock in a statement would be waited for by an index that is made concurrently.
    while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 (another process has it)
        await asyncio.sleep(_TURN_LOOKED_FOR_S)
    try:
        await connection.execute(_LEDGER)
        known = await _applied(connection)
        for number, name, text in migrations():
            if number not in known:
                if known and not post and "_post_" in name:
                    break
                await apply(connection, number, name, text)
                applied.append(name)
    finally:
        await connection.execute("select pg_advisory_unlock($1)", _LOCK)
    return applied


async def apply(connection: Any, number: int, name: str, text: str) -> None:
    """Apply one migration, as the schema's owner, and note it in the ledger."""
    note = "insert into schema_migration (number, name) values ($1, $2)"
    if text.startswith(IN_NO_TRANSACTION):
        for statement in filter(str.strip, text.split(";\n")):
            await connection.execute(statement)
        await connection.execute(note, number, name)
        return
    async with connection.transaction():
        await connection.execute(text)
        await connection.execute(note, number, name)


async def missing(connection: Any) -> list[str]:
    """Return the names of the migrations that a migrated database has not had.

    Raises:
        OtherMigrations: the database is another line's.
    """
    known = await _applied(connection)
    return [name for number, name, _ in migrations() if number not in known]


async def newer(connection: Any) -> list[str]:
    """Return the names of the migrations that the database has had and this release does not know."""
    last = migrations()[-1][0]
    rows = await connection.fetch("select name from schema_migration where number > $1 order by number", last)
    return [row["name"] for row in rows]


async def check_migrated(connection: Any) -> None:
    """Refuse, as any process role, a database that this release cannot work on.

    A `post` migration may be still to come, and whatever a newer release has brought leaves this one what it needs
    until that release's `post`.

    Raises:
        NotMigrated: a `pre` migration of this release is missing.
        OtherMigrations: the database is another line's.
    """
    needed = [name for _, name, _ in migrations() if "_pre_" in name]
    try:
        left = set(await missing(connection))
    except asyncpg.UndefinedTableError:
        raise NotMigrated(needed[0]) from None
    except asyncpg.InsufficientPrivilegeError:  # until 0043 only the owner could read it
        raise NotMigrated(needed[-1]) from None
    for name in needed:
        if name in left:
            raise NotMigrated(name)


async def _applied(connection: Any) -> set[int]:
    known = {row["number"]: row["name"] for row in await connection.fetch("select number, name from schema_migration")}
    for number, name, _ in migrations():
        if known.get(number, name) != name:
            raise OtherMigrations(f"migration {number} is {name} here, and {known[number]} in the database")
    return set(known)
