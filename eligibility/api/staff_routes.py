"""The routes for staff who are signed in, and for the consents of the patients they serve."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from eligibility.api.answers import PRIVATE, CallingTerminal, answer
from eligibility.api.signed_in import session_token, staff
from eligibility.domain.codes import ConsentClass
from eligibility.medical import read_checkups, read_medications, read_treatments, withdraw
from eligibility.serving.callers import Staff
from eligibility.serving.description import WITH_SESSION
from eligibility.staff import sign_in, sign_out
from eligibility.wire.checkups import CheckupHistory
from eligibility.wire.medications import MedicationHistory, Month
from eligibility.wire.staff import StaffSession, StaffSessionRequest
from eligibility.wire.treatments import TreatmentHistory

router = APIRouter()
CallingStaff = Annotated[Staff, Depends(staff)]
FromMonth = Annotated[Month | None, Query(alias="from")]
ThroughMonth = Annotated[Month | None, Query(alias="through")]


@router.post("/v1/staff-sessions", response_model=StaffSession, status_code=201)
async def begin_a_staff_session(request: Request, asked: StaffSessionRequest, caller: CallingTerminal) -> Response:
    """Sign a member of the institution's staff in on the calling terminal, with password and passcode."""
    state = request.app.state
    return answer(await sign_in(state.staff_door, caller, asked, state.now()), status=201)


@router.delete("/v1/staff-sessions/current", status_code=204, openapi_extra=WITH_SESSION)
async def end_the_staff_session(request: Request, caller: CallingStaff) -> Response:
    """Sign out: the session of the request's token ends."""
    state = request.app.state
    await sign_out(state.staff_door, caller, session_token(request), state.now())
    return Response(status_code=204, headers=PRIVATE)


@router.get(
    "/v1/verifications/{verification_id}/medications", response_model=MedicationHistory, openapi_extra=WITH_SESSION
)
async def show_medications(
    request: Request, verification_id: UUID, caller: CallingStaff, first: FromMonth = None, last: ThroughMonth = None
) -> Response:
    """Show what a verified person was given, if they agreed, to staff who may see it."""
    state = request.app.state
    return answer(await read_medications(state.centre, caller, verification_id, first, last, state.now()))


@router.get("/v1/verifications/{verification_id}/checkups", response_model=CheckupHistory, openapi_extra=WITH_SESSION)
async def show_checkups(
    request: Request, verification_id: UUID, caller: CallingStaff, first: FromMonth = None, last: ThroughMonth = None
) -> Response:
    """Show what a verified person's check-ups found, if they agreed, to staff who may see it."""
    state = request.app.state
    return answer(await read_checkups(state.centre, caller, verification_id, first, last, state.now()))


@router.get(
    "/v1/verifications/{verification_id}/treatments", response_model=TreatmentHistory, openapi_extra=WITH_SESSION
)
async def show_treatments(
    request: Request, verification_id: UUID, caller: CallingStaff, first: FromMonth = None, last: ThroughMonth = None
) -> Response:
    """Show what was done to a verified person, if they agreed, to staff who may see it."""
    state = request.app.state
    return answer(await read_treatments(state.centre, caller, verification_id, first, last, state.now()))


@router.delete("/v1/verifications/{verification_id}/consents/{consent_class}", status_code=204)
async def withdraw_a_consent(
    request: Request, verification_id: UUID, consent_class: ConsentClass, caller: CallingTerminal
) -> Response:
    """Withdraw at once what a verified person agreed to show this institution of a class, now or earlier."""
    state = request.app.state
    await withdraw(state.centre, caller, verification_id, consent_class, state.now())
    return Response(status_code=204, headers=PRIVATE)
