"""An institution's own number of a patient: whom it may name, and where it comes back."""

import asyncio
from datetime import date
from typing import Any

import httpx
import pytest

from eligibility.api import budgets
from eligibility.storage.lookups import MOST_ENTRIES_READ
from tests.integration.eligibility.world import INSURER, OTHER_INSTITUTION, OTHER_INSURER, Counter, World

HOLDER = {"insurer_number": INSURER, "symbol": "12", "number": "345", "branch_number": "01"}


async def _name(counter: Counter, reference_number: str = "P-1", **number: Any) -> httpx.Response:
    return await counter.http.post(
        "/v1/reference-numbers", json=HOLDER | {"reference_number": reference_number} | number
    )


async def test_a_number_comes_back_with_card_and_number_and_outlives_a_change_of_insurer(
    world: World, counter: Counter
) -> None:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    await world.coverage(person, lost_on=date(2026, 10, 1), loss_reason="03")
    assert (await counter.number()).json()["reference_number"] is None
    assert (await _name(counter)).json()["replaced"] is False
    await world.coverage(person, insurer_number=OTHER_INSURER, number="9", acquired_on=date(2026, 10, 1))
    assert (await counter.number()).json()["reference_number"] == "P-1"
    assert (await counter.verify(card)).json()["reference_number"] == "P-1"
    assert (await counter.number(insurer_number=OTHER_INSURER, number="9")).json()["reference_number"] == "P-1"
    assert (await _name(counter)).json()["replaced"] is False
    assert (await _name(counter, "P-2")).json()["replaced"] is True
    assert (await counter.number()).json()["reference_number"] == "P-2"
    assert [code for kind, code in await world.events() if kind == "reference_number"] == [
        "registered", "registered", "replaced",
    ]  # fmt: skip


async def test_it_is_the_institutions_alone(world: World, counter: Counter) -> None:
    await world.coverage(await world.person())
    elsewhere = await world.terminal(OTHER_INSTITUTION)
    await counter.number()
    await elsewhere.number()
    assert (await _name(counter)).status_code == 200
    assert (await elsewhere.number()).json()["reference_number"] is None
    assert (await _name(elsewhere)).status_code == 200  # the same number may mean another patient elsewhere


async def test_nobody_is_named_whom_the_institution_has_not_checked(world: World, counter: Counter) -> None:
    await world.coverage(await world.person())
    await (await world.terminal(OTHER_INSTITUTION)).number()
    known, unknown = await _name(counter), await _name(counter, number="346")
    assert (known.status_code, known.json()["code"]) == (404, "patient_not_checked")
    assert known.content == unknown.content


async def test_twins_are_told_apart_by_the_branch_number(world: World, counter: Counter) -> None:
    for branch in ("02", "03"):
        await world.coverage(await world.person(), branch_number=branch)
        await counter.number(branch_number=branch)
    assert (await _name(counter, branch_number="")).json()["code"] == "patient_ambiguous"
    assert (await _name(counter, branch_number="03")).status_code == 200
    taken = await _name(counter, branch_number="02")
    assert (taken.status_code, taken.json()["code"]) == (409, "reference_number_taken")
    assert (await counter.number(branch_number="02")).json()["reference_number"] is None


async def test_a_number_that_stands_for_too_many_needs_its_symbol(world: World, counter: Counter) -> None:
    await world.crowd(MOST_ENTRIES_READ + 1, number="1")
    await counter.number(number="1", symbol="S1")
    ambiguous = await _name(counter, number="1", symbol="")
    assert (ambiguous.status_code, ambiguous.json()["code"]) == (409, "patient_ambiguous")
    assert (await _name(counter, number="1", symbol="S2")).json()["code"] == "patient_not_checked"
    assert (await _name(counter, number="1", symbol="S1")).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"reference_number": ""},
        {"reference_number": "1" * 51},
        {"reference_number": "a\x00"},
        {"reference_number": "123456789018"},
        {"insurer_number": "0613051"},
        {"number": ""},
        {"number": "123456789018"},
        {"branch_number": "1"},
        {"institution_code": OTHER_INSTITUTION},
        {"person_id": 1},
    ],
)
async def test_what_is_malformed_or_foreign_registers_nothing(
    world: World, counter: Counter, wrong: dict[str, Any]
) -> None:
    await world.coverage(await world.person())
    await counter.number()
    assert (
        await counter.http.post("/v1/reference-numbers", json=HOLDER | {"reference_number": "P"} | wrong)
    ).status_code == 422
    assert await world.owner.fetchval("select count(*) from reference_number") == 0


async def test_guessing_is_bounded(world: World, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_WINDOW_S", 3600)  # however long it takes: it is one window
    codes = {(await _name(counter, number=str(n))).json()["code"] for n in range(31)}
    assert codes == {"patient_not_checked", "rate_limited"}


async def test_guessing_at_once_is_bounded_alike(
    world: World, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "_WINDOW_S", 3600)  # however long it takes: it is one window
    at_once = await asyncio.gather(*(_name(counter, number=str(n)) for n in range(100)))
    after = [await _name(counter, number=str(n)) for n in range(30)]
    told = [answer.json()["code"] for answer in (*at_once, *after)]
    assert (told.count("patient_not_checked"), told.count("rate_limited")) == (30, 100)
