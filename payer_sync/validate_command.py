"""The `validate` command: the intake's check of a file, offline and before any upload."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Self

from rich.console import Console
from rich.table import Table

from eligibility.domain.dates import day_in_japan
from eligibility.domain.errors import MalformedValue
from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.submissions import FeedbackLine, Severity
from payer_sync.checkups.archive import is_archive
from payer_sync.claims.records import Uke
from payer_sync.claims.validation import ClaimValidation
from payer_sync.faults import Fault
from payer_sync.feedback_files import Told, count_feedback, write_feedback
from payer_sync.feedback_lines import line_of
from payer_sync.file_names import legible
from payer_sync.layouts.layout import Layout
from payer_sync.layouts.register import LayoutUnknown, edition_state, editions, find_edition, not_taken
from payer_sync.manifest import WITHOUT_HEADER, measure
from payer_sync.push import ExitCode, PushFailed, unreadable
from payer_sync.push_command import add_form
from payer_sync.report import Meter, meter, show_faults
from payer_sync.validation import ONLY_THE_CENTRE_SEES, Validation

DESCRIPTION = (
    "Check a file as the centre does, offline. Every fault is written beside it, as FILE.feedback.jsonl, .csv and "
    ".html. Exit code: 0 nothing would be refused (there may be warnings), 1 records would be, 2 the file would be, "
    "64 usage, 130 stopped; it is the file's own also where the feedback cannot be written, which is said. "
    + ONLY_THE_CENTRE_SEES[1]
)
_ARCHIVES: Final = "checkup"  # the layout whose files may be archives
_HEAD_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be checked: a file, its edition, whose it is, on which day and by which environment's rules."""

    file: Path
    edition: Layout | Uke
    insurer: InsurerNumber | None
    today: date
    practice: bool

    @classmethod
    def chosen(cls, chosen: argparse.Namespace, today: date) -> Self:
        """Return what the options say.

        Raises:
            PushFailed: one of them makes no sense, or the file cannot be read, or is an archive of another layout.
        """
        asked = cls(chosen.file, _edition(chosen), _insurer(chosen), today, chosen.practice)
        with _reading(asked.file), asked.file.open("rb") as content:
            head = content.read(_HEAD_BYTES)
        if is_archive(head) and asked.edition.name != _ARCHIVES:
            raise PushFailed(
                ExitCode.USAGE,
                f"ZIP のファイルです。健診の ZIP なら --layout {_ARCHIVES} を指定してください。",
                f"The file is a ZIP archive. If it holds check-ups, add --layout {_ARCHIVES}.",
            )
        return asked

    @property
    def refusal(self) -> Fault | None:
        """Why the centre refuses any file of the edition, if it does."""
        return not_taken(self.edition, self.today, practice=self.practice)

    def validation(self) -> Validation | ClaimValidation:
        """Begin a check."""
        if isinstance(self.edition, Uke):
            return ClaimValidation(self.file, self.edition, self.insurer, self.today)
        return Validation(self.file, self.edition, self.insurer, self.today)


