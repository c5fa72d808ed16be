"""Watches whether counters ask at the moment, so that loads can leave them room."""

import asyncio
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
        self._asked_at = -ASKING_FOR_S

    def ask(self) -> bool:
        """Return whether counters have asked in the last seconds."""
        return time.monotonic() - self._asked_at < ASKING_FOR_S

    async def run(self) -> None:
        """Look until cancelled; what cannot be seen is taken for counters that ask."""
        while True:
            try:
                recorded = await self._pool.fetchval(_SQL["verifications_recorded"])
            except Exception as error:  # noqa: BLE001 (whatever is wrong this time must not end it for good)
                _log.error("counters_unseen", error=type(error).__qualname__)
                self._asked_at = time.monotonic()
            else:
                if self._recorded not in (None, recorded):
                    self._asked_at = time.monotonic()
                self._recorded = recorded
            await asyncio.sleep(LOOK_EVERY_S)
