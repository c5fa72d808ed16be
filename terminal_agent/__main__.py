"""The terminal's command line: `python -m terminal_agent COMMAND`."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

import structlog
from pydantic import ValidationError
from rich.console import Console as RichConsole

from eligibility.domain.codes import ConsentClass, Outcome
from eligibility.wire.problems import Problem
from eligibility.wire.verifications import NumberVerificationRequest, Verification
from terminal_agent.answer import answer_panel
from terminal_agent.bridge.errors import BridgeError
from terminal_agent.bulk import command as bulk_command
from terminal_agent.bulk.tables import FileUnusable
from terminal_agent.card.connection import Connection
from terminal_agent.card.errors import CardError
from terminal_agent.card.reader import card_in_reader
from terminal_agent.card.virtual_files import card_in_folder
from terminal_agent.check import CheckRequest, Registering, check_card
from terminal_agent.client import Centre, CentreError, CredentialsUnreadable, Refused
from terminal_agent.console import Console
from terminal_agent.enrolment import command as enrolment_command
from terminal_agent.enrolment.credentials import EnrolmentTrouble
from terminal_agent.face import arguments as face_arguments
from terminal_agent.kiosk import passcode_command
from terminal_agent.kiosk.passcode import PasscodeTrouble
from terminal_agent.language import Language
from terminal_agent.loopback import PortTaken
from terminal_agent.messages import ADVICE, PROMPTS, Advice
from terminal_agent.outbox import command as outbox_command
from terminal_agent.outbox.draining import TerminalRefused
from terminal_agent.outbox.sealing import OutboxTrouble
from terminal_agent.settings import ENV_PREFIX, SettingsFileMalformed, TerminalSettings

_EXIT_CODES = """exit codes:
  0   insured: the outcome is valid
  1   another outcome: lapsed, none, several, suspended …
  2   the centre refused the request
  3   trouble with the card, its PIN or the reader
  4   the centre cannot be reached or is in trouble
  64  wrong usage or settings
  70  an error of this program
  130 stopped by Ctrl-C

