"""The centre's command line: `python -m eligibility COMMAND`."""

import argparse
import asyncio
import json
import secrets
import sys
from datetime import UTC, date, datetime, timedelta
from getpass import getpass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from eligibility.domain.errors import DomainError
from eligibility.storage.database import UnsafeDatabase
from eligibility.storage.migrate import NotMigrated, OtherMigrations


class PasswordsDiffer(DomainError):
    """The two passwords are not the same."""


_EPILOG = "Exit code: 0 done, 1 refused, 2 usage, 3 settings, a file or the database. Settings: docs/operating.md."


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 refused, 2 usage, 3 set-up."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen) or 0)
    except ValidationError as error:
        print("Settings are missing or malformed:", file=sys.stderr)
        for fault in error.errors():
            print(f"  ELIGIBILITY_{'_'.join(str(p) for p in fault['loc']).upper()}: {fault['msg']}", file=sys.stderr)
        return 3
    except DomainError as error:
        print(f"{chosen.command}: {error}", file=sys.stderr)
        return 1
    except (
        OSError, UnicodeDecodeError, asyncpg.PostgresError, asyncpg.InterfaceError, UnsafeDatabase, NotMigrated,
        OtherMigrations,
    ) as error:  # fmt: skip
        print(f"{chosen.command}: {error}", file=sys.stderr)
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eligibility", description=__doc__, epilog=_EPILOG)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, epilog=_EPILOG)
        added.set_defaults(run=run)
        return added

    command("api", _api, "Answer terminals over mutual TLS (settings: ELIGIBILITY_… variables).")
    command("worker", _worker, "Do bulk checks, and clear what has had its time (settings: ELIGIBILITY_… variables).")
    migrating = command("migrate", _migrate, "Bring the database to the newest schema, as its owner.")
    migrating.add_argument(
        "--post", action="store_true", help="also take away what processes of the release before need: none is left"
    )
    keys = command("make-keys", _make_keys, "Make a challenge key, a receipt key and a staff key in a folder.")
    keys.add_argument("folder", type=Path)
    receipt = command("verify-receipt", _verify_receipt, "Check a receipt offline with the published keys.")
    receipt.add_argument("receipt", help="the receipt, or - to read it from standard input")
    receipt.add_argument("--keys", type=Path, required=True, help="a saved /.well-known/jwks.json")
    audit = command("audit", _audit, "List the latest audit events.")
    audit.add_argument("--institution", help="only of this institution code")
    audit.add_argument("--limit", type=_limit, default=20, help="how many, at most 10,000")
    member = command("enrol-staff", _enrol_staff, "Take a member of an institution's staff in, or give new factors.")
    disabled = command("disable-staff", _disable_staff, "Shut a member of an institution's staff out, at once.")
    changed = command("change-role", _change_role, "Give a member of an institution's staff another role, at once.")
    for about_staff in (member, disabled, changed):
        about_staff.add_argument("institution")
        about_staff.add_argument("name", help="the name they sign in with")
    for with_role in (member, changed):
        with_role.add_argument("role", choices=["clerk", "nurse", "pharmacist", "doctor"])
    insurer = command("enrol-insurer", _enrol_insurer, "Take an insurer in.")
    insurer.add_argument("number")
    insurer.add_argument("name")
    institution = command("enrol-institution", _enrol_institution, "Take an institution in.")
    institution.add_argument("code")
    institution.add_argument("name")
    terminal = command("enrol-terminal", _enrol_terminal, "Take a terminal of an institution in.")
    terminal.add_argument("terminal_id", type=UUID)
    terminal.add_argument("institution")
    terminal.add_argument("name")
    code = command("enrolment-code", _enrolment_code, "Issue a one-time code by which a terminal enrols itself.")
    code.add_argument("institution")
    code.add_argument("name", help="what the terminal is called, such as 受付1")
    code.add_argument("--hours", type=_hours, default=72, help="how long the code is good, at most 720 (72)")
    revoke = command("revoke-terminal", _revoke_terminal, "Shut a terminal out for good.")
    revoke.add_argument("terminal_id", type=UUID)
    close = command("close-institution", _close_institution, "Close an institution from a day on.")
    close.add_argument("code")
    close.add_argument("day", type=date.fromisoformat)
    retire = command("retire-records", _retire_records, "Drop a month of verifications and events whose time is over.")
    retire.add_argument("month", type=lambda text: date.fromisoformat(f"{text}-01"), metavar="YYYY-MM")
    return parser


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 10_000:
        raise argparse.ArgumentTypeError("a number from 1 to 10000")
    return int(text)


