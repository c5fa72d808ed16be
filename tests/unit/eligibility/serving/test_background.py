"""A process's own tasks end with it, and one that ends before is heard of."""

import asyncio

import pytest
from structlog.testing import capture_logs

from eligibility.serving.background import in_background


async def _for_ever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("for ever")


async def _fails() -> None:
    raise MemoryError


async def test_one_that_fails_is_told_by_name_and_the_others_go_on_to_the_end() -> None:
    ended: list[str] = []
    with capture_logs() as logs:
        async with in_background(writing=_for_ever(ended), refreshing=_fails()):
            await asyncio.sleep(0)  # they begin, and one ends
            await asyncio.sleep(0)  # which is told
            assert ended == []
    assert ended == ["for ever"]
    assert logs == [{"event": "task_ended", "task": "refreshing", "error": "MemoryError", "log_level": "error"}]


async def test_they_end_with_what_ends_the_process() -> None:
    ended: list[str] = []

    async def live() -> None:
        async with in_background(writing=_for_ever(ended)):
            await asyncio.sleep(0)
            raise LookupError

    with pytest.raises(LookupError):
        await live()
    assert ended == ["for ever"]
