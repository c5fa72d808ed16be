"""The `validate` command: the intake's check of a file, offline and before any upload."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eligibility.domain.dates import day_in_japan
from eligibility.domain.errors import MalformedValue
from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.submissions import Severity
from payer_sync.claims.records import UKES
from payer_sync.claims.validation import ClaimValidation
from payer_sync.feedback_files import Told, write_feedback
from payer_sync.layouts.register import LayoutUnknown, edition_state, find_layout, layouts
from payer_sync.manifest import WITHOUT_HEADER, measure
from payer_sync.push import ExitCode, unreadable
from payer_sync.push_command import add_form
from payer_sync.report import meter, show_faults
from payer_sync.validation import ONLY_THE_CENTRE_SEES, Validation

DESCRIPTION = (
    "Check a file as the centre does, offline. Every fault is written beside it, as FILE.feedback.jsonl, .csv and "
    ".html. Exit code: 0 nothing would be refused (there may be warnings), 1 records would be, 2 the file would be, "
    "64 usage, 130 stopped. " + ONLY_THE_CENTRE_SEES[1]
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = DESCRIPTION
    parser.add_argument("file", type=Path)
    parser.add_argument("--insurer", metavar="NUMBER", help="who sends it; by default whom its first records name")
    add_form(parser)
    parser.add_argument("--json", action="store_true", help="print the counts as one line of JSON and nothing else")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Check the file; say what was found."""
    errors = Console(stderr=True)
    try:
        validation = _validation(chosen)
    except (LayoutUnknown, MalformedValue):
        errors.print(
            "様式・版または保険者番号が正しくありません。`layouts` で様式の一覧が出ます。",
            "The layout, the edition or the insurer number is wrong; `layouts` lists the layouts.",
            sep="\n", markup=False, soft_wrap=True,
        )  # fmt: skip
        return ExitCode.USAGE
    console = Console(stderr=chosen.json)
    try:
        told = _validate(validation, chosen, console)
    except OSError:
        failed = unreadable(chosen.file)
        errors.print(failed.ja, failed.en, sep="\n", markup=False, soft_wrap=True)
        return failed.exit_code
    except KeyboardInterrupt:
        errors.print("中断しました。 / Stopped.")
        return 130
    if chosen.json:
        _print_counts(validation, told)
    else:
        _show_edition(console, chosen)
        _show(console, validation, told)
    if validation.file_refused:
        return ExitCode.REFUSED
    return ExitCode.MERGED_IN_PART if validation.refused_records else ExitCode.MERGED


def _validation(chosen: argparse.Namespace) -> Validation | ClaimValidation:
    insurer = None if chosen.insurer is None else InsurerNumber.parse(chosen.insurer)
    today = day_in_japan(datetime.now(UTC))
    if uke := UKES.get((chosen.layout, chosen.edition)):
        return ClaimValidation(chosen.file, uke, insurer, today)
    return Validation(chosen.file, find_layout(chosen.layout, chosen.edition), insurer, today)


def _validate(validation: Validation | ClaimValidation, chosen: argparse.Namespace, console: Console) -> Told:
    file: Path = chosen.file
    with meter(console, file.stat().st_size) as progress:
        headers = 0 if chosen.layout in WITHOUT_HEADER else 1
        progress.checking(measure(file, progress.read, headers=headers).records)
        return write_feedback(file, validation.lines(progress.checked), chosen.csv_encoding)


def _print_counts(validation: Validation | ClaimValidation, told: Told) -> None:
    counts: dict[str, object] = {
        "records": validation.records,
        "refused": validation.refused_records,
        "file_refused": validation.file_refused,
        "warnings": told.severities[Severity.WARNING],
        "faults": told.faults,
        "insurer_number": validation.insurer.digits if validation.insurer else None,
    }
    Console().print(json.dumps(counts), markup=False, highlight=False, soft_wrap=True)


def _show_edition(console: Console, chosen: argparse.Namespace) -> None:
    if layout := layouts().get((chosen.layout, chosen.edition)):
        state = edition_state(layout, day_in_japan(datetime.now(UTC)))
        console.print(f"{layout.name} {layout.edition}: {state.ja} / {state.en}", highlight=False, soft_wrap=True)


def _show(console: Console, validation: Validation | ClaimValidation, told: Told) -> None:
    if validation.file_refused:
        console.print("[red]ファイル全体が不受理になります / the whole file would be refused[/]")
    else:
        table = Table(show_header=False, box=None)
        table.add_row("保険者番号 / insurer", validation.insurer.digits if validation.insurer else "-")
        table.add_row("件数 / records", f"{validation.records:,}")
        table.add_row("不受理 / would be refused", f"{validation.refused_records:,}")
        table.add_row("警告 / warnings", f"{told.severities[Severity.WARNING]:,}")
        console.print(table)
    show_faults(console, told)
    console.print(*ONLY_THE_CENTRE_SEES, sep="\n", soft_wrap=True)
