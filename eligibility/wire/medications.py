"""What a person was given, as their institutions' and pharmacies' claims state it."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from eligibility.domain.codes import ClaimKind, UsageGroup
from eligibility.wire.encoding import Moment, Wire

Month = Annotated[str, Field(pattern=r"^(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])$", description="YYYY-MM")]


class Medicine(Wire):
    """One medicine on one day; `quantity` is for one day (oral) or one time, `days_or_times` how many of them."""

    medicine_on: date = Field(description="Dispensed or given; the month's first day where no day is stated.")
    day_stated: bool
    prescribed_on: date | None
    kind: ClaimKind
    usage_group: UsageGroup
    usage_code: str | None = Field(description="用法コード of a dispensing claim.")
    drug_code: str
    drug_name: str | None
    drug_known: bool = Field(description="Whether the drug master has the code; if not, there is no name.")
    ingredient: str | None = Field(
        description="Seven characters; equal for all medicines of the same substance that are given the same way."
    )
    quantity: Decimal | None
    unit: str | None
    days_or_times: int
    institution_code: str = Field(description="Who dispensed or gave it.")
    institution_name: str
    prescriber_code: str | None
    prescriber_name: str | None
    comment: str | None


class MedicationHistory(Wire):
    """GET /v1/verifications/{id}/medications: latest first."""

    verification_id: UUID
    from_month: Month
    through_month: Month
    data_as_of: Moment | None = Field(description="When the latest of these claims became known here.")
    medicines: tuple[Medicine, ...]
