"""Questions that wait together share one round trip, and none can spoil another's answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import pytest

from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.gathering import LARGEST_GROUP, Gatherer
from eligibility.storage.lookups import CardAsked, Holder, holder_of, rows_of_cards


@asynccontextmanager
async def running(gatherer: Gatherer[Any, Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(gatherer.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_each_gets_its_own_answer_and_few_round_trips_are_made(owner: Any) -> None:
    groups: list[int] = []

    async def doubled(numbers: Sequence[int]) -> list[int]:
        groups.append(len(numbers))
        doubling = "select n * 2 as doubled from unnest($1::int[]) with ordinality u (n, p) order by p"
        rows = await owner.fetch(doubling, numbers)
        return [row["doubled"] for row in rows]

    gatherer = Gatherer(doubled)
    async with running(gatherer):
        found = await asyncio.gather(*(gatherer.find(n) for n in range(LARGEST_GROUP * 3)))
    assert found == [n * 2 for n in range(LARGEST_GROUP * 3)]
    assert groups == [LARGEST_GROUP] * 3


@pytest.mark.parametrize(
    ("company", "later"),
    [
        pytest.param([1, 2, 3], [[4, 5, 6]], id="three rest"),
        pytest.param([1, 2], [[4], [5, 6]], id="two may have met by chance"),
    ],
)
async def test_what_is_asked_during_a_rest_goes_together(
    owner: Any, company: list[int], later: list[list[int]]
) -> None:
    groups: list[list[int]] = []

    async def same(numbers: Sequence[int]) -> list[int]:
        groups.append(list(numbers))
        return [row["n"] for row in await owner.fetch("select n from unnest($1::int[]) n", numbers)]

    gatherer = Gatherer(same, rest_s=2)
    async with running(gatherer):
        await asyncio.gather(*map(gatherer.find, company))
        one_by_one = []
        for n in (4, 5, 6):
            one_by_one.append(asyncio.create_task(gatherer.find(n)))
            await asyncio.sleep(0)
        assert await asyncio.gather(*one_by_one) == [4, 5, 6]
    assert groups == [company, *later]


async def test_a_question_the_database_will_not_take_fails_alone(owner: Any) -> None:
    async def asked(texts: Sequence[str]) -> list[str]:
        return [row["t"] for row in await owner.fetch("select t from unnest($1::text[]) t", texts)]

    gatherer = Gatherer(asked)
    async with running(gatherer):
        found = await asyncio.gather(*(gatherer.find(t) for t in ("a", "b\x00", "c")), return_exceptions=True)
    assert found[0] == "a"
    assert isinstance(found[1], asyncpg.DataError)
    assert found[2] == "c"


async def test_what_cannot_be_read_fails_alone(owner: Any) -> None:
    groups: list[int] = []

    async def asked(texts: Sequence[str]) -> list[str]:
        groups.append(len(texts))
        return [row["t"] for row in await owner.fetch("select t from unnest($1::text[]) t", texts)]

    gatherer = Gatherer(asked, int)
    async with running(gatherer):
        found = await asyncio.gather(*(gatherer.find(t) for t in ("1", "b", "3")), return_exceptions=True)
    assert (found[0], type(found[1]), found[2]) == (1, ValueError, 3)
    assert groups == [3]


async def test_trouble_is_told_to_all_who_wait_and_the_next_are_asked_again(owner: Any) -> None:
    broken = [True]

    async def asked(numbers: Sequence[int]) -> list[int]:
        if broken.pop() if broken else False:
            raise TimeoutError
        return list(numbers)

    gatherer = Gatherer(asked)
    async with running(gatherer):
        lost = await asyncio.gather(*(gatherer.find(n) for n in range(3)), return_exceptions=True)
        assert [type(error) for error in lost] == [TimeoutError] * 3
        assert await gatherer.find(7) == 7


async def test_one_who_gave_up_does_not_hold_up_the_others(owner: Any) -> None:
    asked_now, go_on = asyncio.Event(), asyncio.Event()

    async def asked(numbers: Sequence[int]) -> list[int]:
        asked_now.set()
        await go_on.wait()
        return list(numbers)

    gatherer = Gatherer(asked)
    async with running(gatherer):
        gone = asyncio.create_task(gatherer.find(1))
        stays = asyncio.create_task(gatherer.find(2))
        await asked_now.wait()
        gone.cancel()
        go_on.set()
        assert await stays == 2
        with pytest.raises(asyncio.CancelledError):
            await gone


async def test_unknown_cards_among_known_ones(owner: Any) -> None:
    await owner.execute("insert into institution (institution_code, name) values ('1312345679', 'x')")
    person = await owner.fetchval("insert into person (linkage_code) values ('L1') returning person_id")
    await owner.execute(
        "insert into card (card_key, person_id, registered_at, institution_code) values ($1, $2, now(), '1312345679')",
        b"known", person,
    )  # fmt: skip
    gatherer = Gatherer(partial(rows_of_cards, owner), holder_of)
    now, here = datetime.now(UTC), InstitutionCode("1312345679")
    async with running(gatherer):
        found = await asyncio.gather(
            *(gatherer.find(CardAsked(key, now, here)) for key in (b"a", b"known", b"", b"known"))
        )
    assert found == [None, Holder(person, (), None), None, Holder(person, (), None)]
