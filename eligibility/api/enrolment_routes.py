"""The routes by which a terminal gets its certificate, and a new one before it ends."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from eligibility.api.answers import CallingTerminal, answer
from eligibility.serving.callers import anyone
from eligibility.serving.description import NO_CERTIFICATE
from eligibility.terminal_enrolment import enrol, renew
from eligibility.wire.enrolments import EnrolmentRequest, RenewalRequest, TerminalCertificate

router = APIRouter()


@router.post(
    "/v1/enrolments",
    response_model=TerminalCertificate,
    status_code=201,
    dependencies=[Depends(anyone)],
    openapi_extra=NO_CERTIFICATE,
)
async def enrol_a_terminal(request: Request, asked: EnrolmentRequest) -> Response:
    """Certify the key of one who holds a code the operator issued: the one caller who has no certificate yet."""
    state = request.app.state
    state.enrolment_throttle.count(request.client.host if request.client else "")
    return answer(await enrol(state.centre.pool, state.terminal_authority, asked, state.now()), 201)


@router.post("/v1/renewals", response_model=TerminalCertificate, status_code=201)
async def renew_a_certificate(request: Request, asked: RenewalRequest, caller: CallingTerminal) -> Response:
    """Certify a new key of a terminal whose certificate is still good."""
    state = request.app.state
    return answer(await renew(state.centre.pool, state.terminal_authority, caller, asked, state.now()), 201)
