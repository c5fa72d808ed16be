"""Hundreds of patients, a hundred at once: each answer carries its own canary and no other (CASES C-8)."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

from eligibility.domain.codes import Role
from eligibility.domain.dates import day_in_japan
from tests.integration.eligibility.test_medical import Visit, visit
from tests.integration.eligibility.world import Counter, World

PATIENTS = 300
AT_ONCE = 100  # with what is given up midway, below where the centre sheds
CANARY = re.compile(r"canary-[0-9]{4}")


async def _patient(world: World, counter: Counter, number: int) -> Visit:
    canary, day = f"canary-{number:04}", day_in_japan(datetime.now(UTC)) - timedelta(days=1)
    was = await visit(world, counter, number=f"{number}", name=canary)
    await world.medicine(was.person, comment=canary)
    await world.checkup(was.person, day, {"result_kind": "ST", "value": canary, "flag": None})
    return was


async def test_no_answer_holds_anything_of_another_patient(world: World, counter: Counter) -> None:
    counters = [counter, await world.terminal(), await world.terminal()]
    tokens = [await c.token(await world.staff(Role.DOCTOR)) for c in counters]
    patients = [await _patient(world, counter, number) for number in range(PATIENTS)]

    free = asyncio.Semaphore(AT_ONCE)

    async def read(number: int) -> dict[str, set[str]]:
        async with free:
            return await read_now(number)

    async def read_now(number: int) -> dict[str, set[str]]:
        was, at, token = patients[number], counters[number % 3], tokens[number % 3]
        texts = {}
        for what, url in (("medications", was.medications()), ("checkups", was.checkups())):
            if number % 5 == 0:  # a request that is given up midway must not leave its answer to the next
                task = asyncio.ensure_future(at.http.get(url, headers=token))
                await asyncio.sleep(0)
                task.cancel()
            texts[what] = set(CANARY.findall((await at.http.get(url, headers=token)).text))
        if number % 10 == 0:
            texts["verification"] = set(CANARY.findall((await at.verify(was.card)).text))
        return texts

    answers = await asyncio.gather(*(read(number) for number in range(PATIENTS)))

    wrong = [(n, said) for n, said in enumerate(answers) if set().union(*said.values()) != {f"canary-{n:04}"}]
    assert wrong == []
    assert all(said["medications"] == said["checkups"] for said in answers)
    events = await world.owner.fetch(
        "select e.person_id, v.person_id as verified from audit_event e join verification v using (verification_id)"
        " where e.kind = 'disclosure'"
    )
    assert len(events) >= 2 * PATIENTS
    assert all(row["person_id"] == row["verified"] for row in events)
