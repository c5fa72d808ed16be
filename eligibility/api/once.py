"""Answers a request that carries an idempotency key once, however often it is sent."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from fastapi import Request

from eligibility.domain.errors import MalformedValue, Refused
from eligibility.serving.callers import Terminal
from eligibility.storage.kept_answers import AnsweredBefore, AnswerKey, KeptAnswer, kept_answer
from eligibility.storage.recorder import RecorderAway
from eligibility.wire.encoding import Wire

HEADER: Final = "Idempotency-Key"
DESCRIPTION: Final = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "schema": {"type": "string", "format": "uuid"},
            "description": "The caller's own for this one request: sent again, it is answered again and done once.",
        }
    ]
}
Work = Callable[[AnswerKey | None], Awaitable[Wire]]
Repeat = Callable[[KeptAnswer], Awaitable[str]]


class IdempotencyKeyReused(Refused):
    """The key stands for another request of this terminal."""

    code = "idempotency_key_reused"


class MalformedIdempotencyKey(MalformedValue):
    """An idempotency key is a UUID."""


async def idempotency_key(request: Request) -> UUID | None:
    """Return the request's key, if it has one, as a route's dependency.

    Raises:
        MalformedIdempotencyKey: it is no UUID.
    """
    said = request.headers.get(HEADER)
    try:
        return None if said is None else UUID(said)
    except ValueError as error:
        raise MalformedIdempotencyKey(field=HEADER) from error


async def answer_once(
    pool: Any, caller: Terminal, route: str, key: UUID | None, asked: Wire, work: Work, repeat: Repeat
) -> str:
    """Return the answer as JSON: the work's, or the one that was kept when a request with this key was answered.

    The work keeps its answer in the transaction of what it does; copies that come in at once all do it, and only the
    first one's transaction holds. `repeat` gives out a kept answer, as far as that may be.

    Raises:
        IdempotencyKeyReused: the key stands for a request with another content.
    """
    if key is None:
        return (await work(None)).model_dump_json()
    own = AnswerKey(caller.terminal_id, route, key, sha256(asked.model_dump_json().encode("utf-8")).digest())
    kept = await kept_answer(pool, own)
    if kept is None:
        try:
            return (await work(own)).model_dump_json()
        except AnsweredBefore as error:
            kept = await kept_answer(pool, own)
            if kept is None:  # cleared in this very moment
                raise RecorderAway from error
    if kept.request_digest != own.request_digest:
        raise IdempotencyKeyReused
    return await repeat(kept)
