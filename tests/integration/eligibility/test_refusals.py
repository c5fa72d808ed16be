"""What the centre refuses, and that each refusal is audited, burns its challenge and changes nothing."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from eligibility.api import budgets
from eligibility.api.unknown_callers import TOLD_A_MINUTE
from eligibility.domain.identifiers import InstitutionCode, InsuredNumber
from eligibility.storage.lookups import CardAsked, NumberAsked
from eligibility.wire.encoding import b64url
from tests.integration.eligibility.world import INSTITUTION, INSURER, OTHER_INSTITUTION, Counter, World, card_key


def _code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def _registered(world: World, **overrides: Any) -> Any:
    person, card = await world.person(), world.card(**overrides)
    await world.register(card, person)
    await world.coverage(person)
    return card


async def test_of_fifty_copies_of_one_proof_exactly_one_is_answered(world: World, counter: Counter) -> None:
    card = await _registered(world)
    proof = counter.proof(card, await counter.challenge())
    answers = await asyncio.gather(*(counter.verify(card, proof=proof) for _ in range(50)))
    assert sorted(a.status_code for a in answers) == [200] + [401] * 49
    assert {a.json()["code"] for a in answers if a.status_code == 401} == {"challenge_replayed"}
    assert await world.owner.fetchval("select count(*) from verification") == 1
    assert await world.owner.fetchval("select count(*) from used_challenge") == 1
    events = await world.events()
    assert sorted(events) == [("request_refused", "challenge_replayed")] * 49 + [("verification", "valid")]


async def test_a_bad_signature_burns_the_challenge(world: World, counter: Counter) -> None:
    card = await _registered(world)
    challenge = await counter.challenge()
    bad = counter.proof(card, challenge, signed=b"another challenge")
    assert _code(await counter.verify(card, proof=bad)) == (401, "signature_refused")
    good = counter.proof(card, challenge)
    assert _code(await counter.verify(card, proof=good)) == (401, "challenge_replayed")
    assert await world.owner.fetchval("select count(*) from verification") == 0


@pytest.mark.parametrize("institution", [INSTITUTION, OTHER_INSTITUTION])
async def test_another_terminals_challenge_is_refused(world: World, counter: Counter, institution: str) -> None:
    card = await _registered(world)
    other = await world.terminal(institution)
    proof = counter.proof(card, await counter.challenge())
    assert _code(await other.verify(card, proof=proof)) == (401, "challenge_forged")
    # The rightful terminal has not lost it.
    assert (await counter.verify(card, proof=proof)).status_code == 200


async def test_a_challenge_ends_after_120_seconds(world: World, counter: Counter) -> None:
    card = await _registered(world)
    proof = counter.proof(card, await counter.challenge())
    world.clock.offset = timedelta(seconds=121)
    assert _code(await counter.verify(card, proof=proof)) == (401, "challenge_expired")


@pytest.mark.parametrize("challenge", [bytes(65), b"x", bytes(96)])
async def test_a_challenge_never_issued_is_refused(world: World, counter: Counter, challenge: bytes) -> None:
    card = await _registered(world)
    status, code = _code(await counter.verify(card, proof=counter.proof(card, challenge)))
    assert (status, code in ("challenge_forged", "challenge_malformed")) == (401, True)


async def test_a_revoked_card_is_refused_even_after_it_was_answered(world: World, counter: Counter) -> None:
    card = await _registered(world)
    assert (await counter.verify(card)).status_code == 200
    world.write_crl([card])
    world.app.state.centre.revocation.refresh(world.clock.now())
    assert _code(await counter.verify(card)) == (401, "certificate_revoked")


async def test_without_fresh_revocation_lists_no_card_is_judged_but_numbers_are(world: World, counter: Counter) -> None:
    card = await _registered(world)
    world.clock.offset = timedelta(hours=1, minutes=5)
    answer = await counter.verify(card)
    assert _code(answer) == (503, "revocation_unknown")
    assert answer.headers["retry-after"]
    assert (await counter.number()).json()["outcome"] == "valid"
    stale = [key_id.hex() for key_id in world.app.state.centre.trust.anchors]
    assert (await counter.http.get("/health")).json() == {
        "database": "ok", "revocation": "stale", "stale_issuers": stale
    }  # fmt: skip


async def test_a_database_that_can_only_be_read_is_not_well(world: World, counter: Counter) -> None:
    pool = world.app.state.centre.pool
    item = {"item_id": "1", "insurer_number": INSURER, "symbol": "12", "number": "345", "birth_date": "1980-01-01"}
    bulk = {"items": [item | {"branch_number": "01"}]}
    async with AsyncExitStack() as all_of_them:
        for _ in range(pool.get_size()):
            connection = await all_of_them.enter_async_context(pool.acquire())
            await connection.execute("set default_transaction_read_only = on")
    answers = [await counter.http.get("/health"), await counter.http.post("/v1/bulk-verifications", json=bulk)]
    assert [_code(answer) for answer in answers] == [(503, "busy")] * 2


@pytest.mark.parametrize(
    ("expired_ago", "status", "notice"),
    [
        (timedelta(days=-200), 200, []),
        (timedelta(days=-60), 200, ["certificate_expiring"]),
        (timedelta(seconds=1), 200, ["certificate_in_grace"]),
        (timedelta(days=125), 401, None),
    ],
)
async def test_an_expired_certificate_has_its_grace_for_eligibility_alone(
    world: World, counter: Counter, expired_ago: timedelta, status: int, notice: list[str] | None
) -> None:
    now = datetime.now(UTC)
    card = await _registered(world, not_before=now - timedelta(days=400), not_after=now - expired_ago)
    answer = await counter.verify(card, consents=["medication", "limit_certificate"])
    assert answer.status_code == status
    if notice is None:
        assert _code(answer) == (401, "certificate_expired")
        return
    assert [n["code"] for n in answer.json()["notices"]] == notice
    granted = {c["consent_class"] for c in answer.json()["consents"]}
    assert ("medication" in granted) == (notice != ["certificate_in_grace"])
    assert "limit_certificate" in granted


async def test_a_card_nobody_registered_is_told_so_and_its_challenge_is_used_up(world: World, counter: Counter) -> None:
    card = world.card()
    proof = counter.proof(card, await counter.challenge())
    assert _code(await counter.verify(card, proof=proof)) == (404, "card_not_registered")
    assert _code(await counter.verify(card, proof=proof)) == (401, "challenge_replayed")
    assert await world.events() == [
        ("request_refused", "card_not_registered"),
        ("request_refused", "challenge_replayed"),
    ]


async def test_a_signature_certificate_is_no_user_authentication(world: World, counter: Counter) -> None:
    card = world.authorities.jpki.issue_signature("X", datetime.now(UTC), key=world.authorities.card_key)
    assert _code(await counter.verify(card))[0] == 401
    assert (await world.events())[-1][0] == "request_refused"


@pytest.mark.parametrize("method", ["number", "disaster"])
async def test_a_card_is_not_verified_by_a_method_without_card(world: World, counter: Counter, method: str) -> None:
    card = await _registered(world)
    assert _code(await counter.verify(card, method=method)) == (422, "method_not_by_card")


# ── Callers (B-1, B-4) ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("route", ["challenges", "verifications", "number-verifications", "card-registrations"])
async def test_no_certificate_no_answer(world: World, route: str) -> None:
    answer = await world.client(None).post(f"/v1/{route}", json={})
    assert _code(answer) == (401, "caller_unknown")
    assert await world.events() == [("request_refused", "caller_unknown")]


async def test_strangers_who_come_again_and_again_do_not_fill_the_log(world: World) -> None:
    stranger, now = world.client(None), world.clock.now()
    world.app.state.now = lambda: now  # however long it takes: it is one minute
    for _ in range(TOLD_A_MINUTE + 3):
        assert _code(await stranger.post("/v1/challenges", json={"count": 1})) == (401, "caller_unknown")
    assert await world.events() == [("request_refused", "caller_unknown")] * TOLD_A_MINUTE
    world.app.state.now = lambda: now + timedelta(minutes=1)
    assert _code(await stranger.post("/v1/challenges", json={"count": 1})) == (401, "caller_unknown")
    details = await world.owner.fetch("select detail from audit_event where actor = 'unknown' and detail <> '{}'")
    assert [row["detail"] for row in details] == [{"untold": {"caller_unknown": 3}}]


async def test_an_expired_certificate_does_not_pass_the_handshake(world: World) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    expired = await world.terminal(not_before=past - timedelta(days=1), not_after=past)
    with pytest.raises(httpx.HTTPError):
        await expired.challenge()


async def test_a_certificate_of_another_authority_does_not_pass_the_handshake(world: World) -> None:
    insurer = world.authorities.enrolment.insurer("06130512", datetime.now(UTC))
    with pytest.raises(httpx.HTTPError):
        await world.client(insurer).post("/v1/challenges", json={"count": 1})


async def test_a_terminal_never_enrolled_is_refused(world: World) -> None:
    stranger = await world.terminal(enrol=False)
    assert _code(await stranger.http.post("/v1/challenges", json={"count": 1})) == (401, "caller_unknown")


async def test_a_revoked_terminal_is_refused_at_its_next_request(world: World, counter: Counter) -> None:
    assert await counter.challenge()
    await world.owner.execute("update terminal set revoked_at = now() where terminal_id = $1", counter.terminal_id)
    assert _code(await counter.http.post("/v1/challenges", json={"count": 1})) == (401, "caller_unknown")


async def test_a_terminal_of_a_closed_institution_is_refused(world: World, counter: Counter) -> None:
    await world.owner.execute("update institution set closed_on = '2020-01-01'")
    assert _code(await counter.number()) == (401, "caller_unknown")


async def test_a_certificate_that_names_an_institution_it_is_not_enrolled_at_is_refused(world: World) -> None:
    counter = await world.terminal()
    await world.owner.execute("update terminal set institution_code = $1", OTHER_INSTITUTION)
    assert _code(await counter.number()) == (401, "caller_unknown")


@pytest.mark.parametrize("header", ["Client-Cert", "X-Client-Cert", "X-SSL-Client-Cert", "Forwarded"])
async def test_no_header_names_a_caller(world: World, counter: Counter, header: str) -> None:
    pair = world.authorities.enrolment.terminal(INSTITUTION, counter.terminal_id, datetime.now(UTC))
    claimed = {header: f":{b64url(pair.der)}:"}
    answer = await world.client(None).post("/v1/challenges", json={"count": 1}, headers=claimed)
    assert _code(answer) == (401, "caller_unknown")


@pytest.mark.parametrize("name", ["institution_code", "institution", "medical_institution_code", "terminal_id", "role"])
async def test_the_institution_comes_from_the_certificate_and_no_body_may_name_one(
    world: World, counter: Counter, name: str
) -> None:
    await world.coverage(await world.person())
    assert _code(await counter.number(**{name: OTHER_INSTITUTION})) == (422, "malformed")
    assert (await counter.number()).status_code == 200
    assert await world.owner.fetchval("select institution_code from verification") == INSTITUTION


# ── Bad input ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b"\xff\xfe",
        b"[" * 50000,
        b'{"count": 1e400}',
        b'{"count": NaN}',
        b'{"count": 0}',
        b'{"count": 101}',
        b'{"count": "1; drop"}',
        b'{"count": 1, "count": 900}',
        b'{"count": 9223372036854775808}',
    ],
)
async def test_a_malformed_message_is_told_what_is_expected(world: World, counter: Counter, body: bytes) -> None:
    answer = await counter.http.post("/v1/challenges", content=body, headers={"content-type": "application/json"})
    assert _code(answer) == (422, "malformed")
    assert answer.json()["staff"]["ja"]
    assert await world.events() == [("request_refused", "malformed")]


@pytest.mark.parametrize("field", ["challenge", "certificate", "signature"])
@pytest.mark.parametrize("value", ["", "!!!!", "AAA=", "é", "A", "AAAAAA", None, 7])
async def test_a_malformed_part_of_a_proof_is_a_client_error(
    world: World, counter: Counter, field: str, value: Any
) -> None:
    card = await _registered(world)
    proof = counter.proof(card, await counter.challenge()) | {field: value}
    status, _ = _code(await counter.verify(card, proof=proof))
    assert status in (401, 422)
    assert await world.owner.fetchval("select count(*) from verification") == 0


@pytest.mark.parametrize("size", [9_000, 64 * 1024, 10 * 1024 * 1024])
async def test_a_huge_certificate_is_refused(world: World, counter: Counter, size: int) -> None:
    card = await _registered(world)
    proof = counter.proof(card, await counter.challenge()) | {"certificate": b64url(bytes(size))}
    assert _code(await counter.verify(card, proof=proof))[0] in (413, 422)


async def test_a_body_that_understates_or_never_states_its_length_is_cut(world: World, counter: Counter) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b"[" * 10_000

    answer = await counter.http.post("/v1/challenges", content=endless())
    assert _code(answer) == (413, "too_large")


@pytest.mark.parametrize(
    "asked",
    [
        {"insurer_number": "1"},
        {"insurer_number": "ABCDEFGH"},
        {"number": ""},
        {"number": "1" * 21},
        {"number": "1\x00"},
        {"branch_number": "1"},
        {"birth_date": "1980-02-30"},
        {"birth_date": "19800101x"},
        {"number": None},
        {"asked_for": "tomorrow"},
        {"known_at": "2026-01-01T00:00:00"},
        {"known_at": "0001-01-01T00:00:00+23:59"},
        {"known_at": "9999-12-31T23:59:59-23:59"},
        {"symbol": "\ud800"},
    ],
)
async def test_a_malformed_number_is_told_where(world: World, counter: Counter, asked: dict[str, Any]) -> None:
    usual = {"insurer_number": "06130512", "number": "345", "birth_date": "1980-01-01"}
    body = json.dumps(usual | asked).encode("ascii")
    answer = await counter.http.post(
        "/v1/number-verifications", content=body, headers={"content-type": "application/json"}
    )
    assert _code(answer) == (422, "malformed")


async def test_a_my_number_is_refused_and_echoed_nowhere(
    world: World, counter: Counter, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = await counter.number(number="123456789018")
    assert _code(answer) == (422, "my_number_refused")
    assert "123456789018" not in answer.text
    assert "123456789018" not in capfd.readouterr().out
    detail = await world.owner.fetchval("select string_agg(audit_event::text, ' ') from audit_event")
    assert "123456789018" not in detail


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("GET", "/", 404), ("GET", "/v1/verifications", 405), ("POST", "/v1/challenges/", 404)],
)
async def test_unknown_routes_are_problems_too(
    world: World, counter: Counter, method: str, path: str, expected: int
) -> None:
    assert _code(await counter.http.request(method, path))[0] == expected


async def test_every_naughty_string_is_refused_or_answered(world: World, counter: Counter, shared_data: Any) -> None:
    naughty = json.loads((shared_data / "naughty_strings.json").read_text(encoding="utf-8"))
    for number, text in enumerate(naughty):
        if number % 25 == 0:  # a terminal may miss only so often in a minute
            counter = await world.terminal()
        answer = await counter.number(symbol=text, number=text)
        assert answer.status_code in (200, 422), text


async def test_guessing_numbers_is_bounded(world: World, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_WINDOW_S", 3600)  # however long it takes: it is one window
    await world.coverage(await world.person())
    for guess in range(30):
        assert (await counter.number(number=str(guess))).status_code == 200
    refused = await counter.number(number="345")
    assert _code(refused) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    # Another terminal is not held up by this one's guesses.
    assert (await (await world.terminal()).number()).json()["outcome"] == "valid"


async def test_guessing_at_once_is_bounded_alike(
    world: World, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "_WINDOW_S", 3600)  # however long it takes: it is one window
    at_once = await asyncio.gather(*(counter.number(number=str(guess)) for guess in range(100)))
    after = [await counter.number(number=str(guess)) for guess in range(30)]
    told = [answer.status_code for answer in (*at_once, *after)]
    assert (told.count(200), told.count(429)) == (30, 100)


async def test_hits_at_once_leave_the_budget_of_misses_whole(
    world: World, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "_WINDOW_S", 3600)  # however long it takes: it is one window
    await world.coverage(await world.person())
    for _ in range(2):
        hits = await asyncio.gather(*(counter.number() for _ in range(25)))
        assert [hit.status_code for hit in hits] == [200] * 25
    told = [(await counter.number(number=str(guess))).status_code for guess in range(31)]
    assert told == [200] * 30 + [429]


async def test_a_malformed_part_of_a_number_is_pointed_at(world: World, counter: Counter) -> None:
    for asked, pointer in (
        ({"branch_number": "1"}, "/branch_number"),
        ({"insurer_number": "1"}, "/insurer_number"),
        ({"symbol": "123456789018"}, "/symbol"),
    ):
        assert (await counter.number(**asked)).json()["faults"][0]["pointer"] == pointer


async def test_an_unforeseen_error_is_a_problem_and_its_text_is_logged_nowhere(
    world: World, counter: Counter, capfd: pytest.CaptureFixture[str]
) -> None:
    await world.owner.execute("revoke select on coverage from eligibility_counter")
    answer = await counter.number(number="7654321")
    assert _code(answer) == (500, "internal")
    assert await counter.challenge()  # the same connection goes on
    said = "".join(capfd.readouterr())
    assert "unexpected_error" in said
    assert "Traceback" not in said
    assert "7654321" not in said


async def test_a_record_that_this_release_cannot_read_fails_nobody_else(world: World, counter: Counter) -> None:
    cards = [world.card("A"), world.card("B")]
    for card, facts in zip(cards, ({"number": "8", "loss_reason": "98"}, {"number": "7"}), strict=True):
        person = await world.person()
        await world.register(card, person)
        await world.coverage(person, **facts)
    centre, now, here = world.app.state.centre, world.clock.now(), InstitutionCode(INSTITUTION)
    insured = [InsuredNumber.parse(INSURER, "12", number, "01") for number in ("8", "7")]
    # Asked in one turn of the event loop, they share a round trip.
    by_number, by_card = [
        await asyncio.gather(*map(find, asked), return_exceptions=True)
        for find, asked in (
            (centre.numbers.find, [NumberAsked(each, date(1980, 1, 1), now, here) for each in insured]),
            (centre.cards.find, [CardAsked(card_key(card), now, here) for card in cards]),
        )
    ]
    assert [type(found[0]) for found in (by_number, by_card)] == [ValueError, ValueError]
    assert by_number[1].asked == by_card[1].coverages != ()
    assert _code(await counter.number(number="8")) == (500, "internal")
