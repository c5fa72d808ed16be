"""Who may do what: the table of every operation and every caller, tried whole (CASES Z-1).

An operation of the OpenAPI description that has no row here fails, and so does a row without an operation.
"""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import pytest

from eligibility.domain.codes import Role
from loadtest.openapi import schema
from tests.integration.eligibility.test_medical import Visit, visit
from tests.integration.eligibility.world import INSTITUTION, INSURER, OTHER_INSTITUTION, Counter, World

CALLERS: Final = (
    "anyone", "insurer", "stranger", "terminal", "clerk", "nurse", "pharmacist", "doctor", "doctor elsewhere",
)  # fmt: skip
# What each caller is answered, in the order above. An insurer's certificate, and one of an authority that nobody knows,
# end in the handshake ("tls"): the API has no route for them at all.
Row = tuple[int | str, ...]
_ANY: Final[Row] = (200, "tls", "tls", 200, 200, 200, 200, 200, 200)
_TERMINALS: Final[Row] = (401, "tls", "tls", *[200] * 6)
_MEDICAL: Final[Row] = (401, "tls", "tls", 401, 403, 200, 200, 200, 404)
_DOCTORS: Final[Row] = (401, "tls", "tls", 401, 403, 403, 403, 200, 404)
TABLE: Final[dict[tuple[str, str], Row]] = {
    ("get", "/health"): _ANY,
    ("get", "/.well-known/jwks.json"): _ANY,
    ("post", "/v1/challenges"): _TERMINALS,
    ("post", "/v1/verifications"): _TERMINALS,
    ("post", "/v1/number-verifications"): _TERMINALS,
    ("post", "/v1/card-registrations"): (401, "tls", "tls", *[201] * 6),
    ("post", "/v1/reference-numbers"): _TERMINALS,  # each has checked the patient by number before
    ("post", "/v1/staff-sessions"): (401, "tls", "tls", *[401] * 6),  # with factors of nobody
    ("delete", "/v1/staff-sessions/current"): (401, "tls", "tls", 401, *[204] * 5),
    ("get", "/v1/verifications/{verification_id}/medications"): _MEDICAL,
    ("get", "/v1/verifications/{verification_id}/checkups"): _MEDICAL,
    ("get", "/v1/verifications/{verification_id}/treatments"): _DOCTORS,
    # By code and by certificate; a process without the terminal authority's key, as this one, enrols nobody.
    ("post", "/v1/enrolments"): (403, "tls", "tls", *[403] * 6),
    ("post", "/v1/renewals"): (401, "tls", "tls", *[403] * 6),
    ("post", "/v1/bulk-verifications"): (401, "tls", "tls", *[202] * 6),
    ("get", "/v1/bulk-verifications/{bulk_id}"): (401, "tls", "tls", *[200] * 5, 404),
    ("get", "/v1/bulk-verifications/{bulk_id}/results"): (401, "tls", "tls", *[409] * 5, 404),  # it is not done yet
    ("delete", "/v1/verifications/{verification_id}/consents/{consent_class}"): (
        401, "tls", "tls", *[204] * 5, 404,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Caller:
    """A connection and the headers of who uses it."""

    counter: Counter
    headers: dict[str, str]


async def _caller(name: str, world: World) -> Caller:
    now = datetime.now(UTC)
    if name == "doctor elsewhere":
        counter = await world.terminal(OTHER_INSTITUTION)
        return Caller(counter, await counter.token(await world.staff(Role.DOCTOR, OTHER_INSTITUTION)))
    counter = await world.terminal()
    if name in set(Role):
        return Caller(counter, await counter.token(await world.staff(Role(name))))
    if name == "insurer":
        pair = world.authorities.enrolment.insurer(INSURER, now)
    elif name == "stranger":
        pair = type(world.authorities.enrolment).create(now).terminal(INSTITUTION, counter.terminal_id, now)
    else:
        return Caller(counter, {}) if name == "terminal" else Caller(_with(counter, world.client(None)), {})
    return Caller(_with(counter, world.client(pair)), {})


def _with(counter: Counter, http: httpx.AsyncClient) -> Counter:
    return Counter(http, counter.terminal_id, counter.card_key)


Body = Callable[[World, Caller, Visit], Awaitable[Any]]


async def _nothing(world: World, caller: Caller, was: Visit) -> None:
    return None


async def _proof(world: World, caller: Caller, card: Any) -> dict[str, str]:
    try:
        challenge = await caller.counter.challenge()
    except (AssertionError, httpx.TransportError):
        challenge = bytes(61)
    return caller.counter.proof(card, challenge)


async def _verification(world: World, caller: Caller, was: Visit) -> Any:
    return {"proof": await _proof(world, caller, was.card), "method": "pin"}


async def _registration(world: World, caller: Caller, was: Visit) -> Any:
    holder = {"name": "登録一郎", "address": "", "birth_date": "1980-01-01", "sex": "1"}
    return {"proof": await _proof(world, caller, world.card()), "method": "pin"} | holder


def _said(body: Any) -> Body:
    async def give(world: World, caller: Caller, was: Visit) -> Any:
        return body

    return give


_NUMBER: Final = {"insurer_number": INSURER, "symbol": "12", "number": "345", "branch_number": "01"}
_BULK: Final = {"items": [_NUMBER | {"item_id": "1", "birth_date": "1980-01-01"}]}
BODIES: Final[dict[str, Body]] = {
    "/v1/challenges": _said({"count": 1}),
    "/v1/verifications": _verification,
    "/v1/number-verifications": _said(_NUMBER | {"birth_date": "1980-01-01"}),
    "/v1/card-registrations": _registration,
    "/v1/reference-numbers": _said(_NUMBER | {"reference_number": "P-1"}),
    "/v1/bulk-verifications": _said(_BULK),
    "/v1/enrolments": _said({"code": "x", "certification_request": "x"}),
    "/v1/renewals": _said({"certification_request": "x"}),
    "/v1/staff-sessions": _said({"name": "nobody", "password": "x", "passcode": "000000"}),
}


def test_the_table_has_every_operation_and_no_other() -> None:
    operations = {(method, path) for path, item in schema("v1.json")["paths"].items() for method in item}
    assert operations == TABLE.keys()
    assert {len(row) for row in TABLE.values()} == {len(CALLERS)}


@pytest.mark.parametrize("name", CALLERS)
async def test_every_operation_answers_the_caller_as_the_table_says(name: str, world: World, counter: Counter) -> None:
    caller = await _caller(name, world)
    found: dict[tuple[str, str], int | str] = {}
    bulk = (await counter.http.post("/v1/bulk-verifications", json=_BULK)).json()["bulk_id"]
    # Signing out comes last: the session is needed for everything before.
    for method, path in sorted(TABLE, key=lambda operation: operation[1].endswith("/current")):
        was = await visit(world, counter, number=str(900 + len(found))) if "{verification_id}" in path else None
        if path == "/v1/verifications":
            was = await visit(world, counter, number="900")
        elif path == "/v1/number-verifications":
            await visit(world, counter)
        elif path == "/v1/card-registrations":
            await world.coverage(await world.person(), name="登録　一郎", number="899")
        shown = was or Visit(0, world.authorities.jpki.issue_auth("X", datetime.now(UTC)), "")
        url = path.format(verification_id=shown.verification_id, consent_class="treatment", bulk_id=bulk)
        body = await BODIES.get(path, _nothing)(world, caller, shown)
        try:
            answer = await caller.counter.http.request(method, url, json=body, headers=caller.headers)
        except (httpx.TransportError, ssl.SSLError):
            found[method, path] = "tls"
        else:
            found[method, path] = answer.status_code
            assert answer.status_code < 400 or answer.headers["content-type"] == "application/problem+json"
    assert found == {operation: row[CALLERS.index(name)] for operation, row in TABLE.items()}


def test_no_write_takes_a_field_that_is_not_its_own() -> None:
    """Mass assignment (CASES Z-11): each message of the description forbids what it does not name."""
    described = schema("v1.json")
    parts = described["components"]["schemas"]
    taken = [
        content["schema"]
        for item in described["paths"].values()
        for operation in item.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    assert len(taken) >= 7
    for form in taken:
        message = parts[form["$ref"].rpartition("/")[2]] if "$ref" in form else form
        assert message["additionalProperties"] is False, message["title"]
