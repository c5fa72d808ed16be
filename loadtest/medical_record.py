"""Gives one insured person medicines and check-ups, by the very files and the very loading that insurers use.

Two institutions, a clinic and a pharmacy, state medicines of the same ingredient; check-ups go over three years, with
values that leave their ranges.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import polars as pl

from eligibility.domain.codes import Sex
from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.wire.submissions import SubmissionKind
from loadtest.nation.claims import write_drug_master
from payer_sync.claims.drug_master import merge_drugs, read_drugs
from payer_sync.layouts.register import find_layout
from payer_sync.loading import load
from payer_sync.manifest import build_manifest
from payer_sync.submission import Filed, announce, find_submission

CLINIC: Final = ("1310000011", "見本クリニック")
PHARMACY: Final = ("1340000015", "見本薬局")
# By each month before this one: the day, and then drug, quantity for a day and days.
_CLINIC_MONTHS: Final = (
    (1, 12, (("620900101", "1", 28), ("620900301", "3", 28))),
    (3, 10, (("620900101", "1", 56),)),
)
_PHARMACY_MONTHS: Final = (
    (1, 20, (("620900201", "1", 14), ("620900401", "1.5", 14))),
    (2, 20, (("620900201", "1", 30), ("620900401", "1.5", 30))),
)
_POINTS: Final = 4  # a day
_DISPENSED_POINTS: Final = 100
_AGES_OF_CHECKUPS: Final = (timedelta(days=45), timedelta(days=410), timedelta(days=775))
# Item, unit, low, high, and a value for each check-up, the latest first.
_QUANTITIES: Final = (
    ("9N011000000000001", "kg/m2", "18.5", "24.9", ("26.3", "25.4", "24.1")),
    ("9A751000000000001", "mm[Hg]", "", "129", ("138", "131", "122")),
    ("9A761000000000001", "mm[Hg]", "", "84", ("88", "84", "78")),
    ("3F077000002327101", "mg/dL", "60", "119", ("142", "128", "115")),
    ("3D046000001920402", "%", "", "5.5", ("6.1", "5.7", "5.4")),
    ("8A065000002391901", "mL/min/1.73m2", "60.0", "", ("58.2", "63.5", "66.0")),
)


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose record it is, in the words of the insurer that covers them today and did so on the days of the record."""

    insurer_number: str
    symbol: str
    number: str
    branch_number: str
    birth_date: date
    sex: Sex


class RecordRefused(Exception):
    """The loading found fault with a file: its state, and the codes of the faults."""


async def give_medical_record(database_url: str, patient: Patient, folder: Path, today: date | None = None) -> None:
    """Load the drug master, four months' claims and three check-ups of a patient; the address is the schema owner's.

    The insurer takes part already, and its eligibility file (or a test) has stated the patient's coverage. The folder
    holds the files that were loaded.

    Raises:
        RecordRefused: a file was not merged without any fault, say because the patient was not covered on a day of it.
    """
    today = today or day_in_japan(datetime.now(UTC))
    master = folder / "y_all.csv"
    write_drug_master(master)
    connection = await connect(database_url)
    try:
        await merge_drugs(connection, list(read_drugs(master)), datetime.now(UTC))
        for name, layout, content in _files(patient, today):
            path = folder / name
            path.write_bytes(content.encode("cp932"))
            await _take_in(database_url, connection, patient, path, layout)
    finally:
        await connection.close()


def _files(patient: Patient, today: date) -> Iterator[tuple[str, str, str]]:
    for ago, day, medicines in _CLINIC_MONTHS:
        month = _months_before(today, ago)
        yield f"RECEIPTC-{month:%Y%m}.UKE", "claim_medical", _medical(patient, month, day, medicines)
    for ago, day, medicines in _PHARMACY_MONTHS:
        month = _months_before(today, ago)
        yield f"RECEIPTY-{month:%Y%m}.UKE", "claim_dispensing", _dispensing(patient, month, day, medicines)
    yield "checkups.csv", "checkup", _checkups(patient, today)


