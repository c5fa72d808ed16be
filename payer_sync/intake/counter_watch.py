"""Watches whether counters ask at the moment, so that loads can leave them room."""

import asyncio
import math
import time
from typing import Any, Final

import structlog

from eligibility.storage.statements import statements

_log = structlog.get_logger(__name__)
_SQL = statements("payer_sync.queries")
LOOK_EVERY_S: Final = 1.0  # PostgreSQL's sessions tell what they have counted about as often
ASKING_FOR_S: Final = 5.0  # after the last answer that was seen


class CounterWatch:
    """Looks every second whether answers have been recorded, by whatever process of the centre."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._recorded: int | None = None
        self._asked_at = -math.inf
        self._compared_at = -math.inf

    def ask(self) -> bool:
        """Return whether counters have asked in the last seconds, or could have without being seen."""
        now = time.monotonic()
        return now - self._asked_at < ASKING_FOR_S or now - self._compared_at >= ASKING_FOR_S

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                recorded = await self._pool.fetchval(_SQL["verifications_recorded"])
            except Exception as error:  # noqa: BLE001 (whatever is wrong this time must not end it for good)
                _log.error("counters_unseen", error=type(error).__qualname__)
                self._compared_at = -math.inf
            else:
                self._compare(recorded)
            await asyncio.sleep(LOOK_EVERY_S)

    def _compare(self, recorded: int) -> None:
        if self._recorded is not None:
            self._compared_at = time.monotonic()
            if recorded != self._recorded:
                self._asked_at = self._compared_at
        self._recorded = recorded
