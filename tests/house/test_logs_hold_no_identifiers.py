"""Canary names and numbers put through every endpoint never reach a log, an event's detail or Redis."""

from datetime import UTC, date, datetime

import httpx
import pytest
import redis.asyncio as redis
import structlog

from eligibility.domain.codes import Role
from eligibility.domain.dates import day_in_japan
from loadtest.embedded import Stores
from tests.integration.eligibility.world import Counter, World

NAME, KANA, ADDRESS, NUMBER, SYMBOL = "金糸雀　花子", "ｶﾅﾘｱ ﾊﾅｺ", "金糸雀県金糸雀市７－７", "7070707", "カナリア"
TODAY = day_in_japan(datetime.now(UTC))
CANARIES = ["金糸雀", "ｶﾅﾘｱ", "カナリア", NUMBER, "1977-07-07", "19770707"]


@pytest.fixture(autouse=True)
def logs_as_in_production() -> object:
    from eligibility.serving.logs import configure_logs

    before = structlog.get_config()
    configure_logs()
    structlog.configure(cache_logger_on_first_use=False)  # what is captured here is closed before the next test
    yield
    structlog.configure(**before)


async def _use_every_endpoint(world: World, counter: Counter) -> list[httpx.Response]:
    card = world.card()
    person = {"name": NAME, "address": ADDRESS, "birth_date": "1977-07-07", "sex": "2"}
    asked = {"symbol": SYMBOL, "number": NUMBER, "birth_date": "1977-07-07"}
    answers = [await counter.number(**asked), await counter.number(**asked | {"number": NUMBER * 4})]
    for said in (person, person | {"sex": "9"}, person | {"name": "金糸雀 次郎"}):
        proof = counter.proof(card, await counter.challenge())
        answers.append(await counter.http.post("/v1/card-registrations", json={"proof": proof, "method": "pin"} | said))
    answers.append(await counter.verify(card))
    answers.append(await counter.verify(card, consents=[NAME]))
    answers.append(await counter.http.get(f"/v1/{NUMBER}"))
    answers.append(await counter.http.post("/v1/number-verifications", content=f'{{"number": "{NUMBER}"'.encode()))
    item = {"insurer_number": "06130512", "branch_number": "01"} | asked
    items = [item | {"item_id": "1"}, item | {"item_id": "2", "number": NUMBER * 4}]
    answers.append(await counter.http.post("/v1/bulk-verifications", json={"items": items}))
    answers.append(await counter.http.post("/v1/bulk-verifications", json={"items": [item | {"item_id": NAME * 30}]}))
    number = {"insurer_number": "06130512", "symbol": SYMBOL, "number": NUMBER}
    answers.append(await counter.http.post("/v1/reference-numbers", json=number | {"reference_number": NAME}))
    return answers


async def _as_staff(world: World, counter: Counter, person: int) -> tuple[list[httpx.Response], list[str]]:
    member = await world.staff(Role.DOCTOR, name=NAME)
    passcode = member.passcode()
    token = (await counter.sign_in(member, passcode=passcode)).json()["token"]
    header, card = {"Authorization": f"Bearer {token}"}, world.card("FEDCBA9876543210")
    await world.register(card, person)
    await world.medicine(person, drug_name=NAME, comment=ADDRESS, institution_name="カナリア薬局")
    await world.checkup(person, TODAY, {"result_kind": "ST", "value": NAME, "flag": None})
    verified = (await counter.verify(card, consents=["medication", "checkup"])).json()["verification_id"]
    answers = [
        await counter.sign_in(member, name="金糸雀 次郎", password="カナリア"),
        await counter.sign_in(member, password="金糸雀" * 100),
        await counter.sign_in(member, passcode=NUMBER),
    ]
    answers += [
        await counter.http.get(f"/v1/verifications/{verified}/{url}", headers=header)
        for url in ("medications", f"medications?from={NUMBER}", "checkups", f"checkups?through={NAME}")
    ]
    answers.append(await counter.http.get(f"/v1/verifications/{NUMBER}/medications", headers=header))
    answers += [
        await counter.http.delete(f"/v1/verifications/{verified}/consents/{wanted}")
        for wanted in (NUMBER, "medication")
    ]
    answers.append(await counter.http.get(f"/v1/verifications/{verified}/medications", headers=header))
    answers.append(await counter.http.delete("/v1/staff-sessions/current", headers=header))
    assert NAME in answers[3].text
    assert NAME in answers[5].text
    return answers, [token, member.password, member.secret, f'"{passcode}"']


async def test_canaries_reach_no_log(
    world: World, counter: Counter, running_stores: Stores, capfd: pytest.CaptureFixture[str]
) -> None:
    person = await world.person()
    await world.coverage(
        person, name=NAME, name_kana=KANA, address=ADDRESS, symbol=SYMBOL, number=NUMBER,
        birth_date=date(1977, 7, 7), sex="2",
    )  # fmt: skip
    answers = await _use_every_endpoint(world, counter)
    more, secrets = await _as_staff(world, counter, person)
    answers += more
    assert {a.status_code for a in answers} >= {200, 201, 204, 401, 403, 404, 422}
    problems = "".join(a.text for a in answers if a.status_code >= 400)
    logged = "".join(capfd.readouterr())
    events = await world.owner.fetchval("select string_agg(audit_event::text, ' ') from audit_event")
    store = redis.Redis.from_url(running_stores.redis_url)
    kept = repr([(key, await store.get(key)) async for key in store.scan_iter()])
    await store.aclose()
    assert '"event":"request"' in logged
    for place in (problems, logged, events, kept):
        assert [canary for canary in (*CANARIES, *secrets) if canary in place] == []
