"""Turns the lines of a UKE file into receipts, whose records are read by the tables of payer_sync.claims.records.

A file is one or more blocks: the institution's record, receipts, each beginning with RE, and GO with the totals. A line
is a record and its number is the one that feedback names; every fault of every line is found in one pass.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from eligibility.domain.identifiers import has_valid_check_digit
from eligibility.wire.submissions import Severity
from payer_sync.claims.kinds import Malformed, has_gaiji
from payer_sync.claims.records import RECORD_TYPE, Field, Record, Uke, day_name
from payer_sync.decoding import UNDEFINED_IN_CP932, byte_fault, unreadable_byte
from payer_sync.faults import SHAPE_LENGTH, Fault, FaultCode, FileRefused, both, shape
from payer_sync.reading import END_OF_FILE, SPACES
from payer_sync.refusals import Refusals, gathered_refusals

LONGEST_LINE: Final = 64 * 1024
MAX_RECORDS: Final = 20_000  # of one receipt; a long stay in hospital has some thousands
MAX_STRAYS: Final = 10_000  # records outside of receipts; a file with more is another kind of file
_RETURN: Final = "HR"
_UNREADABLE: Final = "\ufffd"  # stands for a byte that cannot be read; no text in cp932 has it
_DOUBTFUL: Final = re.compile(f"[\x00{_UNREADABLE}{UNDEFINED_IN_CP932}]")
_CP932: Final = both("Shift_JIS(cp932)のファイル", "a file in cp932")
_NO_UKE: Final = both("IR(YK)で始まり GO で終わる UKE", "a UKE file: it begins with IR (YK) and ends with GO")
_CHECK: Final = both("検証番号の合う医療機関コード", "an institution code whose check digit holds")


def refuses(code: FaultCode) -> bool:
    """Tell whether a fault refuses its record, and with it the receipt."""
    return code.severity is Severity.RECORD_REFUSED


class Line(NamedTuple):
    """One record: its line in the file, its type, its fields by key, and how often on which days of the month."""

    number: int
    type: str
    values: dict[str, Any]
    days: list[tuple[int, int]]
    record: Record
    texts: list[str]  # its fields as they were written, as much of each as a shape shows

    def shape_of(self, name: str) -> str | None:
        """Return what the value of a field of its record looked like; None where the record has no such field."""
        position = self.record.position_of(name)
        if position is None:
            return None
        return shape(self.texts[position]) if position < len(self.texts) else ""


@dataclass(frozen=True, slots=True)
class Institution:
    """Who claims, of which month, through which reviewing body."""

    code: str
    name: str
    claimed_month: date
    reviewer: str


@dataclass(slots=True)
class Receipt:
    """One receipt's records. It is refused as soon as one of them is."""

    institution: Institution | None
    head: Line
    lines: list[Line] = field(default_factory=list)
    records: int = 1  # lines, those that hold nothing that is taken included
    refused: bool = False
    faults: list[Fault] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)

    def fault(self, code: FaultCode, line: Line, name: str, expected: str = "") -> None:
        """Add a fault at a field of one of its records; it refuses the receipt unless it is a warning."""
        self.faults.append(Fault(code, line.number, f"{line.type} {name}", line.shape_of(name), expected))
        self.refused = self.refused or refuses(code)

    def all_of(self, record_type: str) -> list[Line]:
        """Return its records of one type."""
        return [line for line in self.lines if line.type == record_type]