@dataclass(frozen=True, slots=True)
class _Result:
    """What a check came to."""

    asked: _Asked
    validation: Validation | ClaimValidation
    told: Told

    @property
    def file_refused(self) -> bool:
        """Whether the whole file would be refused, for what it is or for its edition."""
        return self.validation.file_refused or self.asked.refusal is not None

    @property
    def by_reviewer(self) -> bool:
        """Whether the file was checked as a claims reviewer's, which may hold receipts of any insurer."""
        return isinstance(self.validation, ClaimValidation) and self.validation.insurer is None

    @property
    def exit_code(self) -> ExitCode:
        """What the result means to the shell."""
        if self.file_refused:
            return ExitCode.REFUSED
        return ExitCode.MERGED_IN_PART if self.validation.refused_records else ExitCode.MERGED


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = DESCRIPTION
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--insurer", metavar="NUMBER",
        help="who sends it; without it, whom most first records name, and claims are checked as a claims reviewer's",
    )  # fmt: skip
    parser.add_argument(
        "--practice", action="store_true", help="check as a practice environment, which takes the next editions too"
    )
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where the feedback goes; beside the file if not")
    add_form(parser)
    parser.add_argument("--json", action="store_true", help="print the counts as one line of JSON and nothing else")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Check the file; say what was found."""
    console, errors = Console(stderr=chosen.json), Console(stderr=True)
    try:
        asked = _Asked.chosen(chosen, day_in_japan(datetime.now(UTC)))
        beside = (chosen.into or asked.file.parent) / asked.file.name
        result = _check(asked, beside, chosen.csv_encoding, console)
    except PushFailed as failed:
        _print(errors, failed.ja, failed.en)
        return failed.exit_code
    except KeyboardInterrupt:
        errors.print("中断しました。 / Stopped.")
        return 130
    if chosen.json:
        _print_counts(result)
    else:
        _show(console, result)
    if not result.told.files:
        folder = legible(beside.parent)
        _print(
            errors,
            f"指摘のファイルを書けません: {folder}。結果は有効です。--into で別のフォルダを指定できます。",
            f"The feedback cannot be written to {folder}. The result stands; --into names another folder.",
        )
    return result.exit_code


def _edition(chosen: argparse.Namespace) -> Layout | Uke:
    try:
        return find_edition(chosen.layout, chosen.edition)
    except LayoutUnknown as error:
        there = [str(number) for name, number in editions() if name == chosen.layout]
        if there:
            said = ", ".join(there)
            raise PushFailed(
                ExitCode.USAGE,
                f"様式 {chosen.layout} に第{chosen.edition}版はありません。--edition に指定できる版: {said}",
                f"Layout {chosen.layout} has no edition {chosen.edition}; --edition can be: {said}",
            ) from error
        said = ", ".join(sorted({name for name, _ in editions()}))
        raise PushFailed(
            ExitCode.USAGE,
            f"様式 {legible(chosen.layout)} はありません。--layout に指定できる様式: {said}",
            f"There is no layout {legible(chosen.layout)}; --layout can be: {said}",
        ) from error


def _insurer(chosen: argparse.Namespace) -> InsurerNumber | None:
    try:
        return None if chosen.insurer is None else InsurerNumber.parse(chosen.insurer)
    except MalformedValue as error:
        raise PushFailed(
            ExitCode.USAGE,
            "保険者番号が正しくありません。--insurer には8桁(国保は6桁でも可)の数字を指定してください。",
            "The insurer number is wrong: --insurer takes 8 digits, or the 6 of a municipal insurer.",
        ) from error


def _check(asked: _Asked, beside: Path, csv_encoding: str, console: Console) -> _Result:
    headers = 0 if asked.edition.name in WITHOUT_HEADER else 1
    with _reading(asked.file):
        length = asked.file.stat().st_size
    with meter(console, length) as progress:
        with _reading(asked.file):
            records = measure(asked.file, progress.read, headers=headers).records
        progress.checking(records)
        validation = asked.validation()
        try:
            return _Result(asked, validation, write_feedback(beside, _lines(asked, validation, progress), csv_encoding))
        except OSError:  # of writing: the result is told all the same, of a check from the start
            progress.checking(records)
        validation = asked.validation()
        return _Result(asked, validation, count_feedback(_lines(asked, validation, progress)))


def _lines(asked: _Asked, validation: Validation | ClaimValidation, progress: Meter) -> Iterator[FeedbackLine]:
    if asked.refusal:
        yield line_of(asked.refusal)
    with _reading(asked.file):
        yield from validation.lines(progress.checked)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turn trouble with reading the file into PushFailed, so that it is not taken for trouble with writing."""
    try:
        yield
    except OSError as error:
        raise unreadable(file) from error


def _print_counts(result: _Result) -> None:
    validation, told = result.validation, result.told
    counts: dict[str, object] = {
        "edition_state": edition_state(result.asked.edition, result.asked.today).value,
        "checked_as": "claims_reviewer" if result.by_reviewer else "insurer",
        "insurer_number": validation.insurer.digits if validation.insurer else None,
        "records": validation.records,
        "refused": validation.refused_records,
        "file_refused": result.file_refused,
        "warnings": told.severities[Severity.WARNING],
        "faults": told.faults,
    }
    Console().print(json.dumps(counts), markup=False, highlight=False, soft_wrap=True)


def _show(console: Console, result: _Result) -> None:
    edition, validation, told = result.asked.edition, result.validation, result.told
    state = edition_state(edition, result.asked.today)
    _print(console, f"{edition.name} {edition.edition}: {state.ja} / {state.en}")
    if result.by_reviewer:
        _print(
            console,
            "審査支払機関のファイルとして確認(全保険者のレセプト可)。保険者が送るなら --insurer を指定してください。",
            "Checked as a claims reviewer's file: receipts of any insurer. If an insurer sends it, add --insurer.",
        )
    if result.file_refused:
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


def _print(console: Console, *sentences: str) -> None:
    console.print(*sentences, sep="\n", markup=False, highlight=False, soft_wrap=True)
