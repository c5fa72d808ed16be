"""What was done to a person, as their institutions' and pharmacies' claims state it."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from eligibility.domain.codes import ClaimKind, TreatmentRecord
from eligibility.wire.encoding import Moment, Wire
from eligibility.wire.medications import Month


class Treatment(Wire):
    """One line of a claim: what was done, a device that was used, or a comment that stands alone."""

    care_month: Month
    days: tuple[date, ...] = Field(description="In their order; none where the claim states the month alone.")
    kind: ClaimKind
    record: TreatmentRecord
    service_class: str | None = Field(description="診療識別, two digits.")
    code: str = Field(description="Nine digits: 診療行為, 特定器材 or コメント.")
    name: str | None = Field(description="As the claim names it; the master of procedures is not kept here.")
    quantity: Decimal | None
    unit: str | None = Field(description="A device's 単位コード as claimed; the table of units is not kept here.")
    times: int | None
    comment: str | None
    institution_code: str
    institution_name: str


class TreatmentHistory(Wire):
    """GET /v1/verifications/{id}/treatments: latest month first, each claim in its own order."""

    verification_id: UUID
    from_month: Month
    through_month: Month
    data_as_of: Moment | None = Field(description="When the latest of these claims became known here.")
    treatments: tuple[Treatment, ...]
