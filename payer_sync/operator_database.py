"""The operator's commands at the intake's database: one connection, and what they say and end with where it fails."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
from pydantic import ValidationError
from rich.console import Console

from eligibility.storage.database import MalformedAddress, UnsafeDatabase, connect
from eligibility.storage.migrate import NotMigrated, OtherMigrations, check_migrated
from payer_sync.loading import ROLE
from payer_sync.settings import OperatorSettings
from payer_sync.table_content import LOAD_TIMEOUT_S

DONE, REFUSED, SET_UP, SERVER_AWAY, USAGE = 0, 2, 3, 4, 64
_NEEDED: Final = ("環境変数 INTAKE_DATABASE_URL が必要です。", "The variable INTAKE_DATABASE_URL is needed.")
_MALFORMED: Final = (
    "INTAKE_DATABASE_URL の形式が正しくありません(postgresql://利用者:パスワード@ホスト/名前、記号は %XX)。",
    "INTAKE_DATABASE_URL is no address of a database (postgresql://USER:PASSWORD@HOST/NAME, signs in them as %XX).",
)
_UNSAFE: Final = (
    "データベースは fsync が無効で、登録したデータを失うおそれがあるため使いません。",
    "The database has fsync off and could lose what it has stored; it is not used.",
)
_NOT_MIGRATED: Final = (
    "データベースがこの版のものではありません。移行(python -m eligibility migrate)を確認してください。",
    "The database is not that of this release. Look at its migrations (python -m eligibility migrate).",
)
_READ_ONLY: Final = (
    "データベースは読み取り専用です。何も変更していません。",
    "The database can only be read; nothing was changed.",
)
_AWAY: Final = ("データベースに接続できません。", "The database is away.")
_LOST: Final = (
    "途中でデータベースとの接続が切れました。実行されたか確かめてから、もう一度実行してください。",
    "The database went away midway. Look whether it was done before you repeat it.",
)


def at_database(work: Callable[[Any], Awaitable[int]], timeout_s: float = LOAD_TIMEOUT_S) -> int:
    """Do the work on one connection as the payer's role, each statement within the time; return its exit code.

    Where there is no connection, or it is lost, standard error says why, never with what, and the exit code is `SET_UP`
    or `SERVER_AWAY`.
    """
    return asyncio.run(_at_database(work, timeout_s))


async def _at_database(work: Callable[[Any], Awaitable[int]], timeout_s: float) -> int:
    try:
        url = OperatorSettings().database_url.get_secret_value()
    except ValidationError:
        return _fail(SET_UP, _NEEDED)
    try:
        connection = await connect(url, role=ROLE, command_timeout_s=timeout_s)
    except UnsafeDatabase:
        return _fail(SET_UP, _UNSAFE)
    except (OSError, asyncpg.PostgresError):
        return _fail(SERVER_AWAY, _AWAY)
    except MalformedAddress:
        return _fail(SET_UP, _MALFORMED)
    try:
        await check_migrated(connection)
        return await work(connection)
    except (NotMigrated, OtherMigrations):
        return _fail(SET_UP, _NOT_MIGRATED)
    except asyncpg.ReadOnlySQLTransactionError:
        return _fail(SERVER_AWAY, _READ_ONLY)
    except (TimeoutError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError):
        return _fail(SERVER_AWAY, _LOST)
    except asyncpg.InterfaceError:
        if not connection.is_closed():
            raise
        return _fail(SERVER_AWAY, _LOST)
    finally:
        await connection.close()


def _fail(code: int, said: tuple[str, str]) -> int:
    Console(stderr=True).print(*said, sep="\n", markup=False, highlight=False, soft_wrap=True)
    return code
