"""A submission's states and the steps between them, and its rows in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from eligibility.domain.identifiers import InsurerNumber
from eligibility.storage.statements import statements
from eligibility.wire.submissions import (
    FeedbackLine,
    FeedbackPage,
    Manifest,
    Severity,
    Submission,
    SubmissionKind,
    SubmissionState,
)
from payer_sync.faults import Fault

_SQL = statements("payer_sync.queries")
_S = SubmissionState

# From each state, the states that may follow. A process that is killed leaves `checking` or `merging` behind; nothing
# of the file is applied then, so the next one begins with the check again.
STEPS: Final = {
    _S.RECEIVING: frozenset({_S.RECEIVING, _S.RECEIVED, _S.REFUSED}),  # refused when nobody goes on with it
    _S.RECEIVED: frozenset({_S.CHECKING}),
    _S.CHECKING: frozenset({_S.CHECKING, _S.MERGING, _S.REFUSED}),
    _S.MERGING: frozenset({_S.CHECKING, _S.HELD, _S.MERGED, _S.REFUSED}),
    # An operator decided, and the file is checked again; or it had arrived damaged and is sent again.
    _S.HELD: frozenset({_S.RECEIVED, _S.REFUSED}),
    _S.MERGED: frozenset[SubmissionState](),
    _S.REFUSED: frozenset[SubmissionState](),
}


class StepRefused(Exception):
    """A submission cannot go from the one state to the other."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a file's records."""

    records: int
    refused: int
    merged: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Filed:
    """A submission, whose it is, and how many of its loads have come to no end when it was looked for."""

    insurer: InsurerNumber
    submission: Submission
    unended_loads: int = 0


def step(state: SubmissionState, following: SubmissionState) -> SubmissionState:
    """Return the state that follows.

    Raises:
        StepRefused: it does not follow.
    """
    if following not in STEPS[state]:
        raise StepRefused
    return following


def state_after_chunk(received_bytes: int, content_length: int) -> SubmissionState:
    """Return the state of an upload of which so many bytes are on disk."""
    return _S.RECEIVED if received_bytes == content_length else _S.RECEIVING


async def announce(
    connection: Any, submission_id: UUID, insurer: InsurerNumber, manifest: Manifest, now: datetime
) -> tuple[Submission, bool]:
    """Return the submission a manifest announces, and whether it is new.

    The same file again is the earlier one, unless it may come to something else now (see the statement).
    """
    async with connection.transaction():
        await connection.execute(_SQL["lock_manifest"], insurer.digits)
        row = await connection.fetchrow(
            _SQL["find_repeat"],
            insurer.digits, manifest.layout, manifest.edition, manifest.kind.value, manifest.content_digest,
            manifest.content_length, manifest.records,
        )  # fmt: skip
        if row is not None:
            return _submission(row), False
        await connection.execute(
            _SQL["insert_submission"],
            submission_id, insurer.digits, manifest.layout, manifest.edition, manifest.kind.value, manifest.file_name,
            manifest.content_length, manifest.content_digest, manifest.records,
            state_after_chunk(0, manifest.content_length).value, now,
        )  # fmt: skip
        return _submission(await connection.fetchrow(_SQL["find_submission"], submission_id, insurer.digits)), True


async def insurer_is_known(connection: Any, insurer: InsurerNumber) -> bool:
    """Tell whether the insurer takes part."""
    return bool(await connection.fetchval(_SQL["insurer_is_known"], insurer.digits))


async def find_submission(connection: Any, submission_id: UUID, insurer: InsurerNumber) -> Submission | None:
    """Return an insurer's submission; another insurer's is none."""
    row = await connection.fetchrow(_SQL["find_submission"], submission_id, insurer.digits)
    return None if row is None else _submission(row)


async def advance_upload(connection: Any, submission: Submission, offset: int, received_bytes: int) -> bool:
    """Note that bytes are on disk; tell whether nobody else had gone on from the same place."""
    state = step(submission.state, state_after_chunk(received_bytes, submission.manifest.content_length))
    row = await connection.fetchrow(
        _SQL["advance_upload"], submission.submission_id, offset, received_bytes, state.value
    )
    return row is not None


async def waiting_submissions(connection: Any, stopped_after: timedelta) -> Sequence[Filed]:
    """Return what is here and not finished, in the order of announcement.

    A file waits for those of its insurer and layout that were announced before it and are still coming in; one of
    which nothing has arrived for so long has stopped, and others go ahead of it.
    """
    rows = await connection.fetch(_SQL["waiting_submissions"], stopped_after)
    return [Filed(InsurerNumber(row["insurer_number"]), _submission(row), row["unended_loads"]) for row in rows]


async def note_unended_loads(connection: Any, submission_id: UUID, number: int) -> None:
    """Note how many loads have come to no end: the one under way, and those that were killed with their process."""
    await connection.execute(_SQL["note_unended_loads"], submission_id, number)


async def state_of(connection: Any, submission_id: UUID) -> SubmissionState:
    """Return how far a submission is."""
    return SubmissionState(await connection.fetchval(_SQL["state_of_submission"], submission_id))


async def set_state(connection: Any, submission_id: UUID, state: SubmissionState) -> None:
    """Move a submission on, unless it is finished already."""
    await connection.execute(_SQL["set_state"], submission_id, state.value)


async def finish(
    connection: Any, submission_id: UUID, state: SubmissionState, now: datetime, counts: Counts | None
) -> None:
    """End a submission in the connection's transaction."""
    told = (None,) * 4 if counts is None else (counts.records, counts.refused, counts.merged, counts.unchanged)
    await connection.execute(_SQL["finish_submission"], submission_id, state.value, now, *told)


async def insert_fault(connection: Any, submission_id: UUID, number: int, fault: Fault) -> None:
    """Add a fault of the file as a whole to its feedback."""
    await connection.execute(
        _SQL["insert_fault"],
        submission_id, number, fault.record, fault.field, fault.code.value, fault.code.severity.value,
        fault.value_shape, fault.said,
    )  # fmt: skip


async def feedback_page(connection: Any, submission_id: UUID, after: int, limit: int) -> FeedbackPage:
    """Return up to `limit` faults after a given one."""
    rows = await connection.fetch(_SQL["feedback_page"], submission_id, after, limit)
    lines = tuple(
        FeedbackLine(
            record=row["record_number"],
            field=row["field"],
            code=row["code"],
            severity=Severity(row["severity"]),
            value_shape=row["value_shape"],
            expected=row["expected"],
        )
        for row in rows
    )
    return FeedbackPage(lines=lines, after=rows[-1]["fault_number"] if len(rows) == limit else None)


def _submission(row: Any) -> Submission:
    return Submission(
        submission_id=row["submission_id"],
        state=SubmissionState(row["state"]),
        received_bytes=row["received_bytes"],
        manifest=Manifest(
            layout=row["layout"],
            edition=row["edition"],
            kind=SubmissionKind(row["kind"]),
            file_name=row["file_name"],
            content_length=row["content_length"],
            content_digest=row["content_digest"],
            records=row["stated_records"],
        ),
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        records=row["records"],
        refused=row["refused"],
        merged=row["merged"],
        unchanged=row["unchanged"],
        faults=row["faults"],
    )
