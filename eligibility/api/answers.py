"""What the routes of terminals share: who calls, how an answer leaves, and which problems may come instead."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends
from pydantic_core import to_json
from starlette.responses import Response

from eligibility.api.once import idempotency_key
from eligibility.api.terminals import terminal
from eligibility.serving.callers import Terminal
from eligibility.wire.encoding import Wire
from eligibility.wire.problems import PROBLEM_MEDIA_TYPE, Problem

_PROBLEM: dict[str, Any] = {"model": Problem, "content": {PROBLEM_MEDIA_TYPE: {}}}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: _PROBLEM | {"description": said}
    for status, said in {
        401: "The caller's certificate, the card's proof, or the staff's sign-in or session is refused.",
        403: "What is asked for is not given.",
        404: "The card names nobody yet, or there is nothing of this institution's so named.",
        409: "The card belongs to someone else.",
        413: "The body is too large.",
        422: "The message is malformed.",
        429: "Too many look-ups or attempts.",
        503: "The centre is busy, or cannot judge the card now.",
    }.items()
}

CallingTerminal = Annotated[Terminal, Depends(terminal)]
IdempotencyKey = Annotated[UUID | None, Depends(idempotency_key)]
PRIVATE: Final = {"Cache-Control": "no-store"}


def answer(message: Wire, status: int = 200) -> Response:
    """Return a message that no cache may keep."""
    return json_answer(to_json(message), status)


def json_answer(content: bytes | str, status: int = 200) -> Response:
    """Return JSON that no cache may keep."""
    return Response(content, status, PRIVATE, "application/json")
