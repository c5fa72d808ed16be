"""One round trip for many: questions that arrive while one is on its way to the database go together with the next.

Under load a look-up then costs a fraction of a query of its own, and alone it waits for nobody. Where a round trip is
quick but dear, a rest after each lets more gather: a few milliseconds that nobody waits who is alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, overload

import asyncpg

_Q = TypeVar("_Q")
_A = TypeVar("_A")
_F = TypeVar("_F")
LARGEST_GROUP: Final = 100
COMPANY: Final = 3  # so many in one round trip say that more are to come; two may have met by chance


@dataclass(slots=True)
class _Waiting(Generic[_Q]):
    question: _Q
    found: asyncio.Future[Any]


class Gatherer(Generic[_Q, _A]):
    """Collects questions and asks them in groups; `run` is the one task that asks.

    What was found is read by the one who asked, so that what cannot be read fails nobody else.
    """

    @overload
    def __init__(self, ask: Callable[[Sequence[_Q]], Awaitable[Sequence[_A]]], *, rest_s: float = 0) -> None: ...

    @overload
    def __init__(
        self, ask: Callable[[Sequence[_Q]], Awaitable[Sequence[_F]]], read: Callable[[_F], _A], *, rest_s: float = 0
    ) -> None: ...

    def __init__(
        self,
        ask: Callable[[Sequence[_Q]], Awaitable[Sequence[Any]]],
        read: Callable[[Any], _A] | None = None,
        *,
        rest_s: float = 0,
    ) -> None:
        self._ask = ask
        self._read = read
        self._rest_s = rest_s
        self._waiting: list[_Waiting[_Q]] = []
        self._arrived = asyncio.Event()

    async def find(self, question: _Q) -> _A:
        """Return the answer to one question; whatever the query raises, or its reading, is raised here."""
        waiting = _Waiting(question, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        found: Any = await waiting.found
        return self._read(found) if self._read else found

    async def run(self) -> None:
        """Ask groups until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                group, self._waiting = self._waiting[:LARGEST_GROUP], self._waiting[LARGEST_GROUP:]
                await self._ask_group(group)
                if self._rest_s and COMPANY <= len(group) < LARGEST_GROUP:
                    await asyncio.sleep(self._rest_s)

    async def _ask_group(self, group: Sequence[_Waiting[_Q]]) -> None:
        try:
            found = await self._ask([waiting.question for waiting in group])
            answers = list(zip(group, found, strict=True))
        except asyncpg.DataError as error:
            # One question that PostgreSQL will not take must not take the others down with it.
            if len(group) > 1:
                for waiting in group:
                    await self._ask_group([waiting])
            else:
                _fail(group, error)
        except Exception as error:  # noqa: BLE001 (whatever it is, those who wait are told, and the others go on)
            _fail(group, error)
        else:
            for waiting, each in answers:
                if not waiting.found.done():
                    waiting.found.set_result(each)


def _fail(group: Sequence[_Waiting[_Q]], error: Exception) -> None:
    for waiting in group:
        if not waiting.found.done():
            waiting.found.set_exception(error)
