"""An insurer's push: the manifest that announces a file, the state of a submission, and its feedback."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from eligibility.wire.encoding import Bytes, Incoming, Moment, Wire

CHUNK_BYTES = 4 * 1024 * 1024
LAYOUT_LENGTH = 40  # characters of a layout's name


class SubmissionKind(StrEnum):
    """Whether a file states everyone, or only what changed."""

    FULL = "full"
    DELTA = "delta"


class SubmissionState(StrEnum):
    """Where a submission is on its way; `merged` and `refused` are its ends, `held` waits for an operator."""

    RECEIVING = "receiving"
    RECEIVED = "received"
    CHECKING = "checking"
    MERGING = "merging"
    HELD = "held"
    MERGED = "merged"
    REFUSED = "refused"


class Severity(StrEnum):
    """What a fault costs: the whole file, its record, or nothing."""

    FILE_REFUSED = "file_refused"
    RECORD_REFUSED = "record_refused"
    WARNING = "warning"


class Manifest(Incoming):
    """What a file is, said before it is sent. The insurer is known from the caller's certificate, never from here."""

    layout: str = Field(max_length=LAYOUT_LENGTH)
    edition: int = Field(ge=1, le=99)
    kind: SubmissionKind
    file_name: str = Field(min_length=1, max_length=200)
    content_length: int = Field(ge=0, le=2**40)
    content_digest: Bytes = Field(min_length=32, max_length=32, description="SHA-256 of the whole file.")
    records: int = Field(ge=0, le=10**10, description="Records after the header.")


class FeedbackLine(Wire):
    """One fault: where, what, how bad, what was expected. It never carries the value itself."""

    record: int | None = Field(description="1 is the first record after the header; null is the file as a whole.")
    field: str | None
    code: str
    severity: Severity
    value_shape: str | None = Field(description="What the value looked like: 9 a digit, A a letter, あ another.")
    expected: str


class Submission(Wire):
    """A submission as it stands."""

    submission_id: UUID
    state: SubmissionState
    received_bytes: int
    manifest: Manifest
    created_at: Moment
    finished_at: Moment | None
    records: int | None
    refused: int | None
    merged: int | None
    unchanged: int | None
    faults: int = Field(description="How many feedback lines there are.")
    checked: int | None = Field(
        default=None, description="Records checked so far, while they are and whoever answers knows; otherwise null."
    )


class FeedbackPage(Wire):
    """Some of a submission's feedback; `after` asks for what follows, and is null when nothing does."""

    lines: tuple[FeedbackLine, ...]
    after: int | None
