"""`python -m terminal_agent enrol` and `renew`: the terminal's certificate, got and got again."""

import argparse
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from eligibility.wire.enrolments import EnrolmentRequest, RenewalRequest, TerminalCertificate
from eligibility.wire.problems import Sentence
from terminal_agent.client import Centre, CredentialsUnreadable
from terminal_agent.console import Console
from terminal_agent.enrolment.credentials import (
    CREDENTIALS_NAME,
    SETTINGS_NAME,
    EnrolmentTrouble,
    is_due,
    obtain,
    was_cut,
    write_settings,
)
from terminal_agent.language import Language
from terminal_agent.line import trusting
from terminal_agent.settings import TerminalSettings, centre_address

_TIMEOUT_S = 30.0
_NOT_YET = Sentence(ja="証明書の更新はまだ必要ありません。", en="The certificate need not be renewed yet.")


def add_arguments(commands: Any) -> None:
    """Add both commands to the terminal's."""
    enrol = commands.add_parser("enrol", help="Make this terminal's key and get its certificate by a one-time code.")
    enrol.add_argument("--centre", required=True, metavar="URL", help="https://host:port of the centre")
    enrol.add_argument("--authority", required=True, type=Path, metavar="FILE", help="PEM: the centre's CA")
    enrol.add_argument("--folder", required=True, type=Path, metavar="DIR", help="where key and settings go")
    enrol.add_argument("--code", metavar="CODE", help="from the operator; without it, it is asked for")
    renew = commands.add_parser("renew", help="Get a new certificate for a new key, if the old one ends soon.")
    renew.add_argument("--settings", type=Path, metavar="FILE", required=True, help="the terminal's settings file")
    renew.add_argument("--now", action="store_true", help="even if it does not end soon")
    for parser in (enrol, renew):
        parser.add_argument("--language", choices=[x.value for x in Language], default=Language.BOTH.value)
        parser.set_defaults(json=False)


def enrol(chosen: argparse.Namespace, console: Console) -> None:
    """Enrol this terminal, and say as what.

    Raises:
        EnrolmentTrouble, Refused, CentreError: what went wrong, each with its advice.
    """
    _tell(_enrol(chosen, console), console)


def renew(settings: TerminalSettings, at_once: bool, console: Console) -> None:
    """Renew this terminal's certificate if it ends soon, or `at_once`; a terminal that runs takes the new one.

    Raises:
        EnrolmentTrouble, Refused, CentreError: as `enrol`.
    """
    if settings.certificate != settings.key:  # two files could not be replaced as one
        raise EnrolmentTrouble("enrolment_file_unusable", settings.certificate.name)
    if not at_once and not is_due(settings.certificate, datetime.now(UTC)):
        console.tell(_NOT_YET)
        return
    with Centre.open(settings) as centre:
        got = obtain(settings.certificate, lambda request: centre.renew(RenewalRequest(certification_request=request)))
    _tell(got, console)


def _tell(got: TerminalCertificate, console: Console) -> None:
    until = got.not_after.date().isoformat()
    console.tell(
        Sentence(
            ja=f"{got.institution_name} の端末「{got.name}」の証明書を受け取りました(有効期限 {until})。",
            en=f"This is terminal “{got.name}” of {got.institution_name}; its certificate ends on {until}.",
        )
    )


def _enrol(chosen: argparse.Namespace, console: Console) -> TerminalCertificate:
    try:
        centre_address(chosen.centre)
    except ValueError as error:
        raise EnrolmentTrouble("enrolment_file_unusable", "--centre") from error
    settings, credentials = chosen.folder / SETTINGS_NAME, chosen.folder / CREDENTIALS_NAME
    for path in (settings, credentials):
        if path.exists() and (path == settings or not was_cut(credentials)):
            raise EnrolmentTrouble("enrolment_folder_in_use", path.name)
    try:
        chosen.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        tls = trusting(chosen.authority)
    except ssl.SSLError as error:
        raise CredentialsUnreadable from error
    except OSError as error:
        raise EnrolmentTrouble("enrolment_file_unusable", error.filename or chosen.authority.name) from error
    code = chosen.code or console.ask_line(Sentence(ja="登録コード", en="Enrolment code"))
    with Centre(httpx.Client(base_url=chosen.centre, verify=tls, timeout=_TIMEOUT_S, trust_env=False)) as centre:
        return obtain(
            credentials,
            lambda request: centre.enrol(EnrolmentRequest(code=code[:64] or "?", certification_request=request)),
            then=lambda: write_settings(settings, chosen.centre, chosen.authority, credentials),
        )
