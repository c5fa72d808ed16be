"""Free pages go back once many connections have ended, once for all that end together."""

import asyncio

from eligibility.serving.memory import MANY, TRIM, GivingBack


async def test_pages_are_returned_once_many_have_ended() -> None:
    returned: list[int] = []
    giving_back = GivingBack(returned.append, together_s=0.01)

    async def end(count: int) -> None:
        for _ in range(count):
            giving_back.connection_ended()
        await asyncio.sleep(0.1)

    await end(MANY - 1)
    assert returned == []
    await end(1)
    assert returned == [0]
    await end(MANY * 3)  # together
    assert returned == [0, 0]
    await end(MANY)
    assert returned == [0, 0, 0]


def test_this_allocator_returns_pages() -> None:
    assert TRIM is not None
    TRIM(0)
