"""What is taken from a receipt: the claim, who pays which part of it, its medicines and its treatments.

Each is a tuple in the order of its staging table's columns (staged_claim, staged_claim_share, …); `record_number`, the
line of the receipt's RE record, says whose they are, and `line` counts from that line.
"""

from datetime import date
from decimal import Decimal
from typing import NamedTuple


class Claim(NamedTuple):
    """One receipt."""

    record_number: int
    records: int
    kind: str
    receipt_key: str
    institution_code: str
    institution_name: str
    care_month: date
    claimed_month: date
    receipt_type: str
    insurer_number: str | None  # None where public expense pays alone
    symbol: str
    number: str
    branch_number: str
    symbol_key: str
    number_key: str
    birth_date: date
    sex: str
    care_from: date
    care_through: date
    care_days: list[date] | None  # None where none is stated: any of the whole month
    prescriber_code: str | None
    prescriber_name: str | None
    content_digest: bytes
    insured_line: int | None  # the HO record's line; None where public expense pays alone
    branch_line: int | None  # that of the insurer's SN record

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells it from all other receipts of its kind, as `plan_claims` finds it again.

        A search number stays when month or holder are corrected; of dispensing receipts its position is not verified.
        """
        known = (self.institution_code, self.receipt_key)
        if not self.receipt_key.startswith("S"):
            return (*known, self.care_month, self.insurer_number, self.symbol_key, self.number_key, self.birth_date)
        return known if self.kind == "medical" else (*known, self.care_month)


class Share(NamedTuple):
    """What one payer was charged in the month; position 0 is the insurer, 1 to 4 are public expense programmes."""

    record_number: int
    position: int
    payer_number: str
    visit_days: int | None
    points: int | None
    patient_yen: int | None


class Medicine(NamedTuple):
    """One medicine on one day; `quantity` is per day (oral) or per time, `days_or_times` how many of them."""

    record_number: int
    line: int
    position: int
    group_number: int
    usage_group: str
    drug_code: str
    quantity: Decimal | None
    days_or_times: int
    usage_code: str | None
    comment: str | None
    medicine_on: date  # dispensed or given; the month's first day where no day is stated
    day_stated: bool
    prescribed_on: date | None


class Treatment(NamedTuple):
    """One line of what was done (SI), of a device (TO), or a comment that stands alone (CO); points end a group."""

    record_number: int
    line: int
    group_number: int
    record_type: str
    service_class: str | None
    code: str
    name: str | None
    quantity: Decimal | None
    unit: str | None  # a device's 単位コード: no word to be shown as it is
    points: int | None
    times: int | None
    days: list[date]
    comment: str | None


class Extracted(NamedTuple):
    """All that is taken from one receipt."""

    claim: Claim
    shares: list[Share]
    medicines: list[Medicine]
    treatments: list[Treatment]
