"""The command line of both halves: an insurer's office pushes, watches and validates; the centre takes in."""

import argparse
import asyncio
import json
import os
import sys
from importlib import import_module
from typing import Final

USAGE = 64
SET_UP = 3
# Each command with the module that adds its options, and one sentence.
_COMMANDS: Final = {
    "push": ("payer_sync.push_command", "Push a file to the centre and wait for its result."),
    "watch": ("payer_sync.watch_command", "Push whatever lands in a folder, and file the feedback beside it."),
    "validate": ("payer_sync.validate_command", "Check a file as the centre does, offline."),
    "submissions": ("payer_sync.case_commands", "Operator: list submissions, those held for approval first."),
    "approve": ("payer_sync.case_commands", "Operator: let a held file be merged."),
    "reject": ("payer_sync.case_commands", "Operator: refuse a held file."),
    "cases": (
        "payer_sync.case_commands",
        "Operator: list, show, release, reject or reverse suspected wrong links, and list what was shown by mistake.",
    ),
    "layouts": ("payer_sync.layouts_command", "List the layouts, their editions and how they stand."),
    "drugs": ("payer_sync.claims.drugs_command", "Load the drug master that names the medicines of claims."),
}
_INTAKE: Final = "Take insurers' files in (settings: INTAKE_… variables)."
_INTAKE_EPILOG: Final = "Exit code: 0 told to stop, 3 set-up, 64 usage. Settings: docs/operating.md."


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code (for `push`, see payer_sync.push.ExitCode)."""
    parser = argparse.ArgumentParser(prog="python -m payer_sync", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    given = (arguments if arguments is not None else sys.argv[1:])[:1]
    for name, (module, said) in _COMMANDS.items():
        command = commands.add_parser(name, help=said)
        # Each half is installed without the other's libraries, so that neither is imported for the other.
        if given == [name]:
            import_module(module).add_options(command)
    intake = commands.add_parser("intake", help=_INTAKE, description=_INTAKE, epilog=_INTAKE_EPILOG)
    intake.set_defaults(run=_intake)
    try:
        chosen = parser.parse_args(arguments)
    except SystemExit as ended:
        return USAGE if ended.code else 0
    return int(chosen.run(chosen))


def _intake(_: argparse.Namespace) -> int:
    # The steps of a load work side by side: more threads in one of them would take the others' processors. Polars reads
    # this when it is imported.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    import asyncpg
    from pydantic import ValidationError

    from eligibility.serving.logs import configure_logs
    from eligibility.serving.mutual_tls import ServerTls, serve
    from eligibility.storage.database import UnsafeDatabase, check_reachable
    from eligibility.storage.migrate import NotMigrated, OtherMigrations
    from payer_sync.intake.app import claim_spool, make_app
    from payer_sync.loading import ROLE
    from payer_sync.settings import IntakeSettings

    try:
        settings = IntakeSettings()
    except ValidationError as error:
        print("Settings are missing or malformed:", file=sys.stderr)
        for fault in error.errors():
            print(f"  INTAKE_{'_'.join(str(p) for p in fault['loc']).upper()}: {fault['msg']}", file=sys.stderr)
        return SET_UP
    configure_logs()
    tls = ServerTls(settings.tls_certificate, settings.tls_key, settings.insurer_authorities)

    def started(port: int) -> None:
        print(json.dumps({"event": "listening", "host": settings.host, "port": port}), flush=True)

    async def run() -> None:
        await check_reachable(settings.database_url.get_secret_value(), ROLE)
        await claim_spool(settings)
        await serve(make_app(settings), host=settings.host, port=settings.port, tls=tls, on_started=started)

    try:
        asyncio.run(run())
    except (
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError, UnsafeDatabase, NotMigrated, OtherMigrations,
    ) as error:  # fmt: skip
        print(f"intake: {error}", file=sys.stderr)
        return SET_UP
    return 0


if __name__ == "__main__":
    sys.exit(main())
