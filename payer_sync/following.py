"""Lets claims and check-ups follow their coverage when it turns out to be another person's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from eligibility.storage.statements import statements

_SQL = statements("payer_sync.queries")
_STATEMENTS: Final = (
    _SQL["move_claim_medicines"],
    _SQL["move_claim_treatments"],
    _SQL["move_claims"],
    _SQL["move_checkups"],
)


async def follow_coverages(connection: Any, moved: Sequence[tuple[int, int, int]], known_from: datetime) -> None:
    """Put what hangs on coverages to other persons, from the moment at which the coverages themselves were put there.

    `moved` has for each coverage the person it was put to, its own number, and the person it is put to now.
    """
    if not moved:
        return
    persons, coverages, others = (list(column) for column in zip(*moved, strict=True))
    for statement in _STATEMENTS:
        await connection.execute(statement, persons, coverages, others, known_from)
