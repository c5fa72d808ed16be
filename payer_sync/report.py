"""Shows a push or a validation to a person: its progress in records, its counts and its first faults."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from eligibility.wire.submissions import FeedbackLine, Severity, Submission, SubmissionState
from payer_sync.feedback_files import Told
from payer_sync.file_names import legible
from payer_sync.push import Pushed

KINDS_SHOWN: Final = 20
RECORDS_SHOWN: Final = 3
_COSTS: Final = {
    Severity.FILE_REFUSED: "[red]ファイル不受理 / file refused[/]",
    Severity.RECORD_REFUSED: "[yellow]記録不受理 / record refused[/]",
    Severity.WARNING: "[dim]警告 / warning[/]",
}


_STEPS: Final = {
    SubmissionState.RECEIVED: "順番待ち / waiting its turn",
    SubmissionState.CHECKING: "確認 / checking",
    SubmissionState.MERGING: "取込 / merging",
}


class Meter:
    """Progress bars of one file: reading it, then checking it here, or sending it and waiting for the centre."""

    def __init__(self, progress: Progress, task: TaskID, length: int) -> None:
        self._progress = progress
        self._task = task
        self._length = length
        self._state: SubmissionState | None = None  # as it was shown last

    def read(self, more: int) -> None:
        """Go on by so many bytes read."""
        self._progress.update(self._task, advance=more)

    def sending(self, records: int) -> None:
        """Begin the second bar, of a file that has so many records."""
        self._task = self._progress.add_task("送信 / sending", total=self._length, records=records)

    def sent(self, received: int) -> None:
        """Show how many bytes have arrived."""
        self._progress.update(self._task, completed=received)

    def waiting(self, submission: Submission) -> None:
        """Show what the centre does with the file, a bar for each step: of its records where the centre counts them."""
        records = submission.manifest.records
        if submission.state is not self._state:
            if self._state in _STEPS:  # that step is done
                self._progress.update(self._task, total=records, completed=records)
            if said := _STEPS.get(submission.state):
                self._task = self._progress.add_task(said, total=None, records=records)
            self._state = submission.state
        if submission.checked is not None:
            self._progress.update(self._task, total=records, completed=submission.checked)

    def checking(self, records: int) -> None:
        """Begin the second bar, of records that are checked here."""
        self._task = self._progress.add_task("確認 / checking", total=records, records=records)

    def checked(self, more: int) -> None:
        """Go on by so many records checked."""
        self._progress.update(self._task, advance=more)


class _Amount(ProgressColumn):
    """How much is done and how fast: in records once their number is known, in bytes before."""

    def render(self, task: Task) -> Text:
        records: int | None = task.fields.get("records")
        speed = task.finished_speed or task.speed
        if records is not None and task.total is None:
            return Text(f"{records:,} 件")
        if records is None or not task.total:
            return Text(decimal(int(task.completed)) + (f" {decimal(int(speed))}/s" if speed else ""))
        share = records / task.total
        rate = f" {speed * share:,.0f} 件/秒 rows/s" if speed else ""
        return Text(f"{task.completed * share:,.0f} / {records:,} 件{rate}")


class _Time(ProgressColumn):
    """The time that remains; where nobody knows, the time that has passed."""

    max_refresh = 0.5

    def __init__(self) -> None:
        super().__init__()
        self._remaining, self._elapsed = TimeRemainingColumn(), TimeElapsedColumn()

    def render(self, task: Task) -> Text:
        return (self._elapsed if task.total is None else self._remaining).render(task)


@contextmanager
def meter(console: Console, length: int) -> Iterator[Meter]:
    """Show progress while the file is worked on."""
    columns = (TextColumn("{task.description}"), BarColumn(), _Amount(), _Time())
    with Progress(*columns, console=console) as progress:
        yield Meter(progress, progress.add_task("読取 / reading", total=length), length)


def show_result(console: Console, pushed: Pushed, elapsed_s: float) -> None:
    """Print what became of the file."""
    submission, repeated = pushed.submission, pushed.repeated
    merged = submission.state is SubmissionState.MERGED
    held = submission.state is SubmissionState.HELD
    console.print(
        "[green]取込完了 / merged[/]"
        if merged
        else "[yellow]承認待ち / held for approval[/]"
        if held
        else "[red]不受理 / refused[/]",
        f"({submission.submission_id})",
    )
    if repeated:
        console.print("同じファイルが既に届いています。 / This very file had been pushed before; its result stands.")
    if held:
        console.print(
            "以前のデータのままです。指摘を確かめ、正しければセンターの承認を待って同じコマンドで結果を確かめ、"
            "誤りなら直したファイルを送ってください。\n"
            "The earlier data stand. Look at the faults: if the file is right, wait for the centre's approval and run "
            "the same command for its result; if not, push a corrected file."
        )
        return
    if not merged:
        console.print("ファイル全体を取り込んでいません。以前のデータのままです。 / Nothing of the file was taken in.")
        return
    table = Table(show_header=False, box=None)
    for said, count in (
        ("件数 / records", submission.records),
        ("取込 / merged", submission.merged),
        ("変更なし / unchanged", submission.unchanged),
        ("不受理 / refused", submission.refused),
    ):
        table.add_row(said, f"{count or 0:,}")
    if submission.records and not repeated:
        table.add_row("速度 / rate", f"{submission.records / elapsed_s:,.0f} 件/秒 rows/s")
    console.print(table)


def show_faults(console: Console, told: Told) -> None:
    """Print what is wrong, alike faults as one with the first records that have them, and where all of them are."""
    if not told.faults:
        return
    alike: dict[FeedbackLine, list[int | None]] = {}
    for line in told.first:
        alike.setdefault(line.model_copy(update={"record": None}), []).append(line.record)
    table = Table(title=f"指摘 / faults: {told.faults:,}", show_lines=True)
    table.add_column("記録\nrecord", overflow="fold", max_width=20)
    table.add_column("項目・コード・値の形\nfield, code, shape", overflow="fold")
    table.add_column("期待される内容\nexpected", overflow="fold", ratio=1)
    for line, records in list(alike.items())[:KINDS_SHOWN]:
        # What the centre says is shown as it is: brackets in it are no markup.
        what = [Text(part) for part in (line.field, line.code, line.value_shape) if part]
        what.append(Text.from_markup(_COSTS[line.severity]))
        table.add_row(_places(records), Text("\n").join(what), Text(line.expected))
    console.print(table)
    if len(alike) > KINDS_SHOWN or told.faults > len(told.first):
        console.print("ここに出ないものもあります。 / There are more than are shown here.")
    if told.files:
        _show_files(console, told.files)


def _places(records: Sequence[int | None]) -> str:
    if records[0] is None:
        return "-"
    named = ", ".join(str(record) for record in records[:RECORDS_SHOWN])
    more = len(records) - RECORDS_SHOWN
    return named if more <= 0 else f"{named} …\n他 / more: {more:,}"


def _show_files(console: Console, files: Sequence[Path]) -> None:
    console.print("すべての指摘 / every fault:")
    for file in files:
        console.print(f"  {legible(file)}", soft_wrap=True, markup=False, highlight=False)
