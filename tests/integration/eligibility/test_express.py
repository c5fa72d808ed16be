"""The short way answers as the long way does, and takes only routes that it can take."""

from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from eligibility.api.app import EXPRESS
from eligibility.api.routes import router
from eligibility.api.staff_routes import router as staff_router
from eligibility.serving.express import ExpressLane
from eligibility.wire.verifications import ChallengesRequest
from tests.integration.eligibility.world import Counter, World

SHORT, LONG = "application/json", "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"count": 0}',
        b'{"count": 101}',
        b'{"count": "two"}',
        b'{"count": 1, "more": 2}',
        b'{"count": 1} {}',
        b"\xff\xfe",
        b'{"count": 1e999}',
    ],
)
async def test_what_is_malformed_is_told_alike_on_both_ways(world: World, counter: Counter, body: bytes) -> None:
    answers = [
        await counter.http.post("/v1/challenges", content=body, headers={"Content-Type": kind})
        for kind in (SHORT, LONG)
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json() == answers[1].json()
    assert await world.events() == [("request_refused", "malformed")] * 2


@pytest.mark.parametrize("kind", [SHORT, LONG])
async def test_both_ways_answer(counter: Counter, kind: str) -> None:
    answer = await counter.http.post("/v1/challenges", content=b'{"count": 3}', headers={"Content-Type": kind})
    assert answer.status_code == 200
    assert len(answer.json()["challenges"]) == 3
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("kind", [SHORT, LONG])
async def test_a_stranger_is_refused_on_both_ways(world: World, kind: str) -> None:
    nobody = world.client(None)
    answer = await nobody.post("/v1/challenges", content=b'{"count": 3}', headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (401, "caller_unknown")


@pytest.mark.parametrize("kind", [SHORT, LONG])
async def test_too_much_is_refused_on_both_ways(counter: Counter, kind: str) -> None:
    answer = await counter.http.post("/v1/challenges", content=b" " * 70_000, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("kind", [SHORT, LONG])
async def test_a_refusal_that_cannot_be_audited_is_trouble_on_both_ways(
    world: World, counter: Counter, kind: str
) -> None:
    await world.owner.execute("revoke insert on audit_event from eligibility_counter")
    asked = b'{"insurer_number": "06130512", "number": "123456789018", "birth_date": "1980-01-01"}'
    answer = await counter.http.post("/v1/number-verifications", content=asked, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("wanted", ["medications", "checkups", "treatments"])
async def test_a_reading_takes_the_short_way(wanted: str) -> None:
    passed_on: list[str] = []

    async def others(scope: Any, receive: Any, send: Any) -> None:
        passed_on.append(scope["path"] + scope["query_string"].decode())

    async def refused(request: Request, error: Exception) -> Response:
        return Response(status_code=401)

    lane = ExpressLane(others, (router, staff_router), EXPRESS, {Exception: refused})
    path = f"/v1/verifications/0192f0c1-2345-7000-8000-00000000ABCD/{wanted}"
    for method, asked, query in (
        ("GET", path, b""), ("GET", path, b"from=2026-01"), ("HEAD", path, b""), ("GET", path + "/", b""),
        ("GET", path.replace("-", ""), b""), ("GET", path.replace("0192", "urn:"), b""), ("POST", path, b""),
    ):  # fmt: skip
        scope = {"type": "http", "method": method, "path": asked, "query_string": query, "headers": []}
        sent: list[Any] = []

        async def send(message: Any, kept: list[Any] = sent) -> None:
            kept.append(message)

        await lane(scope, _never, send)
        assert bool(sent) == ((method, asked, query) == ("GET", path, b""))
    assert len(passed_on) == 6


async def _refused(request: Request, asked: ChallengesRequest, needed: Annotated[str, Header()]) -> Response:
    raise NotImplementedError


async def _queried(request: Request, asked: ChallengesRequest, page: Annotated[int, Query()]) -> Response:
    raise NotImplementedError


async def _asked_twice(request: Request, asked: ChallengesRequest, again: ChallengesRequest) -> Response:
    raise NotImplementedError


async def _without_request(asked: ChallengesRequest) -> Response:
    raise NotImplementedError


@pytest.mark.parametrize("endpoint", [_refused, _queried, _asked_twice, _without_request])
def test_a_route_that_needs_more_is_refused_at_the_start(endpoint: Any) -> None:
    router = APIRouter()
    router.add_api_route("/x", endpoint, methods=["POST"], response_model=None)
    with pytest.raises(ValueError, match="/x takes more"):
        ExpressLane(_never, [router], ["/x"], {})


async def _by_number(request: Request, number: int) -> Response:
    raise NotImplementedError


async def _by_two(request: Request, number: UUID, other: UUID) -> Response:
    raise NotImplementedError


@pytest.mark.parametrize(("path", "endpoint"), [("/x/{number}", _by_number), ("/x/{number}/{other}", _by_two)])
def test_a_path_that_names_more_than_one_uuid_is_refused_at_the_start(path: str, endpoint: Any) -> None:
    router = APIRouter()
    router.add_api_route(path, endpoint, response_model=None)
    with pytest.raises(ValueError, match="takes more"):
        ExpressLane(_never, [router], [path], {})


def test_a_path_that_is_no_route_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="no such routes"):
        ExpressLane(_never, [APIRouter()], ["/x"], {})


async def _never(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError
