"""`python -m terminal_agent check` as staff run it: a process of its own, a TLS line, and a card or a lack of one."""

import json
import os
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from eligibility.domain.codes import Method, Outcome
from eligibility.wire.problems import Problem, Sentence
from eligibility.wire.verifications import CardRegistration, Challenges, Verification
from loadtest.pki import Enrolment
from terminal_agent.card.pcscd import OwnPcscd
from terminal_agent.card.virtual_content import CardContent
from terminal_agent.card.virtual_files import save_card
from terminal_agent.card.vpcd import CardInVpcd

NOW = datetime.now(UTC).replace(microsecond=0)
PINS = re.compile(r"\b(2741|5906|KARUTA77|8364)\b")


@dataclass
class Counter:
    """A centre that speaks TLS and says what the test chose."""

    address: str = ""
    outcome: Outcome = Outcome.VALID
    problem: tuple[int, str] | None = None
    registered: bool = True
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        self.asked.append(path)
        if path == "/v1/challenges":
            issued = tuple(os.urandom(48) for _ in range(body["count"]))
            return 200, Challenges(challenges=issued, expires_at=NOW + timedelta(hours=1)).model_dump_json()
        if path == "/v1/card-registrations":
            self.registered = True
            return 201, CardRegistration(registered_at=NOW, already_registered=False).model_dump_json()
        refused = self.problem or (None if self.registered else (404, "card_not_registered"))
        if refused is not None:
            said = Sentence(ja="受付へ。", en="For reception.")
            problem = Problem(type="urn:x", title="x", status=refused[0], code=refused[1], staff=said, vendor=said)
            return refused[0], problem.model_dump_json()
        return 200, Verification(
            verification_id=UUID(int=7), verified_at=NOW, method=Method.PIN, outcome=self.outcome,
            asked_for=NOW.date(), known_at=NOW, data_as_of=None, coverage=None, conflicting_insurers=(),
            consents=(), withheld=(), notices=(), receipt="a.b.c",
        ).model_dump_json()  # fmt: skip


@pytest.fixture(scope="module")
def enrolment() -> Enrolment:
    return Enrolment.create(NOW)


@pytest.fixture(scope="module")
def credentials(enrolment: Enrolment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("credentials")
    enrolment.terminal("1312345672", UUID(int=1), NOW).write(folder, "terminal")
    enrolment.server(NOW).write(folder, "server")
    for name, authority in (("servers", enrolment.servers), ("terminals", enrolment.terminals)):
        (folder / f"{name}.crt").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    return folder


@pytest.fixture
def counter(credentials: Path) -> Iterator[Counter]:
    counter = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, said = counter.answer(self.path, body)
            kind = "application/json" if status < 400 else "application/problem+json"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(said.encode())))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_: object) -> None:
            pass

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(credentials / "server.crt", credentials / "server.key")
    tls.load_verify_locations(credentials / "terminals.crt")
    tls.verify_mode = ssl.CERT_REQUIRED
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        counter.address = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield counter
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(credentials: Path, counter: Counter, tmp_path: Path) -> Path:
    file = tmp_path / "terminal.env"
    file.write_text(
        f"TERMINAL_CENTRE_URL={counter.address}\n"
        f"TERMINAL_CENTRE_AUTHORITY={credentials / 'servers.crt'}\n"
        f"TERMINAL_CERTIFICATE={credentials / 'terminal.crt'}\n"
        f"TERMINAL_KEY={credentials / 'terminal.key'}\n"
        "TERMINAL_CARD_WAIT_S=0\n"
    )
    return file


@pytest.fixture
def folder(content: CardContent, tmp_path: Path) -> Path:
    save_card(tmp_path / "card", content)
    return tmp_path / "card"


def run(*arguments: str | Path, fed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TERMINAL_")}
    result = subprocess.run(
        [sys.executable, "-m", "terminal_agent", "check", *map(str, arguments)],
        input=fed, capture_output=True, text=True, timeout=60, check=False, env=inherited | environment,
    )  # fmt: skip
    said = result.stdout + result.stderr
    assert "Traceback" not in said
    assert not PINS.search(said)
    return result


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.VALID, 0), (Outcome.LAPSED, 1), (Outcome.SUSPENDED, 1)])
def test_the_outcome_is_the_exit_code(
    counter: Counter, settings: Path, folder: Path, outcome: Outcome, code: int
) -> None:
    counter.outcome = outcome
    done = run("--settings", settings, "--virtual", folder, fed="2741\n")
    assert done.returncode == code, done.stderr
    assert outcome.ja in done.stdout
    assert outcome.en in done.stdout


def test_json_is_all_there_is_on_standard_output(counter: Counter, settings: Path, folder: Path) -> None:
    done = run("--settings", settings, "--virtual", folder, "--json", fed="2741\n")
    assert Verification.model_validate(json.loads(done.stdout)["verification"]).outcome is Outcome.VALID


def test_an_unknown_card_is_registered_when_told_to(counter: Counter, settings: Path, folder: Path) -> None:
    counter.registered = False
    refused = run("--settings", settings, "--virtual", folder, "--json", fed="2741\n")
    assert refused.returncode == 2
    assert json.loads(refused.stdout)["trouble"]["code"] == "card_not_registered"
    done = run("--settings", settings, "--virtual", folder, "--register", fed="2741\n5906\n")
    assert done.returncode == 0, done.stderr
    assert counter.asked[-2:] == ["/v1/card-registrations", "/v1/verifications"]


