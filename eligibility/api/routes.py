"""The routes: what comes in, who may send it, and which part of the story answers."""

import os

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from eligibility.api import bulk_routes, enrolment_routes, staff_routes
from eligibility.api.answers import PROBLEM_RESPONSES, CallingTerminal, IdempotencyKey, answer, json_answer
from eligibility.api.once import DESCRIPTION as KEY_DESCRIPTION
from eligibility.api.once import answer_once
from eligibility.api.signed_in import staff_on
from eligibility.domain.codes import Method, Outcome
from eligibility.reference_numbers import PatientNotChecked, register_reference_number
from eligibility.registration import register
from eligibility.serving.callers import anyone
from eligibility.serving.description import NO_CERTIFICATE, SESSION_FOR_VISUAL
from eligibility.storage.database import check_writable
from eligibility.storage.kept_answers import AnswerKey, KeptAnswer
from eligibility.verification import repeat_number, verify_card, verify_number
from eligibility.wire.bulk import ReferenceNumberRegistered, ReferenceNumberRegistration
from eligibility.wire.health import Health
from eligibility.wire.verifications import (
    CardRegistration,
    CardRegistrationRequest,
    Challenges,
    ChallengesRequest,
    NumberVerificationRequest,
    Verification,
    VerificationRequest,
)

router = APIRouter(responses=PROBLEM_RESPONSES)
public = APIRouter()  # what anybody may ask


@router.post("/v1/challenges", response_model=Challenges)
async def issue_challenges(request: Request, wanted: ChallengesRequest, caller: CallingTerminal) -> Response:
    """Hand out challenges for cards to sign, bound to the calling terminal."""
    state = request.app.state
    now = state.now()
    keys = state.centre.challenges
    issued = keys.issue(caller.terminal_id, now, wanted.count, os.urandom)
    return answer(Challenges(challenges=tuple(issued), expires_at=keys.expires_at(now)))


@router.post("/v1/verifications", response_model=Verification, openapi_extra=SESSION_FOR_VISUAL)
async def verify_by_card(request: Request, asked: VerificationRequest, caller: CallingTerminal) -> Response:
    """Answer whether the holder of a card is insured on a day, by whom, and what they pay."""
    state = request.app.state
    staff = await staff_on(request, caller) if asked.method is Method.VISUAL else None
    return answer(await verify_card(state.centre, caller, asked, state.now(), staff))


@router.post("/v1/number-verifications", response_model=Verification, openapi_extra=KEY_DESCRIPTION)
async def verify_by_number(
    request: Request, asked: NumberVerificationRequest, caller: CallingTerminal, key: IdempotencyKey
) -> Response:
    """Answer the same question by insured number and birth date, without a card."""
    state = request.app.state

    async def work(keep: AnswerKey | None) -> Verification:
        verification = await verify_number(state.centre, caller, asked, state.now(), keep)
        if verification.outcome in (Outcome.NONE, Outcome.SEVERAL):
            await state.budget.spend_miss(caller)
        return verification

    async def repeat(kept: KeptAnswer) -> str:
        return await repeat_number(state.centre, caller, kept, state.now())

    async with state.budget.look_up(caller):
        return json_answer(
            await answer_once(state.centre.pool, caller, "number-verifications", key, asked, work, repeat)
        )


@router.post(
    "/v1/card-registrations", response_model=CardRegistration, status_code=201, openapi_extra=SESSION_FOR_VISUAL
)
async def register_a_card(request: Request, asked: CardRegistrationRequest, caller: CallingTerminal) -> Response:
    """Register a card at its first use to the one insured person it names."""
    state = request.app.state
    staff = await staff_on(request, caller) if asked.method is Method.VISUAL else None
    return answer(await register(state.centre, caller, asked, state.now(), staff), status=201)


@router.post("/v1/reference-numbers", response_model=ReferenceNumberRegistered)
async def register_a_reference_number(
    request: Request, asked: ReferenceNumberRegistration, caller: CallingTerminal
) -> Response:
    """Register the institution's own number of a patient it has checked; later answers about them carry it."""
    state = request.app.state
    async with state.budget.look_up(caller):
        try:
            return answer(await register_reference_number(state.centre, caller, asked, state.now()))
        except PatientNotChecked:
            await state.budget.spend_miss(caller)
            raise


@public.get(
    "/.well-known/jwks.json",
    dependencies=[Depends(anyone)],
    response_class=Response,
    responses={200: {"content": {"application/jwk-set+json": {"schema": {"type": "object"}}}}},
    openapi_extra=NO_CERTIFICATE,
)
async def published_keys(request: Request) -> Response:
    """Publish the keys with which anyone checks a receipt, offline (RFC 7517)."""
    return JSONResponse(
        request.app.state.centre.receipts.published_keys(),
        headers={"Cache-Control": "public, max-age=3600"},
        media_type="application/jwk-set+json",
    )


@public.get(
    "/health",
    dependencies=[Depends(anyone)],
    response_model=Health,
    responses={503: PROBLEM_RESPONSES[503]},
    openapi_extra=NO_CERTIFICATE,
)
async def health(request: Request) -> Response:
    """Say whether this process can answer counters: the database and the revocation lists."""
    state = request.app.state
    await check_writable(state.centre.pool)
    stale = state.centre.revocation.stale_issuers(state.now())
    return answer(Health(revocation="stale" if stale else "ok", stale_issuers=tuple(key_id.hex() for key_id in stale)))


router.include_router(bulk_routes.router)
router.include_router(staff_routes.router)
router.include_router(enrolment_routes.router)
