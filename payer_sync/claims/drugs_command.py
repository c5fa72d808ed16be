"""The `drugs load` command: puts a drug master into the store, as the payer's database role."""

import argparse
import asyncio
import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
from rich.console import Console

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.database import connect
from payer_sync.claims.drug_master import Drug, MasterRefused, merge_drugs, read_drugs

_DATABASE: Final = "INTAKE_DATABASE_URL"
_ROLE: Final = "eligibility_payer"
_LOAD_TIMEOUT_S: Final = 300.0
_USAGE, _AWAY, _REFUSED, _DONE = 64, 4, 2, 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = "Load a drug master (y_ALL, cp932). Exit code: 0 loaded, 2 refused, 4 database away, 64 usage."
    commands = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    load = commands.add_parser("load", help=f"Load a file into the database of {_DATABASE}.")
    load.add_argument("file", type=Path)
    load.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Load the file; say how many medicines changed."""
    console = Console(stderr=True)
    database_url = os.environ.get(_DATABASE)
    if not database_url:
        console.print(f"{_DATABASE} を設定してください。 / Set {_DATABASE}.", markup=False)
        return _USAGE
    try:
        drugs = list({drug.code: drug for drug in read_drugs(chosen.file)}.values())
    except MasterRefused as refused:
        console.print(
            f"医薬品マスターとして読めません: {refused.line}行目 {refused.column + 1}列目。何も変更していません。",
            f"Not a drug master: {refused}. Nothing was changed.",
            sep="\n", markup=False, soft_wrap=True,
        )  # fmt: skip
        return _REFUSED
    except OSError as error:
        console.print(f"ファイルを読めません / The file cannot be read: {error.strerror}", markup=False)
        return _USAGE
    try:
        changed = asyncio.run(_load(database_url, drugs))
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InvalidAuthorizationSpecificationError):
        console.print(
            "データベースに接続できません。何も変更していません。\nThe database is away. Nothing was changed."
        )
        return _AWAY
    Console().print(f"{len(drugs):,} 品目中 {changed:,} 件を更新 / {changed:,} of {len(drugs):,} medicines changed")
    return _DONE


async def _load(database_url: str, drugs: list[Drug]) -> int:
    connection = await connect(database_url, role=_ROLE, command_timeout_s=_LOAD_TIMEOUT_S)
    try:
        async with connection.transaction():
            now = datetime.now(UTC)
            changed = await merge_drugs(connection, drugs, now)
            event = AuditEvent(
                event_id=uuid7(now),
                occurred_at=now,
                kind=EventKind.DRUGS_LOADED,
                code="loaded",
                actor_kind=ActorKind.OPERATOR,
                actor=getpass.getuser(),
                detail={"medicines": len(drugs), "changed": changed},
            )
            await insert_event(connection, event)
            return changed
    finally:
        await connection.close()