class Reader:
    """Reads one file; its counts and the faults found outside receipts grow as the receipts are taken from it."""

    def __init__(self, path: Path, uke: Uke) -> None:
        self._path = path
        self._uke = uke
        self._institution: Institution | None = None
        self._count = self._points = 0  # of the block, as its totals state them
        self._open = False
        self._whole = True  # every line of the block could be read
        self._strays = 0
        self.read = 0
        self.refused = 0  # records that belong to no receipt
        self.faults: list[Fault] = []

    def receipts(self) -> Iterator[Receipt | None]:
        """Yield the file's receipts in order; those with faults, or with a line that cannot be read, are refused.

        After each record outside of receipts comes None, so that the faults of any number of these can be taken away.

        Raises:
            FileRefused: a line beyond all bounds, no totals at the end, or no UKE; undecodable or NUL bytes, once all
                lines have been read.
        """
        with gathered_refusals() as refusals:
            receipt: Receipt | None = None
            for number, raw, text in self._lines(refusals):
                readable = _UNREADABLE not in text
                self._whole = self._whole and readable
                fields = text.split(",")
                record_type = fields[0]
                starts = record_type in ("RE", "GO", self._uke.opening)
                if starts and receipt:
                    yield receipt
                    receipt = None
                if starts or receipt is None:
                    receipt = self._begin(number, record_type, fields)
                else:
                    receipt.records += 1
                    if receipt.records <= MAX_RECORDS:
                        self._add(receipt, number, record_type, fields)
                    elif receipt.records == MAX_RECORDS + 1:  # the rest is counted and not kept
                        fault = Fault(FaultCode.RECEIPT_TOO_LARGE, number, RECORD_TYPE, shape(record_type))
                        receipt.faults.append(fault)
                        receipt.refused = True
                if receipt:
                    receipt.refused = receipt.refused or not readable
                    receipt.digest.update(raw)
                else:
                    yield None
            if self._open or not self.read:
                raise FileRefused(Fault(FaultCode.TOTALS_MISSING))

    def _lines(self, refusals: Refusals) -> Iterator[tuple[int, bytes, str]]:
        told_encoding = False
        with self._path.open("rb") as file:
            while raw := file.readline(LONGEST_LINE + 1):
                self.read += 1
                if len(raw) > LONGEST_LINE:
                    raise FileRefused(Fault(FaultCode.LINE_TOO_LONG, self.read))
                raw = raw.rstrip(b"\r\n")
                if raw == END_OF_FILE:
                    continue
                if not (told_encoding or raw.isascii()):
                    told_encoding = True
                    if _is_utf8(raw):
                        raise FileRefused(Fault(FaultCode.ENCODING_UNKNOWN, self.read, expected=_CP932))
                text = raw.decode("cp932", "replace")
                if _DOUBTFUL.search(text) and (wrong := unreadable_byte(raw, "cp932")):
                    refusals.add(byte_fault(wrong[0], self.read, self.read, wrong[1]))
                    text = _DOUBTFUL.sub(_UNREADABLE, text)
                yield self.read, raw, text

    def _begin(self, number: int, record_type: str, fields: list[str]) -> Receipt | None:
        record = self._uke.records.get(record_type)
        if record is None:
            if self._is_unknown(record_type):
                self._tell(FaultCode.RECORD_TYPE_UNKNOWN, number, record_type, shape(record_type))
            return None
        faults: list[Fault] = []
        line = _parse(number, record_type, record, fields, faults)
        if record_type == "RE":
            self._open = True
            return self._receipt(line, faults)
        self.faults += faults
        if record_type == self._uke.opening:
            self._open, self._whole, self._count, self._points = True, True, 0, 0
            lacks = any(line.values[entry.key] is None for entry in record.fields if entry.required)
            refused = lacks or any(refuses(f.code) for f in faults)
            self._institution = None if refused else self._institution_of(line)
        elif record_type == "GO" and self._open:
            if self._whole:
                self._check_totals(line)
            self._open, self._institution = False, None
        else:
            self._tell(FaultCode.RECORD_MISPLACED, number, record_type)
        return None

    def _receipt(self, line: Line, faults: list[Fault]) -> Receipt:
        receipt = Receipt(self._institution, line, faults=faults, refused=any(refuses(f.code) for f in faults))
        if self._institution is None:  # missing, or refused itself
            receipt.fault(FaultCode.INSTITUTION_MISSING, line, RECORD_TYPE)
        return receipt

    def _add(self, receipt: Receipt, number: int, record_type: str, fields: list[str]) -> None:
        record = self._uke.records.get(record_type)
        if record is None:
            if record_type == _RETURN:
                receipt.faults.append(Fault(FaultCode.RETURN_RECORDED, number, RECORD_TYPE, shape(record_type)))
            elif self._is_unknown(record_type):
                receipt.faults.append(Fault(FaultCode.RECORD_TYPE_UNKNOWN, number, RECORD_TYPE, shape(record_type)))
            return
        known = len(receipt.faults)
        line = _parse(number, record_type, record, fields, receipt.faults)
        receipt.refused = receipt.refused or any(refuses(f.code) for f in receipt.faults[known:])
        receipt.lines.append(line)
        if record_type in ("HO", "KO"):
            self._count += 1
            if not any(other.type in ("HO", "KO") for other in receipt.lines[:-1]):
                self._points += line.values.get("points") or 0

    def _is_unknown(self, record_type: str) -> bool:
        return record_type not in self._uke.passed_over and _UNREADABLE not in record_type

    def _institution_of(self, line: Line) -> Institution:
        v = line.values
        code = v["prefecture"] + v["point_table"] + v["institution"]
        if not has_valid_check_digit(code):
            self.faults.append(
                Fault(FaultCode.CHECK_DIGIT, line.number, f"{line.type} 医療機関コード", shape(code), _CHECK)
            )
        return Institution(code, v["name"] or "", v["claimed_month"], v["reviewer"])

    def _check_totals(self, line: Line) -> None:
        for key, name, found in (("count", "総件数", self._count), ("points", "総合計点数", self._points)):
            if line.values.get(key) is not None and line.values[key] != found:
                said = both(f"ファイルの合計 {found}", f"{found}, the sum over the file")
                self.faults.append(Fault(FaultCode.TOTALS_DIFFER, line.number, f"GO {name}", line.shape_of(name), said))

    def _tell(self, code: FaultCode, number: int, record_type: str, value_shape: str | None = None) -> None:
        self.faults.append(Fault(code, number, RECORD_TYPE, value_shape or shape(record_type)))
        self.refused += refuses(code)
        self._strays += 1
        if self._strays > MAX_STRAYS:
            raise FileRefused(Fault(FaultCode.TOTALS_MISSING, expected=_NO_UKE))


