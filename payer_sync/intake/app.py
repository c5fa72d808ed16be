"""Puts the intake process together: its pool, its spool and its queue at the start, and their end at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI, Request

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.ids import uuid7
from eligibility.serving.background import in_background
from eligibility.serving.callers import insurer_of
from eligibility.serving.description import complete
from eligibility.serving.limits import BodyLimit
from eligibility.serving.logs import RequestLog
from eligibility.serving.problems import Refusal, install_problem_handlers
from eligibility.storage.audit import insert_event
from eligibility.storage.database import connect, open_pool
from eligibility.wire.submissions import CHUNK_BYTES
from payer_sync.intake.counter_watch import CounterWatch
from payer_sync.intake.problems import PROBLEMS
from payer_sync.intake.queue import LoadQueue
from payer_sync.intake.routes import router
from payer_sync.intake.spool import Spool
from payer_sync.intake.tidying import keep_tidy
from payer_sync.loading import ROLE
from payer_sync.settings import IntakeSettings
from payer_sync.uploads import on_their_way


def make_app(settings: IntakeSettings) -> FastAPI:
    """Return the intake as an ASGI app; nothing is opened before its lifespan begins."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database_url = settings.database_url.get_secret_value()
        pool = await open_pool(database_url, role=ROLE, size=settings.pool_size)
        app.state.settings = settings
        app.state.pool = pool
        app.state.spool = Spool(settings.spool_folder)
        stopped_after = timedelta(seconds=settings.upload_stopped_after_s)
        counters = CounterWatch(pool)
        app.state.queue = LoadQueue(
            pool, database_url, app.state.spool, settings.loads_at_once, stopped_after, counters.ask
        )
        abandoned_after = timedelta(days=settings.abandoned_after_days)
        try:
            async with in_background(
                counters=counters.run(),
                queue=app.state.queue.run(),
                tidying=keep_tidy(pool, app.state.spool, abandoned_after),
            ):
                yield
        finally:
            await pool.close()

    app = FastAPI(
        title="Insurers' intake",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host the caller has named
    )
    app.include_router(router)
    complete(app)
    app.add_middleware(BodyLimit, limit_bytes=CHUNK_BYTES)
    app.add_middleware(RequestLog)
    install_problem_handlers(app, PROBLEMS, _leave_event)
    return app


async def claim_spool(settings: IntakeSettings) -> None:
    """Mark the spool's folder as such at the first start; at any later one look whether it is here.

    Raises:
        SpoolAway: files are on their way, and none of them is there.
        OSError: the folder cannot be written to.
    """
    connection = await connect(settings.database_url.get_secret_value(), role=ROLE)
    try:
        begun = await on_their_way(connection)
    finally:
        await connection.close()
    Spool(settings.spool_folder).claim(begun)


async def _leave_event(request: Request, code: str) -> None:
    try:
        insurer = insurer_of(request).digits
        kind, actor = ActorKind.INSURER, insurer
    except Refusal:
        insurer, kind, actor = None, ActorKind.UNKNOWN, "unknown"
    now = datetime.now(UTC)
    event = AuditEvent(uuid7(now), now, EventKind.REQUEST_REFUSED, code, kind, actor, insurer_number=insurer)
    await insert_event(request.app.state.pool, event)
