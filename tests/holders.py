"""Whoever is insured now must be found by name and birth date."""

from typing import Any

_NOT_FOUND = """
select person_id, coverage_id from coverage c
where known_to = 'infinity' and not exists (
    select from stated_holder h
    where h.holder_hash = holder_hash(c.name_key, c.birth_date) and h.person_id = c.person_id
)
"""


async def holders_not_found(connection: Any) -> list[tuple[int, int]]:
    """Return person and coverage of every current coverage whose holder a card's registration would not find."""
    return [tuple(row) for row in await connection.fetch(_NOT_FOUND)]
