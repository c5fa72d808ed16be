"""Bounds how fast one terminal can try insured numbers (CASES: enumeration).

The counts live in Redis and may be lost at any moment. Without Redis a budget lets everything pass, on purpose: a
counter that cannot verify is worse than a guesser who is bounded by the birth date and seen in the audit log.
"""

from collections.abc import Sequence

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
# KEYS: of each terminal its look-ups and its misses. ARGV: most look-ups, most misses, seconds of a window.
_SPEND = """
local over = {}
for at = 1, #KEYS, 2 do
    local checks = redis.call('incr', KEYS[at])
    if checks == 1 then
        redis.call('expire', KEYS[at], ARGV[3])
    end
    local misses = tonumber(redis.call('get', KEYS[at + 1]) or '0')
    if checks > tonumber(ARGV[1]) or misses >= tonumber(ARGV[2]) then
        over[#over + 1] = (at + 1) / 2
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
        self._script = self._redis.register_script(_SPEND) if self._redis else None
        self._spending = Gatherer(self._spend, rest_s=_REST_S)

    async def run(self) -> None:
        """Count, until cancelled, the look-ups that wait, all of them in one round trip."""
        await self._spending.run()

    async def spend_check(self, terminal: Terminal) -> None:
        """Count one look-up.

        Raises:
            Refusal: `rate_limited`, when the minute's budget of look-ups or of misses is used up.
        """
        if self._redis is None:
            return
        try:
            over = await self._spending.find(terminal)
        except (RedisError, OSError) as error:
            _log.warning("budget_unavailable", error=type(error).__qualname__)
            return
        if over:
            raise Refusal("rate_limited", retry_after_s=_WINDOW_S)

    async def _spend(self, terminals: Sequence[Terminal]) -> list[bool]:
        assert self._script is not None  # noqa: S101 (who asks has looked)
        keys = [self._key(what, terminal) for terminal in terminals for what in ("checks", "misses")]
        over = set(await self._script(keys=keys, args=[self._checks, self._misses, _WINDOW_S]))
        return [position in over for position in range(1, len(terminals) + 1)]

    async def spend_miss(self, terminal: Terminal) -> None:
        """Count one look-up that named nobody."""
        if self._redis is None:
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(self._key("misses", terminal), 0, ex=_WINDOW_S, nx=True)
                pipeline.incr(self._key("misses", terminal))
                await pipeline.execute()
        except (RedisError, OSError) as error:
            _log.warning("budget_unavailable", error=type(error).__qualname__)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._redis is not None:
            await self._redis.aclose()

    @staticmethod
    def _key(what: str, terminal: Terminal) -> str:
        return f"number-budget:{what}:{terminal.terminal_id}"
