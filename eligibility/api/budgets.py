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


class NumberBudget:
    """Counts a terminal's look-ups by number in windows of a minute, and those that named nobody."""

    def __init__(self, url: str | None, *, checks: int, misses: int) -> None:
        self._redis = (
            redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S) if url else None
        )
        self._checks = checks
        self._misses = misses
        self._spending = Gatherer(self._spend)

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
            checks, misses = await self._spending.find(terminal)
        except (RedisError, OSError) as error:
            _log.warning("budget_unavailable", error=type(error).__qualname__)
            return
        if checks > self._checks or misses >= self._misses:
            raise Refusal("rate_limited", retry_after_s=_WINDOW_S)

    async def _spend(self, terminals: Sequence[Terminal]) -> list[tuple[int, int]]:
        assert self._redis is not None  # noqa: S101 (who asks has looked)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for terminal in terminals:
                pipeline.set(self._key("checks", terminal), 0, ex=_WINDOW_S, nx=True)
                pipeline.incr(self._key("checks", terminal))
                pipeline.get(self._key("misses", terminal))
            said = await pipeline.execute()
        return [(checks, int(misses or 0)) for checks, misses in zip(said[1::3], said[2::3], strict=True)]

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
