"""A request with an idempotency key is done once and answered alike, however often, at once or after a kill."""

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest

from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.storage.enrolment import enrol_institution, enrol_insurer
from loadtest.embedded import Stores
from tests.integration.eligibility.test_durability import _read_on, _start
from tests.integration.eligibility.world import (
    INSTITUTION,
    INSURER,
    OTHER_INSTITUTION,
    OTHER_INSURER,
    Authorities,
    Clock,
    Counter,
    World,
    api_settings,
)

ASKED = {"insurer_number": INSURER, "symbol": "12", "number": "345", "branch_number": "01", "birth_date": "1980-01-01"}
KILLS = 8
KEYS_A_KILL = 30


async def _ask(counter: Counter, key: object, **changed: str) -> httpx.Response:
    return await counter.http.post(
        "/v1/number-verifications", json=ASKED | changed, headers={"Idempotency-Key": str(key)}
    )


async def _records(world: World) -> tuple[int, int, int]:
    counts = [
        await world.owner.fetchval(f"select count(*) from {table}")  # noqa: S608
        for table in (
            "verification",
            "kept_answer",
            "audit_event where kind = 'number_verification' and code <> 'repeated'",
        )
    ]
    return tuple(counts)  # type: ignore[return-value]


async def test_a_hundred_copies_at_once_have_one_effect_and_equal_answers(world: World, counter: Counter) -> None:
    world.app.state.budget._misses = 100  # or a terminal may not ask so many at once
    await world.coverage(await world.person())
    key = uuid4()
    answers = await asyncio.gather(*(_ask(counter, key) for _ in range(100)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.content for a in answers}) == 1
    assert await _records(world) == (1, 1, 1)
    assert (await _ask(counter, key)).content == answers[0].content


async def test_without_a_key_every_copy_is_a_check_of_its_own(world: World, counter: Counter) -> None:
    answers = [await counter.number() for _ in range(3)]
    assert len({a.json()["verification_id"] for a in answers}) == 3
    assert await _records(world) == (3, 0, 3)


@pytest.mark.parametrize("changed", [{"number": "346"}, {"birth_date": "1980-01-02"}, {"asked_for": "2026-01-01"}])
async def test_a_key_never_stands_for_two_requests(world: World, counter: Counter, changed: dict[str, str]) -> None:
    key = uuid4()
    assert (await _ask(counter, key)).status_code == 200
    other = await _ask(counter, key, **changed)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await _records(world) == (1, 1, 1)
    assert ("request_refused", "idempotency_key_reused") in await world.events()


async def test_two_requests_that_race_for_one_key_have_one_effect(world: World, counter: Counter) -> None:
    key = uuid4()
    answers = await asyncio.gather(*(_ask(counter, key, number=str(n % 2)) for n in range(20)))
    assert sorted({a.status_code for a in answers}) == [200, 422]
    assert len({a.content for a in answers if a.status_code == 200}) == 1
    assert await _records(world) == (1, 1, 1)


@pytest.mark.parametrize("institution", [INSTITUTION, OTHER_INSTITUTION])
async def test_another_terminals_key_is_another_key(world: World, counter: Counter, institution: str) -> None:
    other, key = await world.terminal(institution), uuid4()
    answers = [await _ask(asking, key) for asking in (counter, other)]
    assert len({a.json()["verification_id"] for a in answers}) == 2


async def test_an_answer_cleared_after_its_time_is_made_anew(world: World, counter: Counter) -> None:
    key = uuid4()
    first = (await _ask(counter, key)).json()
    await world.owner.execute("delete from kept_answer")
    assert (await _ask(counter, key)).json()["verification_id"] != first["verification_id"]


@pytest.mark.parametrize("key", ["", "x", "1234", "0" * 33, "{}", "'; drop table kept_answer; --", "９" * 32])
async def test_a_key_that_is_no_uuid_is_malformed(world: World, counter: Counter, key: str) -> None:
    answer = await counter.http.post(
        "/v1/number-verifications", json=ASKED, headers={"Idempotency-Key": key.encode("utf-8")}  # type: ignore[dict-item]
    )  # fmt: skip
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["pointer"] == "/Idempotency-Key"
    assert await _records(world) == (0, 0, 0)


async def test_a_repeat_is_on_record_as_one(world: World, counter: Counter) -> None:
    person, key = await world.person(), uuid4()
    await world.coverage(person)
    first, again = [await _ask(counter, key) for _ in range(2)]
    assert again.content == first.content
    (event,) = await world.owner.fetch(
        "select kind, actor, institution_code, person_id, verification_id, detail from audit_event "
        "where code = 'repeated'"
    )
    assert dict(event) == {
        "kind": "number_verification", "actor": str(counter.terminal_id), "institution_code": INSTITUTION,
        "person_id": person, "verification_id": UUID(first.json()["verification_id"]),
        "detail": {"method": "number", "outcome": "valid"},
    }  # fmt: skip


