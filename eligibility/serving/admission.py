"""Lets a bounded number of requests in at once, and turns the rest away while that is still cheap.

A process that takes more than it can answer answers nobody in time: what waits here is bounded, so is its waiting, and
who is turned away knows at once that nothing has happened and when to come again. A request that still waits for its
own sender is none that is worked on: half a message, sent by anybody, holds nobody's place.

How many are too many depends on the machine, and on what else it does. So once a second it is seen how long answers
took: where they came late, no more are let in than are answered in the time that one may wait.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

_log = structlog.get_logger(__name__)
_COUNTED: Final = "/v1/"  # health and published keys are answered whatever waits
_SPREAD_S: Final = 3  # those turned away together do not come back together
_TOLD_EVERY: Final = 1_000
_MAY_WAIT_S: Final = 0.4  # an answer, as a mean: the slowest hundredth then waits for about twice as long
_JUDGED_EVERY_S: Final = 1.0
_ALWAYS: Final = 128  # so many are let in however long they take: it may be others they wait for


class Admission:
    """ASGI middleware: `answer` makes the refusal for a number of seconds to wait; `clock` tells seconds, steadily."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        most_at_once: int,
        answer: Callable[[int], Response],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._most, self._clock = app, most_at_once, clock
        self._answers = [answer(seconds) for seconds in range(1, _SPREAD_S + 1)]
        self._room = most_at_once
        self._inside = 0
        self._turned_away = 0
        self._judged_at = clock()
        self._answered = 0  # since then
        self._taken_s = 0.0  # by these

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, or turn it away."""
        if scope["type"] != "http" or not scope["path"].startswith(_COUNTED):
            await self._app(scope, receive, send)
            return
        if self._inside >= self._room:
            await self._answers[self._turn_away() - 1](scope, receive, send)
            return
        counted, whole, began = True, False, self._clock()

        async def received() -> Any:
            nonlocal counted, whole, began
            if whole:
                return await receive()
            self._inside -= 1
            counted = False
            message = await receive()
            if self._inside >= self._room:  # while this one waited for its sender the room was filled
                raise HTTPException(503, headers={"Retry-After": str(self._turn_away())})
            self._inside += 1
            counted, began = True, self._clock()
            whole = not message.get("more_body", False)
            return message

        self._inside += 1
        try:
            await self._app(scope, received, send)
        finally:
            if counted:
                self._inside -= 1
                self._learn_from(began)

    def _learn_from(self, began: float) -> None:
        now = self._clock()
        self._answered += 1
        self._taken_s += now - began
        passed = now - self._judged_at
        if passed < _JUDGED_EVERY_S:
            return
        late = self._taken_s / self._answered > _MAY_WAIT_S
        in_time = round(self._answered / passed * _MAY_WAIT_S)
        self._room = min(max(in_time, _ALWAYS), self._most) if late else self._most
        self._judged_at, self._answered, self._taken_s = now, 0, 0.0

    def _turn_away(self) -> int:
        if self._turned_away % _TOLD_EVERY == 0:
            _log.warning("overloaded", inside=self._inside, turned_away=self._turned_away + 1)
        self._turned_away += 1
        return self._turned_away % _SPREAD_S + 1
