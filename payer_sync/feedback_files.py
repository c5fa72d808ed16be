"""Feedback as files beside the file it is about: JSON Lines for programs, CSV for spreadsheets, a page for people.

Each is written whole under another name and then renamed, so that nobody reads half of one.
"""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from eligibility.wire.submissions import FeedbackLine, Severity
from payer_sync.feedback_page import ROWS_SHOWN, render
from payer_sync.file_names import NAME_BYTES, legible, shortened

CSV_ENCODINGS: Final = ("utf-8-sig", "cp932")
FORMS: Final = (".feedback.jsonl", ".feedback.csv", ".feedback.html")
_PART: Final = ".part"  # while it is written
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
        OSError: they cannot be written, or removed.
    """
    paths = [file.with_name(_beside(file.name) + form) for form in FORMS]
    tally = _Tally()
    faults = iter(lines)
    first = next(faults, None)
    if first is None:
        for path in paths:
            if path.exists():  # a folder that is closed to us refuses the removal of nothing, too
                path.unlink()
        return tally.told(*paths)
    parts = [path.with_name(path.name + _PART) for path in paths]
    try:
        with ExitStack() as files:
            jsonl = files.enter_context(parts[0].open("w", encoding="utf-8", newline="\n"))
            # What cp932 cannot hold is written as a character reference: nothing becomes a question mark.
            sheet = files.enter_context(
                parts[1].open("w", encoding=csv_encoding, newline="", errors="xmlcharrefreplace")
            )
            rows = csv.writer(sheet, lineterminator="\r\n")
            rows.writerow(HEADER)
            for line in chain((first,), faults):
                jsonl.write(line.model_dump_json() + "\n")
                rows.writerow(_cells(line))
                tally.add(line)
        parts[2].write_text(render(legible(file.name), tally.counts, tally.first), encoding="utf-8", newline="\n")
        for part, path in zip(parts, paths, strict=True):
            os.replace(part, path)
    finally:
        for part in parts:
            with suppress(OSError):  # where none can be written, none can be removed either
                part.unlink()
    return tally.told(*paths)


def count_feedback(lines: Iterable[FeedbackLine]) -> Told:
    """Count every fault without writing any."""
    tally = _Tally()
    for line in lines:
        tally.add(line)
    return tally.told()


def _beside(name: str) -> str:
    """Return what the names of a file's feedback begin with; two long names that a cut makes one differ by a digest."""
    if len(os.fsencode(name)) + max(map(len, FORMS)) + len(_PART) <= NAME_BYTES:
        return name
    stem, suffix = shortened(name)
    return f"{stem}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}{suffix}"


def _cells(line: FeedbackLine) -> list[str]:
    record = "" if line.record is None else str(line.record)
    texts = (record, line.field or "", line.code, line.severity.value, line.value_shape or "", line.expected)
    return [guard(text) for text in texts]
