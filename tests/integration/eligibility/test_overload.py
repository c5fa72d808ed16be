"""Beyond what a process takes at once, requests are turned away before anything is done for them (CASES F-12)."""

import asyncio

import httpx

from tests.integration.eligibility.world import AT_ONCE, Counter, World


async def _proofs(world: World, counter: Counter, count: int) -> list[dict[str, str]]:
    card = world.card()
    person = await world.person()
    await world.coverage(person)
    await world.register(card, person)
    return [counter.proof(card, await counter.challenge()) for _ in range(count)]


async def _all_at_once(
    world: World, counter: Counter, proofs: list[dict[str, str]]
) -> tuple[list[tuple[dict[str, str], httpx.Response]], list[httpx.Response]]:
    """Send all while nothing can be recorded; return who was turned away, with their proofs, and then the others."""
    card = world.card()
    async with world.owner.transaction():
        await world.owner.execute("lock table verification in access exclusive mode")
        asked = {asyncio.create_task(counter.verify(card, proof=proof)): proof for proof in proofs}
        pending = set(asked)
        while len(pending) > AT_ONCE:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        turned_away = [(asked[task], task.result()) for task in asked.keys() - pending]
        health = await counter.http.get("/health")
        assert health.status_code == 200
    return turned_away, [await task for task in pending]


async def test_the_rest_are_turned_away_and_lose_nothing(narrow: World) -> None:
    counter = await narrow.terminal()
    turned_away, inside = await _all_at_once(narrow, counter, await _proofs(narrow, counter, AT_ONCE + 4))
    assert [answer.status_code for answer in inside] == [200] * AT_ONCE
    for _, answer in turned_away:
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (503, "overloaded")
        assert int(answer.headers["Retry-After"]) == problem["retry_after_s"] >= 1
        assert answer.headers["Cache-Control"] == "no-store"
    assert len({answer.headers["Retry-After"] for _, answer in turned_away}) > 1
    again = [await counter.verify(narrow.card(), proof=proof) for proof, _ in turned_away]
    assert [answer.status_code for answer in again] == [200] * 4


async def test_what_was_turned_away_left_no_record(narrow: World) -> None:
    counter = await narrow.terminal()
    turned_away, _ = await _all_at_once(narrow, counter, await _proofs(narrow, counter, AT_ONCE + 1))
    assert [answer.status_code for _, answer in turned_away] == [503]
    assert await narrow.events() == [("verification", "valid")] * AT_ONCE
    assert await narrow.owner.fetchval("select count(*) from used_challenge") == AT_ONCE
