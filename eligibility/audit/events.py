"""One thing that happened: who did it, to whom it refers, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class EventKind(StrEnum):
    """What happened. The code beside it says how it ended: an outcome, or the reason of a refusal."""

    VERIFICATION = "verification"
    NUMBER_VERIFICATION = "number_verification"
    REGISTRATION = "registration"
    REFERENCE_NUMBER = "reference_number"
    BULK = "bulk"
    CLEARED = "cleared"
    REQUEST_REFUSED = "request_refused"
    SUBMISSION_MERGED = "submission_merged"
    SUBMISSION_REFUSED = "submission_refused"
    SUBMISSION_HELD = "submission_held"
    SUBMISSION_DECIDED = "submission_decided"
    CASE_DECIDED = "case_decided"
    CASE_LISTED = "case_listed"
    ENROLMENT = "enrolment"
    CHECKUPS_PURGED = "checkups_purged"
    DRUGS_LOADED = "drugs_loaded"
    STAFF_SESSION = "staff_session"
    DISCLOSURE = "disclosure"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    TAKEN_BACK = "taken_back"


class ActorKind(StrEnum):
    """Who did it."""

    TERMINAL = "terminal"
    STAFF = "staff"
    INSURER = "insurer"
    OPERATOR = "operator"
    PROCESS = "process"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event. `detail` holds classes, counts and codes, never a name, an insured number or a secret."""

    event_id: UUID
    occurred_at: datetime
    kind: EventKind
    code: str
    actor_kind: ActorKind
    actor: str
    institution_code: str | None = None
    insurer_number: str | None = None
    person_id: int | None = None
    verification_id: UUID | None = None
    submission_id: UUID | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
