"""The routes of bulk checks: taken in here, done by the worker, fetched here."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.responses import Response

from eligibility.api.answers import PROBLEM_RESPONSES, CallingTerminal, IdempotencyKey, answer, json_answer
from eligibility.api.once import DESCRIPTION as KEY_DESCRIPTION
from eligibility.api.once import answer_once
from eligibility.bulk_checks import accept_bulk, bulk_status, page_of_results, read_questions
from eligibility.storage.bulk_checks import Question
from eligibility.storage.kept_answers import AnswerKey, KeptAnswer
from eligibility.wire.bulk import MAX_BULK_ITEMS, MAX_BULK_SIGNS, BulkReceipt, BulkRequest, BulkResults, BulkStatus

BULK_PATH: Final = "/v1/bulk-verifications"
_PART_ITEMS: Final = 200  # of which reading takes a millisecond or two
_T = TypeVar("_T")
router = APIRouter()
_CLEARED: Final = PROBLEM_RESPONSES[404] | {"description": "The results were kept for their time, and are cleared."}


def _description() -> dict[str, Any]:
    # The body is read by hand, a part at a time, so its description is given by hand, too.
    schema = BulkRequest.model_json_schema()
    schema["properties"]["items"]["items"] = schema.pop("$defs")["BulkItem"]
    return KEY_DESCRIPTION | {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post(BULK_PATH, response_model=BulkReceipt, status_code=202, openapi_extra=_description())
async def start_bulk(request: Request, caller: CallingTerminal, key: IdempotencyKey) -> Response:
    """Take in many insured numbers; malformed items are told beside the results, each by its own problem."""
    state = request.app.state
    body = await request.body()

    async def repeat(kept: KeptAnswer) -> str:
        return kept.answer  # a receipt tells of nobody

    # One at a time: it keeps a connection for up to a second, so that several would leave none to the counters, and the
    # parts of several, read at once, would come to as long a wait as one whole.
    async with state.bulk_turn:
        asked, questions = await _read(body)

        async def work(keep: AnswerKey | None) -> BulkReceipt:
            return await accept_bulk(
                state.centre.pool, caller, asked.asked_for, questions, state.settings.open_bulks, state.now(), keep
            )

        said = await answer_once(state.centre.pool, caller, "bulk-verifications", key, asked, work, repeat)
    return json_answer(said, 202)


@router.get(BULK_PATH + "/{bulk_id}", response_model=BulkStatus)
async def look_at_bulk(request: Request, bulk_id: UUID, caller: CallingTerminal) -> Response:
    """Say how far a bulk check of the calling institution is."""
    state = request.app.state
    kept_for = timedelta(hours=state.settings.bulk_results_hours)
    return answer(await bulk_status(state.centre.pool, caller, bulk_id, kept_for))


@router.get(BULK_PATH + "/{bulk_id}/results", response_model=BulkResults, responses={410: _CLEARED})
async def fetch_results(
    request: Request, bulk_id: UUID, caller: CallingTerminal, after: Annotated[int, Query(ge=0, le=MAX_BULK_ITEMS)] = 0
) -> Response:
    """Give out the results of a bulk check that is done, changed ones first, a page at a time."""
    state = request.app.state
    return json_answer(await page_of_results(state.centre.pool, caller, bulk_id, after, state.now()))


async def _read(body: bytes) -> tuple[BulkRequest, list[Question]]:
    # Parsing costs by the value, and nothing else runs in the process meanwhile: millions of them are not parsed.
    if len(body) - len(body.translate(None, b",:[{")) > MAX_BULK_SIGNS:
        raise _too_many("body")
    parts = await _by_turns(_validated(body), 1)
    items = tuple(item for part in parts for item in part.items)
    asked = BulkRequest.model_construct(asked_for=parts[0].asked_for, items=items)
    return asked, await _by_turns(read_questions(asked.items), _PART_ITEMS)


async def _by_turns(made: Iterable[_T], at_once: int) -> list[_T]:
    """Collect what is made, with a turn for whoever else waits for this process after each so many.

    A thread would do no better: each time a counter's request gave the interpreter away, the thread would keep it for
    five milliseconds.
    """
    collected: list[_T] = []
    for one in made:
        collected.append(one)
        if len(collected) % at_once == 0:
            await asyncio.sleep(0)
    return collected


def _validated(body: bytes) -> Iterator[BulkRequest]:
    """Read the message in parts, each with some of the items, the first with what else it says."""
    for first, part in _parts(body):
        try:
            yield BulkRequest.model_validate_json(part)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False, include_input=False)
            # Where a part's first item is wrong none is left; that there are too few is the fault of who sent none.
            told = [fault for fault in faults if fault["loc"] != ("items",)] or faults
            raise RequestValidationError([fault | {"loc": _place(fault["loc"], first)} for fault in told]) from None


def _parts(body: bytes) -> Iterator[tuple[int, bytes]]:
    try:
        said = from_json(body)
    except ValueError:
        said = None
    items = said.get("items") if isinstance(said, dict) else None
    if not isinstance(items, list) or not items:
        yield 0, body  # it is refused
        return
    if len(items) > MAX_BULK_ITEMS:
        raise _too_many("body", "items")
    for first in range(0, len(items), _PART_ITEMS):
        part = {"items": items[first : first + _PART_ITEMS]}
        yield first, to_json(part if first else said | part)


def _too_many(*place: str) -> RequestValidationError:
    return RequestValidationError([{"loc": place, "msg": f"No more than {MAX_BULK_ITEMS} items"}])


def _place(place: tuple[int | str, ...], first: int) -> tuple[int | str, ...]:
    # Of a part's items the first is not the message's.
    counted = (part + first if isinstance(part, int) and at == 1 else part for at, part in enumerate(place))
    return ("body", *counted)
