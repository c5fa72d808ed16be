"""The `drugs load` command: puts a drug master into the store, as the payer's database role."""

import argparse
import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from payer_sync.claims.drug_master import Drug, MasterRefused, merge_drugs, read_drugs
from payer_sync.operator_database import DONE, REFUSED, USAGE, at_database

_LOAD_TIMEOUT_S: Final = 300.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = (
        "Load a drug master (y_ALL, cp932). "
        "Exit code: 0 loaded, 2 refused, 3 set-up, 4 database away, 64 the file cannot be read, usage."
    )
    commands = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    load = commands.add_parser("load", help="Load a file into the database of INTAKE_DATABASE_URL.")
    load.add_argument("file", type=Path)
    load.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Load the file; say how many medicines changed."""
    console = Console(stderr=True)
    try:
        drugs = list({drug.code: drug for drug in read_drugs(chosen.file)}.values())
    except MasterRefused as refused:
        console.print(
            f"医薬品マスターとして読めません: {refused.line}行目 {refused.column + 1}列目。何も変更していません。",
            f"Not a drug master: {refused}. Nothing was changed.",
            sep="\n", markup=False, soft_wrap=True,
        )  # fmt: skip
        return REFUSED
    except OSError as error:
        console.print(f"ファイルを読めません / The file cannot be read: {error.strerror}", markup=False)
        return USAGE
    return at_database(lambda connection: _load(connection, drugs), _LOAD_TIMEOUT_S)


async def _load(connection: Any, drugs: list[Drug]) -> int:
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
    Console().print(f"{len(drugs):,} 品目中 {changed:,} 件を更新 / {changed:,} of {len(drugs):,} medicines changed")
    return DONE
