"""Keeps a process's own tasks: they begin and end with it, and none that ends before does so in silence."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def in_background(**works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do each work in a task of its name until the block ends; one that ends before is logged as an error."""
    tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
    for task in tasks:
        task.add_done_callback(_tell_of_end)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _tell_of_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        _log.error("task_ended", task=task.get_name(), error=type(task.exception()).__qualname__)
