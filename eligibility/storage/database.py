"""Opens connections to PostgreSQL, and refuses a server that could lose what it has acknowledged."""

import socket
from typing import Any

import asyncpg
from pydantic_core import from_json, to_json

from eligibility.storage.migrate import check_migrated
from eligibility.storage.niceness import give_way_together

COMMAND_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
_BULK_SEND_BYTES = 4 * 1024 * 1024  # the system may allow less (on Linux net.core.wmem_max)
# A merge takes minutes in which nothing comes over the line. Whether its server is still there is asked by the system:
# after a minute, and six times within the next. Not every system can be told when.
_ASKED_AFTER = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}


class UnsafeDatabase(Exception):
    """PostgreSQL is set up so that an acknowledged write could be lost; the process will not start on it."""


class MalformedAddress(asyncpg.InterfaceError):  # type: ignore[misc]
    """The database's address is not of the form postgresql://USER:PASSWORD@HOST/NAME, with %XX for signs in them."""

    def __init__(self) -> None:
        super().__init__(
            "the database's address is not postgresql://USER:PASSWORD@HOST/NAME, with %XX for signs in them"
        )


class _BulkConnection(asyncpg.Connection):  # type: ignore[misc]
    """Leaves a portion of a COPY with the system at once: the server works on while this process is busy elsewhere.

    A COPY whose line is lost while it waits for room ends; asyncpg alone would have it wait for ever. A line is lost as
    well when its server is gone without a word.
    """

    __slots__ = ()

    def __init__(self, protocol: Any, transport: Any, *others: Any) -> None:
        super().__init__(protocol, transport, *others)
        line = transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BULK_SEND_BYTES)
        if line.family != socket.AF_UNIX:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _ASKED_AFTER.items():
                if option := getattr(socket, name, None):
                    line.setsockopt(socket.IPPROTO_TCP, option, value)
        self.add_termination_listener(lambda _: protocol.resume_writing())


async def connect(
    url: str, *, role: str | None = None, command_timeout_s: float | None = COMMAND_TIMEOUT_S, bulk: bool = False
) -> Any:
    """Open one connection, as the given process role if named; `bulk` is for many rows by COPY.

    Raises:
        MalformedAddress: the address has another form.
        UnsafeDatabase: fsync is off; synchronous_commit each session sets on for itself.
    """
    try:
        connection = await asyncpg.connect(
            url,
            user=role,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=command_timeout_s,
            server_settings=_SESSION | _BULK_SESSION if bulk else _SESSION,
            connection_class=_BulkConnection if bulk else asyncpg.Connection,
        )
    except OSError:  # a certificate that is not trusted is a ValueError, too
        raise
    except ValueError:  # its words can hold a piece of the password
        raise MalformedAddress from None
    try:
        await prepare_connection(connection)
    except BaseException:
        connection.terminate()  # nobody else knows of it
        raise
    return connection


async def check_reachable(url: str, role: str) -> None:
    """Connect once as a process role, so that a process which cannot work says so before it listens.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: it cannot be reached, or not as this role.
        UnsafeDatabase: fsync is off.
        NotMigrated, OtherMigrations: it is not what this release works on.
    """
    connection = await connect(url, role=role)
    try:
        await check_migrated(connection)
    finally:
        await connection.close()


async def check_writable(connection: Any) -> None:
    """Look whether anything can be recorded: not on a standby, nor while writing is switched off.

    Raises:
        asyncpg.ReadOnlySQLTransactionError: the database can only be read.
    """
    if await connection.fetchval("select current_setting('transaction_read_only')") == "on":
        raise asyncpg.ReadOnlySQLTransactionError("the database can only be read")


async def open_pool(url: str, *, role: str, size: int) -> Any:
    """Open a pool of connections as a process role, all at once; a broken connection is replaced at its next use.

    One that is opened when it is wanted is opened while somebody waits, and at the busiest moment.

    Raises:
        UnsafeDatabase: fsync is off; synchronous_commit each session sets on for itself.
    """
    return await asyncpg.create_pool(
        url,
        user=role,
        min_size=size,
        max_size=size,
        max_inactive_connection_lifetime=0,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        # Every statement of a server process finds few rows by their keys: a plan made once fits, and planning anew
        # for each set of arguments would cost more than the query.
        server_settings=_SESSION | {"plan_cache_mode": "force_generic_plan"},
        init=_prepare_pooled,
        reset=_keep_as_it_is,
    )


async def prepare_connection(connection: Any) -> None:
    """Refuse an unsafe server; let jsonb travel as Python values; give way with this process."""
    fsync, role = await connection.fetchrow("select current_setting('fsync'), session_user")
    if fsync != "on":
        raise UnsafeDatabase
    await give_way_together(connection.get_server_pid(), role)
    await connection.set_type_codec("jsonb", encoder=_to_text, decoder=from_json, schema="pg_catalog")


async def _prepare_pooled(connection: Any) -> None:
    await prepare_connection(connection)
    await connection.fetchrow(_ASKED_ABOUT)


def _to_text(value: object) -> str:
    return to_json(value).decode("utf-8")


async def _keep_as_it_is(_: Any) -> None:
    # asyncpg's own reset costs a round trip after every use. Nothing here leaves anything in a session: no advisory
    # lock, no LISTEN, no cursor, no setting outlives its transaction, and a transaction left open is rolled back.
    pass


# A connection asks what an array is when it first meets one, for up to 0.4 s on a busy machine.
_ARRAYS = ("bigint", "boolean", "bytea", "date", "integer", "jsonb", "timestamptz", "uuid")
_ASKED_ABOUT = "select " + ", ".join(f"null::{kind}[]" for kind in _ARRAYS)
_SESSION = {"timezone": "UTC", "application_name": "eligibility", "synchronous_commit": "on", "jit": "off"}
_BULK_SESSION = {"temp_buffers": "64MB"}  # what is staged stays in memory as long as it is small
