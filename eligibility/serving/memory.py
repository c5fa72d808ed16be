"""Gives back to the system what a process has freed: who comes and goes leaves holes in memory, which only grow."""

import asyncio
import ctypes
from typing import Final

_EVERY_S: Final = 10.0


async def give_back_for_good() -> None:
    """Let the allocator return free pages now and then, where it knows how to (glibc).

    A TLS connection holds some 50 KiB in pieces of many sizes. Their pages stay the process's when it has ended, and
    the next ones' pieces fit beside them more often than in their place. Returning them takes a millisecond or two, ten
    after a thousand have ended at once.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while True:
        await asyncio.sleep(_EVERY_S)
        if trim is not None:
            trim(0)
