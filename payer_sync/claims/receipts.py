"""What medical and dispensing receipts have in common: the claim itself, its payers, and when its care was given."""

import calendar
from collections.abc import Collection
from datetime import date
from typing import Any

from eligibility.domain.names import number_key
from payer_sync.claims.claim import Claim, Share
from payer_sync.claims.reading import Institution, Line, Receipt
from payer_sync.claims.records import day_name
from payer_sync.faults import FaultCode, both

_ONE_INSURER = both("一つのレセプトに HO は一つ", "one HO record in a receipt")
_MONTH = {"medical": "診療年月", "dispensing": "調剤年月"}
_INSURED = "1"  # 負担者種別 of the insurer; 2 to 5 are public expense programmes


def extract_claim(receipt: Receipt, kind: str, days: Collection[date], today: date) -> Claim:
    """Return the claim; `days` are those on which care was given, and the whole month where none is stated."""
    head, institution = receipt.head, _institution(receipt)
    v = head.values
    month: date = v["care_month"]
    insured = receipt.all_of("HO")
    if len(insured) > 1:
        receipt.fault(FaultCode.RECORD_MISPLACED, insured[1], "レコード識別", _ONE_INSURER)
    if v["birth_date"] > today:
        receipt.fault(FaultCode.BORN_IN_FUTURE, head, "生年月日")
    if month > institution.claimed_month or max(days, default=month) > today:
        receipt.fault(FaultCode.CARE_IN_FUTURE, head, _MONTH[kind])
    number = insured[0].values if insured else {}
    branch = _branch(receipt)
    given = sorted(days) or [month, month.replace(day=month_length(month))]
    symbol, insured_number = number.get("symbol") or "", number.get("insured_number") or ""
    return Claim(
        record_number=head.number,
        records=receipt.records,
        kind=kind,
        receipt_key=_key(v, institution),
        institution_code=institution.code,
        institution_name=institution.name,
        care_month=month,
        claimed_month=institution.claimed_month,
        receipt_type=v["receipt_type"],
        insurer_number=number["insurer_number"].digits if insured else None,
        symbol=symbol,
        number=insured_number,
        branch_number=(branch.values["branch_number"] if branch else None) or "",
        symbol_key=number_key(symbol),
        number_key=number_key(insured_number),
        birth_date=v["birth_date"],
        sex=v["sex"],
        care_from=given[0],
        care_through=given[-1],
        care_days=sorted(days) or None,
        prescriber_code=_prescriber(v),
        prescriber_name=v.get("prescriber_name"),
        content_digest=receipt.digest.digest(),
        insured_line=insured[0].number if insured else None,
        branch_line=branch.number if branch else None,
    )


def extract_shares(receipt: Receipt) -> list[Share]:
    """Return what each payer was charged."""
    position = 0
    shares = []
    for line in receipt.lines:
        v = line.values
        if line.type == "HO":
            payer, place = v["insurer_number"].digits, 0
        elif line.type == "KO":
            position += 1
            payer, place = v["payer_number"], position
        else:
            continue
        shares.append(Share(receipt.head.number, place, payer, v["visit_days"], v["points"], v["patient_yen"]))
    return shares


def month_length(month: date) -> int:
    """Return how many days the month has."""
    return calendar.monthrange(month.year, month.month)[1]


def days_of(receipt: Receipt, line: Line) -> list[tuple[date, int]]:
    """Return the days a line states and how often on each; a day the month does not have is a fault."""
    month: date = receipt.head.values["care_month"]
    if line.days and line.days[-1][0] > month_length(month):
        receipt.fault(FaultCode.OTHER_DAY, line, day_name(line.days[-1][0]))
        return []
    return [(month.replace(day=day), times) for day, times in line.days]


def _institution(receipt: Receipt) -> Institution:
    if receipt.institution is None:
        raise ValueError("a receipt without its institution is refused before")
    return receipt.institution


def _key(v: dict[str, Any], institution: Institution) -> str:
    # The search number is the reviewer's own and stays when a receipt is claimed again; a receipt number means one
    # only within what an institution claims in one month through one reviewer, and insurers count anew in the files
    # that they send themselves: without a search number its holder belongs to what a receipt is known by.
    if v["search_number"]:
        return f"S{v['search_number']}"
    return f"N{institution.claimed_month:%Y%m}-{institution.reviewer}-{v['number']}"


def _branch(receipt: Receipt) -> Line | None:
    return next((line for line in receipt.all_of("SN") if line.values["bearer"] == _INSURED), None)


def _prescriber(v: dict[str, Any]) -> str | None:
    parts: list[str] = [v.get(key) or "" for key in ("prescriber_prefecture", "prescriber_table", "prescriber")]
    return "".join(parts) if all(parts) else None
