"""Opens connections to PostgreSQL, and refuses a server that could lose what it has acknowledged."""

import json
from typing import Any

import asyncpg

COMMAND_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0


class UnsafeDatabase(Exception):
    """PostgreSQL is set up so that an acknowledged write could be lost; the process will not start on it."""


async def connect(url: str, *, role: str | None = None, command_timeout_s: float | None = COMMAND_TIMEOUT_S) -> Any:
    """Open one connection, as the given process role if named.

    Raises:
        UnsafeDatabase: fsync or synchronous_commit is off.
    """
    connection = await asyncpg.connect(
        url, user=role, timeout=CONNECT_TIMEOUT_S, command_timeout=command_timeout_s, server_settings=_SESSION
    )
    await prepare_connection(connection)
    return connection


async def open_pool(url: str, *, role: str, size: int) -> Any:
    """Open a pool of connections as a process role; a broken connection is replaced at its next use.

    Raises:
        UnsafeDatabase: fsync or synchronous_commit is off.
    """
    return await asyncpg.create_pool(
        url,
        user=role,
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        server_settings=_SESSION,
        init=prepare_connection,
    )


async def prepare_connection(connection: Any) -> None:
    """Refuse an unsafe server; let jsonb travel as Python values."""
    safe = await connection.fetchval(
        "select current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off'"
    )
    if not safe:
        raise UnsafeDatabase
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


_SESSION = {"timezone": "UTC", "application_name": "eligibility", "synchronous_commit": "on", "jit": "off"}