def _api(_: argparse.Namespace) -> int:
    from eligibility.api.app import COUNTER_ROLE, make_app
    from eligibility.serving.logs import configure_logs
    from eligibility.serving.mutual_tls import ServerTls
    from eligibility.serving.workers import serve_with_workers
    from eligibility.settings import ApiSettings
    from eligibility.storage.database import check_reachable

    settings = ApiSettings()
    configure_logs()
    tls = ServerTls(settings.tls_certificate, settings.tls_key, settings.terminal_authorities)

    def started(port: int) -> None:
        print(json.dumps({"event": "listening", "host": settings.host, "port": port}), flush=True)

    app = make_app(settings)
    asyncio.run(check_reachable(settings.database_url.get_secret_value(), COUNTER_ROLE))
    return serve_with_workers(
        app, workers=settings.workers, host=settings.host, port=settings.port, tls=tls, on_started=started,
        turn_away=app.state.admission.turn_away,
    )  # fmt: skip


def _worker(_: argparse.Namespace) -> None:
    from eligibility.serving.logs import configure_logs
    from eligibility.settings import WorkerSettings
    from eligibility.worker import run_until_told

    settings = WorkerSettings()
    configure_logs()
    asyncio.run(run_until_told(settings))


def _migrate(chosen: argparse.Namespace) -> None:
    from eligibility.storage.migrate import migrate, missing, newer

    async def work(connection: Any) -> tuple[list[str], list[str], list[str]]:
        return await migrate(connection, post=chosen.post), await missing(connection), await newer(connection)

    applied, left, beyond = asyncio.run(_with_connection(work))
    for name in applied:
        print(name)
    if left:
        print(f"{left[0]} and what follows wait until no process of the release before is left: migrate --post")
    if beyond:
        print(f"The schema is newer than this release: {beyond[-1]} is not known here.")
    elif not applied and not left:
        print("The schema is the newest.")


def _make_keys(chosen: argparse.Namespace) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chosen.folder.mkdir(parents=True, exist_ok=True)
    made = (("challenge.key", secrets.token_bytes(32)), ("receipt.key", pem), ("staff.key", secrets.token_bytes(32)))
    for name, data in made:
        path = chosen.folder / name
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(data)
        print(path)


def _verify_receipt(chosen: argparse.Namespace) -> int:
    from eligibility.receipt import ReceiptRefused, verify_receipt

    receipt = sys.stdin.read() if chosen.receipt == "-" else chosen.receipt
    try:
        keys = json.loads(chosen.keys.read_text(encoding="utf-8"))
        claims = verify_receipt(receipt.strip(), keys)
    except (ReceiptRefused, json.JSONDecodeError):
        print("受領証は確認できません。 / The receipt does not hold: these keys did not sign it.", file=sys.stderr)
        return 1
    print(json.dumps(claims, ensure_ascii=False, indent=2))
    return 0


def _audit(chosen: argparse.Namespace) -> None:
    from eligibility.domain.dates import time_in_japan
    from eligibility.storage.audit import events_of_institution, latest_events

    async def read(connection: Any) -> list[Any]:
        if chosen.institution:
            return await events_of_institution(connection, chosen.institution, chosen.limit)
        return await latest_events(connection, chosen.limit)

    for event in asyncio.run(_with_connection(read)):
        about = [f"person {event.person_id}" if event.person_id else "", *(f"{k} {v}" for k, v in event.detail.items())]
        print(
            f"{time_in_japan(event.occurred_at, 'microseconds')}  {event.kind:<20} {event.code:<22} "
            f"{event.actor_kind} {event.actor}  {'  '.join(a for a in about if a)}"
        )


def _enrol_insurer(chosen: argparse.Namespace) -> None:
    from eligibility.domain.identifiers import InsurerNumber
    from eligibility.storage.enrolment import enrol_insurer

    number = InsurerNumber.parse(chosen.number)
    _warn_of_check_digit(number.check_digit_holds)
    asyncio.run(_with_connection(lambda c: enrol_insurer(c, number, chosen.name, datetime.now(UTC))))


def _enrol_institution(chosen: argparse.Namespace) -> None:
    from eligibility.domain.identifiers import InstitutionCode
    from eligibility.storage.enrolment import enrol_institution

    code = InstitutionCode.parse(chosen.code)
    _warn_of_check_digit(code.check_digit_holds)
    asyncio.run(_with_connection(lambda c: enrol_institution(c, code, chosen.name, datetime.now(UTC))))


def _enrol_terminal(chosen: argparse.Namespace) -> int:
    from eligibility.domain.identifiers import InstitutionCode
    from eligibility.storage.enrolment import enrol_terminal

    code = InstitutionCode.parse(chosen.institution)
    now = datetime.now(UTC)
    if asyncio.run(_with_connection(lambda c: enrol_terminal(c, chosen.terminal_id, code, chosen.name, now))):
        return 0
    print("The terminal was revoked, or stands at another institution: it is left as it is.", file=sys.stderr)
    return 1


