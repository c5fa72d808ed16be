"""Batches made in threads, ahead or in turn: all of them, in order, whatever becomes of who asked for them."""

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Any

import pytest

from payer_sync.batches import ahead, in_threads, nobody_asks


class _Source:
    """Makes numbers, and notes how many it has made and whether it was closed."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.made = 0
        self.closed = False
        self._fails_at = fails_at

    async def numbers(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(5):
                if number == self._fails_at:
                    raise OSError("the disk")
                self.made += 1
                yield number
        finally:
            self.closed = True


async def test_every_item_comes_in_its_order() -> None:
    assert [item async for item in ahead(in_threads(n for n in range(9)), nobody_asks)] == list(range(9))


async def test_a_fault_of_the_making_is_raised_where_the_items_are_used() -> None:
    def made() -> Generator[int]:
        yield 1
        raise LookupError

    items = ahead(in_threads(made()), nobody_asks)

    with pytest.raises(LookupError):
        assert [item async for item in items] == [1]


async def test_whoever_stops_while_an_item_is_made_hears_of_nothing_but_the_stop() -> None:
    words: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: words.append(context))
    making, made = threading.Event(), threading.Event()

    def slowly() -> Generator[int]:
        yield 1
        making.set()
        made.wait()
        yield 2

    async with aclosing(ahead(in_threads(slowly()), nobody_asks)) as items:
        async for _ in items:
            await asyncio.to_thread(making.wait)
            break
    made.set()

    gc.collect()  # what nobody has fetched is told of when it goes
    assert words == []


@pytest.mark.parametrize(("asking", "made"), [(False, 2), (True, 1)])
async def test_the_next_is_under_way_unless_counters_ask(asking: bool, made: int) -> None:
    source = _Source()
    async with aclosing(ahead(source.numbers(), lambda: asking)) as items:
        assert await anext(items) == 0
        await asyncio.sleep(0)
        assert source.made == made


@pytest.mark.parametrize("asked_at", [set(), {0}, {1, 2}, {4}, {0, 1, 2, 3, 4, 5}])
async def test_nothing_is_lost_when_counters_begin_or_cease_to_ask(asked_at: set[int]) -> None:
    source = _Source()
    items = ahead(source.numbers(), lambda: source.made in asked_at)
    assert [item async for item in items] == [0, 1, 2, 3, 4]
    assert source.closed


@pytest.mark.parametrize("asking", [False, True])
async def test_a_failure_comes_through_after_what_was_before_it(asking: bool) -> None:
    items = ahead(_Source(fails_at=2).numbers(), lambda: asking)
    assert [await anext(items), await anext(items)] == [0, 1]
    with pytest.raises(OSError, match="the disk"):
        await anext(items)


async def test_who_leaves_early_leaves_nothing_under_way() -> None:
    source = _Source()
    async with aclosing(ahead(source.numbers(), nobody_asks)) as items:
        await anext(items)
    assert source.closed
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
