"""Bulk checks: taken in durably, done by the worker, told item by item, and no way around any budget."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from fastapi.exceptions import RequestValidationError

from eligibility import bulk_checks
from eligibility.api import bulk_routes
from eligibility.bulk_checks import TooManyBulks, accept_bulk, read_questions, work_on_bulk
from eligibility.domain.codes import Role
from eligibility.domain.identifiers import InstitutionCode
from eligibility.serving.callers import Terminal
from eligibility.storage import bulk_checks as storage
from eligibility.storage.clearing import clear_expired, drop_used_challenges
from eligibility.storage.database import connect, open_pool
from eligibility.storage.lookups import MOST_ENTRIES_READ
from eligibility.wire.bulk import MAX_BULK_SIGNS, BulkItem, BulkReceipt, BulkRequest
from loadtest.embedded import Stores
from tests.integration.eligibility.test_idempotency import SUSPENSIONS
from tests.integration.eligibility.world import (
    INSTITUTION,
    INSURER,
    OTHER_INSTITUTION,
    OTHER_INSURER,
    Authorities,
    Counter,
    World,
    running_world,
)
from tests.integration.waiting import until_waiting

PATH = "/v1/bulk-verifications"
LONG_AGO = date(2021, 1, 1)
KILLS = 3
OPTIONAL = {"symbol", "branch_number"}
_WORKER_WAITS = (
    "select count(*) from pg_stat_activity where usename = 'eligibility_worker' and datname = current_database() "
    "and wait_event_type = 'Lock'"
)


def _item(item_id: str, **changed: str) -> dict[str, str]:
    usual = {
        "insurer_number": INSURER,
        "symbol": "12",
        "number": "345",
        "branch_number": "01",
        "birth_date": "1980-01-01",
    }
    return {"item_id": item_id} | usual | changed


async def _start(counter: Counter, items: Sequence[Any], **more: Any) -> httpx.Response:
    return await counter.http.post(PATH, json={"items": list(items)} | more)


async def _work(database: str, misses_a_day: int = 1000) -> None:
    pool = await open_pool(database, role="eligibility_worker", size=2)
    try:
        while await work_on_bulk(pool, misses_a_day, datetime.now(UTC)):
            pass
    finally:
        await pool.close()


async def _results(counter: Counter, bulk_id: str) -> list[dict[str, Any]]:
    results, after = [], 0
    while after is not None:
        answer = await counter.http.get(f"{PATH}/{bulk_id}/results", params={"after": after})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        results += page["results"]
        after = page["after"]
    assert len(results) == page["total"]
    return results


async def _bulk(counter: Counter, database: str, items: Sequence[Any], **more: Any) -> list[dict[str, Any]]:
    answer = await _start(counter, items, **more)
    assert answer.status_code == 202, answer.text
    await _work(database)
    return await _results(counter, answer.json()["bulk_id"])


async def test_every_outcome_of_a_single_check_is_the_bulk_checks_too(
    world: World, counter: Counter, database: str
) -> None:
    await world.coverage(await world.person())
    await world.coverage(await world.person(), number="2", lost_on=LONG_AGO, loss_reason="99")
    mover = await world.person()
    await world.coverage(mover, number="3", lost_on=LONG_AGO, loss_reason="03")
    await world.coverage(mover, insurer_number=OTHER_INSURER, number="3", acquired_on=LONG_AGO)
    for branch in ("02", "03"):
        await world.coverage(await world.person(), number="4", branch_number=branch)
    await world.coverage(await world.person(), number="5", viewing_suspended=True)
    items = [_item(n, number=n if n != "1" else "345", branch_number="" if n == "4" else "01") for n in "123456"]
    singles = [(await counter.number(**{k: v for k, v in i.items() if k != "item_id"})).json() for i in items]
    results = await _bulk(counter, database, items)
    told = {r["item_id"]: r["outcome"] for r in results}
    assert told == {
        "1": "valid", "2": "lapsed", "3": "lapsed_newer_exists", "4": "several", "5": "suspended", "6": "none",
    }  # fmt: skip
    by_id = {r["item_id"]: r for r in results}
    assert [by_id[i["item_id"]]["coverage"] for i in items] == [s["coverage"] for s in singles]
    assert not any(r["changed"] for r in results)


async def test_a_number_that_stands_for_too_many_without_its_symbol_is_several(
    world: World, counter: Counter, database: str
) -> None:
    await world.crowd(MOST_ENTRIES_READ + 1, number="1")
    wrong_day = _item("wrong", number="1", symbol="", birth_date="1980-01-02")
    items = [_item("without", number="1", symbol=""), wrong_day, _item("with", number="1", symbol="S2")]
    results = await _bulk(counter, database, items)
    assert [r["outcome"] for r in results] == ["several", "several", "valid"]
    assert [r["coverage"] and r["coverage"]["symbol"] for r in results] == [None, None, "S2"]
    assert await world.owner.fetchval("select misses from bulk_check") == 2
    # As many as are read are read.
    await world.owner.execute("delete from coverage where symbol <> 'S2' and symbol <> 'S3'")
    await world.owner.execute("update coverage set birth_date = '1980-01-02' where symbol = 'S3'")
    assert [r["coverage"]["symbol"] for r in await _bulk(counter, database, items)] == ["S2", "S3", "S2"]


async def test_what_cannot_be_done_lets_others_before_it_and_is_given_up_after_some_tries(
    world: World, counter: Counter, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_checks, "CHUNK_ITEMS", 2)
    await world.coverage(await world.person())
    await world.coverage(await world.person(), number="2")
    await world.owner.execute(
        """alter table bulk_result add constraint never check (result not like '%"number":"2"%')"""
    )
    elsewhere = await world.terminal(OTHER_INSTITUTION)
    failing = (await _start(counter, [_item("a"), _item("b", number="2"), _item("c")])).json()["bulk_id"]
    others = [(await _start(elsewhere, [_item("x")])).json()["bulk_id"] for _ in range(2)]
    pool = await open_pool(database, role="eligibility_worker", size=1)

    async def work() -> bool:
        return await work_on_bulk(pool, 1000, datetime.now(UTC))

    with pytest.raises(asyncpg.CheckViolationError):
        await work()
    for other in others:
        assert await work()
        assert [r["outcome"] for r in await _results(elsewhere, other)] == ["valid"]
    for _ in range(bulk_checks.FAILED_TRIES - 1):
        with pytest.raises(asyncpg.CheckViolationError):
            await work()
    assert await world.owner.fetchval("select count(*) from verification") == 2
    assert [await work() for _ in range(3)] == [True, True, False]
    await pool.close()
    told = [(r["outcome"], (r["problem"] or {}).get("code")) for r in await _results(counter, failing)]
    assert told == [(None, "unreadable"), (None, "unreadable"), ("valid", None)]
    assert await world.owner.fetchval("select count(*) from verification") == 3
    events = await world.events()
    assert [events.count(("bulk", what)) for what in ("done", "fetched")] == [len(others) + 1] * 2


async def test_each_look_up_leaves_its_record_and_its_event(world: World, counter: Counter, database: str) -> None:
    person = await world.person()
    await world.coverage(person)
    bulk_id = (await _start(counter, [_item("a"), _item("b", number="9"), _item("c", birth_date="x")])).json()[
        "bulk_id"
    ]
    await _work(database)
    await _results(counter, bulk_id)
    events = await world.owner.fetch(
        "select kind, code, person_id, actor, detail->>'bulk' as bulk from audit_event where kind <> 'enrolment' "
        "order by event_id"
    )
    assert sorted((e["kind"], e["code"]) for e in events) == [
        ("bulk", "accepted"), ("bulk", "done"), ("bulk", "fetched"),
        ("number_verification", "none"), ("number_verification", "valid"),
    ]  # fmt: skip
    assert {e["bulk"] for e in events} == {bulk_id}
    assert [e["person_id"] for e in events if e["code"] == "valid"] == [person]
    assert {e["actor"] for e in events} == {str(counter.terminal_id), "worker"}
    assert await world.owner.fetchval("select count(*) from verification") == 2
    assert await world.owner.fetchval("select count(*) from bulk_item") == 0


async def test_each_page_that_is_fetched_leaves_an_event_that_names_it(
    world: World, counter: Counter, database: str
) -> None:
    bulk_id = (await _start(counter, [_item("a"), _item("b")])).json()["bulk_id"]
    await _work(database)
    colleague = await world.terminal()
    page = await colleague.http.get(f"{PATH}/{bulk_id}/results", params={"after": 1})
    assert [r["item_id"] for r in page.json()["results"]] == ["b"]
    events = await world.owner.fetch("select actor, detail from audit_event where code = 'fetched'")
    told = {"bulk": bulk_id, "after": 1, "results": 1}
    assert [(e["actor"], e["detail"]) for e in events] == [(str(colleague.terminal_id), told)]


@pytest.mark.parametrize("suspend", SUSPENSIONS)
async def test_a_page_shows_nothing_of_a_coverage_that_was_suspended_since(
    world: World, counter: Counter, database: str, suspend: Any
) -> None:
    person, other = await world.person(), await world.person()
    coverage = await world.coverage(person)
    await world.coverage(other, number="2")
    answer = await _start(counter, [_item("a"), _item("b", number="2"), _item("c", number="3")])
    bulk_id = answer.json()["bulk_id"]
    await _work(database)
    before = await _results(counter, bulk_id)
    moment = datetime.now(UTC)
    await world.owner.execute("update coverage set known_to = $1 where person_id = $2", moment, person)
    await suspend(world, person, coverage, moment)
    after = await _results(counter, bulk_id)
    assert after == [before[0] | {"outcome": "suspended", "coverage": None}, *before[1:]]
    assert [result["outcome"] for result in before] == ["valid", "valid", "none"]


async def test_a_suspension_that_ended_with_its_coverage_suspends_no_result(
    world: World, counter: Counter, database: str
) -> None:
    person = await world.person()
    await world.coverage(person)
    ended = {"number": "7", "acquired_on": date(2019, 4, 1), "lost_on": LONG_AGO, "loss_reason": "03"}
    await world.coverage(person, insurer_number=OTHER_INSURER, viewing_suspended=True, **ended)
    assert [result["outcome"] for result in await _bulk(counter, database, [_item("a")])] == ["valid"]


async def test_what_cannot_be_read_of_one_person_leaves_the_others_answered(
    world: World, counter: Counter, database: str
) -> None:
    await world.coverage(await world.person())
    await world.coverage(await world.person(), number="2", lost_on=LONG_AGO, loss_reason="98")
    results = await _bulk(counter, database, [_item("1"), _item("2", number="2"), _item("3", number="3")])
    assert [(r["item_id"], r["outcome"]) for r in results] == [("1", "valid"), ("2", None), ("3", "none")]
    assert results[1]["problem"]["code"] == "unreadable"
    assert results[1]["problem"]["staff"]["ja"].endswith("。")
    assert await world.owner.fetchval("select count(*) from verification") == 2


async def test_what_changed_since_the_last_check_comes_first(world: World, counter: Counter, database: str) -> None:
    stays, leaves, moves, corrected, elderly, new = [await world.person() for _ in range(6)]
    coverage = {
        p: await world.coverage(p, number=str(n)) for n, p in enumerate([stays, leaves, moves, corrected, elderly, new])
    }
    for number in range(5):
        await counter.number(number=str(number))
    await (await world.terminal(OTHER_INSTITUTION)).number(number="5")  # another institution's check is not ours
    await _correct(world, coverage[leaves], lost_on=LONG_AGO, loss_reason="99")
    await world.coverage(moves, insurer_number=OTHER_INSURER, number="77")
    await _correct(world, coverage[corrected], copayment_percent=20)
    await world.certificate(
        "elderly_certificate", elderly, coverage[elderly], valid_from=LONG_AGO, copayment_percent=10,
        known_from=datetime.now(UTC),
    )  # fmt: skip
    items = [_item(str(n), number=str(n)) for n in range(6)]
    items[2] = _item("2", insurer_number=OTHER_INSURER, number="77")
    results = await _bulk(counter, database, items)
    assert [(r["item_id"], r["changed"]) for r in results] == [
        ("1", True), ("2", True), ("3", True), ("4", True), ("0", False), ("5", False),
    ]  # fmt: skip
    assert [r["last_checked_at"] is None for r in results] == [False] * 5 + [True]
    again = await _bulk(counter, database, items)
    assert not any(r["changed"] for r in again)
    assert all(r["last_checked_at"] for r in again)


async def _correct(world: World, coverage_id: int, **facts: Any) -> None:
    now = datetime.now(UTC)
    old = dict(await world.owner.fetchrow("select * from coverage where coverage_id = $1", coverage_id))
    await world.owner.execute("update coverage set known_to = $2 where coverage_id = $1", coverage_id, now)
    await world._insert("coverage", old | facts | {"known_from": now})


async def test_no_certificate_that_needs_consent_comes_with_a_bulk_check(
    world: World, counter: Counter, database: str
) -> None:
    person = await world.person()
    coverage = await world.coverage(person)
    await world.certificate(
        "limit_certificate", person, coverage, valid_from=LONG_AGO, limit_class="01", category="A03"
    )
    await world.certificate("specific_disease_certificate", person, coverage, valid_from=LONG_AGO, disease="1")
    (result,) = await _bulk(counter, database, [_item("a")])
    assert result["coverage"]["limit_certificates"] == result["coverage"]["specific_disease_certificates"] == []


async def test_a_reference_number_comes_with_its_patient(world: World, counter: Counter, database: str) -> None:
    await world.coverage(await world.person())
    await counter.number()
    named = {k: v for k, v in _item("x").items() if k not in ("item_id", "birth_date")} | {"reference_number": "P-1"}
    assert (await counter.http.post("/v1/reference-numbers", json=named)).status_code == 200
    (result,) = await _bulk(counter, database, [_item("a")])
    assert result["reference_number"] == "P-1"


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"insurer_number": "0613051"}, "malformed", "insurer_number"),
        ({"insurer_number": ""}, "malformed", "insurer_number"),
        ({"number": ""}, "malformed", "number"),
        ({"number": "1" * 21}, "malformed", "number"),
        ({"symbol": "1" * 21}, "malformed", "symbol"),
        ({"branch_number": "一"}, "malformed", "branch_number"),
        ({"birth_date": "1980-02-30"}, "malformed", "birth_date"),
        ({"birth_date": ""}, "malformed", "birth_date"),
        ({"birth_date": "19800101T"}, "malformed", "birth_date"),
        ({"birth_date": "3999999"}, "malformed", "birth_date"),
        ({"number": "123456789018"}, "my_number_refused", "number"),
        ({"symbol": "１２３４５６７８９０１８"}, "my_number_refused", "symbol"),
        ({"birth_date": "123456789018"}, "my_number_refused", "birth_date"),
        ({"item_id": "first"}, "item_id_repeated", "item_id"),
    ],
)
async def test_a_malformed_item_is_told_alone_and_kept_nowhere(
    world: World, counter: Counter, database: str, wrong: dict[str, str], code: str, field: str
) -> None:
    await world.coverage(await world.person())
    started = await _start(counter, [_item("first"), _item("wrong") | wrong, _item("last", birth_date="3550101")])
    kept = await world.owner.fetchval(
        "select string_agg(bulk_item::text, ' ') from bulk_item where problem_code is not null"
    )
    assert all(value not in kept for name, value in wrong.items() if value and name != "item_id")
    await _work(database)
    first, told, last = await _results(counter, started.json()["bulk_id"])
    assert (first["outcome"], last["outcome"]) == ("valid", "valid")
    assert (told["outcome"], told["coverage"]) == (None, None)
    assert (told["problem"]["code"], told["problem"]["field"]) == (code, field)
    assert told["problem"]["staff"]["ja"].endswith("。")


@pytest.mark.parametrize(
    "body",
    [
        {"items": []},
        {"items": [_item("x")] * 10_001},
        {"items": [_item("")]},
        {"items": [_item("x" * 51)]},
        {"items": [_item("x", number="1" * 101)]},
        {"items": [_item("x", number="a\x00")]},
        {"items": [_item("x", person_id="1")]},
        {"items": [_item("x")], "institution_code": OTHER_INSTITUTION},
        {"items": [_item("x")], "asked_for": "tomorrow"},
        {"items": {"item_id": "x"}},
        {},
        [],
    ],
)
async def test_a_message_of_another_form_is_refused_whole(world: World, counter: Counter, body: Any) -> None:
    answer = await counter.http.post(PATH, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert await world.owner.fetchval("select count(*) from bulk_check") == 0


async def test_what_is_read_and_kept_in_parts_comes_to_one_whole(
    world: World, counter: Counter, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_routes, "_PART_ITEMS", 3)
    monkeypatch.setattr(storage, "_INSERTED_AT_ONCE", 5)
    await world.coverage(await world.person())
    asked = [_item(str(n), birth_date="19800101" if n % 2 else "19800102") for n in range(11)]
    results = await _bulk(counter, database, [*asked, _item("1")], asked_for="2026-11-02")
    assert [one["item_id"] for one in results] == [*(str(n) for n in range(11)), "1"]
    assert [one["outcome"] for one in results] == ["valid" if n % 2 else "none" for n in range(11)] + [None]
    assert results[-1]["problem"]["code"] == "item_id_repeated"
    for right in (0, 6, 7):  # a wrong one that is the first of its part is none too few
        wrong = await _start(counter, [*asked[:right], _item("x", number="1" * 101), _item("")])
        assert [fault["pointer"] for fault in wrong.json()["faults"]] == [f"/items/{right}/number"]


async def test_no_more_than_a_part_is_read_before_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = 0
    read: list[tuple[int, int]] = []  # in which turn, and how many items

    async def other() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    class Counted(BulkRequest):
        @classmethod
        def model_validate_json(cls, json_data: Any, **more: Any) -> Any:
            asked = super().model_validate_json(json_data, **more)
            read.append((turn, len(asked.items)))
            return asked

    monkeypatch.setattr(bulk_routes, "BulkRequest", Counted)
    waiting = asyncio.create_task(other())
    items = [_item(str(n)) for n in range(10_001)]
    _, questions = await bulk_routes._read(json.dumps({"items": items[:-1]}).encode())
    assert len(questions) == 10_000
    assert {counted for _, counted in read} == {bulk_routes._PART_ITEMS}
    assert len({turn for turn, _ in read}) == len(read)
    read.clear()
    with pytest.raises(RequestValidationError):
        await bulk_routes._read(json.dumps({"items": items}).encode())
    assert not read
    waiting.cancel()


@pytest.mark.parametrize("content", [b"", b"{", b'{"items": [', b"\xff\xfe", b"null"])
async def test_what_is_no_json_is_malformed(world: World, counter: Counter, content: bytes) -> None:
    assert (await counter.http.post(PATH, content=content)).json()["code"] == "malformed"


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        (b'{"items":[%s{}]}' % (b"{}," * 9_999), {f"/items/0/{f}" for f in _item("x") if f not in OPTIONAL}),
        (b'{"items":[{%s}]}' % b",".join(b'"%d":0' % stray for stray in range(9_999)), {"/items/0"}),
        (b'{"items":[%s[]]}' % (b"[]," * MAX_BULK_SIGNS), {"/"}),
    ],
    ids=["items", "fields", "values"],
)
async def test_of_thousands_of_faults_few_are_told(
    world: World, counter: Counter, content: bytes, pointers: set[str]
) -> None:
    answer = await counter.http.post(PATH, content=content)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert {fault["pointer"] for fault in answer.json()["faults"]} - {"/items"} == pointers


async def test_an_item_id_that_is_a_my_number_is_refused(world: World, counter: Counter) -> None:
    assert (await _start(counter, [_item("123456789018")])).json()["code"] == "my_number_refused"


async def test_a_body_beyond_its_own_limit_is_cut_and_other_routes_keep_theirs(world: World, counter: Counter) -> None:
    assert (await counter.http.post(PATH, content=b" " * (9 << 20))).status_code == 413
    assert (await counter.http.post("/v1/number-verifications", content=b" " * (100 << 10))).status_code == 413
    assert (await counter.http.post(PATH, content=b" " * (100 << 10))).json()["code"] == "malformed"


async def test_another_institutions_bulk_check_is_not_there(world: World, counter: Counter, database: str) -> None:
    bulk_id = (await _start(counter, [_item("a")])).json()["bulk_id"]
    colleague, stranger = await world.terminal(), await world.terminal(OTHER_INSTITUTION)
    await _work(database)
    assert (await colleague.http.get(f"{PATH}/{bulk_id}")).json()["state"] == "done"
    for path in (f"{PATH}/{bulk_id}", f"{PATH}/{bulk_id}/results"):
        theirs, nobodys = await stranger.http.get(path), await stranger.http.get(path.replace(bulk_id, str(uuid4())))
        assert (theirs.status_code, theirs.content) == (404, nobodys.content)
    assert (await world.client(None).get(f"{PATH}/{bulk_id}")).status_code == 401
    assert (await counter.http.get(f"{PATH}/1")).status_code == 422


async def test_results_wait_until_all_is_done_and_end_with_their_time(
    world: World, counter: Counter, database: str
) -> None:
    bulk_id = (await _start(counter, [_item("a")])).json()["bulk_id"]
    waiting = await counter.http.get(f"{PATH}/{bulk_id}")
    assert {k: waiting.json()[k] for k in ("state", "total", "done", "results_until")} == {
        "state": "waiting", "total": 1, "done": 0, "results_until": None,
    }  # fmt: skip
    early = await counter.http.get(f"{PATH}/{bulk_id}/results")
    assert (early.status_code, early.json()["code"], early.headers["retry-after"]) == (409, "bulk_not_done", "1")
    await _work(database)
    until = datetime.fromisoformat((await counter.http.get(f"{PATH}/{bulk_id}")).json()["results_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)
    worker = await connect(database, role="eligibility_worker")
    for ahead, status in ((timedelta(hours=23), 200), (timedelta(hours=25), 410)):
        await clear_expired(
            worker, datetime.now(UTC) + ahead, kept_answers=timedelta(days=7), bulk_results=timedelta(hours=24)
        )
        assert (await counter.http.get(f"{PATH}/{bulk_id}/results")).status_code == status
    assert await world.owner.fetchval("select count(*) from bulk_result") == 0
    await worker.close()


async def test_a_repeat_with_its_key_is_the_same_bulk_check(world: World, counter: Counter) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    answers = await asyncio.gather(
        *(counter.http.post(PATH, json={"items": [_item("a")]}, headers=headers) for _ in range(20))
    )
    assert {(a.status_code, a.content) for a in answers} == {(202, answers[0].content)}
    assert await world.owner.fetchval("select count(*) from bulk_check") == 1
    other = await counter.http.post(PATH, json={"items": [_item("b")]}, headers=headers)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_an_institution_has_only_so_many_open(world: World, counter: Counter) -> None:
    statuses = [(await _start(counter, [_item("a")])).status_code for _ in range(5)]
    assert statuses == [202] * 4 + [429]
    elsewhere = await world.terminal(OTHER_INSTITUTION)
    assert (await _start(elsewhere, [_item("a")])).status_code == 202


async def test_several_processes_count_an_institutions_open_ones_one_after_the_other(
    world: World, counter: Counter
) -> None:
    terminal = Terminal(InstitutionCode(INSTITUTION), counter.terminal_id)
    questions = list(read_questions([BulkItem.model_validate(_item("a"))]))
    pool, now = world.app.state.centre.pool, datetime.now(UTC)
    async with world.owner.transaction():
        await world.owner.execute("lock table bulk_item in share mode")  # nobody gets further than to have counted
        eight = [asyncio.create_task(accept_bulk(pool, terminal, None, questions, 4, now, None)) for _ in range(8)]
        await until_waiting(world.owner, 8)
    taken = await asyncio.gather(*eight, return_exceptions=True)
    assert sorted(type(one).__name__ for one in taken) == [BulkReceipt.__name__] * 4 + [TooManyBulks.__name__] * 4


async def test_taking_in_leaves_counters_a_connection(
    tmp_path: Path, authorities: Authorities, database: str, owner: Any, running_stores: Stores
) -> None:
    async with running_world(tmp_path, authorities, database, owner, running_stores.redis_url, pool_size=2) as world:
        counter, colleague = await world.terminal(), await world.terminal(OTHER_INSTITUTION)
        async with owner.transaction():
            await owner.execute("lock table bulk_item in share mode")
            started = [asyncio.create_task(_start(by, [_item("a")])) for by in (counter, colleague, counter, colleague)]
            await until_waiting(owner, 1)
            told = [(await counter.number()).json()["outcome"] for _ in range(3)]
        assert told == ["none"] * 3
        assert [(await answer).status_code for answer in started] == [202] * 4


@pytest.mark.parametrize("part", [bulk_checks.PART_ITEMS, 7, 1])
async def test_a_file_of_guesses_tells_no_more_than_the_days_misses(
    part: int, world: World, counter: Counter, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_checks, "PART_ITEMS", part)
    await world.coverage(await world.person())
    guesses = [_item(str(n), number=str(n)) for n in range(30)]
    items = [_item("before"), *guesses, _item("after")]
    bulk_id = (await _start(counter, items)).json()["bulk_id"]
    # The worker was away for a day: what counts is when a miss is told, not when it was asked for.
    await world.owner.execute("update bulk_check set accepted_at = accepted_at - interval '25 hours'")
    await _work(database, misses_a_day=10)
    told = {r["item_id"]: r for r in await _results(counter, bulk_id)}
    assert told["before"]["outcome"] == "valid"
    assert [told[str(n)]["outcome"] for n in range(30)] == ["none"] * 10 + [None] * 20
    # From there on a hit looks like a miss, in this file and in the next.
    assert told["after"] == told["29"] | {"item_id": "after"}
    assert told["after"]["problem"]["code"] == "too_many_misses"
    next_bulk = (await _start(counter, [_item("again")])).json()["bulk_id"]
    await _work(database, misses_a_day=10)
    (again,) = await _results(counter, next_bulk)
    assert again["problem"]["code"] == "too_many_misses"
    assert await world.owner.fetchval("select count(*) from verification") == 11
    elsewhere = await world.terminal(OTHER_INSTITUTION)
    other_bulk = (await _start(elsewhere, [_item("a")])).json()["bulk_id"]
    await _work(database, misses_a_day=10)
    assert (await _results(elsewhere, other_bulk))[0]["outcome"] == "valid"


async def test_killed_workers_leave_each_item_answered_once(world: World, counter: Counter, database: str) -> None:
    await world.owner.execute("insert into person (linkage_code) select 'K' || n from generate_series(1, 6000) n")
    await world.owner.execute(
        "insert into coverage (person_id, coverage_id, known_from, submission_id, insurer_number, symbol, number, "
        "branch_number, symbol_key, number_key, name, name_kana, name_key, birth_date, sex, postal_code, address, "
        "relation, card_class, acquired_on, preschool, viewing_suspended) "
        "select person_id, nextval('coverage_id_seq'), '2026-01-01', $1, $2, '12', 'K' || n, '01', '12', 'K' || n, "
        "'架空', '', '架空', '1980-01-01', '1', '', '', '1', '01', '2020-04-01', false, false "
        "from person, substr(linkage_code, 2) n where linkage_code like 'K%'",
        UUID(int=0), INSURER,
    )  # fmt: skip
    started = await _start(counter, [_item(str(n), number=f"K{n}") for n in range(1, 6001)])
    bulk_id = started.json()["bulk_id"]
    for _ in range(KILLS):
        # Killed where it has written its records and waits to write its results: none of it may stay.
        async with world.owner.transaction():
            await world.owner.execute("lock table bulk_result in share mode")
            worker = await _worker(database)
            while not await world.owner.fetchval(_WORKER_WAITS):
                assert worker.returncode is None
                await asyncio.sleep(0.01)
            os.kill(worker.pid, signal.SIGKILL)
            await worker.wait()
        assert await world.owner.fetchval("select count(*) from verification") == 0
    workers = await asyncio.gather(*(_worker(database) for _ in range(2)))
    while (await counter.http.get(f"{PATH}/{bulk_id}")).json()["state"] != "done":
        assert all(worker.returncode is None for worker in workers)
        await asyncio.sleep(0.05)
    for worker in workers:
        worker.terminate()
        assert await worker.wait() == 0
    results = await _results(counter, bulk_id)
    assert [(r["item_id"], r["outcome"]) for r in results] == [(str(n), "valid") for n in range(1, 6001)]
    assert await world.owner.fetchval("select count(*) from verification") == 6000
    assert await world.owner.fetchval(
        "select count(distinct person_id) from audit_event where kind = 'number_verification'"
    ) == 6000  # fmt: skip


async def test_an_unforeseen_error_of_one_work_leaves_the_others_running(
    world: World, counter: Counter, database: str
) -> None:
    await world.owner.execute("alter function prepare_partitions rename to prepare_nothing")
    worker = await _worker(database)
    assert b"UndefinedFunctionError" in await _said(worker, b"unexpected_error")
    bulk_id = (await _start(counter, [_item("a")])).json()["bulk_id"]
    while (await counter.http.get(f"{PATH}/{bulk_id}")).json()["state"] != "done":
        assert worker.returncode is None
        await asyncio.sleep(0.05)
    worker.terminate()
    assert await worker.wait() == 0


async def _worker(database: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "eligibility", "worker",
        env=os.environ | {"ELIGIBILITY_DATABASE_URL": database, "ELIGIBILITY_WORKER_LOOK_S": "0.02"},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await _said(process, b"working")
    return process


async def _said(worker: asyncio.subprocess.Process, what: bytes) -> bytes:
    assert worker.stdout is not None
    async for line in worker.stdout:
        if what in line:
            return line
    raise AssertionError(f"the worker ended without {what!r}")


async def test_a_worker_told_to_stop_ends_well(world: World, database: str) -> None:
    process = await _worker(database)
    process.terminate()
    assert await process.wait() == 0


async def test_the_worker_clears_what_has_had_its_time_and_nothing_else(world: World, database: str) -> None:
    now = datetime.now(UTC)
    await world.owner.execute("select prepare_partitions($1)", now - timedelta(days=2))
    for n, expires in enumerate((now - timedelta(days=2), now - timedelta(minutes=1), now + timedelta(minutes=1))):
        await world.owner.execute("insert into used_challenge values ($1, $2)", bytes([n]), expires)
    for age in (1, 6, 8):
        await world.owner.execute(
            "insert into kept_answer values ($1, 'r', $1, $1, $2, '{}', $3)",
            uuid4(),
            bytes(32),
            now - timedelta(days=age),
        )
    member = await world.staff(Role.CLERK)
    for n, ends in enumerate((now - timedelta(days=2), now - timedelta(hours=1), now + timedelta(hours=1))):
        await world.owner.execute(
            "insert into staff_session (token_digest, staff_id, institution_code, terminal_id, began_at, last_used_at,"
            " expires_at) values ($1, $2, $3, $2, $4, $4, $4)",
            bytes([n]), member.staff_id, INSTITUTION, ends,
        )  # fmt: skip
        await world.owner.execute("insert into sign_in_budget values ($1, 3, $2)", bytes([n]), ends)
    worker = await connect(database, role="eligibility_worker")
    cleared = await clear_expired(worker, now, kept_answers=timedelta(days=7), bulk_results=timedelta(hours=24))
    assert await drop_used_challenges(worker, now) >= 1
    assert cleared == {
        "kept_answers": 1, "bulk_results": 0, "bulk_checks": 0, "staff_sessions": 1, "sign_in_budgets": 1,
    }  # fmt: skip
    for table, name in (("staff_session", "token_digest"), ("sign_in_budget", "budget_key")):
        kept = await world.owner.fetch(f"select {name} from {table} order by 1")  # noqa: S608
        assert [row[0] for row in kept] == [bytes([1]), bytes([2])]
    assert await world.owner.fetchval("select count(*) from used_challenge") == 2
    await worker.close()
