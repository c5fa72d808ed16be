"""The first use of a card: one person or nobody."""

import asyncio
from typing import Any

import httpx
import pytest

from eligibility.storage.database import connect
from tests.integration.eligibility.world import Counter, World
from tests.integration.waiting import until_waiting

ADDRESS = "東京都千代田区千代田１丁目１番"


async def _register(counter: Counter, card: Any, **said: Any) -> httpx.Response:
    usual = {"name": "山田　太郎", "address": ADDRESS, "birth_date": "1980-01-01", "sex": "1", "method": "pin"}
    proof = said.pop("proof", None) or counter.proof(card, await counter.challenge())
    return await counter.http.post("/v1/card-registrations", json={"proof": proof} | usual | said)


async def test_the_first_use_registers_a_card_to_the_one_person_it_names(world: World, counter: Counter) -> None:
    card = world.card()
    await world.coverage(await world.person())
    assert (await counter.verify(card)).json()["code"] == "card_not_registered"
    answer = await _register(counter, card)
    assert (answer.status_code, answer.json()["already_registered"]) == (201, False)
    assert (await counter.verify(card)).json()["outcome"] == "valid"
    assert (await _register(counter, card)).json()["already_registered"] is True
    assert ("registration", "registered") in await world.events()


@pytest.mark.parametrize("name", ["山田太郎", "山田 太郎", "山田　太郎　", "山田　太郞"])
async def test_spaces_and_variant_characters_do_not_matter(world: World, counter: Counter, name: str) -> None:
    await world.coverage(await world.person())
    assert (await _register(counter, world.card(), name=name)).status_code == 201


@pytest.mark.parametrize(
    "said", [{"name": "山田　次郎"}, {"birth_date": "1980-01-02"}, {"sex": "2"}, {"name": "ﾔﾏﾀﾞ ﾀﾛｳ"}]
)
async def test_nobody_is_guessed(world: World, counter: Counter, said: dict[str, str]) -> None:
    await world.coverage(await world.person())
    answer = await _register(counter, world.card(), **said)
    assert (answer.status_code, answer.json()["code"]) == (403, "holder_not_found")
    assert await world.owner.fetchval("select count(*) from card") == 0
    assert await world.events() == [("request_refused", "holder_not_found")]


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("大阪府大阪市北区１－１", "registered"),
        ("大阪府大阪市北区1丁目1番地", "registered"),
        ("北海道札幌市中央区１", "holder_ambiguous"),
        ("", "holder_ambiguous"),
    ],
)
async def test_the_address_only_tells_apart_those_who_agree_in_all_else(
    world: World, counter: Counter, address: str, code: str
) -> None:
    await world.coverage(await world.person())
    other = await world.person()
    await world.coverage(other, number="777", address="大阪府大阪市北区１丁目１番地")
    answer = await _register(counter, world.card(), address=address)
    assert answer.json().get("code", "registered") == code
    assert await world.owner.fetchval("select min(person_id) from card") == (other if code == "registered" else None)


async def test_two_persons_at_one_address_stay_ambiguous(world: World, counter: Counter) -> None:
    await world.coverage(await world.person())
    await world.coverage(await world.person(), number="777")
    assert (await _register(counter, world.card())).json()["code"] == "holder_ambiguous"


async def test_a_card_of_another_person_is_not_taken_over(world: World, counter: Counter) -> None:
    card = world.card()
    await world.register(card, await world.person())
    await world.coverage(await world.person())
    answer = await _register(counter, card)
    assert (answer.status_code, answer.json()["code"]) == (409, "card_registered_elsewhere")
    assert ("registration", "card_registered_elsewhere") in await world.events()


async def test_a_registration_needs_a_fresh_proof(world: World, counter: Counter) -> None:
    card = world.card()
    await world.coverage(await world.person())
    proof = counter.proof(card, await counter.challenge())
    answers = await asyncio.gather(*(_register(counter, card, proof=proof) for _ in range(10)))
    assert sorted(a.status_code for a in answers) == [201] + [401] * 9
    assert await world.owner.fetchval("select count(*) from card") == 1


async def test_a_proof_that_was_used_registers_nothing(world: World, counter: Counter) -> None:
    card = world.card()
    proof = counter.proof(card, await counter.challenge())
    assert (await counter.verify(card, proof=proof)).json()["code"] == "card_not_registered"
    await world.coverage(await world.person())
    answer = await _register(counter, card, proof=proof)
    assert (answer.status_code, answer.json()["code"]) == (401, "challenge_replayed")
    assert await world.owner.fetchval("select count(*) from card") == 0
    assert [code for _, code in await world.events()] == ["card_not_registered", "challenge_replayed"]


async def test_a_registration_that_waits_keeps_nobody_waiting_also_if_its_proof_is_sent_twice(
    world: World, counter: Counter, database: str
) -> None:
    card, known = world.card(), world.card("known")
    await world.coverage(await world.person())
    person = await world.person()
    await world.coverage(person, number="777", name="鈴木　花子")
    await world.register(known, person)
    proof = counter.proof(card, await counter.challenge())
    taking_back = await connect(database)
    async with taking_back.transaction():
        await taking_back.execute("select hold_registrations()")
        registering = asyncio.create_task(_register(counter, card, proof=proof))
        await until_waiting(world.owner, 1)
        answers = await asyncio.gather(counter.verify(card, proof=proof), counter.verify(known))
        assert not registering.done()
    await taking_back.close()
    assert [answer.json().get("code", "answered") for answer in answers] == ["card_not_registered", "answered"]
    assert (await registering).json()["code"] == "challenge_replayed"
    assert await world.owner.fetchval("select count(*) from card") == 1


async def test_a_my_number_is_refused(world: World, counter: Counter) -> None:
    answer = await _register(counter, world.card(), address="東京都 123456789018")
    assert (answer.status_code, answer.json()["code"]) == (422, "my_number_refused")


@pytest.mark.parametrize("name", ["山\x00田", "\x00"])
async def test_a_nul_is_no_name(world: World, counter: Counter, name: str) -> None:
    answer = await _register(counter, world.card(), name=name)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