async def _suspend_it(world: World, person: int, coverage: int, moment: datetime) -> None:
    await world.coverage(person, coverage_id=coverage, known_from=moment, viewing_suspended=True)


async def _suspend_it_with_another_person(world: World, person: int, coverage: int, moment: datetime) -> None:
    await _suspend_it(world, await world.person(), coverage, moment)


async def _suspend_under_another_number(world: World, person: int, coverage: int, moment: datetime) -> None:
    await world.coverage(person, coverage_id=coverage, known_from=moment, viewing_suspended=True, number="9")


async def _suspend_the_other_insurers(world: World, person: int, coverage: int, moment: datetime) -> None:
    await world.coverage(person, coverage_id=coverage, known_from=moment)
    await world.coverage(person, insurer_number=OTHER_INSURER, known_from=moment, viewing_suspended=True)


SUSPENSIONS = [
    _suspend_it, _suspend_it_with_another_person, _suspend_under_another_number, _suspend_the_other_insurers,
]  # fmt: skip


@pytest.mark.parametrize("suspend", SUSPENSIONS)
async def test_a_kept_answer_shows_nothing_of_a_coverage_that_was_suspended_since(
    world: World, counter: Counter, suspend: Any
) -> None:
    person, key = await world.person(), uuid4()
    coverage = await world.coverage(person)
    first = (await _ask(counter, key)).json()
    moment = datetime.now(UTC)
    await world.owner.execute("update coverage set known_to = $1", moment)
    await suspend(world, person, coverage, moment)
    again = await _ask(counter, key)
    told = again.json()
    assert (told["verification_id"], told["outcome"], told["coverage"]) == (first["verification_id"], "suspended", None)
    assert "山田" not in again.text
    receipt = jwt.decode(told["receipt"], options={"verify_signature": False})
    assert (receipt["jti"], receipt["outcome"], receipt["insured"]) == (first["verification_id"], "suspended", None)
    assert (
        await world.owner.fetchval("select detail->>'outcome' from audit_event where code = 'repeated'") == "suspended"
    )
    assert await _records(world) == (1, 1, 1)


async def test_misses_are_counted_once_however_often_they_are_repeated(world: World, counter: Counter) -> None:
    key = uuid4()
    for _ in range(40):  # the budget of misses is 30 a minute
        assert (await _ask(counter, key)).status_code == 200


async def test_a_retry_after_a_kill_has_one_effect(
    tmp_path: Path, authorities: Authorities, database: str, owner: Any, running_stores: Stores
) -> None:
    settings = api_settings(tmp_path, authorities, database, None)
    await enrol_institution(owner, InstitutionCode(INSTITUTION), "試験医院", datetime.now(UTC))
    await enrol_insurer(owner, InsurerNumber(INSURER), "保険者", datetime.now(UTC))
    world = World(None, tmp_path, owner, authorities, Clock())  # type: ignore[arg-type]
    world.write_crl()
    await world.coverage(await world.person())
    pair = await _pair(world)

    told: dict[UUID, bytes] = {}
    asked: set[UUID] = set()
    for _ in range(KILLS):
        process, world.url = await _start(settings)
        logs = asyncio.create_task(_read_on(process))
        counter = Counter(world.client(pair), UUID(int=0), authorities.card_key)
        retried = asked - told.keys()
        keys = [*retried, *(uuid4() for _ in range(KEYS_A_KILL))]
        asked |= set(keys)
        enough = asyncio.Event()
        asking = [asyncio.create_task(_keep_asking(counter, key, told, enough)) for key in keys]
        await enough.wait()
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        await asyncio.gather(logs, *asking)
        await counter.http.aclose()

    process, world.url = await _start(settings)
    logs = asyncio.create_task(_read_on(process))
    counter = Counter(world.client(pair), UUID(int=0), authorities.card_key)
    for key in asked:
        answer = await _ask(counter, key)
        assert answer.status_code == 200
        assert told.setdefault(key, answer.content) == answer.content
    process.terminate()
    await process.wait()
    await asyncio.gather(logs)
    await counter.http.aclose()
    assert await owner.fetchval("select count(*) from verification") == len(asked)
    made = "select count(*) from audit_event where verification_id is not null and code <> 'repeated'"
    assert await owner.fetchval(made) == len(asked)


async def _pair(world: World) -> Any:
    from eligibility.storage.enrolment import enrol_terminal

    terminal_id = uuid4()
    await enrol_terminal(world.owner, terminal_id, InstitutionCode(INSTITUTION), "窓口", datetime.now(UTC))
    return world.authorities.enrolment.terminal(INSTITUTION, terminal_id, datetime.now(UTC))


async def _keep_asking(counter: Counter, key: UUID, told: dict[UUID, bytes], enough: asyncio.Event) -> None:
    try:
        while (answer := await _ask(counter, key)).status_code == 503:
            pass  # it is busy
    except httpx.TransportError:
        return
    assert answer.status_code == 200
    assert told.setdefault(key, answer.content) == answer.content
    enough.set()
