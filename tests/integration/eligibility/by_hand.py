"""Requests written byte by byte, and small apps behind the centre's own server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from eligibility.domain.identifiers import InstitutionCode
from eligibility.serving.admission import App
from eligibility.serving.mutual_tls import ServerTls, make_server
from eligibility.serving.slowness import Patience
from eligibility.serving.turning_away import TurnAway
from eligibility.storage.enrolment import enrol_terminal
from tests.integration.eligibility.world import INSTITUTION, Authorities, World

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(url: str, certificate: tuple[Path, Path] | None = None, **limits: Any) -> AsyncIterator[Connection]:
    """Connect as a terminal, or without a client certificate, as anybody can."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    port = int(url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, **limits)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@asynccontextmanager
async def served(
    app: App,
    folder: Path,
    authorities: Authorities,
    patience: Patience,
    keep_alive_s: int = 600,
    turn_away: TurnAway | None = None,
) -> AsyncIterator[str]:
    """Serve an app over TLS as the centre is served, and yield its address."""
    authorities.enrolment.save(folder)
    certificate, key = authorities.enrolment.server(datetime.now(UTC)).write(folder, "server")
    tls = ServerTls(certificate, key, folder / "terminal_authority.crt")
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = make_server(
        app,
        host="127.0.0.1",
        port=0,
        tls=tls,
        on_started=started.set_result,
        patience=patience,
        keep_alive_s=keep_alive_s,
        turn_away=turn_away,
    )
    serving = asyncio.create_task(server.serve())
    try:
        yield f"https://127.0.0.1:{await started}"
    finally:
        server.should_exit = True
        await serving


async def certificate_of(world: World) -> tuple[Path, Path]:
    """Enrol a terminal, and write its certificate and key."""
    terminal_id, now = uuid4(), datetime.now(UTC)
    await enrol_terminal(world.owner, terminal_id, InstitutionCode(INSTITUTION), "窓口", now)
    return world.authorities.enrolment.terminal(INSTITUTION, terminal_id, now).write(world.folder, str(terminal_id))


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with how many bytes came."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    came, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        came, more = came + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"came: %d" % came})
