"""Keeps which card belongs to whom, and what a registration waits for."""

from datetime import datetime
from typing import Any

from eligibility.domain.identifiers import InstitutionCode, PersonId
from eligibility.storage.lookups import holder_of_card
from eligibility.storage.statements import statements

LONGEST_LOCK_WAIT_MS = 500
_SQL = statements("eligibility.storage.queries")


async def bound_lock_waits(connection: Any) -> None:
    """Let the connection's transaction fail rather than wait long for a lock, and keep a connection all that time.

    What waits longer, as for a merge that takes registrations back, fails with asyncpg.LockNotAvailableError.
    """
    await connection.execute(_SQL["bound_lock_waits"], str(LONGEST_LOCK_WAIT_MS))


async def burn_challenge(connection: Any, nonce: bytes, expires_at: datetime) -> bool:
    """Use up a challenge in the connection's transaction; return False if it was used before."""
    return await connection.fetchval(_SQL["burn_challenge"], nonce, expires_at) is not None


async def register_card(
    connection: Any, card_key: bytes, person: PersonId, institution: InstitutionCode, now: datetime
) -> tuple[PersonId, bool]:
    """Register a card unless it is; return whom it now belongs to, and whether this call made it so."""
    while await connection.fetchval(_SQL["insert_card"], card_key, person, now, institution.code) is None:
        holder = await holder_of_card(connection, card_key)
        if holder is not None:  # else it was taken away between the two statements
            return holder, False
    return person, True
