"""How many are let in: a set number, and where answers come late no more than are answered in time (CASES F-12)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.responses import Response

from eligibility.serving.admission import Admission

MOST = 256
ALWAYS = 128
ASKED = {"type": "http", "path": "/v1/verifications", "headers": []}


class Centre:
    """An app whose answers come when it is told, by a clock that it sets."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.answered = Counter[int]()
        self._free = asyncio.Event()
        self.admission = Admission(MOST, lambda _: Response(status_code=503), lambda: self.now_s)
        self.app = self.admission.around(self._work)

    async def _work(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await self._free.wait()
        await send({"type": "http.response.start", "status": 200})

    async def ask(self, count: int, *, each_s: float) -> Counter[int]:
        """Ask so many at once, let all answers come so much later, and return how many had which status."""
        statuses = Counter[int]()

        async def send(message: Any) -> None:
            statuses[message.get("status", 0)] += message["type"] == "http.response.start"

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(self.app(ASKED, _whole, send))
            for _ in range(5):
                await asyncio.sleep(0)
            self.now_s += each_s
            self._free.set()
        self._free.clear()
        return +statuses


async def _whole() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


@pytest.fixture
def centre() -> Centre:
    return Centre()


async def test_as_many_are_let_in_as_was_set(centre: Centre) -> None:
    assert await centre.ask(MOST + 10, each_s=0.1) == {200: MOST, 503: 10}
    assert await centre.ask(MOST + 10, each_s=1.0) == {200: MOST, 503: 10}


@pytest.mark.parametrize(
    ("each_s", "room"),
    [
        (1.2, ALWAYS),  # 213 a second, 85 in time: fewer may wait for somebody else
        (1.7, ALWAYS),
        (0.35, MOST),  # none is late
    ],
)
async def test_where_answers_come_late_fewer_are_let_in(centre: Centre, each_s: float, room: int) -> None:
    for _ in range(4):
        await centre.ask(MOST, each_s=each_s)

    assert await centre.ask(MOST, each_s=0.1) == {200: room} | ({503: MOST - room} if room < MOST else {})


async def test_a_machine_that_answers_many_lets_as_many_in_as_it_answers_in_time(centre: Centre) -> None:
    for _ in range(3):  # judged at the first answer after a second: two rounds and one
        await centre.ask(MOST, each_s=0.45)

    assert (await centre.ask(MOST, each_s=0.1))[200] == round((2 * MOST + 1) / 1.35 * 0.4)


async def test_once_answers_come_in_time_again_all_are_let_in(centre: Centre) -> None:
    await centre.ask(MOST, each_s=2.0)
    assert (await centre.ask(MOST, each_s=0.1))[200] == ALWAYS
    for _ in range(10):
        await centre.ask(ALWAYS, each_s=0.1)

    assert await centre.ask(MOST, each_s=0.1) == {200: MOST}


async def test_whoever_waits_for_its_own_sender_makes_nobody_late(centre: Centre) -> None:
    never: Callable[[], Awaitable[Any]] = asyncio.Event().wait

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        halves = [tasks.create_task(centre.app(ASKED, never, None)) for _ in range(MOST)]
        await asyncio.sleep(0)
        centre.now_s += 30
        for half in halves:
            half.cancel()

    assert await centre.ask(MOST, each_s=0.1) == {200: MOST}


async def test_the_protocol_refuses_only_those_for_whom_there_is_no_place(centre: Centre) -> None:
    asked = b"/v1/verifications"
    assert [centre.admission.turn_away(asked) for _ in range(MOST)] == [None] * MOST  # these begin in the next turn
    refusal = centre.admission.turn_away(asked)
    assert refusal is not None
    assert refusal.status_code == 503
    assert centre.admission.turn_away(b"/health") is None

    await asyncio.sleep(0)
    assert centre.admission.turn_away(asked) is None  # none of them has


async def test_those_who_work_have_the_places_of_those_who_come(centre: Centre) -> None:
    waiting = asyncio.create_task(centre.ask(MOST, each_s=0.1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert centre.admission.turn_away(b"/v1/verifications") is not None
    assert await waiting == {200: MOST}
    assert centre.admission.turn_away(b"/v1/verifications") is None
