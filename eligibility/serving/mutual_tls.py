"""Serves an ASGI app over TLS and hands it the client's certificate, by the ASGI TLS extension.

The certificate comes from the TLS handshake and from nowhere else: no header names a caller (see docs/divergences.md).
A caller without a certificate may connect, so that published keys and health can be read; every other route refuses it.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn

from eligibility.serving.memory import GivingBack
from eligibility.serving.slowness import Patience, PatientProtocol
from eligibility.serving.turning_away import TurnAway

KEEP_ALIVE_S = 75
SHUTDOWN_S = 10
BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Files: the server's certificate and key, and the authorities whose client certificates are accepted."""

    certificate: Path
    key: Path
    client_authorities: Path


class ClientCertificateProtocol(PatientProtocol):
    """Keeps the client certificate of a connection's handshake and puts it into the scope of each of its requests."""

    def __init__(self, *arguments: Any, memory: GivingBack, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._memory = memory

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the client certificate once, when the connection is made."""
        super().connection_made(transport)
        self.transport = cast(asyncio.Transport, _OneWrite(transport, asyncio.get_running_loop()))
        tls = transport.get_extra_info("ssl_object")
        der = tls.getpeercert(True) if tls else None
        chain = [ssl.DER_cert_to_PEM_cert(der)] if der else []
        self._extensions: dict[str, dict[object, object]] = {"tls": {"client_cert_chain": chain}}

    def connection_lost(self, exc: Exception | None) -> None:
        """Let what the connection held be given back."""
        super().connection_lost(exc)
        self._memory.connection_ended()

    def on_message_begin(self) -> None:
        """Put the certificate into the new request's scope."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions


class _OneWrite:
    """A transport that sends an answer's head and body, written in one turn of the loop, as one TLS record."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._flush)
        self._written.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        written, self._written = self._written, []
        if written and not self._transport.is_closing():
            self._transport.write(b"".join(written))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[int], None] | None) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_started:
            self._on_started(self.servers[0].sockets[0].getsockname()[1])


async def serve(
    app: Any, *, host: str, port: int, tls: ServerTls, on_started: Callable[[int], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; `on_started` is told the port, which matters when 0 asked for a free one.

    Raises:
        SystemExit: the address is taken, or the app's start failed.
    """
    await make_server(app, host=host, port=port, tls=tls, on_started=on_started).serve()


def make_server(
    app: Any,
    *,
    host: str,
    port: int,
    tls: ServerTls,
    on_started: Callable[[int], None] | None = None,
    patience: Patience = Patience(),  # noqa: B008 (it cannot be changed)
    keep_alive_s: int = KEEP_ALIVE_S,
    turn_away: TurnAway | None = None,
) -> uvicorn.Server:
    """Return a server that is ready to serve; setting its `should_exit` ends it.

    `turn_away` is asked about each ordinary request before the app begins with it (`turning_away.py`).
    """
    protocol = partial(ClientCertificateProtocol, patience=patience, turn_away=turn_away, memory=GivingBack())
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=cast(Any, protocol),  # it makes protocols, as a class would
        ws="none",
        lifespan="on",
        loop="uvloop",
        backlog=BACKLOG,
        timeout_keep_alive=keep_alive_s,
        timeout_graceful_shutdown=SHUTDOWN_S,
        ssl_certfile=tls.certificate,
        ssl_keyfile=str(tls.key),
        ssl_ca_certs=str(tls.client_authorities),
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing a caller writes says who is calling
    )
    config.load()
    assert config.ssl is not None  # noqa: S101 (the files above make uvicorn build it)
    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return _Server(config, on_started)
