"""Shows a push to a person: its progress, its counts and its first faults; every fault goes to a file of JSON Lines."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from eligibility.wire.submissions import FeedbackLine, Severity, SubmissionState
from payer_sync.push import Pushed

FAULTS_SHOWN: Final = 20
_COSTS: Final = {
    Severity.FILE_REFUSED: "[red]ファイル不受理 / file refused[/]",
    Severity.RECORD_REFUSED: "[yellow]記録不受理 / record refused[/]",
    Severity.WARNING: "[dim]警告 / warning[/]",
}


class Meter:
    """Progress bars of a push: reading the file, then sending it."""

    def __init__(self, progress: Progress, task: TaskID, length: int) -> None:
        self._progress = progress
        self._task = task
        self._length = length

    def read(self, more: int) -> None:
        """Go on by so many bytes read."""
        self._progress.update(self._task, advance=more)

    def sending(self) -> None:
        """Begin the second bar."""
        said = "送信 / sending"
        self._task = self._progress.add_task(said, total=self._length)

    def sent(self, received: int) -> None:
        """Show how many bytes have arrived."""
        said = "処理中 / merging" if received == self._length else "送信 / sending"
        self._progress.update(self._task, completed=received, description=said)


@contextmanager
def meter(console: Console, length: int) -> Iterator[Meter]:
    """Show progress while the push runs."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        yield Meter(progress, progress.add_task("読取 / reading", total=length), length)


def keep_feedback(path: Path, lines: Iterable[FeedbackLine]) -> list[FeedbackLine]:
    """Write every fault as one line of JSON; return the first ones."""
    first: list[FeedbackLine] = []
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line.model_dump_json() + "\n")
            if len(first) < FAULTS_SHOWN:
                first.append(line)
    return first


def show_result(console: Console, pushed: Pushed, elapsed_s: float) -> None:
    """Print what became of the file."""
    submission, repeated = pushed.submission, pushed.repeated
    merged = submission.state is SubmissionState.MERGED
    console.print(
        "[green]取込完了 / merged[/]" if merged else "[red]不受理 / refused[/]", f"({submission.submission_id})"
    )
    if repeated:
        console.print("同じファイルが既に届いています。 / This very file had been pushed before; its result stands.")
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


def show_faults(console: Console, first: list[FeedbackLine], faults: int, path: Path) -> None:
    """Print the first faults and where all of them are."""
    table = Table(title=f"指摘 / faults: {min(faults, FAULTS_SHOWN)} / {faults}")
    table.add_column("記録\nrecord", justify="right")
    table.add_column("項目\nfield", overflow="fold")
    table.add_column("コード\ncode", no_wrap=True)
    table.add_column("値の形\nshape", overflow="fold")
    table.add_column("期待される内容\nexpected", overflow="fold", ratio=1)
    for line in first:
        record = "-" if line.record is None else str(line.record)
        cells = (line.field, f"{line.code}\n{_COSTS[line.severity]}", line.value_shape, line.expected)
        table.add_row(record, *(cell or "" for cell in cells))
    console.print(table)
    console.print(f"すべての指摘 / every fault: {path}", soft_wrap=True)
