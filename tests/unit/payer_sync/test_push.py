"""The client's own judgements: its credentials, and what a result means to the shell."""

import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer
from uuid import UUID

import pytest
from cryptography import x509

from eligibility.wire.submissions import Manifest, Submission, SubmissionKind, SubmissionState
from loadtest.pki import Enrolment
from payer_sync.__main__ import main
from payer_sync.push import Credentials, ExitCode, Intake, PushFailed, exit_code

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def _submission(state: SubmissionState, refused: int | None) -> Submission:
    manifest = Manifest(
        layout="eligibility", edition=1, kind=SubmissionKind.DELTA, file_name="x", content_length=0,
        content_digest=bytes(32), records=0,
    )  # fmt: skip
    return Submission(
        submission_id=UUID(int=1), state=state, received_bytes=0, manifest=manifest, created_at=NOW, finished_at=NOW,
        records=1, refused=refused, merged=1, unchanged=0, faults=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "refused", "code"),
    [
        (SubmissionState.MERGED, 0, ExitCode.MERGED),
        (SubmissionState.MERGED, 1, ExitCode.MERGED_IN_PART),
        (SubmissionState.REFUSED, None, ExitCode.REFUSED),
    ],
)
def test_a_result_has_its_exit_code(state: SubmissionState, refused: int | None, code: ExitCode) -> None:
    assert exit_code(_submission(state, refused)) is code


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    folder = tmp_path_factory.mktemp("pki")
    enrolment = Enrolment.create(datetime.now(UTC))
    enrolment.save(folder)
    certificate, key = enrolment.insurer("06130512", datetime.now(UTC)).write(folder, "insurer")
    enrolment.insurer("06130512", datetime.now(UTC)).write(folder, "other")
    (folder / "empty").write_bytes(b"")
    return Credentials(certificate, key, folder / "server_authority.crt")


def test_credentials_that_belong_together_are_used(files: Credentials) -> None:
    assert files.context().check_hostname


@pytest.mark.parametrize(
    ("certificate", "key", "authority"),
    [
        ("absent.crt", "insurer.key", "server_authority.crt"),
        ("insurer.crt", "absent.key", "server_authority.crt"),
        ("insurer.crt", "insurer.key", "absent.crt"),
        ("insurer.crt", "other.key", "server_authority.crt"),
        ("empty", "insurer.key", "server_authority.crt"),
        ("insurer.crt", "insurer.key", "empty"),
        (".", ".", "."),
    ],
)
def test_credentials_that_do_not_hold_are_named_in_both_languages(
    files: Credentials, certificate: str, key: str, authority: str
) -> None:
    folder = files.certificate.parent

    with pytest.raises(PushFailed) as failed:
        Credentials(folder / certificate, folder / key, folder / authority).context()

    assert failed.value.exit_code is ExitCode.USAGE
    assert failed.value.ja
    assert failed.value.en.isascii()


def test_an_expired_certificate_is_named_with_its_end(files: Credentials, tmp_path: Path) -> None:
    enrolment = Enrolment.create(datetime.now(UTC) - timedelta(days=3650))
    certificate, key = enrolment.insurer("06130512", datetime.now(UTC) - timedelta(days=3650)).write(tmp_path, "old")
    until = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc

    with pytest.raises(PushFailed, match=f"expired at {until:%Y-%m-%d}") as failed:
        Credentials(certificate, key, files.authority).context()

    assert failed.value.exit_code is ExitCode.CERTIFICATE_EXPIRED


@pytest.fixture
def answering(files: Credentials) -> Iterator[Callable[[bytes], str]]:
    """Serve one answer to every request, whatever it is, or close the connection without any."""
    folder = files.certificate.parent
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*Enrolment.load(folder).server(datetime.now(UTC)).write(folder, "server"))
    with ExitStack() as servers:

        def start(answer: bytes) -> str:
            class Handler(StreamRequestHandler):
                def handle(self) -> None:
                    self.rfile.readline()
                    self.wfile.write(answer)

            server = servers.enter_context(TCPServer(("localhost", 0), Handler))
            server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever).start()
            servers.callback(server.shutdown)
            return f"https://localhost:{server.server_address[1]}"

        yield start


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", "Check the line"),
        (b"", "certificate may be the cause"),
    ],
)
def test_an_answer_that_is_no_submission_is_the_intake_being_away(
    files: Credentials, answering: Callable[[bytes], str], answer: bytes, said: str
) -> None:
    manifest = _submission(SubmissionState.RECEIVING, None).manifest

    with (
        Intake(answering(answer), files.context()) as intake,
        pytest.raises(PushFailed, match=said) as failed,
    ):
        intake.announce(manifest)

    assert failed.value.exit_code is ExitCode.SERVER_AWAY


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["push"],
        ["push", "x.csv"],
        ["push", "x.csv", "--to", "https://localhost:1", "--kind", "everyone"],
    ],
)
def test_a_wrong_command_line_is_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "edition"), [("http://localhost:1", "1"), ("localhost:1", "1"), ("https://localhost:1", "0")]
)
def test_wrong_options_are_said_in_both_languages(
    files: Credentials, tmp_path: Path, to: str, edition: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_bytes(b"h\n")
    options = ["--certificate", str(files.certificate), "--key", str(files.key), "--authority", str(files.authority)]

    assert main(["push", str(tmp_path / "x.csv"), "--to", to, "--edition", edition, *options]) == ExitCode.USAGE
    assert "https://" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["push", "watch"])
def test_the_pushing_half_needs_nothing_of_the_receiving_one(command: str) -> None:
    away = ("polars", "asyncpg", "fastapi", "redis", "uvicorn", "starlette", "jwt")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({away!r}, None)); "
        "from payer_sync.__main__ import main; sys.exit(main([sys.argv[1], '--help']))"
    )

    assert (
        subprocess.run([sys.executable, "-c", program, command], check=False, stdout=subprocess.DEVNULL).returncode == 0
    )
