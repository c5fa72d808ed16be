"""A field that is not a message's own is refused on every write, and nothing of it is stored (CASES Z-11)."""

from typing import Any

import pytest

from eligibility.domain.codes import Role
from tests.integration.eligibility.test_medical import visit
from tests.integration.eligibility.world import OTHER_INSTITUTION, Counter, World

EXTRA: dict[str, Any] = {
    "institution_code": OTHER_INSTITUTION, "facility_id": OTHER_INSTITUTION, "role": "doctor", "verified": True,
    "consent_until": "2999-01-01T00:00:00Z", "expires_at": "2999-01-01T00:00:00Z", "person_id": 1,
    "outcome": "valid", "terminal_id": "00000000-0000-0000-0000-000000000000", "staff_id": "x", "__proto__": {},
}  # fmt: skip
STORED = """
select jsonb_agg(t order by t::text) from (
    select to_jsonb(v) - 'occurred_at' as t from verification v union all select to_jsonb(c) from consent c
    union all select to_jsonb(s) - 'last_used_at' from staff_session s union all select to_jsonb(k) from card k
    union all select to_jsonb(b) from bulk_check b
    union all select to_jsonb(r) from reference_number r union all select to_jsonb(p) - 'last_time_step' from staff p
) everything
"""


async def _bodies(world: World, counter: Counter) -> dict[str, dict[str, Any]]:
    was = await visit(world, counter)
    member = await world.staff(Role.CLERK)
    number = {"insurer_number": "06130512", "symbol": "12", "number": "345"}
    proof = {"proof": counter.proof(was.card, await counter.challenge()), "method": "pin"}
    holder = {"name": "山田太郎", "address": "", "birth_date": "1980-01-01", "sex": "1"}
    return {
        "/v1/challenges": {"count": 1},
        "/v1/verifications": proof,
        "/v1/card-registrations": proof | holder,
        "/v1/number-verifications": number | {"birth_date": "1980-01-01"},
        "/v1/reference-numbers": number | {"reference_number": "P-1"},
        "/v1/bulk-verifications": {"items": [number | {"item_id": "1", "birth_date": "1980-01-01"}]},
        "/v1/staff-sessions": {"name": member.name, "password": member.password, "passcode": member.passcode()},
    }


@pytest.mark.parametrize("field", EXTRA)
async def test_a_field_of_ours_is_refused_on_every_write(field: str, world: World, counter: Counter) -> None:
    bodies = await _bodies(world, counter)
    before = await world.owner.fetchval(STORED)
    for path, body in bodies.items():
        answer = await counter.http.post(path, json=body | {field: EXTRA[field]})
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed"), path
    assert await world.owner.fetchval(STORED) == before


@pytest.mark.parametrize("field", EXTRA)
async def test_nor_inside_a_message(field: str, world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    face = {"score": "0.5", "threshold": "0.3", "model_sha256": "ab" * 32, "calibrated": True}
    proof = counter.proof(was.card, await counter.challenge())
    before = await world.owner.fetchval(STORED)
    for body in (
        {"proof": proof | {field: EXTRA[field]}, "method": "pin"},
        {"proof": proof, "method": "face", "face": face | {field: EXTRA[field]}},
    ):
        assert (await counter.http.post("/v1/verifications", json=body)).status_code == 422
    assert await world.owner.fetchval(STORED) == before


async def test_a_query_or_header_names_nobody_else(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.medicine(was.person)
    token = await counter.token(await world.staff(Role.CLERK))
    lies = {"X-Role": "doctor", "X-Institution": OTHER_INSTITUTION, "Client-Cert": ":AA:", "Forwarded": "for=x"}
    answer = await counter.http.get(
        was.medications(), params={"role": "doctor", "consent": "medication"}, headers=token | lies
    )
    assert answer.json()["code"] == "not_shown_role"