async def _take_in(database_url: str, connection: Any, patient: Patient, path: Path, layout: str) -> None:
    insurer, now = InsurerNumber.parse(patient.insurer_number), datetime.now(UTC)
    manifest = build_manifest(path, SubmissionKind.DELTA, layout, 1)
    submission, _ = await announce(connection, uuid7(now), insurer, manifest, now)
    await load(database_url, Filed(insurer, submission), path)
    found = await find_submission(connection, submission.submission_id, insurer)
    faults = await connection.fetch(
        "select code from feedback where submission_id = $1 order by fault_number", submission.submission_id
    )
    if found is None or found.state != "merged" or faults:
        state = found.state if found else "unknown"
        raise RecordRefused(f"{path.name}: {state}, {', '.join(fault['code'] for fault in faults)}")


def _medical(patient: Patient, month: date, day: int, medicines: Sequence[tuple[str, str, int]]) -> str:
    charged = sum(_POINTS * days for _, _, days in medicines)
    lines = [_opening("IR", CLINIC, month, "")]
    head = [*_head(patient, "1112", month), *[""] * 12]
    lines += [",".join(head), *_insured(patient, charged)]
    for code, quantity, days in medicines:
        fields = ["IY", "21", "1", code, quantity, str(_POINTS), str(days), *[""] * 37]
        fields[12 + day] = str(days)
        lines.append(",".join(fields))
    return _whole(lines, charged)


def _dispensing(patient: Patient, month: date, day: int, medicines: Sequence[tuple[str, str, int]]) -> str:
    lines = [_opening("YK", PHARMACY, month, None)]
    head = [*_head(patient, "4112", month), *[""] * 35]
    head[9:13] = [CLINIC[0][:2], CLINIC[0][2], CLINIC[0][3:], CLINIC[1]]
    lines += [",".join(head), *_insured(patient, _DISPENSED_POINTS)]
    for number, (code, quantity, days) in enumerate(medicines, 1):
        dispensed = ["CZ", "1", f"{month:%Y%m}{day - 1:02}", f"{month:%Y%m}{day:02}", "1", str(days), *[""] * 48]
        lines += [f"SH,{number},1,101,,30,,,,", f"IY,1,{code},{quantity},,,,,", ",".join(dispensed)]
    return _whole(lines, _DISPENSED_POINTS)


def _head(patient: Patient, kind: str, month: date) -> list[str]:
    # An institution numbers the receipts of a month: no two patients' have the same.
    named = "\0".join((patient.insurer_number, patient.symbol, patient.number, patient.branch_number))
    number = str(crc32(named.encode()) % 999_999 + 1)
    return ["RE", number, kind, f"{month:%Y%m}", "見本", patient.sex.value, f"{patient.birth_date:%Y%m%d}"]


def _opening(record: str, institution: tuple[str, str], month: date, reserved: str | None) -> str:
    code, name = institution
    fields = [record, "1", code[:2], code[2], code[3:], *([] if reserved is None else [reserved]), name]
    return ",".join([*fields, f"{_months_before(month, -1):%Y%m}", "00", "0312345678"])


def _insured(patient: Patient, points: int) -> list[str]:
    insurer = patient.insurer_number
    padded = f"  {insurer[2:]}" if insurer.startswith("00") else insurer  # a municipality's number has six digits
    lines = [f"HO,{padded},{patient.symbol},{patient.number},1,{points}"]
    return [*lines, f"SN,1,01,,,,{patient.branch_number},,"] if patient.branch_number else lines


def _whole(lines: Sequence[str], points: int) -> str:
    return "".join(f"{line}\r\n" for line in [*lines, f"GO,1,{points},99"])


def _checkups(patient: Patient, today: date) -> str:
    whose = (
        patient.insurer_number, patient.symbol, patient.number, patient.branch_number, "",
        f"{patient.birth_date:%Y%m%d}", patient.sex.value,
    )  # fmt: skip
    rows = []
    for which, age in enumerate(_AGES_OF_CHECKUPS):
        when = (f"{today - age:%Y%m%d}", CLINIC[0])
        for code, unit, low, high, values in _QUANTITIES:
            rows.append((*whose, *when, code, "PQ", values[which], "", unit, low, high, ""))
        smoking = ("2", "いいえ") if which == 0 else ("1", "はい")
        rows.append((*whose, *when, "9N736000000000011", "CD", *smoking, "", "", "", ""))
    names = find_layout("checkup", 1).column_names
    return pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row").write_csv(line_terminator="\r\n")


def _months_before(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)