def _is_utf8(raw: bytes) -> bool:
    # Much of UTF-8 reads in cp932 too, as other characters; Japanese in cp932 never reads in UTF-8.
    try:
        return max(raw.decode("utf-8")) >= "\u2000"
    except UnicodeDecodeError:
        return False


def _parse(number: int, record_type: str, record: Record, fields: list[str], faults: list[Fault]) -> Line:
    values: dict[str, Any] = {}
    texts = [text.strip(SPACES) for text in fields[: record.width]]
    for entry in record.fields:
        text = texts[entry.position] if entry.position < len(texts) else ""
        values[entry.key] = _read(number, record_type, entry, text, faults)
    days = _days(number, record_type, record.days_at, texts, faults) if record.days_at else []
    return Line(number, record_type, values, days, record, [text[: SHAPE_LENGTH + 1] for text in texts])


def _read(number: int, record_type: str, entry: Field, text: str, faults: list[Fault]) -> object:
    if not text:
        if entry.required:
            faults.append(Fault(FaultCode.REQUIRED, number, f"{record_type} {entry.name}", "", entry.kind.expected))
        return None
    if _UNREADABLE in text:
        return None  # told of with its byte
    if has_gaiji(text):
        faults.append(Fault(FaultCode.GAIJI, number, f"{record_type} {entry.name}", shape(text)))
    try:
        return entry.kind.read(text)
    except Malformed as malformed:
        code = malformed.code
        said = "" if code in (FaultCode.MY_NUMBER, FaultCode.CONTROL_CHARACTER) else entry.kind.expected
        faults.append(Fault(code, number, f"{record_type} {entry.name}", shape(text), said))
        return None


def _days(number: int, record_type: str, start: int, texts: list[str], faults: list[Fault]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    wrong: list[tuple[int, str]] = []
    for day, text in enumerate(texts[start : start + 31], 1):
        if text and _UNREADABLE not in text:
            if not (text.isascii() and text.isdigit() and len(text) <= 3):
                wrong.append((day, text))
            elif times := int(text):
                found.append((day, times))
    if wrong:  # one fault for all: a writer that fills these columns otherwise fills all of them, in every record
        (day, text), *others = wrong
        name = f"{record_type} {day_name(day)}"
        faults.append(Fault(FaultCode.MALFORMED_NUMBER, number, name, shape(text), _times_expected(len(others))))
    return found


@cache
def _times_expected(others: int) -> str:
    if not others:
        return both("その日の回数(3桁以内)", "how often on that day, at most three digits")
    return both(
        f"その日の回数(3桁以内)。この記録のほかの{others}日も同様",
        f"how often on that day, at most three digits; so on {others} other days of this record",
    )
