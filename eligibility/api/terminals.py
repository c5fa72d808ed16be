"""Admits the terminals that are enrolled, not revoked, and stand in an institution that is open."""

import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from fastapi import Request

from eligibility.domain.dates import day_in_japan
from eligibility.serving.callers import Terminal, terminal_of
from eligibility.serving.problems import Refusal
from eligibility.storage.lookups import TerminalStanding

MAX_REMEMBERED = 100_000


class TerminalDirectory:
    """Remembers terminals' standings for a few seconds, so that a counter's request costs one look-up, not two."""

    def __init__(self, find: Callable[[UUID], Awaitable[TerminalStanding | None]], fresh_s: float) -> None:
        self._find = find
        self._fresh_s = fresh_s
        self._known: dict[UUID, tuple[float, TerminalStanding | None]] = {}

    async def standing(self, terminal_id: UUID) -> TerminalStanding | None:
        """Return the terminal's standing, no older than the directory's limit."""
        now = time.monotonic()
        remembered = self._known.get(terminal_id)
        if remembered and now - remembered[0] < self._fresh_s:
            return remembered[1]
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        standing = await self._find(terminal_id)
        self._known[terminal_id] = (now, standing)
        return standing


async def terminal(request: Request) -> Terminal:
    """Return the calling terminal, as a route's dependency.

    Raises:
        Refusal: `caller_unknown`, when its certificate is not a terminal's, or it is not enrolled at the institution
            the certificate names, or it was revoked, or the institution has closed.
    """
    caller = terminal_of(request)
    standing = await request.app.state.directory.standing(caller.terminal_id)
    if (
        standing is None
        or standing.institution != caller.institution
        or standing.revoked_at is not None
        or (standing.closed_on is not None and standing.closed_on <= day_in_japan(request.app.state.now()))
    ):
        raise Refusal("caller_unknown")
    return caller
