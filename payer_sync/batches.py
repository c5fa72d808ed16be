"""How a load goes through its batches: each is made in a thread, and the next while one is worked on."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, suppress
from typing import TypeVar

_T = TypeVar("_T")


async def in_threads(items: Generator[_T]) -> AsyncGenerator[_T, None]:
    """Yield the items, each made in a thread."""
    try:
        while (item := await asyncio.to_thread(next, items, None)) is not None:
            yield item
    finally:
        with suppress(ValueError):  # one is still being made, for nobody: the others go with it
            items.close()


async def ahead(items: AsyncGenerator[_T, None]) -> AsyncGenerator[_T, None]:
    """Yield the items, the next one always under way."""
    async with aclosing(items):
        under_way = asyncio.ensure_future(anext(items, None))
        try:
            while (item := await under_way) is not None:
                under_way = asyncio.ensure_future(anext(items, None))
                yield item
        finally:
            under_way.cancel()
            await asyncio.wait([under_way])
