"""Medical receipts (医科, RECEIPTC): groups of lines become medicines and treatments.

A line that states a 診療識別 begins a group, a comment included; a line without one goes on with it. Only a group's
last line states its points. A medicine's 回数 are its days (内服) or times, told by the columns of the month's days.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from eligibility.domain.codes import UsageGroup
from payer_sync.claims.claim import Extracted, Medicine, Treatment
from payer_sync.claims.reading import Line, Receipt
from payer_sync.claims.receipts import days_of, extract_claim, extract_shares
from payer_sync.faults import FaultCode, both

_USAGE: Final = {
    "14": UsageGroup.HOME,
    "21": UsageGroup.ORAL,
    "22": UsageGroup.AS_NEEDED,
    "23": UsageGroup.EXTERNAL,
    "31": UsageGroup.INJECTION,
    "32": UsageGroup.INJECTION,
    "33": UsageGroup.INJECTION,
}
_GIVEN_OUT: Final = frozenset({UsageGroup.ORAL, UsageGroup.AS_NEEDED, UsageGroup.EXTERNAL, UsageGroup.HOME})
_LINES: Final = frozenset({"SI", "IY", "TO", "CO"})


@dataclass(slots=True)
class _Group:
    number: int
    service_class: str
    lines: list[Line] = field(default_factory=list)
    comments: list[Line] = field(default_factory=list)

    @property
    def comment(self) -> str | None:
        return "\n".join(line.values["text"] for line in self.comments if line.values["text"]) or None


def extract_medical(receipt: Receipt, today: date) -> Extracted:
    """Take a receipt that is not refused apart; faults that show only now are added to it."""
    medicines: list[Medicine] = []
    treatments: list[Treatment] = []
    points = 0
    for group in _groups(receipt):
        comment = group.comment
        for line in group.lines:
            points += (line.values["points"] or 0) * (1 if line.values["times"] is None else line.values["times"])
            if line.type == "IY":
                medicines += _medicines(receipt, group, comment, line)
            else:
                treatments.append(_treatment(receipt, group, comment, line))
        if not group.lines:
            treatments += (_comment(receipt, group, line) for line in group.comments)
    days = {day for treatment in treatments for day in treatment.days}
    days |= {medicine.medicine_on for medicine in medicines if medicine.day_stated}
    claim = extract_claim(receipt, "medical", days, today)
    shares = extract_shares(receipt)
    # Of a stay in hospital other charges are part of the total.
    outpatient = int(claim.receipt_type[3]) % 2 == 0
    if outpatient and shares and shares[0].points not in (points, None):
        line = next(line for line in receipt.lines if line.type in ("HO", "KO"))
        said = both(f"明細の合計 {points}", f"{points}, the sum over the lines")
        receipt.fault(FaultCode.POINTS_DIFFER, line, "合計点数", said)
    return Extracted(claim, shares, medicines, treatments)


def _groups(receipt: Receipt) -> Iterator[_Group]:
    group: _Group | None = None
    number = 0
    for line in receipt.lines:
        if line.type not in _LINES:
            continue
        stated = line.values["service_class"]
        if stated:
            if group:
                yield group
            number += 1
            group = _Group(number, stated)
        elif group is None:
            receipt.fault(FaultCode.REQUIRED, line, "診療識別")
            continue
        (group.comments if line.type == "CO" else group.lines).append(line)
    if group:
        yield group


def _medicines(receipt: Receipt, group: _Group, comment: str | None, line: Line) -> Iterator[Medicine]:
    usage = _USAGE.get(group.service_class, UsageGroup.PROCEDURE)
    month: date = receipt.head.values["care_month"]
    stated = days_of(receipt, line)
    times = line.values["times"]
    for position, (day, count) in enumerate(stated or [(month, 1 if times is None else times)], 1):
        yield Medicine(
            record_number=receipt.head.number,
            line=line.number - receipt.head.number,
            position=position,
            group_number=group.number,
            usage_group=usage.value,
            drug_code=line.values["code"],
            quantity=line.values["quantity"],
            days_or_times=count,
            usage_code=None,
            comment=comment,
            medicine_on=day,
            day_stated=bool(stated),
            prescribed_on=day if stated and usage in _GIVEN_OUT else None,
        )


def _treatment(receipt: Receipt, group: _Group, comment: str | None, line: Line) -> Treatment:
    v = line.values
    return Treatment(
        record_number=receipt.head.number,
        line=line.number - receipt.head.number,
        group_number=group.number,
        record_type=line.type,
        service_class=group.service_class,
        code=v["code"],
        name=v.get("name"),
        quantity=v["quantity"],
        unit=v.get("unit"),
        points=v["points"],
        times=v["times"],
        days=[day for day, _ in days_of(receipt, line)],
        comment=comment,
    )


def _comment(receipt: Receipt, group: _Group, line: Line) -> Treatment:
    return Treatment(
        record_number=receipt.head.number,
        line=line.number - receipt.head.number,
        group_number=group.number,
        record_type="CO",
        service_class=group.service_class,
        code=line.values["code"],
        name=None,
        quantity=None,
        unit=None,
        points=None,
        times=None,
        days=[],
        comment=line.values["text"],
    )
