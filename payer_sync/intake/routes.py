"""The intake's routes: announce a file, send it in chunks, ask how it stands, read its feedback."""

import asyncio
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InsurerNumber, refuse_my_number
from eligibility.domain.ids import uuid7
from eligibility.serving.callers import insurer_of
from eligibility.serving.problems import Refusal
from eligibility.wire.encoding import Wire
from eligibility.wire.problems import PROBLEM_MEDIA_TYPE, Fault, Problem
from eligibility.wire.submissions import CHUNK_BYTES, FeedbackPage, Manifest, Submission, SubmissionState
from payer_sync.intake.editions import refuse_unaccepted
from payer_sync.layouts.register import LayoutUnknown, find_edition
from payer_sync.settings import IntakeSettings
from payer_sync.submission import advance_upload, announce, feedback_page, find_submission, insurer_is_known
from payer_sync.uploads import end_announced_before

FEEDBACK_PAGE = 1000
_PROBLEM: dict[str, Any] = {"model": Problem, "content": {PROBLEM_MEDIA_TYPE: {}}}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: _PROBLEM | {"description": said}
    for status, said in {
        400: "The upload was cut off.",
        401: "The caller's certificate is refused.",
        403: "The insurer does not take part.",
        404: "There is no such submission of this insurer.",
        409: "The upload goes on at another offset.",
        413: "The file or the chunk is too large.",
        422: "The message is malformed.",
        503: "The intake is busy.",
    }.items()
}

# The body is read by hand, so its description is given by hand, too.
_CHUNK: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"The file's bytes from the offset on, {CHUNK_BYTES // 2**20} MiB at most.",
        "content": {"application/octet-stream": {}},
    }
}
router = APIRouter(responses=_PROBLEMS)
CallingInsurer = Annotated[InsurerNumber, Depends(insurer_of)]


@router.post("/v1/submissions", response_model=Submission, responses={201: {"model": Submission}})
async def announce_file(request: Request, manifest: Manifest, caller: CallingInsurer) -> Response:
    """Announce a file; one that was sent before is answered with its earlier submission (200), a new one with 201."""
    state = request.app.state
    now = datetime.now(UTC)
    _check_manifest(manifest, day_in_japan(now), state.settings)
    if not await insurer_is_known(state.pool, caller):
        raise Refusal("insurer_unknown")
    submission_id = uuid7(now)
    # Made before its row: a row without a file would have to be explained later, a file without a row is harmless.
    await asyncio.to_thread(state.spool.touch, submission_id)
    async with state.pool.acquire() as connection:
        submission, new = await announce(connection, submission_id, caller, manifest, now)
        if new:
            await end_announced_before(connection, caller, submission, now)
    if not new:
        state.spool.remove(submission_id)
    elif submission.state is SubmissionState.RECEIVED:
        state.queue.announce()
    return _answer(submission, 201 if new else 200)


@router.put("/v1/submissions/{submission_id}/content", response_model=Submission, openapi_extra=_CHUNK)
async def take_chunk(
    request: Request, submission_id: UUID, offset: Annotated[int, Query(ge=0, le=2**40)], caller: CallingInsurer
) -> Response:
    """Take the chunk that begins at the offset, which must be what was received so far; it is durable when answered."""
    state = request.app.state
    await _own(request, submission_id, caller)
    try:
        chunk = await request.body()  # no more than the middleware's limit
    except ClientDisconnect as error:
        raise Refusal("upload_cut") from error
    # Looked at only now: while a slow line sent this chunk, another one may have brought the whole file.
    submission = await _own(request, submission_id, caller)
    if submission.state is not SubmissionState.RECEIVING or offset != submission.received_bytes:
        raise _wrong_offset(submission)
    end = offset + len(chunk)
    if end > submission.manifest.content_length:
        raise Refusal("chunk_beyond_end")
    await asyncio.to_thread(state.spool.write, submission_id, offset, chunk)
    if not await advance_upload(state.pool, submission, offset, end):
        raise _wrong_offset(await _own(request, submission_id, caller))
    if end == submission.manifest.content_length:
        state.queue.announce()
    return _answer(await _own(request, submission_id, caller))


@router.get("/v1/submissions/{submission_id}", response_model=Submission)
async def show_submission(request: Request, submission_id: UUID, caller: CallingInsurer) -> Response:
    """Say how a submission stands, how much of its file has arrived, and how much of that has been checked."""
    submission = await _own(request, submission_id, caller)
    if submission.state is SubmissionState.CHECKING:
        checked = request.app.state.queue.checked(submission_id)
        submission = submission.model_copy(update={"checked": checked})
    return _answer(submission)


@router.get("/v1/submissions/{submission_id}/feedback", response_model=FeedbackPage)
async def show_feedback(
    request: Request, submission_id: UUID, caller: CallingInsurer, after: Annotated[int, Query(ge=0, le=10**12)] = 0
) -> Response:
    """Return faults after a given one, a page at a time."""
    await _own(request, submission_id, caller)
    return _answer(await feedback_page(request.app.state.pool, submission_id, after, FEEDBACK_PAGE))


def _check_manifest(manifest: Manifest, today: date, settings: IntakeSettings) -> None:
    try:
        edition = find_edition(manifest.layout, manifest.edition)
    except LayoutUnknown as error:
        raise Refusal("layout_unknown") from error
    refuse_unaccepted(edition, today, practice=settings.practice)
    if manifest.content_length > settings.max_content_length:
        raise Refusal("file_too_large")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in manifest.file_name):
        raise Refusal("malformed", faults=(Fault(pointer="/file_name", expected="no control characters"),))
    refuse_my_number(manifest.file_name)


async def _own(request: Request, submission_id: UUID, caller: InsurerNumber) -> Submission:
    submission = await find_submission(request.app.state.pool, submission_id, caller)
    if submission is None:
        raise Refusal("not_found")
    return submission


def _wrong_offset(submission: Submission) -> Refusal:
    return Refusal("wrong_offset", faults=(Fault(pointer="/offset", expected=str(submission.received_bytes)),))


def _answer(message: Wire, status: int = 200) -> Response:
    return Response(message.model_dump_json(), status, {"Cache-Control": "no-store"}, "application/json")
