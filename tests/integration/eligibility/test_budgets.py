"""A terminal's look-ups that are not answered yet weigh as misses, and none holds its place for longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest

from eligibility.api import budgets
from eligibility.api.budgets import NumberBudget
from eligibility.domain.identifiers import InstitutionCode
from eligibility.serving.callers import Terminal
from eligibility.serving.problems import Refusal
from loadtest.embedded import Stores
from tests.integration.eligibility.world import INSTITUTION

MISSES = 3


@asynccontextmanager
async def counting(url: str) -> AsyncIterator[NumberBudget]:
    """Have a budget of a process's own count."""
    budget = NumberBudget(url, checks=1000, misses=MISSES)
    running = asyncio.create_task(budget.run())
    try:
        yield budget
    finally:
        running.cancel()
        await asyncio.wait([running])
        await budget.close()


@pytest.fixture
async def budget(running_stores: Stores, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NumberBudget]:
    monkeypatch.setattr(budgets, "_WINDOW_S", 3600)  # however long it takes: it is one window
    monkeypatch.setattr(budgets, "_TIMEOUT_S", 60.0)
    async with counting(running_stores.redis_url) as made:
        yield made


@pytest.fixture
def terminal() -> Terminal:
    return Terminal(InstitutionCode(INSTITUTION), uuid4())


async def _most_at_once(budget: NumberBudget, terminal: Terminal) -> int:
    async with AsyncExitStack() as opened:
        for number in range(MISSES + 1):
            try:
                await opened.enter_async_context(budget.look_up(terminal))
            except Refusal:
                return number
    raise AssertionError("more than the budget are open")


async def test_as_many_are_open_as_may_miss_and_none_stays_open(budget: NumberBudget, terminal: Terminal) -> None:
    assert [await _most_at_once(budget, terminal) for _ in range(3)] == [MISSES] * 3


async def test_another_terminals_are_its_own(budget: NumberBudget, terminal: Terminal) -> None:
    async with budget.look_up(terminal):
        other = Terminal(terminal.institution, uuid4())
        assert await _most_at_once(budget, other) == MISSES
        assert await _most_at_once(budget, terminal) == MISSES - 1


async def test_a_miss_stays_when_its_look_up_ends(budget: NumberBudget, terminal: Terminal) -> None:
    for left in (2, 1, 0):
        async with budget.look_up(terminal):
            await budget.spend_miss(terminal)
        assert await _most_at_once(budget, terminal) == left


async def test_what_fails_or_is_given_up_stays_open_no_longer(budget: NumberBudget, terminal: Terminal) -> None:
    entered = asyncio.Event()

    async def asking() -> None:
        async with budget.look_up(terminal):
            entered.set()
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with budget.look_up(terminal):
            raise TimeoutError
    given_up = asyncio.create_task(asking())
    await entered.wait()
    given_up.cancel()
    not_yet_counted = asyncio.create_task(asking())
    await asyncio.sleep(0)
    not_yet_counted.cancel()
    await asyncio.wait([given_up, not_yet_counted])
    assert await _most_at_once(budget, terminal) == MISSES


async def test_each_process_knows_its_own_open_ones_and_all_misses(
    budget: NumberBudget, terminal: Terminal, running_stores: Stores
) -> None:
    async with counting(running_stores.redis_url) as elsewhere:
        async with budget.look_up(terminal):
            assert await _most_at_once(elsewhere, terminal) == MISSES
            await budget.spend_miss(terminal)
        assert await _most_at_once(elsewhere, terminal) == MISSES - 1


async def test_without_redis_nobody_is_refused(terminal: Terminal) -> None:
    nowhere = NumberBudget(None, checks=1, misses=1)
    async with nowhere.look_up(terminal), nowhere.look_up(terminal):
        await nowhere.spend_miss(terminal)
