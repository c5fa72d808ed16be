"""Bodies larger than the common limit share one room, and leave it with their request."""

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from eligibility.serving.limits import BodyLimit

SMALL = {"type": "http", "path": "/small", "headers": []}


def _large(caller: str) -> dict[str, Any]:
    return SMALL | {"path": "/large", "extensions": {"tls": {"client_cert_chain": [caller]}}}


async def _read(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["more_body"]:
        pass


def _part(size: int, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": bytes(size), "more_body": more}


def _sent(*parts: dict[str, Any]) -> Any:
    """Return the `receive` of who sends these parts, and then nothing more."""
    waiting = iter(parts)

    async def receive() -> Any:
        return next(waiting, None) or await asyncio.Event().wait()

    return receive


@pytest.fixture
def limit() -> BodyLimit:
    return BodyLimit(_read, limit_bytes=10, own_limits={"/large": 100}, large_bytes=400)


async def test_large_bodies_that_are_not_whole_share_one_room(limit: BodyLimit) -> None:
    halves = [
        asyncio.create_task(limit(_large(f"{n}"), _sent(_part(40, more=True), _part(40, more=True)), None))
        for n in range(4)
    ]
    await asyncio.sleep(0)
    await limit(_large("a"), _sent(_part(80, more=False)), None)
    with pytest.raises(HTTPException) as refused:
        await limit(_large("a"), _sent(_part(81, more=True)), None)
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "2"})
    halves[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await halves[0]
    await limit(_large("a"), _sent(_part(100, more=False)), None)
    for half in halves:
        half.cancel()


async def test_one_caller_holds_a_quarter_of_the_room(limit: BodyLimit) -> None:
    half = asyncio.create_task(limit(_large("a"), _sent(_part(60, more=True)), None))
    await asyncio.sleep(0)
    await limit(_large("a"), _sent(_part(40, more=False)), None)
    with pytest.raises(HTTPException) as refused:
        await limit(_large("a"), _sent(_part(41, more=True)), None)
    assert refused.value.status_code == 503
    await limit(_large("b"), _sent(_part(100, more=False)), None)
    half.cancel()


async def test_bodies_within_the_common_limit_need_no_room(limit: BodyLimit) -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as senders:
        halves = [senders.create_task(limit(_large(f"{n}"), _sent(_part(80, more=True)), None)) for n in range(5)]
        halves += [senders.create_task(limit(SMALL, _sent(_part(10, more=True)), None)) for _ in range(50)]
        await asyncio.sleep(0)
        await limit(SMALL, _sent(_part(5, more=True), _part(5, more=False)), None)
        await limit(_large("a"), _sent(_part(10, more=False)), None)
        for half in halves:
            half.cancel()
