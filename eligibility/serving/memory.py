"""Gives back to the system what ended connections have left: who comes and goes leaves holes, which only grow."""

import asyncio
import ctypes
from collections.abc import Callable
from typing import Final

MANY: Final = 256  # connections
_TOGETHER_S: Final = 1.0
Trim = Callable[[int], object]
TRIM: Final[Trim | None] = getattr(ctypes.CDLL(None), "malloc_trim", None)


class GivingBack:
    """Lets the allocator return free pages, where it knows how to (glibc), once many connections have ended.

    A TLS connection holds some 50 KiB in pieces of many sizes. Their pages stay the process's when it has ended, and
    the next ones' pieces fit beside them more often than in their place. To return them takes ten milliseconds after a
    thousand have ended, and to have pages again costs as well: it is not done by the clock.
    """

    def __init__(self, trim: Trim | None = TRIM, together_s: float = _TOGETHER_S) -> None:
        self._trim, self._together_s = trim, together_s
        self._ended = 0

    def connection_ended(self) -> None:
        """Count a connection that has ended; a second after many have, pages are returned."""
        self._ended += 1
        if self._ended == MANY:
            asyncio.get_running_loop().call_later(self._together_s, self._give_back)

    def _give_back(self) -> None:
        self._ended = 0
        if self._trim is not None:
            self._trim(0)
