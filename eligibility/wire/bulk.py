"""Bulk checks of many insured numbers at once, and the institutions' own patient numbers."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import FailFast, Field

from eligibility.domain.codes import Outcome
from eligibility.wire.encoding import Incoming, Moment, Wire
from eligibility.wire.problems import Sentence
from eligibility.wire.verifications import CoverageAnswer

MAX_BULK_ITEMS = 10_000
MAX_BULK_BYTES = 8 * 1024 * 1024
MAX_BULK_SIGNS = 20 * MAX_BULK_ITEMS  # of ",:[{"; an item has 13, and a few more where its texts hold some
ITEM_ID_LENGTH = 50
REFERENCE_NUMBER_LENGTH = 50
ITEM_TEXT_LENGTH = 100  # far beyond any right value, so that a wrong one is told by its item, not by the whole message

_Text = Annotated[str, Field(max_length=ITEM_TEXT_LENGTH)]


class BulkItem(Incoming):
    """One insured number and birth date; what is malformed here is a problem of this item alone."""

    item_id: str = Field(min_length=1, max_length=ITEM_ID_LENGTH, description="The caller's own; once in a request.")
    insurer_number: _Text
    symbol: _Text = ""
    number: _Text
    branch_number: _Text = ""
    birth_date: _Text = Field(description="YYYY-MM-DD, YYYYMMDD or an era date GYYMMDD.")


class BulkRequest(Incoming):
    """POST /v1/bulk-verifications: tomorrow's appointments. `asked_for` is today in Japan when left out."""

    asked_for: date | None = None
    # Only what is right counts towards the length: without an end at the first fault, millions would be told.
    items: Annotated[tuple[BulkItem, ...], FailFast()] = Field(min_length=1, max_length=MAX_BULK_ITEMS)


class BulkState(StrEnum):
    """Where a bulk check is on its way."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"


class BulkReceipt(Wire):
    """The bulk check is durable and will be done."""

    bulk_id: UUID
    accepted_at: Moment
    items: int


class BulkStatus(Wire):
    """How far a bulk check is."""

    bulk_id: UUID
    state: BulkState
    total: int
    done: int
    results_until: Moment | None = Field(description="When the results are cleared; null until they are there.")


class ItemProblem(Wire):
    """Why an item has no outcome: a stable code, the field meant, and a sentence for reception staff."""

    code: str
    field: str
    staff: Sentence


class BulkResult(Wire):
    """What one item came to: an outcome with its coverage, or a problem."""

    item_id: str
    outcome: Outcome | None
    coverage: CoverageAnswer | None = Field(description="Without what needs the patient's consent.")
    changed: bool = Field(description="The answer differs from what this institution was last told of the person.")
    last_checked_at: Moment | None = Field(description="When that was; null where it never asked.")
    reference_number: str | None = Field(description="The institution's own number of the patient (照会番号).")
    problem: ItemProblem | None


class BulkResults(Wire):
    """GET /v1/bulk-verifications/{id}/results: changed ones first, each part in the order asked.

    A page; `after` asks for what follows, and is null when nothing does.
    """

    bulk_id: UUID
    asked_for: date
    finished_at: Moment
    total: int
    changed: int
    results: tuple[BulkResult, ...]
    after: int | None


class ReferenceNumberRegistration(Incoming):
    """POST /v1/reference-numbers: the institution's own number (照会番号) of a patient it has checked before.

    It comes back with later answers about the person, whatever insurer covers them then; nobody is found by it.
    """

    reference_number: str = Field(min_length=1, max_length=REFERENCE_NUMBER_LENGTH)
    insurer_number: str = Field(max_length=8)
    symbol: str = Field(default="", max_length=20)
    number: str = Field(min_length=1, max_length=20)
    branch_number: str = Field(default="", max_length=2)


class ReferenceNumberRegistered(Wire):
    """The number now names that patient at this institution, and nobody else."""

    registered_at: Moment
    replaced: bool = Field(description="The patient had another number here before.")
