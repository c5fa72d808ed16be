"""Puts the API process together: its stores, keys and tasks at the start, and their end at the end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from fastapi import FastAPI, Request

from eligibility.api.budgets import NumberBudget
from eligibility.api.bulk_routes import BULK_PATH
from eligibility.api.problems import PROBLEMS
from eligibility.api.routes import public, router
from eligibility.api.staff_routes import router as staff_router
from eligibility.api.terminals import TerminalDirectory
from eligibility.api.unknown_callers import UnknownCallers
from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.ids import uuid7
from eligibility.identity.challenge import ChallengeKeys
from eligibility.identity.revocation import RevocationDirectory
from eligibility.identity.staff_factors import StaffFactors
from eligibility.identity.trust import TrustStore
from eligibility.identity.verified import VerifiedCertificates
from eligibility.receipt import ReceiptSigner
from eligibility.serving.background import in_background
from eligibility.serving.callers import terminal_of
from eligibility.serving.description import complete
from eligibility.serving.express import ExpressLane
from eligibility.serving.limits import BodyLimit
from eligibility.serving.logs import RequestLog
from eligibility.serving.problems import Refusal, install_problem_handlers
from eligibility.settings import ApiSettings
from eligibility.staff import StaffDoor
from eligibility.storage.database import open_pool
from eligibility.storage.gathering import Gatherer
from eligibility.storage.lookups import holder_of, matches_of, rows_of_cards, rows_of_numbers, terminal_standings
from eligibility.storage.recorder import Entry, Recorder
from eligibility.terminal_enrolment import EnrolmentThrottle, TerminalAuthority
from eligibility.verification import Centre
from eligibility.wire.bulk import MAX_BULK_BYTES

COUNTER_ROLE = "eligibility_counter"
MAX_BODY_BYTES = 64 * 1024  # the largest real request, a registration, has about 4 KB
LOOKUP_REST_S = 0.006  # between two round trips while many wait
EXPRESS = (
    "/v1/verifications",
    "/v1/number-verifications",
    "/v1/challenges",
    "/v1/verifications/{verification_id}/medications",
    "/v1/verifications/{verification_id}/checkups",
    "/v1/verifications/{verification_id}/treatments",
)
_log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def make_app(settings: ApiSettings, now: Callable[[], datetime] = utc_now) -> FastAPI:
    """Return the API as an ASGI app; keys and trust are read now, the stores are opened when its lifespan begins.

    Raises:
        OSError: a file of the settings cannot be read.
        DomainError: it does not hold what it should.
    """
    trust = TrustStore.from_folder(settings.card_authorities)
    terminal_authority = _terminal_authority(settings)
    revocation = RevocationDirectory(settings.revocation_folder, trust)
    challenges = ChallengeKeys.from_file(settings.challenge_key_file)
    receipts = ReceiptSigner.from_pem(settings.receipt_key_file.read_bytes(), settings.receipt_issuer)
    factors = StaffFactors.from_file(settings.staff_key_file) if settings.staff_key_file else None
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    budget = NumberBudget(redis_url, checks=settings.number_checks_a_minute, misses=settings.misses_a_minute)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await open_pool(settings.database_url.get_secret_value(), role=COUNTER_ROLE, size=settings.pool_size)
        recorder = Recorder(pool)
        terminals = Gatherer(partial(terminal_standings, pool), rest_s=LOOKUP_REST_S)
        cards = Gatherer(partial(rows_of_cards, pool), holder_of, rest_s=LOOKUP_REST_S)
        numbers = Gatherer(partial(rows_of_numbers, pool), matches_of, rest_s=LOOKUP_REST_S)
        _refresh(revocation, now())
        app.state.now = now
        app.state.settings = settings
        app.state.budget = budget
        app.state.bulk_turn = asyncio.Lock()
        app.state.terminal_authority = terminal_authority
        app.state.enrolment_throttle = EnrolmentThrottle(settings.enrolments_a_minute)
        app.state.unknown_callers = UnknownCallers()
        app.state.directory = TerminalDirectory(terminals.find, settings.terminal_fresh_s)
        app.state.centre = Centre(
            pool=pool,
            cards=cards,
            numbers=numbers,
            recorder=recorder,
            trust=trust,
            revocation=revocation,
            challenges=challenges,
            verified=VerifiedCertificates(),
            receipts=receipts,
        )
        app.state.staff_door = StaffDoor.make(pool, recorder, factors)
        try:
            async with in_background(
                recorder=recorder.run(),
                terminals=terminals.run(),
                cards=cards.run(),
                numbers=numbers.run(),
                budget=budget.run(),
                revocation=_keep_revocation_fresh(revocation, settings.revocation_refresh_s, now),
            ):
                yield
        finally:
            await budget.close()
            await pool.close()

    app = FastAPI(
        title="Eligibility verification",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host the caller has named
        # Nobody asks for it, it is looked for at every request, and what it tells of an error may quote a value.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(router)
    app.include_router(public)
    complete(app)
    app.add_middleware(ExpressLane, routers=(router, staff_router), paths=EXPRESS, handlers=app.exception_handlers)
    app.add_middleware(BodyLimit, limit_bytes=MAX_BODY_BYTES, own_limits={BULK_PATH: MAX_BULK_BYTES})
    app.add_middleware(RequestLog)
    install_problem_handlers(app, PROBLEMS, _leave_event, settings.most_at_once)
    return app


def _terminal_authority(settings: ApiSettings) -> TerminalAuthority | None:
    certificate, key = settings.terminal_authority_certificate, settings.terminal_authority_key
    if certificate is None or key is None:
        return None
    return TerminalAuthority.read(certificate, key, timedelta(days=settings.terminal_certificate_days))


async def _leave_event(request: Request, code: str) -> None:
    state = request.app.state
    moment = state.now()
    detail: dict[str, object] = {}
    try:
        caller = terminal_of(request)
        kind, actor, institution = ActorKind.TERMINAL, str(caller.terminal_id), caller.institution.code
    except Refusal:
        kind, actor, institution = ActorKind.UNKNOWN, "unknown", None
        untold = state.unknown_callers.count(code, moment)
        if untold is None:
            return
        if untold:
            detail = {"untold": untold}
    event = AuditEvent(
        uuid7(moment), moment, EventKind.REQUEST_REFUSED, code, kind, actor, institution_code=institution,
        detail=detail,
    )  # fmt: skip
    await state.centre.recorder.record(Entry(event))


async def _keep_revocation_fresh(revocation: RevocationDirectory, every_s: float, now: Callable[[], datetime]) -> None:
    while True:
        await asyncio.sleep(every_s)
        # Reading and checking a nation's list takes seconds of computing; counters must not wait for it.
        try:
            await asyncio.to_thread(_refresh, revocation, now())
        except Exception as error:  # noqa: BLE001 (whatever is wrong this time must not end it for good)
            _log.error("revocation_refresh_failed", error=type(error).__qualname__)


def _refresh(revocation: RevocationDirectory, now: datetime) -> None:
    revocation.refresh(now)
    for issuer in revocation.stale_issuers(now):  # its cards are refused
        _log.error("revocation_list_stale", issuer=issuer.hex())
