"""Batches that are made in threads: all of them, in order, whatever becomes of who asked for them."""

import asyncio
import gc
import threading
from collections.abc import Generator
from contextlib import aclosing
from typing import Any

import pytest

from payer_sync.batches import ahead, in_threads


async def test_every_item_comes_in_its_order() -> None:
    assert [item async for item in ahead(in_threads(n for n in range(9)))] == list(range(9))


async def test_a_fault_of_the_making_is_raised_where_the_items_are_used() -> None:
    def made() -> Generator[int]:
        yield 1
        raise LookupError

    items = ahead(in_threads(made()))

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

    async with aclosing(ahead(in_threads(slowly()))) as items:
        async for _ in items:
            await asyncio.to_thread(making.wait)
            break
    made.set()

    gc.collect()  # what nobody has fetched is told of when it goes
    assert words == []
