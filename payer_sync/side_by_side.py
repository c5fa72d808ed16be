"""Merges side by side: what insurers' files state of one person in the same moment, none of them seeing the others.

Nobody waits while a file is loaded. Merges end one after the other, and the one that ends later finds what it has not
seen before it commits; see docs/decisions/0010-merges-end-one-after-the-other.md.
"""

from datetime import UTC, datetime
from typing import Any, Final

from eligibility.storage.statements import statements
from payer_sync.submission import Filed

_SQL = statements("payer_sync.queries")
_KEPT_FOR_DAYS: Final = 7  # lone statements; no load lasts so long
_FORGOTTEN_AT_ONCE: Final = 10_000
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class StatedMeanwhile(Exception):
    """Merges that ended since this one looked state persons of its own otherwise, or for the same days."""

    def __init__(self, persons: frozenset[int]) -> None:
        super().__init__(len(persons))
        self.persons = persons


class SideBySide:
    """One merge beside the others': from before anything is compared to the last look before it commits."""

    def __init__(self, connection: Any, filed: Filed) -> None:
        self._connection = connection
        self._insurer = filed.insurer.digits
        self._seen: dict[str, datetime] = {}
        self._looked_at: frozenset[int] = frozenset()

    async def begin(self) -> None:
        """Note as of when the others' data are; what they state from now on may be unseen."""
        self._seen = await self._others_as_of()

    async def end(self, known_from: datetime) -> None:
        """Take the turn to end, which the transaction holds until it is over, and look for what is unseen.

        Whom this merge states alone is kept for the others first: all that waits for anybody comes before the turn.

        Raises:
            StatedMeanwhile: there is something; the merge has to be undone and begun again. Of each person once.
        """
        await self._connection.execute(_SQL["keep_lone_statements"], self._insurer, known_from)
        await self._connection.execute(_SQL["lock_end_of_merges"])
        await self._connection.execute(_SQL["forget_lone_statements"], _KEPT_FOR_DAYS, _FORGOTTEN_AT_ONCE)
        unseen = [insurer for insurer, _ in (await self._others_as_of()).items() - self._seen.items()]
        if not unseen:
            return
        seen = [self._seen.get(insurer, _NEVER) for insurer in unseen]
        rows = await self._connection.fetch(
            _SQL["stated_meanwhile"], self._insurer, unseen, seen, list(self._looked_at)
        )
        if rows:
            persons = frozenset(row["person_id"] for row in rows)
            self._looked_at |= persons
            raise StatedMeanwhile(persons)

    async def take_back(self, meanwhile: StatedMeanwhile, known_from: datetime) -> list[str]:
        """Close what this first load has stated of some persons; return the persons' linkage codes."""
        rows = await self._connection.fetch(
            _SQL["take_back_statements"], self._insurer, list(meanwhile.persons), known_from
        )
        return [row["linkage_code"] for row in rows]

    async def _others_as_of(self) -> dict[str, datetime]:
        rows = await self._connection.fetch(_SQL["others_as_of"], self._insurer)
        return {row["insurer_number"]: row["data_as_of"] for row in rows}
