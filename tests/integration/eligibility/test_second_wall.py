"""Row-level security hides medical rows even from statements that forget to ask for a consent (CASES Z-12)."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from eligibility.api.app import COUNTER_ROLE
from eligibility.domain.dates import day_in_japan
from eligibility.storage.database import connect
from eligibility.storage.gathering import Gatherer
from eligibility.storage.lookups import CardAsked, holder_of, rows_of_cards
from eligibility.storage.statements import statements
from tests.integration.eligibility.test_medical import Visit, doctor, visit
from tests.integration.eligibility.world import INSTITUTION, OTHER_INSTITUTION, Counter, World

YESTERDAY = day_in_japan(datetime.now(UTC)) - timedelta(days=1)
SQL = statements("eligibility.storage.queries")
TABLES = {
    "claim": {"medication", "treatment"}, "claim_medicine": {"medication"}, "claim_treatment": {"treatment"},
    "checkup": {"checkup"}, "checkup_result": {"checkup"},
}  # fmt: skip
COUNTS = {table: f"select count(distinct person_id) from {table}" for table in TABLES}  # noqa: S608 (names of the table above)


@pytest.fixture
async def as_counter(database: str) -> AsyncIterator[Any]:
    connection = await connect(database, role=COUNTER_ROLE)
    yield connection
    await connection.close()


async def _facts(world: World, counter: Counter, consents: list[str]) -> tuple[Visit, Visit]:
    mine = await visit(world, counter, consents)
    other = await visit(world, counter, ["medication", "checkup"], number="346")
    for was in (mine, other):
        await world.medicine(was.person)
        await world.treatment(was.person)
        await world.checkup(was.person, YESTERDAY, {})
    return mine, other


async def _say(connection: Any, was: str, institution: str = INSTITUTION) -> None:
    await connection.execute(
        "select set_config('eligibility.verification', $1, true), set_config('eligibility.institution', $2, true)",
        was, institution,
    )  # fmt: skip


async def _seen(connection: Any) -> dict[str, int]:
    return {table: await connection.fetchval(count) for table, count in COUNTS.items()}


async def test_without_a_verification_said_no_row_exists(world: World, counter: Counter, as_counter: Any) -> None:
    await _facts(world, counter, ["medication", "checkup"])
    assert await _seen(as_counter) == dict.fromkeys(TABLES, 0)


@pytest.mark.parametrize("consents", [[], ["medication"], ["checkup"], ["medication", "checkup"], ["treatment"]])
async def test_only_the_consented_class_of_the_consenting_person_is_there(
    consents: list[str], world: World, counter: Counter, as_counter: Any
) -> None:
    mine, _ = await _facts(world, counter, consents)
    async with as_counter.transaction():
        await _say(as_counter, mine.verification_id)
        assert await _seen(as_counter) == {table: int(bool(wanted & set(consents))) for table, wanted in TABLES.items()}
        persons = await as_counter.fetch(
            "select person_id from claim_medicine union select person_id from claim_treatment"
            " union select person_id from checkup"
        )
        assert {row["person_id"] for row in persons} <= {mine.person}
    assert await _seen(as_counter) == dict.fromkeys(TABLES, 0), "what was said outlived its transaction"


@pytest.mark.parametrize(
    ("said", "institution"),
    [
        ("mine", OTHER_INSTITUTION),
        ("mine", ""),
        ("mine", "%"),
        ("none", INSTITUTION),
        ("", INSTITUTION),
    ],
)
async def test_what_is_said_falsely_opens_nothing(
    said: str, institution: str, world: World, counter: Counter, as_counter: Any
) -> None:
    mine, _ = await _facts(world, counter, ["medication", "checkup"])
    async with as_counter.transaction():
        await _say(as_counter, {"mine": mine.verification_id, "none": str(uuid4())}.get(said, ""), institution)
        assert await _seen(as_counter) == dict.fromkeys(TABLES, 0)


@pytest.mark.parametrize(
    "ended",
    [
        "withdrawn_at = now()",
        "given_at = now() - interval '24 hours', expires_at = now()",
        "expires_at = given_at + interval '25 hours'",
        "institution_code = '2712345673'",
    ],
)
async def test_a_consent_that_does_not_hold_opens_nothing(
    ended: str, world: World, counter: Counter, as_counter: Any
) -> None:
    mine, _ = await _facts(world, counter, ["medication", "checkup"])
    await world.owner.execute(f"update consent set {ended}")  # noqa: S608
    async with as_counter.transaction():
        await _say(as_counter, mine.verification_id)
        assert await _seen(as_counter) == dict.fromkeys(TABLES, 0)


def _unguarded(name: str) -> str:
    """The statement with its own guard taken out: whatever person is named, every one will do."""
    mutant, changes = re.subn(r"\w+\.person_id = wall\.person_id and", "", SQL[name])
    assert changes == 1, "the statement's guard has moved; so must this mutation"
    return mutant


STATED = {"consented_medicines": "drug_code", "consented_treatments": "code", "consented_checkups": "checkup_id"}


@pytest.mark.parametrize("name", STATED)
async def test_statements_without_their_guard_still_show_nobody_else(
    name: str, world: World, counter: Counter, as_counter: Any
) -> None:
    mine, other = await _facts(world, counter, ["medication", "checkup", "treatment"])
    mutant, stated = _unguarded(name), STATED[name]
    days = YESTERDAY - timedelta(days=900), YESTERDAY + timedelta(days=2)

    async def shown(connection: Any, verification_id: str) -> int:
        rows = await connection.fetch(mutant, verification_id, INSTITUTION, *days)
        return len([row for row in rows if row[stated] is not None])

    # The mutation bites where the second wall is not: the owner sees both.
    assert await shown(world.owner, mine.verification_id) == 2
    assert await shown(as_counter, mine.verification_id) == 1
    assert await _seen(as_counter) == dict.fromkeys(TABLES, 0), "what was said outlived its statement"
    assert await shown(as_counter, str(uuid4())) == 0
    assert other.person != mine.person


@pytest.mark.parametrize(
    "attempt",
    [
        "select points from claim_treatment",
        "select points from claim_share",
        "select birth_date from claim",
        "select detail from audit_event",
        "update consent set expires_at = 'infinity'",
        "delete from consent",
        "update claim_medicine set person_id = 1",
        "insert into checkup_result select * from checkup_result",
        "set role eligibility_payer",
        "alter table claim_medicine disable row level security",
        "drop policy counter_by_consent on claim_medicine",
        "update staff set role = 'doctor'",
        "update staff_session set expires_at = 'infinity'",
    ],
)
async def test_the_counters_role_cannot_get_around_it(attempt: str, world: World, as_counter: Any) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_counter.execute(attempt)


async def test_an_answer_with_the_wall_shut_is_an_error_and_not_an_empty_list(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.medicine(was.person)
    token = await doctor(world, counter)
    await world.owner.execute(
        "create or replace function consented_person(wanted text) returns bigint language sql stable as"
        " $$ select null::bigint $$"
    )
    answer = await counter.http.get(was.medications(), headers=token)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    event = await world.owner.fetchrow("select actor_kind, person_id, detail from audit_event order by event_id desc")
    assert (event["actor_kind"], event["person_id"], event["detail"]["class"]) == ("staff", was.person, "medication")
    assert (await world.events())[-1] == ("request_refused", "second_wall_shut")


async def test_nothing_is_shown_that_became_known_after_the_person_was_judged(world: World, counter: Counter) -> None:
    # A merge may put records to another person and suspend them at one stroke: nobody was ever to see these.
    was = await visit(world, counter)
    token = await doctor(world, counter)
    centre = world.app.state.centre

    async def found_and_suspended(cards: Sequence[CardAsked]) -> list[list[Any]]:
        found = await rows_of_cards(centre.pool, cards)
        async with world.owner.transaction():
            await world.medicine(was.person)
            await world.owner.execute("update coverage set viewing_suspended = true")
        return found

    cards = Gatherer(found_and_suspended, holder_of)
    world.app.state.centre = replace(centre, cards=cards)
    asking = asyncio.create_task(cards.run())
    try:
        before = await counter.http.get(was.medications(), headers=token)
        after = await counter.http.get(was.medications(), headers=token)
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    assert (before.status_code, before.json()["medicines"]) == (200, [])
    assert (after.status_code, after.json()["code"]) == (403, "not_shown_suspended")


async def test_the_wall_costs_one_look_and_leaves_the_index_in_use(
    world: World, counter: Counter, as_counter: Any
) -> None:
    was = await visit(world, counter)
    await world.owner.execute(
        "insert into claim_medicine (person_id, claim_id, line, position, known_from, group_number, usage_group,"
        " drug_code, drug_known, days_or_times, institution_code, medicine_on, day_stated)"
        " select 1000 + n % 5000, 1000000 + n, 1, 0, now(), 1, 'oral', '620900101', false, 1, '1312345679', $1, true"
        " from generate_series(1, 50000) n",
        YESTERDAY,
    )
    await world.owner.execute("analyze claim_medicine")
    async with as_counter.transaction():
        await _say(as_counter, was.verification_id)
        rows = await as_counter.fetch(
            "explain select drug_code from claim_medicine where person_id = (select consented_person('medication'))"
            " and known_to = 'infinity' and medicine_on between '2020-01-01' and '2030-01-01'"
        )
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan" not in plan, plan
    assert "claim_medicine_by_person" in plan, plan
    assert "SubPlan" not in plan, "the wall is asked once for every row\n" + plan