The PIN is asked for on the terminal; where standard input is none, it is one line of it. It is never an argument.
Settings are variables TERMINAL_… of the environment, or stand in the file given with --settings: TOML (FILE.toml), or
TERMINAL_NAME=value lines. docs/counter.md tells all of them."""


_SETTINGS_HELP = "settings: name = value as TOML (FILE.toml), or TERMINAL_NAME=value lines (docs/counter.md)"


class ExitCode(IntEnum):
    """What `check` ends with."""

    VALID = 0
    OTHER_OUTCOME = 1
    REFUSED = 2
    CARD = 3
    CENTRE = 4
    USAGE = 64
    INTERNAL = 70
    STOPPED = 130


class _UsageError(Exception):
    """The command line or the settings are wrong; `code` names the advice."""

    def __init__(self, code: str, names: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.names = names


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; no trouble ends in a traceback."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "face":
        # What only one command needs is loaded by it: a person at the counter waits for `check`.
        from terminal_agent.face import command as face_command

        return face_command.run(chosen)
    # What is said beside the answer goes to standard error, so that --json leaves nothing else on standard output.
    console = Console(Language(chosen.language), RichConsole(stderr=True), sys.stdin)
    try:
        if chosen.command == "run":
            from terminal_agent.kiosk.serving import run_screens

            run_screens(_settings(chosen.settings), chosen.settings, chosen.virtual)
            return ExitCode.VALID
        if chosen.command == "passcode":
            passcode_command.run(chosen.file)
            return ExitCode.VALID
        if chosen.command == "doctor":
            from terminal_agent import doctor

            well = doctor.run(_settings(chosen.settings), chosen.settings, Language(chosen.language), chosen.json)
            return ExitCode.VALID if well else ExitCode.OTHER_OUTCOME
        if chosen.command == "bridge":
            from terminal_agent.bridge.service import run_bridge

            run_bridge(_bridge_settings(chosen))
            return ExitCode.VALID
        if chosen.command == "enrol":
            enrolment_command.enrol(chosen, console)
            return ExitCode.VALID
        if chosen.command == "renew":
            enrolment_command.renew(_settings(chosen.settings), chosen.now, console)
            return ExitCode.VALID
        if chosen.command == "bulk":
            return _bulk(chosen)
        if chosen.command == "outbox":
            outbox_command.run(chosen, _settings(chosen.settings), console.tell, datetime.now(UTC))
            return ExitCode.VALID
        verification = _check(chosen, console)
    except Refused as refused:
        _tell_problem(refused.problem, console, chosen.json)
        return ExitCode.CENTRE if refused.problem.status >= 500 else ExitCode.REFUSED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last stop
        exit_code, code, advice = _judge(error)
        _tell_trouble(code, advice, console, chosen.json)
        return exit_code
    if chosen.json:
        print(json.dumps({"verification": verification.model_dump(mode="json")}, ensure_ascii=False))
    else:
        RichConsole().print(answer_panel(verification, Language(chosen.language)))
    return ExitCode.VALID if verification.outcome is Outcome.VALID else ExitCode.OTHER_OUTCOME


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with our code for usage; argparse's own 2 means "refused" here."""
        self.print_usage(sys.stderr)
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m terminal_agent", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="Ask whether a person is insured, by their My Number card or by insured number.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = check.add_mutually_exclusive_group()
    source.add_argument("--virtual", type=Path, metavar="FOLDER", help="use the virtual card in this folder")
    source.add_argument("--reader", metavar="NAME", help="use the reader whose name holds this (TERMINAL_READER)")
    source.add_argument(
        "--number",
        nargs=4,
        metavar=("INSURER", "SYMBOL", "NUMBER", "BRANCH"),
        help='ask without a card; an absent symbol or branch is ""; needs --birth-date',
    )
    check.add_argument("--birth-date", type=_day, metavar="YYYY-MM-DD")
    check.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="insured on this day (today)")
    check.add_argument(
        "--consent",
        nargs="+",
        action="extend",
        default=[],
        choices=[c.value for c in ConsentClass],
        metavar="CLASS",
        help=f"what the patient agreed to show: {', '.join(c.value for c in ConsentClass)}",
    )
    check.add_argument(
        "--register",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="register a card the centre does not know, or do not; without either the person is asked",
    )
    check.add_argument("--json", action="store_true", help="print the answer, or the trouble, as one JSON object")
    check.add_argument("--language", choices=[language.value for language in Language], default=Language.BOTH.value)
    check.add_argument("--settings", type=Path, metavar="FILE", help=_SETTINGS_HELP)
    run = commands.add_parser("run", help="Serve the counter's screens on this machine until stopped.")
    run.add_argument("--settings", type=Path, metavar="FILE", help=_SETTINGS_HELP)
    run.add_argument("--virtual", type=Path, metavar="FOLDER", help="a folder in place of a reader: its card is in it")
    run.set_defaults(json=False, language=Language.BOTH.value)
    passcode = commands.add_parser("passcode", help="Set the passcode with which staff confirm a face by eye.")
    passcode.add_argument("file", type=Path, help="what TERMINAL_VISUAL_PASSCODE names")
    passcode.set_defaults(json=False, language=Language.BOTH.value)
    examining = commands.add_parser(
        "doctor", help="Say how every part of this terminal is; ends with 1 if one is broken."
    )
    examining.add_argument("--json", action="store_true", help="print the findings as one JSON object")
    examining.add_argument("--language", choices=[x.value for x in Language], default=Language.BOTH.value)
    examining.add_argument("--settings", type=Path, metavar="FILE", help=_SETTINGS_HELP)
    face_arguments.add_arguments(commands)
    bridge = commands.add_parser("bridge", help="Serve the clinic's software alone: a shared folder, REST, or both.")
    bridge.add_argument("--folder", type=Path, metavar="DIR", help="with req, res, face, err (TERMINAL_BRIDGE_FOLDER)")
    bridge.add_argument("--port", type=int, metavar="PORT", help="REST on 127.0.0.1 (TERMINAL_BRIDGE_PORT)")
    bridge.add_argument("--settings", type=Path, metavar="FILE", help=_SETTINGS_HELP)
    bridge.set_defaults(json=False, language=Language.BOTH.value)
    enrolment_command.add_arguments(commands)
    bulk = commands.add_parser("bulk", help="Check a file of appointments; ends with 1 if some lines have no outcome.")
    bulk_command.add_arguments(bulk)
    bulk.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="insured on this day (today)")
    bulk.add_argument("--json", action="store_true", help="print the counts, or the trouble, as one JSON object")
    bulk.add_argument("--language", choices=[language.value for language in Language], default=Language.BOTH.value)
    bulk.add_argument("--settings", type=Path, metavar="FILE", help=_SETTINGS_HELP)
    outbox = commands.add_parser("outbox", help="The visits journalled while the line was down.")
    outbox.add_argument("--settings", type=Path, metavar="FILE", help=_SETTINGS_HELP)
    for action in outbox_command.add_arguments(outbox):
        # Behind the action, too; one that leaves it out must not take away what stood before it.
        action.add_argument("--settings", type=Path, metavar="FILE", default=argparse.SUPPRESS, help=_SETTINGS_HELP)
    outbox.set_defaults(json=False, language=Language.BOTH.value)
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("a date is YYYY-MM-DD") from error


def _check(chosen: argparse.Namespace, console: Console) -> Verification:
    by_number = _number_request(chosen)
    settings = _settings(chosen.settings)
    with Centre.open(settings) as centre:
        if by_number is not None:
            return centre.verify_number(by_number)
        # Before the patient is asked for anything, so that a line that is down is known at once.
        centre.fetch_challenges()
        with _card(chosen, settings, console) as connection:
            return check_card(connection, centre, console, _check_request(chosen))


