"""One round trip for many: questions that arrive while one is on its way to the database go together with the next.

Under load a look-up then costs a fraction of a query of its own, and alone it waits for nobody. Where a round trip is
quick but dear, a rest after each lets more gather: a few milliseconds that nobody waits who is alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import asyncpg

_Q = TypeVar("_Q")
_A = TypeVar("_A")
LARGEST_GROUP: Final = 100
COMPANY: Final = 3  # so many in one round trip say that more are to come; two may have met by chance


@dataclass(slots=True)
class _Waiting(Generic[_Q, _A]):
    question: _Q
    answer: asyncio.Future[_A]


class Gatherer(Generic[_Q, _A]):
    """Collects questions and asks them in groups; `run` is the one task that asks."""

    def __init__(self, ask: Callable[[Sequence[_Q]], Awaitable[Sequence[_A]]], *, rest_s: float = 0) -> None:
        self._ask = ask
        self._rest_s = rest_s
        self._waiting: list[_Waiting[_Q, _A]] = []
        self._arrived = asyncio.Event()

    async def find(self, question: _Q) -> _A:
        """Return the answer to one question; whatever the query raises is raised here."""
        waiting: _Waiting[_Q, _A] = _Waiting(question, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.answer

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

    async def _ask_group(self, group: Sequence[_Waiting[_Q, _A]]) -> None:
        try:
            answers = await self._ask([waiting.question for waiting in group])
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
            for waiting, answer in zip(group, answers, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(answer)


def _fail(group: Sequence[_Waiting[_Q, _A]], error: Exception) -> None:
    for waiting in group:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
