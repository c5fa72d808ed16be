"""Keeps the answer of a request under its idempotency key, in the very transaction of what the request did."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from eligibility.domain.identifiers import PersonId
from eligibility.storage.statements import statements

_SQL = statements("eligibility.storage.queries")


class AnsweredBefore(Exception):
    """A request with this key has been answered; this one has done nothing."""


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """A key in the name space of one terminal's one route, and the digest of the request it stands for."""

    terminal_id: UUID
    route: str
    idempotency_key: UUID
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given, and the digest of the request it was given to.

    Person and coverage are those of the verification that the request made, if it made one and that named any.
    """

    request_digest: bytes
    answer: str
    person_id: PersonId | None
    coverage_id: int | None


async def kept_answer(connection: Any, key: AnswerKey) -> KeptAnswer | None:
    """Return what a request with this key was answered, or None if there was none."""
    row = await connection.fetchrow(_SQL["kept_answer"], key.terminal_id, key.route, key.idempotency_key)
    return row and KeptAnswer(row["request_digest"], row["answer"], row["person_id"], row["coverage_id"])


async def keep_answer(connection: Any, key: AnswerKey, made_id: UUID, answer: str, now: datetime) -> None:
    """Keep an answer in the connection's transaction.

    Raises:
        AnsweredBefore: there is one already; the transaction must not be committed.
    """
    kept = await connection.fetchval(
        _SQL["keep_answer"], key.terminal_id, key.route, key.idempotency_key, made_id, key.request_digest, answer, now
    )
    if kept is None:
        raise AnsweredBefore
