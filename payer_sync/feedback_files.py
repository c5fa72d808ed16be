"""Feedback as files beside the file it is about: JSON Lines for programs, CSV for spreadsheets, a page for people.

Each is written whole under another name and then renamed, so that nobody reads half of one.
"""

import csv
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eligibility.wire.submissions import FeedbackLine, Severity
from payer_sync.feedback_page import ROWS_SHOWN, render
from payer_sync.file_names import legible

CSV_ENCODINGS: Final = ("utf-8-sig", "cp932")
FORMS: Final = (".feedback.jsonl", ".feedback.csv", ".feedback.html")
HEADER: Final = (
    "記録 record", "項目 field", "コード code", "重さ severity", "値の形 shape", "期待される内容 expected",
)  # fmt: skip
# What makes a spreadsheet take a cell for a formula; the quote itself, so that taking it off again is exact.
_BEGINS_FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n", "'")


@dataclass(frozen=True, slots=True)
class Told:
    """What was told: how many faults, of which severity, the first of them, and the files that have all of them."""

    faults: int
    severities: Counter[Severity]
    first: Sequence[FeedbackLine]
    files: tuple[Path, ...]


@dataclass(slots=True)
class _Tally:
    """Counts faults as they come, and keeps the first, and all that refuse the file, however late they come."""

    counts: Counter[tuple[str, Severity]] = field(default_factory=Counter)
    _refusals: list[FeedbackLine] = field(default_factory=list)
    _others: list[FeedbackLine] = field(default_factory=list)

    @property
    def first(self) -> list[FeedbackLine]:
        """What is shown: what refuses the file before the others, each in the order in which it came."""
        return self._refusals + self._others

    def add(self, line: FeedbackLine) -> None:
        """Count one fault."""
        self.counts[line.code, line.severity] += 1
        if line.severity is Severity.FILE_REFUSED:
            self._refusals.append(line)
        elif len(self._others) < ROWS_SHOWN:
            self._others.append(line)

    def told(self, *files: Path) -> Told:
        """Return what was told."""
        severities: Counter[Severity] = Counter()
        for (_, severity), number in self.counts.items():
            severities[severity] += number
        return Told(self.counts.total(), severities, self.first, files)


def guard(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return "'" + cell if cell.startswith(_BEGINS_FORMULA) else cell


def unguard(cell: str) -> str:
    """Return what `guard` was given."""
    return cell.removeprefix("'")


def write_feedback(file: Path, lines: Iterable[FeedbackLine], csv_encoding: str = CSV_ENCODINGS[0]) -> Told:
    """Write every fault in all three forms beside a file; where there is none, remove those of an earlier time.

    Raises:
        OSError: they cannot be written.
    """
    paths = [file.with_name(file.name + form) for form in FORMS]
    parts = [path.with_name(path.name + ".part") for path in paths]
    tally = _Tally()
    try:
        with ExitStack() as files:
            jsonl = files.enter_context(parts[0].open("w", encoding="utf-8", newline="\n"))
            # What cp932 cannot hold is written as a character reference: nothing becomes a question mark.
            sheet = files.enter_context(
                parts[1].open("w", encoding=csv_encoding, newline="", errors="xmlcharrefreplace")
            )
            rows = csv.writer(sheet, lineterminator="\r\n")
            rows.writerow(HEADER)
            for line in lines:
                jsonl.write(line.model_dump_json() + "\n")
                rows.writerow(_cells(line))
                tally.add(line)
        parts[2].write_text(render(legible(file.name), tally.counts, tally.first), encoding="utf-8", newline="\n")
        for part, path in zip(parts, paths, strict=True):
            if tally.first:
                os.replace(part, path)
            else:
                path.unlink(missing_ok=True)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return tally.told(*paths)


def count_feedback(lines: Iterable[FeedbackLine]) -> Told:
    """Count every fault without writing any."""
    tally = _Tally()
    for line in lines:
        tally.add(line)
    return tally.told()


def _cells(line: FeedbackLine) -> list[str]:
    record = "" if line.record is None else str(line.record)
    texts = (record, line.field or "", line.code, line.severity.value, line.value_shape or "", line.expected)
    return [guard(text) for text in texts]
