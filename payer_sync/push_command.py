"""The `push` command: what its options mean, what it prints, and the exit code it ends with."""

import argparse
import time
from pathlib import Path

from rich.console import Console

from eligibility.wire.submissions import FeedbackLine, SubmissionKind
from payer_sync.manifest import build_manifest
from payer_sync.push import Credentials, ExitCode, Intake, Pushed, PushFailed, exit_code, push, unreadable
from payer_sync.report import keep_feedback, meter, show_faults, show_result

DESCRIPTION = (
    "Push a file and wait. Exit code: 0 merged (there may be warnings), 1 merged with refused records, 2 refused, "
    "4 server away or certificate refused, 64 usage, 130 stopped. Run again after a cut line, it resumes."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = DESCRIPTION
    parser.add_argument("file", type=Path)
    parser.add_argument("--to", required=True, metavar="URL", help="the intake's address, https://HOST:PORT")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM: the insurer's client certificate")
    parser.add_argument("--key", type=Path, required=True, help="PEM: its private key")
    parser.add_argument("--authority", type=Path, required=True, help="PEM: the authority of the intake's certificate")
    parser.add_argument("--kind", choices=("full", "delta"), default="delta", help="everyone, or only what changed")
    parser.add_argument("--layout", default="eligibility")
    parser.add_argument("--edition", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON and nothing else")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Push the file; say what became of it."""
    console = Console(stderr=chosen.json)
    errors = Console(stderr=True)
    try:
        started = time.monotonic()
        pushed, first, feedback = _push(chosen, console)
        elapsed_s = time.monotonic() - started
    except PushFailed as failed:
        errors.print(failed.ja, failed.en, sep="\n", markup=False, soft_wrap=True)
        return failed.exit_code
    except KeyboardInterrupt:
        errors.print("中断しました。同じコマンドで続きから送れます。\nStopped; the same command resumes.")
        return 130
    if chosen.json:
        Console().print(pushed.submission.model_dump_json(), markup=False, highlight=False, soft_wrap=True)
    else:
        show_result(console, pushed, elapsed_s)
        if first:
            show_faults(console, first, pushed.submission.faults, feedback)
    return exit_code(pushed.submission)


def _push(chosen: argparse.Namespace, console: Console) -> tuple[Pushed, list[FeedbackLine], Path]:
    file: Path = chosen.file
    feedback = file.with_name(file.name + ".feedback.jsonl")
    context = Credentials(chosen.certificate, chosen.key, chosen.authority).context()
    if not chosen.to.startswith("https://") or not 1 <= chosen.edition <= 99:
        raise PushFailed(
            ExitCode.USAGE,
            "--to には https:// で始まるアドレスを、--edition には 1 から 99 を指定してください。",
            "--to must be an address that begins with https://, --edition a number from 1 to 99.",
        )
    try:
        length = file.stat().st_size
        with meter(console, length) as progress, Intake(chosen.to, context) as intake:
            manifest = build_manifest(file, SubmissionKind(chosen.kind), chosen.layout, chosen.edition, progress.read)
            progress.sending()
            pushed = push(intake, file, manifest, progress.sent)
            submission = pushed.submission
            first = keep_feedback(feedback, intake.feedback(submission.submission_id)) if submission.faults else []
    except OSError as error:
        raise unreadable(file) from error
    return pushed, first, feedback
