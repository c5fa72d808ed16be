"""Feedback as files beside the file it is about: JSON Lines for programs, CSV for spreadsheets, a page for people.

Each is written whole under another name and then renamed, so that nobody reads half of one.
"""

import csv
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
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
    """What was written: how many faults, of which severity, the first of them, and the files."""

    faults: int
    severities: Counter[Severity]
    first: Sequence[FeedbackLine]
    files: tuple[Path, ...]


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
    counts: Counter[tuple[str, Severity]] = Counter()
    first: list[FeedbackLine] = []
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
                counts[line.code, line.severity] += 1
                if len(first) < ROWS_SHOWN:
                    first.append(line)
        parts[2].write_text(render(legible(file.name), counts, first), encoding="utf-8", newline="\n")
        for part, path in zip(parts, paths, strict=True):
            if first:
                os.replace(part, path)
            else:
                path.unlink(missing_ok=True)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    severities: Counter[Severity] = Counter()
    for (_, severity), number in counts.items():
        severities[severity] += number
    return Told(counts.total(), severities, first, tuple(paths))


def _cells(line: FeedbackLine) -> list[str]:
    record = "" if line.record is None else str(line.record)
    texts = (record, line.field or "", line.code, line.severity.value, line.value_shape or "", line.expected)
    return [guard(text) for text in texts]