def test_a_wrong_pin_counts_down_and_blocks_from_one_run_to_the_next(
    counter: Counter, settings: Path, folder: Path
) -> None:
    for code, shown in (
        ("pin_wrong", "あと 2 回"), ("pin_wrong", "あと 1 回"), ("pin_blocked", "ロック"), ("pin_blocked", "ロック"),
    ):  # fmt: skip
        done = run("--settings", settings, "--virtual", folder, "--json", fed="8364\n")
        trouble = json.loads(done.stdout)["trouble"]
        assert (done.returncode, trouble["code"]) == (3, code)
        assert shown in trouble["happened"]["ja"]
    assert set(counter.asked) == {"/v1/challenges"}


def test_the_insured_number_needs_no_card(counter: Counter, settings: Path) -> None:
    number = ("--number", "06139463", "", "4567", "01")
    assert run("--settings", settings, *number, "--birth-date", "1985-04-12").returncode == 0
    assert counter.asked == ["/v1/number-verifications"]
    without = run("--settings", settings, *number)
    assert without.returncode == 64
    assert "--birth-date" in without.stderr
    assert (
        run("--settings", settings, "--number", "061394630", "", "1", "", "--birth-date", "1985-04-12").returncode == 64
    )


@pytest.mark.parametrize(
    ("status", "problem", "code"),
    [(401, "certificate_revoked", 2), (429, "rate_limited", 2), (503, "busy", 4), (500, "internal", 4)],
)
def test_a_refusal_is_shown_in_both_languages(
    counter: Counter, settings: Path, folder: Path, status: int, problem: str, code: int
) -> None:
    counter.problem = (status, problem)
    done = run("--settings", settings, "--virtual", folder, fed="2741\n")
    assert done.returncode == code
    assert "受付へ。 / For reception." in done.stderr


def _said(done: subprocess.CompletedProcess[str], code: int, japanese: str, english: str) -> None:
    assert done.returncode == code, done.stderr
    shown = " ".join(done.stderr.split())
    assert japanese in shown.replace(" ", "")
    assert english in shown


def test_nobody_listening_is_the_centre_away(counter: Counter, settings: Path, folder: Path) -> None:
    done = run("--virtual", folder, "--settings", settings, TERMINAL_CENTRE_URL="https://127.0.0.1:9", fed="2741\n")
    _said(done, 4, "接続できません", "cannot be reached")


def test_a_centre_of_another_authority_is_not_trusted(settings: Path, folder: Path, credentials: Path) -> None:
    authority = str(credentials / "terminals.crt")
    done = run("--settings", settings, "--virtual", folder, TERMINAL_CENTRE_AUTHORITY=authority, fed="2741\n")
    _said(done, 4, "通信を止めました", "could not be trusted")


def test_a_terminal_of_another_authority_is_not_accepted(settings: Path, folder: Path, credentials: Path) -> None:
    own = {"TERMINAL_CERTIFICATE": str(credentials / "server.crt"), "TERMINAL_KEY": str(credentials / "server.key")}
    done = run("--settings", settings, "--virtual", folder, fed="2741\n", **own)
    assert done.returncode == 4, done.stderr


def test_missing_credentials_are_named(settings: Path, folder: Path, tmp_path: Path) -> None:
    done = run("--settings", settings, "--virtual", folder, TERMINAL_KEY=str(tmp_path / "none"))
    _said(done, 64, "読めません", "TERMINAL_KEY")


def test_missing_settings_are_named(folder: Path) -> None:
    _said(run("--virtual", folder), 64, "TERMINAL_CENTRE_URL", "TERMINAL_KEY")
    _said(run("--settings", folder / "none"), 64, "設定ファイルを読めません", "cannot be read")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--bogus",),
        ("--day", "yesterday"),
        ("--consent", "everything"),
        ("--language", "fr"),
        ("--virtual", "a", "--reader", "b"),
        ("--number", "1"),
        ("--pin", "1234"),
    ],
)
def test_wrong_usage_has_its_own_code(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 64
    assert "usage" in done.stderr


def test_a_folder_without_a_card_is_said(settings: Path, tmp_path: Path) -> None:
    _said(
        run("--settings", settings, "--virtual", tmp_path), 3, "仮想カードがありません", "does not hold a virtual card"
    )


def test_nothing_entered_uses_no_try(settings: Path, folder: Path) -> None:
    _said(run("--settings", settings, "--virtual", folder), 3, "入力されませんでした", "No try was used")


@pytest.mark.pcsc
def test_a_service_that_is_down_is_said(settings: Path, tmp_path: Path, pcscd: OwnPcscd) -> None:
    done = run("--settings", settings, PCSCLITE_CSOCK_NAME=str(tmp_path / "nobody"))
    _said(done, 3, "動いていません", "is not running")


@pytest.mark.pcsc
def test_a_reader_with_another_name_is_said(settings: Path, pcscd: OwnPcscd) -> None:
    _said(run("--settings", settings, "--reader", "none"), 3, "見つかりません", "No card reader")


@pytest.mark.pcsc
def test_an_empty_reader_is_said(settings: Path, pcscd: OwnPcscd) -> None:
    _said(run("--settings", settings), 3, "置かれませんでした", "No card was put")


@pytest.mark.pcsc
def test_a_card_in_the_reader_is_checked(settings: Path, inserted: CardInVpcd) -> None:
    done = run("--settings", settings, "--reader", "virtual", fed="2741\n")
    assert done.returncode == 0, done.stderr
    assert "有効" in done.stdout


def test_without_pyscard_the_terminal_runs_and_says_what_is_missing(settings: Path, tmp_path: Path) -> None:
    (tmp_path / "smartcard.py").write_text("raise ImportError\n")
    done = run("--settings", settings, PYTHONPATH=f"{tmp_path}:{Path.cwd()}")
    _said(done, 3, "pyscard", "no card reader support")
