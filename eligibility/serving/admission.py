"""Lets a bounded number of requests in at once, and turns the rest away while that is still cheap.

A process that takes more than it can answer answers nobody in time: what waits here is bounded, so is its waiting, and
who is turned away knows at once that nothing has happened and when to come again. A request that still waits for its
own sender is none that is worked on: half a message, sent by anybody, holds nobody's place.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

_log = structlog.get_logger(__name__)
_COUNTED: Final = "/v1/"  # health and published keys are answered whatever waits
_SPREAD_S: Final = 3  # those turned away together do not come back together
_TOLD_EVERY: Final = 1_000


class Admission:
    """ASGI middleware: `answer` makes the refusal for a number of seconds to wait."""

    def __init__(
        self, app: Callable[..., Awaitable[None]], most_at_once: int, answer: Callable[[int], Response]
    ) -> None:
        self._app, self._most = app, most_at_once
        self._answers = [answer(seconds) for seconds in range(1, _SPREAD_S + 1)]
        self._inside = 0
        self._turned_away = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, or turn it away."""
        if scope["type"] != "http" or not scope["path"].startswith(_COUNTED):
            await self._app(scope, receive, send)
            return
        if self._inside >= self._most:
            await self._answers[self._turn_away() - 1](scope, receive, send)
            return
        counted, whole = True, False

        async def received() -> Any:
            nonlocal counted, whole
            if whole:
                return await receive()
            self._inside -= 1
            counted = False
            message = await receive()
            if self._inside >= self._most:  # while this one waited for its sender the room was filled
                raise HTTPException(503, headers={"Retry-After": str(self._turn_away())})
            self._inside += 1
            counted = True
            whole = not message.get("more_body", False)
            return message

        self._inside += 1
        try:
            await self._app(scope, received, send)
        finally:
            self._inside -= counted

    def _turn_away(self) -> int:
        if self._turned_away % _TOLD_EVERY == 0:
            _log.warning("overloaded", inside=self._inside, turned_away=self._turned_away + 1)
        self._turned_away += 1
        return self._turned_away % _SPREAD_S + 1
