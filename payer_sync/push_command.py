"""The `push` command: what its options mean, what it prints, and the exit code it ends with."""

import argparse
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
from rich.console import Console

from eligibility.wire.submissions import LAYOUT_LENGTH, FeedbackLine, SubmissionKind
from payer_sync.feedback_files import CSV_ENCODINGS, Told, count_feedback, write_feedback
from payer_sync.file_names import legible
from payer_sync.manifest import build_manifest
from payer_sync.push import Credentials, ExitCode, Intake, Pushed, PushFailed, exit_code, push, unreadable
from payer_sync.report import meter, show_faults, show_result

DESCRIPTION = (
    "Push a file and wait. Every fault is written beside it, as FILE.feedback.jsonl, .csv and .html. Exit code: 0 "
    "merged (there may be warnings), 1 merged with refused records, 2 refused, 3 held for approval, 4 server away or "
    "certificate refused, 5 certificate expired, 64 usage, 130 stopped; it is the file's own also where the feedback "
    "cannot be written, which is said. Run again after a cut line, it resumes."
)


@dataclass(frozen=True, slots=True)
class Terms:
    """How files are pushed: where to, as whom, and what they are."""

    url: str
    context: ssl.SSLContext
    kind: SubmissionKind
    layout: str
    edition: int
    csv_encoding: str

    @classmethod
    def chosen(cls, chosen: argparse.Namespace) -> Self:
        """Return what the options say.

        Raises:
            PushFailed: they make no sense, or the credentials do not hold.
        """
        context = Credentials(chosen.certificate, chosen.key, chosen.authority).context()
        if not (_is_address(chosen.to) and 1 <= chosen.edition <= 99 and len(chosen.layout) <= LAYOUT_LENGTH):
            raise PushFailed(
                ExitCode.USAGE,
                "--to は https:// で始まるアドレス、--edition は 1 から 99、--layout は様式名を指定してください。",
                "--to must be an address that begins with https://, --edition from 1 to 99, --layout a layout's name.",
            )
        kind = SubmissionKind(chosen.kind)
        return cls(chosen.to, context, kind, chosen.layout, chosen.edition, chosen.csv_encoding)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a push came to: its result, its faults, and why they are not in files, if they are not."""

    pushed: Pushed
    told: Told
    unfiled: PushFailed | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = DESCRIPTION
    parser.add_argument("file", type=Path)
    add_terms(parser)
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON and nothing else")
    parser.set_defaults(run=run)


def add_terms(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how files are pushed."""
    parser.add_argument("--to", required=True, metavar="URL", help="the intake's address, https://HOST:PORT")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM: the insurer's client certificate")
    parser.add_argument("--key", type=Path, required=True, help="PEM: its private key")
    parser.add_argument("--authority", type=Path, required=True, help="PEM: the authority of the intake's certificate")
    parser.add_argument("--kind", choices=("full", "delta"), default="delta", help="everyone, or only what changed")
    add_form(parser)


def add_form(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which layout a file has and how its feedback is written."""
    parser.add_argument("--layout", default="eligibility")
    parser.add_argument("--edition", type=int, default=1)
    parser.add_argument(
        "--csv-encoding", choices=CSV_ENCODINGS, default=CSV_ENCODINGS[0], help="of the feedback as CSV"
    )


def run(chosen: argparse.Namespace) -> int:
    """Push the file; say what became of it."""
    console = Console(stderr=chosen.json)
    errors = Console(stderr=True)
    try:
        started = time.monotonic()
        outcome = push_file(chosen.file, Terms.chosen(chosen), console, lambda _: chosen.file)
        elapsed_s = time.monotonic() - started
    except PushFailed as failed:
        _print(errors, failed)
        return failed.exit_code
    except KeyboardInterrupt:
        errors.print("中断しました。同じコマンドで続きから送れます。\nStopped; the same command resumes.")
        return 130
    if chosen.json:
        Console().print(outcome.pushed.submission.model_dump_json(), markup=False, highlight=False, soft_wrap=True)
    else:
        show_result(console, outcome.pushed, elapsed_s)
        show_faults(console, outcome.told)
    if outcome.unfiled:
        _print(errors, outcome.unfiled)
    return exit_code(outcome.pushed.submission)


def push_file(file: Path, terms: Terms, console: Console, beside: Callable[[Pushed], Path]) -> Outcome:
    """Push a file to its end and write its feedback beside the path that `beside` says, where the file will be.

    Raises:
        PushFailed: see payer_sync.push.push.
    """
    try:
        length = file.stat().st_size
        with meter(console, length) as progress, Intake(terms.url, terms.context) as intake:
            manifest = build_manifest(file, terms.kind, terms.layout, terms.edition, progress.read)
            progress.sending(manifest.records)
            pushed = push(intake, file, manifest, progress.sent, progress.waiting)
            return _filed(intake, pushed, beside(pushed), terms.csv_encoding)
    except (OSError, ValueError) as error:  # a folder, a name that is none, no right to read
        raise unreadable(file) from error


def _is_address(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme == "https" and bool(url.host)


def _filed(intake: Intake, pushed: Pushed, place: Path, csv_encoding: str) -> Outcome:
    def lines() -> Iterator[FeedbackLine]:
        return intake.feedback(pushed.submission.submission_id) if pushed.submission.faults else iter(())

    try:
        try:
            return Outcome(pushed, write_feedback(place, lines(), csv_encoding))
        except OSError:
            folder = legible(place.parent)
            unfiled = PushFailed(
                exit_code(pushed.submission),
                f"結果は有効ですが、指摘を書けません: {folder}。書き込めるようにして、もう一度実行してください。",
                f"The result stands, but its feedback cannot be written to {folder}. Mend that and run this again.",
            )
            return Outcome(pushed, count_feedback(lines()), unfiled)
    except PushFailed as failed:
        unfiled = PushFailed(
            exit_code(pushed.submission),
            f"結果は有効ですが、指摘を受け取れません。{failed.ja}",
            f"The result stands, but its feedback could not be fetched. {failed.en}",
        )
        return Outcome(pushed, count_feedback(()), unfiled)


def _print(errors: Console, failed: PushFailed) -> None:
    errors.print(failed.ja, failed.en, sep="\n", markup=False, soft_wrap=True)
