"""Made-up histories for the tests of the records and of the bridge."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from eligibility.domain.checkup_items import ITEMS, ResultKind
from eligibility.domain.codes import ClaimKind, UsageGroup
from eligibility.wire.checkups import Checkup, CheckupHistory, CheckupItem
from eligibility.wire.medications import MedicationHistory, Medicine

VERIFICATION_ID = UUID("0197a3c0-0000-7000-8000-000000000001")
AS_OF = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
CLINIC, HOSPITAL, PHARMACY = "1312345679", "2712345673", "1342345676"
SBP, HBA1C, TEXT = "9A751000000000001", "3D046000001906202", "9N511000000000049"


def medicine(medicine_on: date, name: str = "アムロジピン錠５ｍｇ", **facts: Any) -> Medicine:
    """Make a medicine; the facts replace those of an oral one for 28 days, dispensed on a clinic's prescription."""
    usual: dict[str, Any] = {
        "medicine_on": medicine_on,
        "day_stated": True,
        "prescribed_on": medicine_on,
        "kind": ClaimKind.DISPENSING,
        "usage_group": UsageGroup.ORAL,
        "usage_code": None,
        "drug_code": "620098401",
        "drug_name": name,
        "drug_known": True,
        "ingredient": "2171022",
        "quantity": Decimal(1),
        "unit": "錠",
        "days_or_times": 28,
        "institution_code": PHARMACY,
        "institution_name": "架空薬局",
        "prescriber_code": CLINIC,
        "prescriber_name": "試験医院",
        "comment": None,
    }
    return Medicine(**(usual | facts))


def medication_history(*medicines: Medicine) -> MedicationHistory:
    """Put medicines together."""
    return MedicationHistory(
        verification_id=VERIFICATION_ID, from_month="2023-12", through_month="2026-11", data_as_of=AS_OF,
        medicines=medicines,
    )  # fmt: skip


def result(item_code: str, value: str, **facts: Any) -> CheckupItem:
    """Make a result of an item of the table; the facts replace what the table says."""
    item = ITEMS.get(item_code)
    usual: dict[str, Any] = {
        "item_code": item_code,
        "name_ja": item and item.ja,
        "name_en": item and item.en,
        "result_kind": item.kind if item else ResultKind.QUANTITY,
        "value": value,
        "value_name": "",
        "unit": item.unit if item else "",
        "low": item.reference.low if item and item.reference else None,
        "high": item.reference.high if item and item.reference else None,
        "flag": None,
    }
    return CheckupItem(**(usual | facts))


def checkup(day: date, *items: CheckupItem, institution_code: str = CLINIC) -> Checkup:
    """Put results together."""
    return Checkup(
        performed_on=day, institution_code=institution_code, insurer_number="06130512", insurer_name="架空健康保険組合",
        items=items,
    )  # fmt: skip


def checkup_history(*checkups: Checkup) -> CheckupHistory:
    """Put check-ups together."""
    return CheckupHistory(
        verification_id=VERIFICATION_ID, from_month="2021-11", through_month="2026-11", data_as_of=AS_OF,
        checkups=checkups,
    )  # fmt: skip


def long_medication() -> MedicationHistory:
    """Give the medicines of someone who goes to two institutions, with everything that can be marked."""
    hospital = {"prescriber_code": HOSPITAL, "prescriber_name": "架空総合病院"}
    tape = {
        "usage_group": UsageGroup.EXTERNAL, "drug_code": "620000111", "ingredient": "2649735", "unit": "枚",
        "quantity": Decimal(7), "days_or_times": 1,
    }  # fmt: skip
    pain = {"drug_code": "620000222", "ingredient": "1149019", "days_or_times": 14, "quantity": Decimal(3)}
    return medication_history(
        medicine(date(2026, 10, 20)),
        medicine(date(2026, 9, 22)),
        medicine(date(2026, 8, 25)),
        medicine(date(2026, 10, 1), "アムロジピンＯＤ錠２．５ｍｇ「架空」", drug_code="620098402", **hospital),
        medicine(date(2026, 10, 1), "ロキソプロフェンＮａ錠６０ｍｇ", **pain, **hospital),
        medicine(date(2026, 10, 5), "ロキソプロフェンテープ１００ｍｇ", **tape),
        medicine(date(2026, 10, 12), "ロキソプロフェンテープ１００ｍｇ", **tape, **hospital),
        medicine(
            date(2026, 9, 3), "アレルゲンエキス <b>&$x$", drug_code="620000333", ingredient=None,
            kind=ClaimKind.MEDICAL, usage_group=UsageGroup.PROCEDURE, days_or_times=1, prescriber_code=None,
            prescriber_name=None, institution_code=HOSPITAL, institution_name="架空総合病院",
        ),
        medicine(date(2026, 8, 1), drug_code="699999999", drug_name=None, drug_known=False, ingredient=None,
                 day_stated=False, unit=None, quantity=None),
    )  # fmt: skip


def long_checkups() -> CheckupHistory:
    """Give five years of check-ups, with values in and out of their ranges."""
    years = [
        (2022, "118", "5.4"),
        (2023, "126", "5.6"),
        (2024, "131", "5.9"),
        (2025, "142", "6.4"),
        (2026, "128", "6.1"),
    ]
    return checkup_history(
        *(
            checkup(
                date(year, 6, 10),
                result(SBP, pressure),
                result(HBA1C, sugar),
                result("3F070000002327101", str(60 - 6 * (year - 2022))),
                result("1A010000000191111", "1", value_name="−"),
                result(TEXT, "経過観察"),
            )
            for year, pressure, sugar in years
        )
    )
