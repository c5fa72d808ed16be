"""Dispensing receipts (調剤, RECEIPTY): what a pharmacy dispensed, by prescription group (剤).

A group is SH (form and usage), its medicines, devices and comments, then one CZ for each day it was dispensed: what was
dispensed is a medicine's 使用量 times the CZ's 調剤数量 (days of oral medicines, else times).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from eligibility.domain.codes import UsageGroup
from payer_sync.claims.claim import Extracted, Medicine, Treatment
from payer_sync.claims.reading import Line, Receipt
from payer_sync.claims.receipts import extract_claim, extract_shares
from payer_sync.faults import FaultCode, both

_USAGE: Final = {
    "1": UsageGroup.ORAL,
    "2": UsageGroup.ORAL_DROPS,
    "3": UsageGroup.AS_NEEDED,
    "4": UsageGroup.INJECTION,
    "5": UsageGroup.EXTERNAL,
    "6": UsageGroup.DECOCTION,
    "7": UsageGroup.HERBAL_TEA,
    "9": UsageGroup.MATERIAL,
}
_DISPENSED: Final = both("剤ごとに調剤日の記録(CZ)", "a record of dispensing (CZ) for each group")
_GROUPED: Final = both("SH に続く IY・TO・CO、その後の CZ", "IY, TO and CO after their SH, then CZ")
MAX_DISPENSINGS: Final = 99  # of one group in a month
_MOST: Final = 999_999_999  # times, summed over a group's dispensings
_TOO_MANY: Final = both(f"剤ごとに{MAX_DISPENSINGS}以内の CZ", f"at most {MAX_DISPENSINGS} CZ for each group")
_PRESCRIBED: Final = both("調剤日以前の処方日", "a prescription on or before the day of dispensing")


@dataclass(slots=True)
class _Group:
    number: int
    head: Line
    lines: list[Line] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    dispensings: list[Line] = field(default_factory=list)


def extract_dispensing(receipt: Receipt, today: date) -> Extracted:
    """Take a receipt that is not refused apart; faults that show only now are added to it."""
    medicines: list[Medicine] = []
    devices: list[Treatment] = []
    for group in _groups(receipt):
        if not group.dispensings:
            receipt.fault(FaultCode.REQUIRED, group.head, "CZ", _DISPENSED)
        if len(group.dispensings) > MAX_DISPENSINGS:
            receipt.fault(FaultCode.RECEIPT_TOO_LARGE, group.dispensings[MAX_DISPENSINGS], "レコード識別", _TOO_MANY)
            continue
        if sum(dispensing.values["quantity"] for dispensing in group.dispensings) > _MOST:
            receipt.fault(FaultCode.RECEIPT_TOO_LARGE, group.dispensings[-1], "調剤数量")
        for dispensing in group.dispensings:
            _check_days(receipt, dispensing)
        comment = "\n".join(group.comments) or None
        for line in group.lines:
            if line.type == "IY":
                medicines += _medicines(receipt, group, comment, line)
            else:
                devices.append(_device(receipt, group, comment, line))
    days = {day for device in devices for day in device.days}
    days |= {medicine.medicine_on for medicine in medicines}
    claim = extract_claim(receipt, "dispensing", days, today)
    return Extracted(claim, extract_shares(receipt), medicines, devices)


def _groups(receipt: Receipt) -> Iterator[_Group]:
    group: _Group | None = None
    number = 0
    for line in receipt.lines:
        if line.type == "SH":
            if group:
                yield group
            number += 1
            group = _Group(number, line, comments=[line.values["instruction"]] if line.values["instruction"] else [])
        elif line.type not in ("IY", "TO", "CO", "CZ"):
            continue
        elif group is None or (group.dispensings and line.type in ("IY", "TO")):
            if line.type != "CO":  # a comment may stand before the first group, on the receipt as a whole
                receipt.fault(FaultCode.RECORD_MISPLACED, line, "レコード識別", _GROUPED)
        elif line.type == "CZ":
            group.dispensings.append(line)
        elif line.type == "CO":
            group.comments += [line.values["text"]] if line.values["text"] else []
        else:
            group.lines.append(line)
    if group:
        yield group


def _check_days(receipt: Receipt, dispensing: Line) -> None:
    month: date = receipt.head.values["care_month"]
    dispensed: date = dispensing.values["dispensed_on"]
    if dispensed.replace(day=1) != month:
        receipt.fault(FaultCode.OTHER_DAY, dispensing, "調剤年月日")
    if dispensing.values["prescribed_on"] > dispensed:
        receipt.fault(FaultCode.ENDS_BEFORE_START, dispensing, "処方年月日", _PRESCRIBED)


def _medicines(receipt: Receipt, group: _Group, comment: str | None, line: Line) -> Iterator[Medicine]:
    for position, dispensing in enumerate(group.dispensings, 1):
        yield Medicine(
            record_number=receipt.head.number,
            line=line.number - receipt.head.number,
            position=position,
            group_number=group.number,
            usage_group=_USAGE[group.head.values["form"]].value,
            drug_code=line.values["code"],
            quantity=line.values["quantity"],
            days_or_times=dispensing.values["quantity"],
            usage_code=group.head.values["usage_code"],
            comment=comment,
            medicine_on=dispensing.values["dispensed_on"],
            day_stated=True,
            prescribed_on=dispensing.values["prescribed_on"],
        )


def _device(receipt: Receipt, group: _Group, comment: str | None, line: Line) -> Treatment:
    v = line.values
    return Treatment(
        record_number=receipt.head.number,
        line=line.number - receipt.head.number,
        group_number=group.number,
        record_type=line.type,
        service_class=None,
        code=v["code"],
        name=None,
        quantity=v["quantity"],
        unit=v["unit"],
        points=None,
        times=sum(dispensing.values["quantity"] for dispensing in group.dispensings),
        days=[dispensing.values["dispensed_on"] for dispensing in group.dispensings],
        comment=comment,
    )
