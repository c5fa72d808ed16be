"""Bounds how fast one terminal can try insured numbers (CASES: enumeration).

A look-up that is not answered yet may still name nobody, so it weighs as a miss until it is answered: who asks many at
once learns no more than who asks one after the other. Each process knows only its own open look-ups: a terminal that
asks several in the same moment may miss as often as the budget allows in each of them, once a minute.

The counts live in Redis and may be lost at any moment. Without Redis a budget lets everything pass, on purpose: a
counter that cannot verify is worse than a guesser who is bounded by the birth date and seen in the audit log.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from eligibility.serving.callers import Terminal
from eligibility.serving.problems import Refusal
from eligibility.storage.gathering import Gatherer

_log = structlog.get_logger(__name__)
_WINDOW_S = 60
_TIMEOUT_S = 0.25
_REST_S = 0.006  # between two round trips while many wait

# Counts a look-up of each terminal and tells the positions, from 1, of those that are over a budget.
# KEYS: of each its terminal's look-ups and misses. ARGV: most look-ups, most misses, seconds of a window; then of each
# how many of the terminal's look-ups are open, itself among them.
_SPEND = """
local over = {}
for at = 1, #KEYS, 2 do
    local checks = redis.call('incr', KEYS[at])
    if checks == 1 then
        redis.call('expire', KEYS[at], ARGV[3])
    end
    local misses = tonumber(redis.call('get', KEYS[at + 1]) or '0')
    local position = (at + 1) / 2
    if checks > tonumber(ARGV[1]) or misses + tonumber(ARGV[3 + position]) > tonumber(ARGV[2]) then
        over[#over + 1] = position
    end
end
return over
"""


class NumberBudget:
    """Counts a terminal's look-ups by number in windows of a minute, and those that named nobody."""

    def __init__(self, url: str | None, *, checks: int, misses: int) -> None:
        self._redis = (
            redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S) if url else None
        )
        self._checks = checks
        self._misses = misses
        self._open: Counter[str] = Counter()  # look-ups of each terminal that are not answered yet
        self._script = self._redis.register_script(_SPEND) if self._redis else None
        self._spending = Gatherer(self._spend, rest_s=_REST_S)

    async def run(self) -> None:
        """Count, until cancelled, the look-ups that wait, all of them in one round trip."""
        await self._spending.run()

    @asynccontextmanager
    async def look_up(self, terminal: Terminal) -> AsyncIterator[None]:
        """Count one look-up, and hold it open for as long as it is worked on; a miss is spent before it ends.

        Raises:
            Refusal: `rate_limited`, when the minute's budget of look-ups is used up, or that of misses would be if all
                that are open named nobody.
        """
        if self._redis is None:
            yield
            return
        name = str(terminal.terminal_id)
        self._open[name] += 1
        try:
            if await self._is_over(name):
                raise Refusal("rate_limited", retry_after_s=_WINDOW_S)
            yield
        finally:
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]

    async def _is_over(self, name: str) -> bool:
        try:
            return await self._spending.find((name, self._open[name]))
        except (RedisError, OSError) as error:
            _log.warning("budget_unavailable", error=type(error).__qualname__)
            return False

    async def _spend(self, look_ups: Sequence[tuple[str, int]]) -> list[bool]:
        assert self._script is not None  # noqa: S101 (who asks has looked)
        keys = [_key(what, name) for name, _ in look_ups for what in ("checks", "misses")]
        open_ones = [count for _, count in look_ups]
        over = set(await self._script(keys=keys, args=[self._checks, self._misses, _WINDOW_S, *open_ones]))
        return [position in over for position in range(1, len(look_ups) + 1)]

    async def spend_miss(self, terminal: Terminal) -> None:
        """Count one look-up that named nobody, while it is open."""
        if self._redis is None:
            return
        misses = _key("misses", str(terminal.terminal_id))
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(misses, 0, ex=_WINDOW_S, nx=True)
                pipeline.incr(misses)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            _log.warning("budget_unavailable", error=type(error).__qualname__)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._redis is not None:
            await self._redis.aclose()


def _key(what: str, name: str) -> str:
    return f"number-budget:{what}:{name}"
