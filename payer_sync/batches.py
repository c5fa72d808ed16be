"""How a load goes through its batches: made in threads, the next while one is worked on; in turn if counters ask.

Side by side the steps keep two processors busy, so that whoever wakes up for a counter's answer has to wait for one,
several times for each answer. In turn they leave a processor free, for a third of their speed.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, suppress
from typing import TypeVar

CountersAsk = Callable[[], bool]
_T = TypeVar("_T")


def nobody_asks() -> bool:
    """Say that no counter asks, where there are none beside the work."""
    return False


async def in_threads(items: Generator[_T]) -> AsyncGenerator[_T, None]:
    """Yield the items, each made in a thread."""
    try:
        while (item := await asyncio.to_thread(next, items, None)) is not None:
            yield item
    finally:
        with suppress(ValueError):  # one is still being made, for nobody: the others go with it
            items.close()


async def ahead(items: AsyncGenerator[_T, None], counters_ask: CountersAsk) -> AsyncGenerator[_T, None]:
    """Yield the items, the next one under way already unless counters ask."""
    async with aclosing(items):
        under_way: asyncio.Future[_T | None] | None = None
        try:
            while (item := await (under_way or anext(items, None))) is not None:
                under_way = None if counters_ask() else asyncio.ensure_future(anext(items, None))
                yield item
        finally:
            if under_way:
                under_way.cancel()
                await asyncio.wait([under_way])
