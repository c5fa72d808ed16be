"""Lets claims and check-ups follow their coverage when it turns out to be another person's, or never to have been."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from eligibility.storage.statements import statements

_SQL = statements("payer_sync.queries")
_MOVES: Final = ("move_claim_medicines", "move_claim_treatments", "move_claims")


async def follow_coverages(connection: Any, moved: Sequence[tuple[int, int, int | None]], known_from: datetime) -> None:
    """Put what hangs on coverages to other persons, or to nobody, once the coverages themselves were put there.

    `moved` has for each coverage the person it was put to, its own number, and the person it is put to now: None where
    it is cancelled. Its claims are matched anew then, as though they were sent again, and its check-ups end.
    `known_from` is the moment at which the coverages went.
    """
    if not moved:
        return
    persons, coverages, others = (list(column) for column in zip(*moved, strict=True))
    await _move_checkups(connection, persons, coverages, others, known_from)
    await connection.execute(_SQL["lock_following_claims"])
    await connection.execute(_SQL["begin_staged_claims"])
    await _move_claims(connection, persons, coverages, others, known_from)
    await connection.execute(_SQL["drop_following_claims"])


async def _move_checkups(
    connection: Any, persons: list[int], coverages: list[int], others: list[int | None], known_from: datetime
) -> None:
    found = await connection.fetch(_SQL["find_following_checkups"], persons, coverages, others, known_from)
    if not found:
        return
    holders, checkups, now = (list(column) for column in zip(*found, strict=True))
    # All end before any is added: of two persons who are exchanged, each may have the other's day and place.
    await connection.execute(_SQL["close_following_checkups"], holders, checkups, known_from)
    await connection.execute(_SQL["add_following_checkups"], holders, checkups, now, known_from)


async def _move_claims(
    connection: Any, persons: list[int], coverages: list[int], others: list[int | None], known_from: datetime
) -> None:
    if not await connection.fetch(_SQL["stage_following_claims"], persons, coverages, others, known_from):
        return
    if None in others:
        await connection.execute(_SQL["match_claims"])
        await connection.execute(_SQL["route_claims"])
    moment = await connection.fetchval(_SQL["following_claims_time"], known_from)
    for move in _MOVES:
        await connection.execute(_SQL[move], moment)
