"""The command line of both halves: `python -m payer_sync push FILE`, `python -m payer_sync intake`."""

import argparse
import asyncio
import json
import sys

USAGE = 64
SET_UP = 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code (for `push`, see payer_sync.push.ExitCode)."""
    parser = argparse.ArgumentParser(prog="python -m payer_sync", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    push = commands.add_parser("push", help="Push a file to the centre and wait for its result.")
    intake = commands.add_parser("intake", help="Take insurers' files in (settings: INTAKE_… variables).")
    intake.set_defaults(run=_intake)
    # Each half is installed without the other's libraries, so that neither is imported for the other.
    if "push" in (arguments if arguments is not None else sys.argv[1:])[:1]:
        from payer_sync.push_command import add_options

        add_options(push)
    try:
        chosen = parser.parse_args(arguments)
    except SystemExit as ended:
        return USAGE if ended.code else 0
    return int(chosen.run(chosen))


def _intake(_: argparse.Namespace) -> int:
    import asyncpg
    from pydantic import ValidationError

    from eligibility.serving.logs import configure_logs
    from eligibility.serving.mutual_tls import ServerTls, serve
    from eligibility.storage.database import UnsafeDatabase, check_reachable
    from payer_sync.intake.app import make_app
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
        await serve(make_app(settings), host=settings.host, port=settings.port, tls=tls, on_started=started)

    try:
        asyncio.run(run())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, UnsafeDatabase) as error:
        print(f"intake: {error}", file=sys.stderr)
        return SET_UP
    return 0


if __name__ == "__main__":
    sys.exit(main())
