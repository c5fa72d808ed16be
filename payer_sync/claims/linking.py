"""Lets claims follow their coverage when it turns out to be another person's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from eligibility.storage.statements import statements

_SQL = statements("payer_sync.queries")


async def move_claims(connection: Any, moved: Sequence[tuple[int, int, int]], known_from: datetime) -> None:
    """Put the claims of coverages to other persons, from now on in known time.

    `moved` has for each coverage the person it was put to, its own number, and the person it is put to now.
    """
    if not moved:
        return
    persons, coverages, others = (list(column) for column in zip(*moved, strict=True))
    for statement in (_SQL["move_claim_medicines"], _SQL["move_claim_treatments"], _SQL["move_claims"]):
        await connection.execute(statement, persons, coverages, others, known_from)
