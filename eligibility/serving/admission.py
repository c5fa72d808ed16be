"""Lets a bounded number of requests in at once, and turns the rest away while that is still cheap.

A process that takes more than it can answer answers nobody in time: what waits here is bounded, so is its waiting, and
who is turned away knows at once that nothing has happened and when to come again. A request that still waits for its
own sender is none that is worked on: half a message, sent by anybody, holds nobody's place.

How many are too many depends on the machine, and on what else it does. So once a second it is seen how long answers
took: where they came late, no more are let in than are answered in the time that one may wait.

Turning away takes from those who are inside. So most of those for whom there is no room are refused by the protocol
(`turning_away.py`), and nothing of the app begins for them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

_log = structlog.get_logger(__name__)
_COUNTED: Final = "/v1/"  # health and published keys are answered whatever waits
_COUNTED_RAW: Final = _COUNTED.encode()
_SPREAD_S: Final = 3  # those turned away together do not come back together
_TOLD_EVERY: Final = 1_000
_MAY_WAIT_S: Final = 0.4  # an answer, as a mean: the slowest hundredth then waits for about twice as long
_JUDGED_EVERY_S: Final = 1.0
_ALWAYS: Final = 128  # so many are let in however long they take: it may be others they wait for
App = Callable[..., Awaitable[None]]


class Admission:
    """The room of one process, and who is in it.

    `answer` makes the refusal for a number of seconds to wait; `clock` tells seconds, steadily.
    """

    def __init__(
        self, most_at_once: int, answer: Callable[[int], Response], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._clock = most_at_once, clock
        self._answers = [answer(seconds) for seconds in range(1, _SPREAD_S + 1)]
        self._room = most_at_once
        self._inside = 0
        self._coming = 0
        self._turned_away = 0
        self._judged_at = clock()
        self._answered = 0  # since then
        self._taken_s = 0.0  # by these

    def around(self, app: App) -> App:
        """Return an ASGI app that passes on to another what there is room for, and turns away the rest."""
        return partial(self._let_in, app)

    def turn_away(self, address: bytes) -> Response | None:
        """Return the refusal of a request for an address, and count it, if there is no room for it now, else None.

        Whoever is let pass has to reach the app in the next turn of the event loop: until then a place is kept.
        """
        if not address.startswith(_COUNTED_RAW):
            return None
        if self._inside + self._coming < self._room:
            if self._coming == 0:  # this runs before the first of them begins
                asyncio.get_running_loop().call_soon(self._all_begin)
            self._coming += 1
            return None
        return self._refusal()

    def _all_begin(self) -> None:
        self._coming = 0

    async def _let_in(self, app: App, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_COUNTED):
            await app(scope, receive, send)
            return
        if self._inside >= self._room:
            await self._refusal()(scope, receive, send)
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
                raise HTTPException(503, headers={"Retry-After": str(self._refuse())})
            self._inside += 1
            counted, began = True, self._clock()
            whole = not message.get("more_body", False)
            return message

        self._inside += 1
        try:
            await app(scope, received, send)
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

    def _refusal(self) -> Response:
        return self._answers[self._refuse() - 1]

    def _refuse(self) -> int:
        if self._turned_away % _TOLD_EVERY == 0:
            _log.warning("overloaded", inside=self._inside, turned_away=self._turned_away + 1)
        self._turned_away += 1
        return self._turned_away % _SPREAD_S + 1
