"""Each outcome and each refusal of the API leaves exactly one event; a new one without a scenario here fails."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from eligibility.api.problems import PROBLEMS
from eligibility.domain.codes import Outcome, Role
from eligibility.domain.errors import Refused
from eligibility.staff import ATTEMPTS_OF_A_TERMINAL, _budget_key
from eligibility.terminal_enrolment import EnrolmentThrottle, TerminalAuthority
from eligibility.wire.encoding import b64url
from tests.integration.eligibility.test_medical import Visit, visit
from tests.integration.eligibility.world import INSTITUTION, OTHER_INSURER, Counter, World

Scenario = Callable[[World, Counter], Awaitable[httpx.Response]]
LONG_AGO = date(2021, 1, 1)
A_DAY_OLDER = "update consent set given_at = given_at - interval '24 hours', expires_at = given_at"


async def _holder(world: World, **facts: Any) -> Any:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    await world.coverage(person, **facts)
    return card


async def _newer_exists(world: World, counter: Counter) -> httpx.Response:
    person = await world.person()
    await world.coverage(person, lost_on=LONG_AGO, loss_reason="03")
    await world.coverage(person, insurer_number=OTHER_INSURER, number="9", acquired_on=LONG_AGO)
    return await counter.number()


async def _several(world: World, counter: Counter) -> httpx.Response:
    for branch in ("02", "03"):
        await world.coverage(await world.person(), branch_number=branch)
    return await counter.number(branch_number="")


async def _with(world: World, counter: Counter, **facts: Any) -> httpx.Response:
    return await counter.verify(await _holder(world, **facts))


OUTCOMES: dict[Outcome, Scenario] = {
    Outcome.VALID: _with,
    Outcome.LAPSED: lambda w, c: _with(w, c, lost_on=LONG_AGO, loss_reason="99"),
    Outcome.LAPSED_NEWER_EXISTS: _newer_exists,
    Outcome.NONE: lambda w, c: c.number(),
    Outcome.SEVERAL: _several,
    Outcome.SUSPENDED: lambda w, c: _with(w, c, viewing_suspended=True),
}


async def _proof_changed(world: World, counter: Counter, **change: str) -> httpx.Response:
    card = await _holder(world)
    return await counter.verify(card, proof=counter.proof(card, await counter.challenge()) | change)


async def _expired(world: World, counter: Counter, ago: timedelta) -> httpx.Response:
    now = datetime.now(UTC)
    return await counter.verify(world.card(not_before=now - timedelta(days=900), not_after=now - ago))


async def _challenge_late(world: World, counter: Counter) -> httpx.Response:
    card = await _holder(world)
    proof = counter.proof(card, await counter.challenge())
    world.clock.offset = timedelta(minutes=3)
    return await counter.verify(card, proof=proof)


async def _revoked(world: World, counter: Counter) -> httpx.Response:
    card = await _holder(world)
    world.write_crl([card])
    world.app.state.centre.revocation.refresh(world.clock.now())
    return await counter.verify(card)


async def _stale_lists(world: World, counter: Counter) -> httpx.Response:
    world.clock.offset = timedelta(hours=2)
    return await counter.verify(await _holder(world))


async def _register(world: World, counter: Counter, card: Any = None, **said: str) -> httpx.Response:
    card = card or world.card()
    usual = {"name": "山田太郎", "address": "", "birth_date": "1980-01-01", "sex": "1", "method": "pin"}
    proof = counter.proof(card, await counter.challenge())
    return await counter.http.post("/v1/card-registrations", json={"proof": proof} | usual | said)


async def _ambiguous(world: World, counter: Counter) -> httpx.Response:
    await world.coverage(await world.person())
    await world.coverage(await world.person(), number="7")
    return await _register(world, counter)


async def _elsewhere(world: World, counter: Counter) -> httpx.Response:
    card = await _holder(world, name="別人")
    await world.coverage(await world.person(), number="7")
    return await _register(world, counter, card)


async def _own_authority(world: World, counter: Counter) -> httpx.Response:
    card = world.authorities.jpki.issue_auth(
        "X", datetime.now(UTC), key=world.authorities.card_key, authority_key_id=bytes(20)
    )
    return await counter.verify(card)


async def _signature_certificate(world: World, counter: Counter) -> httpx.Response:
    jpki = world.authorities.jpki
    pair = jpki.issue_auth("X", datetime.now(UTC), key=world.authorities.card_key, policies=("1.2.3",))
    return await counter.verify(pair)


async def _guesses(world: World, counter: Counter) -> httpx.Response:
    world.app.state.budget._misses = 0
    return await counter.number()


async def _name_patient(counter: Counter, **number: str) -> httpx.Response:
    usual = {"reference_number": "P", "insurer_number": "06130512", "symbol": "12", "number": "345"}
    return await counter.http.post("/v1/reference-numbers", json=usual | number)


async def _twins_checked(world: World, counter: Counter) -> None:
    for branch in ("02", "03"):
        await world.coverage(await world.person(), branch_number=branch)
        await counter.number(branch_number=branch)


async def _ambiguous_patient(world: World, counter: Counter) -> httpx.Response:
    await _twins_checked(world, counter)
    return await _name_patient(counter)


async def _number_taken(world: World, counter: Counter) -> httpx.Response:
    await _twins_checked(world, counter)
    await _name_patient(counter, branch_number="02")
    return await _name_patient(counter, branch_number="03")


async def _key_reused(world: World, counter: Counter) -> httpx.Response:
    key = {"Idempotency-Key": str(uuid4())}
    asked = {"insurer_number": "06130512", "number": "345", "birth_date": "1980-01-01"}
    await counter.http.post("/v1/number-verifications", json=asked, headers=key)
    return await counter.http.post("/v1/number-verifications", json=asked | {"number": "1"}, headers=key)


_ENROLMENT = {"code": "x", "certification_request": "x"}


async def _enrol_with(world: World, code: str) -> httpx.Response:
    files = (world.folder / f"terminal_authority.{kind}" for kind in ("crt", "key"))
    world.app.state.terminal_authority = TerminalAuthority.read(*files, timedelta(days=1))
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    pem = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    return await world.client(None).post("/v1/enrolments", json={"code": code, "certification_request": pem})


async def _enrol_too_often(world: World, counter: Counter) -> httpx.Response:
    world.app.state.enrolment_throttle = EnrolmentThrottle(0)
    return await world.client(None).post("/v1/enrolments", json=_ENROLMENT)


_BULK = {"items": [{"item_id": "1", "insurer_number": "06130512", "number": "1", "birth_date": "1980-01-01"}]}


async def _bulk_started(counter: Counter) -> str:
    return str((await counter.http.post("/v1/bulk-verifications", json=_BULK)).json()["bulk_id"])


async def _bulk_unfinished(world: World, counter: Counter) -> httpx.Response:
    return await counter.http.get(f"/v1/bulk-verifications/{await _bulk_started(counter)}/results")


async def _bulk_cleared(world: World, counter: Counter) -> httpx.Response:
    bulk_id = await _bulk_started(counter)
    await world.owner.execute("update bulk_check set state = 'done', finished_at = now(), cleared_at = now()")
    return await counter.http.get(f"/v1/bulk-verifications/{bulk_id}/results")


async def _bulks_open(world: World, counter: Counter) -> httpx.Response:
    for _ in range(4):
        await _bulk_started(counter)
    return await counter.http.post("/v1/bulk-verifications", json=_BULK)


async def _medications(world: World, counter: Counter, was: Visit, role: Role = Role.DOCTOR) -> httpx.Response:
    at = None if not world.clock.offset else world.clock.now()
    token = await counter.token(await world.staff(role), at)
    return await counter.http.get(was.medications(), headers=token)


async def _not_shown(world: World, counter: Counter, *, change: str = "", **verified: Any) -> httpx.Response:
    was = await visit(world, counter, **verified)
    if change:
        await world.owner.execute(change)
    return await _medications(world, counter, was)


async def _not_shown_to_a_clerk(world: World, counter: Counter) -> httpx.Response:
    return await _medications(world, counter, await visit(world, counter), Role.CLERK)


async def _not_shown_by_number(world: World, counter: Counter) -> httpx.Response:
    await world.coverage(await world.person())
    answer = await counter.number()
    return await _medications(world, counter, Visit(0, world.card(), answer.json()["verification_id"]))


async def _not_shown_of_revoked(world: World, counter: Counter) -> httpx.Response:
    was = await visit(world, counter)
    world.write_crl([was.card])
    world.app.state.centre.revocation.refresh(world.clock.now())
    return await _medications(world, counter, was)


async def _not_shown_with_stale_lists(world: World, counter: Counter) -> httpx.Response:
    was = await visit(world, counter)
    world.clock.offset = timedelta(hours=2)
    return await _medications(world, counter, was)


async def _no_such_verification(world: World, counter: Counter) -> httpx.Response:
    return await _medications(world, counter, Visit(0, world.card(), str(uuid4())))


async def _no_sign_in(world: World, counter: Counter) -> httpx.Response:
    member = await world.staff(Role.DOCTOR)
    world.app.state.staff_door = replace(world.app.state.staff_door, factors=None)
    return await counter.sign_in(member)


async def _wrong_password(world: World, counter: Counter) -> httpx.Response:
    return await counter.sign_in(await world.staff(Role.DOCTOR), password="wrong")


async def _throttled(world: World, counter: Counter) -> httpx.Response:
    member = await world.staff(Role.DOCTOR)
    budgets = [_budget_key("terminal", str(counter.terminal_id))]
    await world.owner.execute(
        "insert into sign_in_budget (budget_key, attempts, began_at) values ($1, $2, now())",
        budgets[0], ATTEMPTS_OF_A_TERMINAL,
    )  # fmt: skip
    return await counter.sign_in(member)


REFUSALS: dict[str, Scenario] = {
    "caller_unknown": lambda w, c: w.client(None).post("/v1/challenges", json={"count": 1}),
    "malformed": lambda w, c: c.number(birth_date="x"),
    "my_number_refused": lambda w, c: c.number(number="123456789018"),
    "too_large": lambda w, c: c.http.post("/v1/challenges", content=b"[" * 200_000),
    "challenge_malformed": lambda w, c: _proof_changed(w, c, challenge=b64url(b"x")),
    "challenge_forged": lambda w, c: _proof_changed(w, c, challenge=b64url(b"\x01" + bytes(60))),
    "challenge_expired": _challenge_late,
    "challenge_replayed": lambda w, c: _proof_changed(w, c),
    "certificate_malformed": lambda w, c: _proof_changed(w, c, certificate=b64url(b"not DER")),
    "certificate_profile": _signature_certificate,
    "issuer_unknown": _own_authority,
    "certificate_expired": lambda w, c: _expired(w, c, timedelta(days=200)),
    "certificate_not_yet_valid": lambda w, c: _expired_before(w, c),
    "certificate_revoked": _revoked,
    "revocation_unknown": _stale_lists,
    "signature_refused": lambda w, c: _proof_changed(w, c, signature=b64url(bytes(256))),
    "card_not_registered": lambda w, c: c.verify(w.card()),
    "method_not_by_card": lambda w, c: _proof_method(w, c),
    "known_in_future": lambda w, c: c.number(known_at="2099-01-01T00:00:00Z"),
    "holder_not_found": _register,
    "holder_ambiguous": _ambiguous,
    "card_registered_elsewhere": _elsewhere,
    "rate_limited": _guesses,
    "staff_session_needed": lambda w, c: c.http.get(f"/v1/verifications/{uuid4()}/medications"),
    "sign_in_refused": _wrong_password,
    "sign_in_throttled": _throttled,
    "sign_in_off": _no_sign_in,
    "verification_not_found": _no_such_verification,
    "not_shown_role": _not_shown_to_a_clerk,
    "not_shown_no_consent": lambda w, c: _not_shown(w, c, consents=[]),
    "not_shown_withdrawn": lambda w, c: _not_shown(w, c, change="update consent set withdrawn_at = now()"),
    "not_shown_consent_expired": lambda w, c: _not_shown(w, c, change=A_DAY_OLDER),
    "not_shown_needs_card": _not_shown_by_number,
    "not_shown_certificate_expired": lambda w, c: _not_shown(
        w, c, change="update verification set certificate_in_grace = true"
    ),
    "not_shown_certificate_revoked": _not_shown_of_revoked,
    "not_shown_revocation_unknown": _not_shown_with_stale_lists,
    "not_shown_not_covered": lambda w, c: _not_shown(w, c, lost_on=LONG_AGO),
    "not_shown_suspended": lambda w, c: _not_shown(w, c, change="update coverage set viewing_suspended = true"),
    "idempotency_key_reused": _key_reused,
    "patient_not_checked": lambda w, c: _name_patient(c),
    "patient_ambiguous": _ambiguous_patient,
    "reference_number_taken": _number_taken,
    "bulk_not_done": _bulk_unfinished,
    "enrolment_closed": lambda w, c: w.client(None).post("/v1/enrolments", json=_ENROLMENT),
    "enrolment_code_refused": lambda w, c: _enrol_with(w, "wrong"),
    "enrolment_throttled": _enrol_too_often,
    "bulk_results_cleared": _bulk_cleared,
    "too_many_bulks": _bulks_open,
}


async def _expired_before(world: World, counter: Counter) -> httpx.Response:
    ahead = datetime.now(UTC) + timedelta(days=1)
    return await counter.verify(world.card(not_before=ahead, not_after=ahead + timedelta(days=900)))


async def _proof_method(world: World, counter: Counter) -> httpx.Response:
    return await counter.verify(await _holder(world), method="number")


# Answered before anybody is known to have asked for anything, or trouble of our own: nothing was refused.
NOT_REFUSALS = {"not_found", "method_not_allowed", "busy", "overloaded", "internal"}


def _codes(root: type[Refused]) -> Iterator[str]:
    for kind in root.__subclasses__():
        if "code" in vars(kind) and kind.__module__.startswith("eligibility."):
            yield kind.code
        yield from _codes(kind)


def test_every_outcome_and_refusal_has_a_scenario() -> None:
    assert OUTCOMES.keys() == set(Outcome)
    assert REFUSALS.keys() | NOT_REFUSALS == PROBLEMS.keys()
    assert set(_codes(Refused)) - NOT_REFUSALS <= REFUSALS.keys()


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_each_outcome_leaves_one_event(outcome: Outcome, world: World, counter: Counter) -> None:
    answer = await OUTCOMES[outcome](world, counter)
    assert answer.json()["outcome"] == outcome
    events = await world.events()
    assert [code for _, code in events] == [outcome.value]
    actor = await world.owner.fetchrow("select actor, institution_code from audit_event where kind <> 'enrolment'")
    assert tuple(actor) == (str(counter.terminal_id), INSTITUTION)


@pytest.mark.parametrize("code", REFUSALS)
async def test_each_refusal_leaves_one_event(code: str, world: World, counter: Counter) -> None:
    answer = await REFUSALS[code](world, counter)
    if code == "challenge_replayed":
        body = answer.request.content
        answer = await counter.http.post(
            "/v1/verifications", content=body, headers={"content-type": "application/json"}
        )
    assert answer.json()["code"] == code
    answered = {*Outcome, "registered", "accepted", "began"}  # what a scenario needs to have happened before
    assert [c for _, c in await world.events() if c not in answered] == [code]