def _enrol_staff(chosen: argparse.Namespace) -> None:
    from eligibility.domain.codes import Role
    from eligibility.domain.identifiers import InstitutionCode, refuse_my_number
    from eligibility.domain.ids import uuid7
    from eligibility.identity.staff_factors import StaffFactors, new_passcode_secret, provisioning_uri, sign_in_key
    from eligibility.settings import StaffSettings
    from eligibility.storage.staff import StaffMember, enrol_staff, find_staff

    institution, name_key = InstitutionCode.parse(chosen.institution), sign_in_key(refuse_my_number(chosen.name))
    factors = StaffFactors.from_file(StaffSettings().staff_key_file)
    password_hash, secret, now = factors.hash_password(_password()), new_passcode_secret(), datetime.now(UTC)

    async def enrol(connection: Any) -> None:
        known = await find_staff(connection, institution, name_key)
        staff_id = known.staff_id if known else uuid7(now)
        member = StaffMember(
            staff_id, chosen.name, Role(chosen.role), password_hash, factors.seal(secret, staff_id), disabled=False
        )
        await enrol_staff(connection, institution, member, name_key, now)

    asyncio.run(_with_connection(enrol))
    print("For the authenticator app; it is shown this once:")
    print(provisioning_uri(secret, chosen.name, institution.code))


def _disable_staff(chosen: argparse.Namespace) -> int:
    from eligibility.domain.identifiers import InstitutionCode
    from eligibility.identity.staff_factors import sign_in_key
    from eligibility.storage.staff import disable_staff

    institution, name_key, now = InstitutionCode.parse(chosen.institution), sign_in_key(chosen.name), datetime.now(UTC)
    disabled = asyncio.run(_with_connection(lambda c: disable_staff(c, institution, name_key, now)))
    print("Disabled." if disabled else "There is nobody of that name who could sign in.")
    return 0 if disabled else 1


def _change_role(chosen: argparse.Namespace) -> int:
    from eligibility.domain.codes import Role
    from eligibility.domain.identifiers import InstitutionCode
    from eligibility.identity.staff_factors import sign_in_key
    from eligibility.storage.staff import change_role

    institution, name_key, now = InstitutionCode.parse(chosen.institution), sign_in_key(chosen.name), datetime.now(UTC)
    role = Role(chosen.role)
    changed = asyncio.run(_with_connection(lambda c: change_role(c, institution, name_key, role, now)))
    print("Changed." if changed else "There is nobody of that name.")
    return 0 if changed else 1


def _password() -> str:
    """Ask for a password on the terminal, twice; or read it as the one line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first, again = getpass("Password: "), getpass("Again: ")
    if first != again:
        raise PasswordsDiffer
    return first


def _hours(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= 720:
        raise argparse.ArgumentTypeError("a number from 1 to 720")
    return int(text)


def _enrolment_code(chosen: argparse.Namespace) -> int:
    from eligibility.domain.identifiers import InstitutionCode
    from eligibility.storage.enrolment import issue_enrolment_code
    from eligibility.terminal_enrolment import code_hash, new_code

    institution, now, code = InstitutionCode.parse(chosen.institution), datetime.now(UTC), new_code(secrets.randbits)
    until = now + timedelta(hours=chosen.hours)
    issued = asyncio.run(
        _with_connection(lambda c: issue_enrolment_code(c, code_hash(code), institution, chosen.name, now, until))
    )
    if not issued:
        print("There is no such institution, or it has closed.", file=sys.stderr)
        return 1
    print(f"{code}\nGood once, until {until:%Y-%m-%d %H:%M} UTC. It is shown here only.")
    return 0


def _revoke_terminal(chosen: argparse.Namespace) -> int:
    from eligibility.storage.enrolment import revoke_terminal

    now = datetime.now(UTC)
    revoked = asyncio.run(_with_connection(lambda c: revoke_terminal(c, chosen.terminal_id, now)))
    print("Revoked." if revoked else "There is no such terminal in use.")
    return 0 if revoked else 1


def _close_institution(chosen: argparse.Namespace) -> int:
    from eligibility.domain.identifiers import InstitutionCode
    from eligibility.storage.enrolment import close_institution

    code = InstitutionCode.parse(chosen.code)
    now = datetime.now(UTC)
    closed = asyncio.run(_with_connection(lambda c: close_institution(c, code, chosen.day, now)))
    print("Closed." if closed else "There is no such institution.")
    return 0 if closed else 1


def _retire_records(chosen: argparse.Namespace) -> None:
    from eligibility.storage.clearing import retire_records

    async def work(connection: Any) -> int:
        async with connection.transaction():
            return await retire_records(connection, chosen.month, datetime.now(UTC))

    dropped = asyncio.run(_with_connection(work))
    print(f"The month is gone from {dropped} partitions." if dropped else "There are no records of that month.")


async def _with_connection(work: Any) -> Any:
    from eligibility.settings import StoreSettings
    from eligibility.storage.database import connect

    connection = await connect(StoreSettings().database_url.get_secret_value(), command_timeout_s=None)
    try:
        return await work(connection)
    finally:
        await connection.close()


def _warn_of_check_digit(holds: bool) -> None:
    if not holds:
        print("Warning: the check digit does not hold.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