def _bulk(chosen: argparse.Namespace) -> ExitCode:
    with Centre.open(_settings(chosen.settings)) as centre:
        checked = bulk_command.run(centre, chosen.file, chosen.out, chosen.day, Language(chosen.language))
    counts = {"items": len(checked.results), "changed": checked.changed, "problems": checked.problems}
    print(json.dumps({"bulk": counts}) if chosen.json else "  ".join(f"{name} {n:,}" for name, n in counts.items()))
    return ExitCode.OTHER_OUTCOME if checked.problems else ExitCode.VALID


def _number_request(chosen: argparse.Namespace) -> NumberVerificationRequest | None:
    if chosen.number is None:
        if chosen.birth_date is not None:
            raise _UsageError("entry_malformed", "--birth-date")
        return None
    if chosen.birth_date is None:
        raise _UsageError("entry_malformed", "--birth-date")
    if chosen.consent or chosen.register is not None:  # they need the card
        raise _UsageError("entry_malformed", "--consent, --register")
    insurer, symbol, number, branch = chosen.number
    try:
        return NumberVerificationRequest(
            insurer_number=insurer,
            symbol=symbol,
            number=number,
            branch_number=branch,
            birth_date=chosen.birth_date,
            asked_for=chosen.day,
            known_at=None,
        )
    except ValidationError as error:
        raise _UsageError("entry_malformed", _fields(error)) from error


def _check_request(chosen: argparse.Namespace) -> CheckRequest:
    registering = {None: Registering.ASK, True: Registering.YES, False: Registering.NO}[chosen.register]
    consents = tuple(consent for consent in ConsentClass if consent.value in chosen.consent)
    return CheckRequest(consents, chosen.day, registering)


def _settings(file: Path | None) -> TerminalSettings:
    if file is not None and not (os.path.isfile(file) and os.access(file, os.R_OK)):
        raise _UsageError("settings_file_missing")
    try:
        return TerminalSettings.load(file)
    except ValidationError as error:
        raise _UsageError("settings_incomplete", _fields(error, ENV_PREFIX)) from error
    except SettingsFileMalformed as error:
        raise _UsageError("settings_incomplete", str(error)) from error


def _bridge_settings(chosen: argparse.Namespace) -> TerminalSettings:
    stated = {"bridge_folder": chosen.folder, "bridge_port": chosen.port}
    return _settings(chosen.settings).model_copy(
        update={name: value for name, value in stated.items() if value is not None}
    )


def _fields(error: ValidationError, prefix: str = "") -> str:
    names = ("_".join(str(part) for part in fault["loc"]) for fault in error.errors())
    return ", ".join(f"{prefix}{name.upper()}" if prefix else name for name in names)


@contextmanager
def _card(chosen: argparse.Namespace, settings: TerminalSettings, console: Console) -> Iterator[Connection]:
    if chosen.virtual is not None:
        with card_in_folder(chosen.virtual) as virtual:
            yield virtual
    else:
        console.tell(PROMPTS["put_card"])
        with card_in_reader(chosen.reader or settings.reader, settings.card_wait_s) as connection:
            yield connection


def _judge(error: BaseException) -> tuple[ExitCode, str, Advice]:
    match error:
        case CardError():
            return ExitCode.CARD, error.code, ADVICE[error.code].filled(error.facts)
        case CredentialsUnreadable() | BridgeError() | PortTaken() | PasscodeTrouble():
            return ExitCode.USAGE, error.code, ADVICE[error.code]
        case CentreError():
            return ExitCode.CENTRE, error.code, ADVICE[error.code]
        case FileUnusable():
            return ExitCode.USAGE, error.code, ADVICE[error.code].filled({"names": error.names})
        case EnrolmentTrouble():
            return ExitCode.USAGE, error.code, ADVICE[error.code].filled({"names": error.names})
        case OutboxTrouble():
            return ExitCode.USAGE, error.code, ADVICE[error.code]
        case TerminalRefused():
            return ExitCode.REFUSED, "terminal_not_accepted", ADVICE["terminal_not_accepted"]
        case _UsageError():
            return ExitCode.USAGE, error.code, ADVICE[error.code].filled({"names": error.names})
        case KeyboardInterrupt():
            return ExitCode.STOPPED, "stopped", ADVICE["stopped"]
        case _:
            # The kind alone: an error's text may quote a value.
            return ExitCode.INTERNAL, "unexpected", ADVICE["unexpected"].filled({"kind": type(error).__name__})


def _tell_trouble(code: str, advice: Advice, console: Console, as_json: bool) -> None:
    if as_json:
        trouble = {"code": code, "happened": advice.happened.model_dump(), "next_step": advice.next_step.model_dump()}
        print(json.dumps({"trouble": trouble}, ensure_ascii=False))
    else:
        console.tell_trouble(advice)


def _tell_problem(problem: Problem, console: Console, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"trouble": {"code": problem.code, "problem": problem.model_dump()}}, ensure_ascii=False))
    else:
        console.tell_problem(problem)


if __name__ == "__main__":
    # Standard output is for answers alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.exit(main())
