"""What a person's specific health check-ups found."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from eligibility.domain.checkup_items import Flag, ResultKind
from eligibility.wire.encoding import Moment, Wire
from eligibility.wire.medications import Month


class CheckupItem(Wire):
    """One result; the bounds are those of the laboratory that made it, and belong to the range."""

    item_code: str = Field(description="JLAC10, 17 characters.")
    name_ja: str | None = Field(description="Null where the item is not one we know.")
    name_en: str | None
    result_kind: ResultKind
    value: str
    value_name: str
    unit: str
    low: Decimal | None
    high: Decimal | None
    flag: Flag | None


class Checkup(Wire):
    """One check-up: a day, a place, its results in the order of their codes."""

    performed_on: date
    institution_code: str
    insurer_number: str
    insurer_name: str
    items: tuple[CheckupItem, ...]


class CheckupHistory(Wire):
    """GET /v1/verifications/{id}/checkups: latest first."""

    verification_id: UUID
    from_month: Month
    through_month: Month
    data_as_of: Moment | None = Field(description="When the latest of these check-ups became known here.")
    checkups: tuple[Checkup, ...]
