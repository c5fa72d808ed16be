"""Logs as JSON lines, one for each request, with fields and no identifiers of persons."""

import logging
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic_core import to_json

_log = structlog.get_logger("request")
Scope = MutableMapping[str, Any]


def configure_logs(level: int = logging.INFO) -> None:
    """Send every log line of the process to standard output as JSON."""
    structlog.configure(
        processors=[_line],
        logger_factory=lambda *_: structlog.BytesLogger(sys.stdout.buffer),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")


def _line(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    # One step instead of structlog's three: there is a line for every request.
    return to_json({**event, "level": level, "timestamp": datetime.now(UTC)}, fallback=repr)


class RequestLog:
    """ASGI middleware: method, route (its template, never the values in it), status and milliseconds."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on and say one line when it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            elapsed_ms = round((time.perf_counter() - started) * 1000, 1)
            _log.info("request", method=scope["method"], route=route, status=status, elapsed_ms=elapsed_ms)
