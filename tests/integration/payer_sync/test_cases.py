"""What an operator does with a case: release, reject, reverse; each once, each audited."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.codes import Role
from eligibility.domain.identifiers import InstitutionCode, InsuredNumber
from eligibility.domain.ids import uuid7
from eligibility.storage import registrations
from eligibility.storage.audit import insert_event
from eligibility.storage.database import connect
from eligibility.storage.lookups import NumberAsked, matches_of, rows_of_numbers
from loadtest.embedded import Stores
from payer_sync.__main__ import main
from payer_sync.cases import Decided, list_shown, reject, release, reverse
from payer_sync.gates import DecisionRefused
from payer_sync.loading import ROLE
from tests.integration.eligibility.conftest import authorities, counter, world
from tests.integration.eligibility.world import INSTITUTION, OTHER_INSTITUTION, Counter, World, card_key
from tests.integration.waiting import until_waiting

__all__ = ["authorities", "counter", "world"]

pytestmark = pytest.mark.database

OTHER = "33120015"
CLINIC = "1311234567"
MASTER = Path(__file__).parents[2] / "samples" / "drug_master" / "y_invented.csv"
SOMEBODY = {"氏名": "佐藤　太郎", "氏名カナ": "ｻﾄｳ ﾀﾛｳ", "生年月日": "3420303", "性別": "1"}
LIMIT = {"限度額証区分": "01", "限度額適用区分": "A03", "限度額有効開始日": "20260401", "限度額有効終了日": ""}
KEPT = {"資格取得日": "20250401"} | SOMEBODY | LIMIT
STATED_BY_OTHER = {"保険者番号": OTHER, "資格取得日": "20250401"} | SOMEBODY
CURRENT = """
select c.name, p.linkage_code, c.person_id, c.coverage_id from coverage c join person p using (person_id)
where c.known_to = 'infinity' order by c.known_from, c.coverage_id
"""


@pytest.fixture
async def case(take_in: Any, write: Any, record: Any, owner: Any) -> int:
    """An open case: the other insurer links somebody else's record to a known person."""
    await take_in(write(record(1)))
    await take_in(write(record(1, 保険者番号=OTHER, **KEPT)), insurer=OTHER)
    found: int = await owner.fetchval("select case_id from mislink_case")
    return found


@pytest.fixture
async def payer(database: str) -> AsyncIterator[Any]:
    """A connection as the operator's commands have it."""
    connection = await connect(database, role=ROLE)
    yield connection
    await connection.close()


def _decided() -> Decided:
    return Decided("operator", "telephoned", datetime.now(UTC))


async def _verify(
    owner: Any, person_id: int, coverage_id: int | None, day: str = "2026-01-01", at: datetime | None = None
) -> UUID:
    at = at or datetime.now(UTC)
    verification_id = uuid7(at)
    await owner.execute(
        "insert into verification (verification_id, occurred_at, institution_code, terminal_id, method, asked_for,"
        " known_at, outcome, person_id, coverage_id)"
        " values ($1, $2, $6, $1, 'pin', $3::text::date, $2, 'valid', $4, $5)",
        verification_id, at, day, person_id, coverage_id, CLINIC,
    )  # fmt: skip
    return verification_id


async def _consent(owner: Any, person_id: int, verification_id: UUID, wanted: str, at: datetime) -> None:
    await owner.execute(
        "insert into consent (person_id, consent_id, class, institution_code, verification_id, given_at, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        person_id, uuid7(at), wanted, CLINIC, verification_id, at, at + timedelta(hours=24),
    )  # fmt: skip


async def _look(
    owner: Any, person_id: int, verification_id: UUID, at: datetime, kind: EventKind = EventKind.DISCLOSURE
) -> AuditEvent:
    event = AuditEvent(
        uuid7(at), at, kind, "shown", ActorKind.STAFF, str(uuid4()), institution_code=CLINIC, person_id=person_id,
        verification_id=verification_id, detail={"class": "medication", "role": "doctor"},
    )  # fmt: skip
    await insert_event(owner, event)
    return event


async def test_a_released_record_is_merged_with_its_certificates(case: int, owner: Any) -> None:
    assert await release(owner, case, _decided()) == 1

    rows = await owner.fetch(CURRENT)
    assert [row["name"] for row in rows] == ["髙橋　花子", "佐藤　太郎"]
    assert len({row["person_id"] for row in rows}) == 1
    assert await owner.fetchval("select count(*) from limit_certificate where known_to = 'infinity'") == 1
    event = await owner.fetchrow("select code, actor, detail from audit_event where kind = 'case_decided'")
    assert (event["code"], event["actor"], event["detail"]["reason"]) == ("released", "operator", "telephoned")


async def test_the_insurers_are_told_how_a_case_ended(
    case: int, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    await release(owner, case, _decided())

    first = await take_in(write(record(1, 住所="東京都")))
    second = await take_in(write(record(9, 保険者番号=OTHER)), insurer=OTHER)

    assert [code for _, code in first.codes] == ["mislink_elsewhere", "covered_elsewhere", "case_closed"]
    assert [code for _, code in second.codes] == ["covered_elsewhere", "case_closed"]


async def test_a_rejected_record_stays_out(case: int, owner: Any) -> None:
    await reject(owner, case, _decided())

    assert len(await owner.fetch(CURRENT)) == 1
    assert await owner.fetchval("select code from audit_event where kind = 'case_decided'") == "rejected"


@pytest.mark.parametrize("first", [release, reject])
@pytest.mark.parametrize("second", [release, reject])
async def test_a_case_is_decided_once(case: int, owner: Any, first: Any, second: Any) -> None:
    await first(owner, case, _decided())

    with pytest.raises(DecisionRefused):
        await second(owner, case, _decided())


@pytest.mark.parametrize("decision", [release, reject])
async def test_an_unknown_case_is_refused(owner: Any, decision: Any) -> None:
    with pytest.raises(DecisionRefused):
        await decision(owner, 77, _decided())


async def test_a_release_that_would_overlap_is_refused_and_leaves_the_case_open(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(2, 紐付番号="LK-00000001")))
    case = await owner.fetchval("select case_id from mislink_case")

    with pytest.raises(DecisionRefused, match="overlap or contradict each other"):
        await release(owner, case, _decided())

    assert await owner.fetchval("select state from mislink_case") == "open"
    assert await owner.fetch(CURRENT) == []


async def test_a_reversal_splits_the_person_and_lists_what_was_shown(case: int, owner: Any, payer: Any) -> None:
    await release(owner, case, _decided())
    right, wrong = await owner.fetch(CURRENT)
    person = right["person_id"]
    await _verify(owner, person, wrong["coverage_id"])
    await _verify(owner, person, right["coverage_id"])  # it named the other coverage as a conflict
    await _verify(owner, person, right["coverage_id"], day="2024-06-01")  # before the wrong coverage began

    (made,) = await reverse(payer, case, (), _decided())

    assert (made.person_id, made.coverages) == (person, (wrong["coverage_id"],))
    assert len(made.verifications) == 2
    assert made.disclosures == ()
    rows = await owner.fetch(CURRENT)
    assert [row["coverage_id"] for row in rows] == [right["coverage_id"], wrong["coverage_id"]]
    assert [row["person_id"] for row in rows] == [person, made.split_off]
    assert " " in rows[1]["linkage_code"]
    limits = await owner.fetch("select person_id from limit_certificate where known_to = 'infinity'")
    assert [row["person_id"] for row in limits] == [made.split_off]
    event = await owner.fetchrow(
        "select code, detail from audit_event where kind = 'case_decided' and code = 'reversed'"
    )
    assert len(event["detail"]["split"][0]["verifications"]) == 2


async def test_a_reversal_lists_the_looks_whenever_their_consent_was_given(
    case: int, owner: Any, payer: Any, database: str, monkeypatch: Any, capsys: Any
) -> None:
    now = datetime.now(UTC)
    morning = now - timedelta(hours=3)
    (right,) = await owner.fetch(CURRENT)
    person = right["person_id"]
    visit = await _verify(owner, person, right["coverage_id"], at=morning)
    for wanted in ("medication", "checkup"):
        await _consent(owner, person, visit, wanted, morning)
    await _look(owner, person, visit, morning + timedelta(hours=1))  # what was right until then
    await release(owner, case, _decided())
    looks = [await _look(owner, person, visit, now + timedelta(minutes=minutes)) for minutes in (1, 2)]
    await _look(owner, person, visit, now + timedelta(minutes=3), EventKind.REQUEST_REFUSED)
    unused = await _verify(owner, person, right["coverage_id"])
    await _consent(owner, person, unused, "medication", now)
    another = await _verify(owner, person + 1, None)
    await _consent(owner, person + 1, another, "medication", now)
    await _look(owner, person + 1, another, now + timedelta(minutes=1))
    monkeypatch.setenv("INTAKE_DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "200")

    command = ["cases", "reverse", str(case), "--by", "operator", "--reason", "x"]
    assert await asyncio.to_thread(main, command) == 0

    detail = await owner.fetchval("select detail from audit_event where kind = 'case_decided' and code = 'reversed'")
    assert detail["split"][0]["disclosures"] == [
        {
            "event_id": str(look.event_id), "occurred_at": str(look.occurred_at), "institution_code": CLINIC,
            "staff_id": look.actor, "verification_id": str(visit), "class": "medication",
        }
        for look in looks
    ]  # fmt: skip
    told = capsys.readouterr().out
    assert re.findall(r"disclosure \((\w+), ([-0-9a-f]+)\)", told) == [("medication", look.actor) for look in looks]
    assert all(_in_japan(moment) in told for moment in (now, *(look.occurred_at for look in looks)))


@pytest.mark.parametrize("correction", [{"レコード種別": "3"}, {"紐付番号": "LK-RIGHT"}])
async def test_what_was_shown_is_listed_after_the_insurers_own_correction(
    case: int, owner: Any, payer: Any, take_in: Any, write: Any, record: Any, correction: dict[str, str]
) -> None:
    await release(owner, case, _decided())
    right, wrong = await owner.fetch(CURRENT)
    person, now = right["person_id"], datetime.now(UTC)
    later = now + timedelta(hours=2)
    visits = [await _verify(owner, person, coverage["coverage_id"]) for coverage in (wrong, right)]
    await _consent(owner, person, visits[0], "medication", now)
    look = await _look(owner, person, visits[0], now)
    stated = record(1, 保険者番号=OTHER, 資格取得日="20250401", **SOMEBODY, **LIMIT)
    assert (await take_in(write(stated | correction), insurer=OTHER)).counts == (1, 0, 1, 0)
    await _verify(owner, person, right["coverage_id"], at=later)
    await _look(owner, person, visits[0], later)
    with pytest.raises(DecisionRefused):
        await reverse(owner, case, (wrong["coverage_id"],), _decided())

    (shown,) = await list_shown(payer, case, (), _decided())

    assert (shown.person_id, shown.coverages) == (person, (wrong["coverage_id"],))
    assert [row["verification_id"] for row in shown.verifications] == visits
    assert [row["event_id"] for row in shown.disclosures] == [look.event_id]
    event = await owner.fetchrow("select actor, detail from audit_event where kind = 'case_listed'")
    assert (event["actor"], event["detail"]["reason"]) == ("operator", "telephoned")
    assert event["detail"]["shown"][0]["verifications"] == [str(visit) for visit in visits]
    assert event["detail"]["shown"][0]["disclosures"][0]["staff_id"] == look.actor
    assert await owner.fetchval("select state from mislink_case") == "released"


@pytest.mark.parametrize("released", [True, False])
async def test_what_still_stands_is_not_listed_but_split(case: int, owner: Any, released: bool) -> None:
    if released:
        await release(owner, case, _decided())
    standing = tuple(row["coverage_id"] for row in await owner.fetch(CURRENT))

    for coverages in ((), standing, (999_999,)):
        with pytest.raises(DecisionRefused, match="reverse"):
            await list_shown(owner, case, coverages, _decided())

    assert await owner.fetchval("select count(*) from audit_event where kind = 'case_listed'") == 0


async def test_what_showed_a_coverage_that_was_known_first_is_listed_by_its_number(
    case: int, owner: Any, take_in: Any, write: Any, record: Any, database: str, monkeypatch: Any, capsys: Any
) -> None:
    (known,) = await owner.fetch(CURRENT)
    seen = datetime.now(UTC)
    visit = await _verify(owner, known["person_id"], known["coverage_id"], at=seen)
    await take_in(write(record(1, レコード種別="3")))
    assert await owner.fetch(CURRENT) == []
    monkeypatch.setenv("INTAKE_DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "200")

    ids, left = await _listed(capsys, "cases", "show", str(case))
    assert ids[-1] == str(known["coverage_id"])
    assert _in_japan(await owner.fetchval("select max(known_to) from coverage where known_to < 'infinity'")) in left
    deciding = ("--by", "operator", "--reason", "x")
    _, told = await _listed(capsys, "cases", "shown", str(case), "--coverage", ids[-1], *deciding)

    assert str(visit) in told
    assert _in_japan(seen) in told
    assert await owner.fetchval("select state from mislink_case") == "open"


@pytest.mark.parametrize("table", ["audit_event", "consent", "card", "reference_number"])
async def test_the_payers_role_reads_no_events_and_nothing_of_counters(payer: Any, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await payer.fetch(f"select person_id from {table}")  # noqa: S608 (of the table above)


@pytest.mark.parametrize("role", ["eligibility_counter", "eligibility_portal", "eligibility_worker"])
@pytest.mark.parametrize(
    "asked",
    [
        "disclosures_of(1, now())",
        "hold_registrations()",
        "withdraw_consents_of(1, now(), now())",
        "take_back_cards_of(1, now())",
        "take_back_reference_numbers_of(1, now())",
    ],
)
async def test_no_other_role_does_what_a_reversal_does(database: str, role: str, asked: str) -> None:
    connection = await connect(database, role=role)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"select from {asked}")
    finally:
        await connection.close()


NUMBER = {"insurer_number": OTHER, "symbol": "12", "number": "0000001", "branch_number": "01"}


async def _register(counter: Counter, card: Any, proof: dict[str, str] | None = None) -> httpx.Response:
    holder = {"name": SOMEBODY["氏名"], "address": "", "birth_date": "1967-03-03", "sex": "1", "method": "pin"}
    proof = proof or counter.proof(card, await counter.challenge())
    return await counter.http.post("/v1/card-registrations", json=holder | {"proof": proof})


async def _number_patient(counter: Counter) -> httpx.Response:
    return await counter.http.post("/v1/reference-numbers", json=NUMBER | {"reference_number": "[P]-1"})


async def _moved_to_another_code(owner: Any, take_in: Any, write: Any, record: Any) -> UUID:
    """State another insurer's coverage under a code of its own, and then under one that is somebody else's here.

    Return the case that keeps it.
    """
    await take_in(write(record(1, 紐付番号="LK-FORMER", **STATED_BY_OTHER)), insurer=OTHER)
    await take_in(write(record(2)))
    await take_in(write(record(1, 紐付番号="LK-00000002", **STATED_BY_OTHER)), insurer=OTHER)
    case: UUID = await owner.fetchval("select case_id from mislink_case")
    return case


def _shown(answer: httpx.Response) -> tuple[str, str | None]:
    """Name and reference number of what a check by card or number answered."""
    assert answer.status_code == 200, answer.text
    return answer.json()["coverage"]["name"], answer.json()["reference_number"]


async def test_a_reversal_takes_back_what_counters_kept_of_the_person_meanwhile(
    case: int, owner: Any, world: World, counter: Counter, database: str, monkeypatch: Any, capsys: Any
) -> None:
    (right,) = await owner.fetch(CURRENT)
    person = right["person_id"]
    earlier, later = world.card("earlier"), world.card("later")
    await world.register(earlier, person)
    await owner.execute("update card set registered_at = registered_at - interval '1 hour'")
    await owner.execute(
        "insert into reference_number (person_id, institution_code, reference_number, registered_at)"
        " values ($1, $2, 'P-0', now() - interval '1 hour')",
        person, OTHER_INSTITUTION,
    )  # fmt: skip
    await world.medicine(person)
    reading = await counter.token(await world.staff(Role.DOCTOR))
    before = (await counter.verify(earlier, consents=["medication"])).json()["verification_id"]
    await owner.execute(
        "update consent set given_at = given_at - interval '1 hour', expires_at = expires_at - interval '1 hour'"
    )
    await release(owner, case, _decided())
    assert (await _register(counter, later)).status_code == 201
    visit = (await counter.verify(later, consents=["medication", "checkup"])).json()["verification_id"]
    await counter.number(**NUMBER, birth_date="1967-03-03")
    assert (await _number_patient(counter)).status_code == 200
    medicines = f"/v1/verifications/{visit}/medications"
    assert (await counter.http.get(medicines, headers=reading)).status_code == 200  # another person's
    monkeypatch.setenv("INTAKE_DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "200")

    command = ["cases", "reverse", str(case), "--by", "operator", "--reason", "x"]
    assert await asyncio.to_thread(main, command) == 0

    told = capsys.readouterr().out
    listed = re.findall(rf"│ {INSTITUTION} +│ ([-0-9a-f]*) +│ (consent|card|reference number)( \(.+?\))? +│", told)
    assert listed == [
        (visit, "consent", " (checkup)"), (visit, "consent", " (medication)"), ("", "card", ""),
        ("", "reference number", " ([P]-1)"),
    ]  # fmt: skip
    detail = await owner.fetchval("select detail from audit_event where kind = 'case_decided' and code = 'reversed'")
    assert {name: count for name, count in detail["split"][0].items() if isinstance(count, int)} == {
        "person": person, "split_off": detail["split"][0]["split_off"],
        "consents_withdrawn": 2, "cards_taken_back": 1, "reference_numbers_taken_back": 1,
    }  # fmt: skip
    assert (await counter.verify(later)).json()["code"] == "card_not_registered"
    assert (await counter.http.get(medicines, headers=reading)).status_code == 403
    await owner.execute("select set_config('eligibility.verification', $1, false)", visit)
    await owner.execute("select set_config('eligibility.institution', $1, false)", INSTITUTION)
    assert await owner.fetchval("select consented_person('medication')") is None  # the second wall, too

    # Whose it is, the next use at a counter tells.
    assert _shown(await counter.number(**NUMBER, birth_date="1967-03-03")) == ("佐藤　太郎", None)
    assert (await _number_patient(counter)).status_code == 200
    assert (await _register(counter, later)).json()["already_registered"] is False
    assert _shown(await counter.verify(later)) == ("佐藤　太郎", "[P]-1")
    # What is from before the mistake stays.
    assert _shown(await counter.verify(earlier)) == ("髙橋　花子", None)
    assert (await counter.http.get(medicines.replace(visit, before), headers=reading)).status_code == 200
    elsewhere = await world.terminal(OTHER_INSTITUTION)
    assert _shown(await elsewhere.verify(earlier)) == ("髙橋　花子", "P-0")


async def test_a_registration_that_meets_a_reversal_waits_and_looks_again_whose_it_is(
    case: int, owner: Any, payer: Any, world: World, counter: Counter
) -> None:
    await release(owner, case, _decided())
    await counter.number(**NUMBER, birth_date="1967-03-03")
    card = world.card()
    async with payer.transaction():
        (made,) = await reverse(payer, case, (), _decided())
        registering = [asyncio.create_task(_register(counter, card)), asyncio.create_task(_number_patient(counter))]
        await until_waiting(owner, 2)
    answers = await asyncio.gather(*registering)

    assert [answer.json()["code"] for answer in answers] == ["holder_not_found", "patient_not_checked"]
    assert (await _register(counter, card)).status_code == 201
    assert await owner.fetchval("select person_id from card where card_key = $1", card_key(card)) == made.split_off


async def test_a_registration_that_meets_a_merge_of_another_linkage_code_looks_again_whose_it_is(
    owner: Any, payer: Any, take_in: Any, write: Any, record: Any, world: World, counter: Counter
) -> None:
    case = await _moved_to_another_code(owner, take_in, write, record)
    await counter.number(**NUMBER, birth_date="1967-03-03")
    card = world.card()
    async with payer.transaction():
        await release(payer, case, _decided())
        registering = [asyncio.create_task(_register(counter, card)), asyncio.create_task(_number_patient(counter))]
        await until_waiting(owner, 2)
    answers = await asyncio.gather(*registering)

    assert [answer.json()["code"] for answer in answers] == ["holder_not_found", "patient_not_checked"]
    assert (await _register(counter, card)).status_code == 201
    assert _shown(await counter.verify(card)) == ("佐藤　太郎", None)


async def test_a_registration_that_would_wait_long_is_told_to_try_again_and_does_nothing(
    owner: Any, take_in: Any, write: Any, record: Any, world: World, counter: Counter, monkeypatch: Any, capsys: Any
) -> None:
    await take_in(write(record(1, **STATED_BY_OTHER)), insurer=OTHER)
    await counter.number(**NUMBER, birth_date="1967-03-03")
    card = world.card()
    proof = counter.proof(card, await counter.challenge())
    with monkeypatch.context() as patch:
        patch.setattr(registrations, "LONGEST_LOCK_WAIT_MS", 50)
        async with owner.transaction():
            await owner.execute("select hold_registrations()")
            answers = await asyncio.gather(_register(counter, card, proof), _number_patient(counter))

    assert capsys.readouterr().out.count("LockNotAvailableError") == 2  # and not what ends a statement that hangs
    assert [(a.status_code, a.json()["code"], "retry-after" in a.headers) for a in answers] == [(503, "busy", True)] * 2
    answers = await asyncio.gather(_register(counter, card, proof), _number_patient(counter))
    assert [answer.status_code for answer in answers] == [201, 200]


@pytest.mark.parametrize("released", [True, False])
async def test_cards_and_numbers_are_registered_while_a_merge_that_takes_back_waits_for_its_turn_to_end(
    released: bool, owner: Any, payer: Any, take_in: Any, write: Any, record: Any, world: World, counter: Counter,
    database: str,
) -> None:  # fmt: skip
    case = await _moved_to_another_code(owner, take_in, write, record)
    await counter.number(**NUMBER, birth_date="1967-03-03")
    card = world.card()
    another_merge, watch = await connect(database), await connect(database)
    async with another_merge.transaction():
        await another_merge.execute("select pg_advisory_xact_lock(2, 0)")
        cancelled = write(record(1, レコード種別="3", 紐付番号="LK-FORMER", **STATED_BY_OTHER))
        merging = release(payer, case, _decided()) if released else take_in(cancelled, insurer=OTHER)
        waiting = asyncio.create_task(merging)
        await until_waiting(watch, 1)
        registered = await asyncio.gather(_register(counter, card), _number_patient(counter))
        assert [answer.status_code for answer in registered] == [201, 200]
    await waiting
    for connection in (another_merge, watch):
        await connection.close()

    # What was registered meanwhile is taken back with what was there before.
    assert (await counter.verify(card)).json()["code"] == "card_not_registered"
    assert await owner.fetchval("select count(*) from reference_number") == 0


async def test_the_coverage_that_was_known_first_can_be_the_wrong_one(case: int, owner: Any) -> None:
    (known,) = await owner.fetch(CURRENT)

    (made,) = await reverse(owner, case, (known["coverage_id"],), _decided())

    assert (await owner.fetch(CURRENT))[0]["person_id"] == made.split_off != known["person_id"]


async def test_a_case_of_which_what_was_known_first_is_split_off_stays_open_for_the_record_it_keeps(
    case: int, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    (known,) = await owner.fetch(CURRENT)
    (made,) = await reverse(owner, case, (known["coverage_id"],), _decided())

    assert await release(owner, case, _decided()) == 1

    first, kept = await owner.fetch(CURRENT)
    assert (first["person_id"], kept["person_id"]) == (made.split_off, known["person_id"])
    assert (kept["name"], kept["linkage_code"]) == ("佐藤　太郎", "LK-00000001")
    codes = await owner.fetch("select code from audit_event where kind = 'case_decided' order by event_id")
    assert [row["code"] for row in codes] == ["reversed", "released"]
    mine, others = await take_in(write(record(8))), await take_in(write(record(9, 保険者番号=OTHER)), insurer=OTHER)
    assert [code for _, code in mine.codes] == ["mislink_elsewhere", "split_off"]
    assert [code for _, code in others.codes] == ["case_closed"]

    # That it was put in was a mistake, too: nobody of the three is the same person.
    (again,) = await reverse(owner, case, (), _decided())

    assert again.coverages == (kept["coverage_id"],)
    assert len({known["person_id"], made.split_off, again.split_off}) == 3
    assert await owner.fetchval("select state from mislink_case") == "reversed"


@pytest.mark.parametrize("decided", [None, "rejected", "reversed"])
async def test_the_very_file_of_a_case_is_looked_at_again_once_it_was_decided_against_its_records(
    case: int, owner: Any, take_in: Any, write: Any, record: Any, decided: str | None
) -> None:
    if decided == "rejected":
        await reject(owner, case, _decided())
    elif decided:
        await release(owner, case, _decided())
        await reverse(owner, case, (), _decided())

    for _ in range(2):  # the second time the new case is open, and the file a repeat
        loaded = await take_in(write(record(1, 保険者番号=OTHER, **KEPT)), insurer=OTHER)
        assert (1, "mislink_suspected") in loaded.codes

    states = await owner.fetch("select state from mislink_case order by case_id")
    assert [row["state"] for row in states] == [*([decided] if decided else []), "open"]


async def test_the_very_file_of_a_rejected_case_is_merged_once_what_spoke_against_it_was_put_right(
    case: int, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    await reject(owner, case, _decided())
    await take_in(write(record(1, レコード種別="3")))

    loaded = await take_in(write(record(1, 保険者番号=OTHER, **KEPT)), insurer=OTHER)

    assert loaded.counts == (1, 0, 1, 0)
    assert [row["name"] for row in await owner.fetch(CURRENT)] == ["佐藤　太郎"]


async def test_two_reversals_that_concern_the_same_insurers_do_not_wait_for_each_other_in_a_circle(
    case: int, take_in: Any, write: Any, record: Any, owner: Any, database: str
) -> None:
    # Each case is one insurer's, and each time the coverage that is split off is the other insurer's.
    await take_in(write(record(2, 保険者番号=OTHER)), insurer=OTHER)
    await take_in(write(record(2, 資格取得日="20250401", **SOMEBODY)))
    second = await owner.fetchval("select max(case_id) from mislink_case")
    known = "select coverage_id from coverage c join person p using (person_id) where p.linkage_code = $1"
    wrong = [await owner.fetchval(known, f"LK-0000000{number}") for number in (1, 2)]
    holder, one, other = [await connect(database) for _ in range(3)]
    try:
        async with holder.transaction():
            # The first reversal waits at its case's row, while the second takes what locks it can.
            await holder.execute("select from mislink_case where case_id = $1 for update", case)
            reversals = [asyncio.create_task(reverse(one, case, wrong[:1], _decided()))]
            await until_waiting(owner, 1)
            reversals.append(asyncio.create_task(reverse(other, second, wrong[1:], _decided())))
            await until_waiting(owner, 2)
        made = await asyncio.gather(*reversals)
    finally:
        for connection in (holder, one, other):
            await connection.close()

    assert [reversal.coverages for (reversal,) in made] == [(wrong[0],), (wrong[1],)]


@pytest.mark.parametrize("coverages", [(), (999_999,)])
async def test_a_reversal_without_a_coverage_of_the_case_is_refused(
    case: int, owner: Any, coverages: tuple[int, ...]
) -> None:
    with pytest.raises(DecisionRefused):
        await reverse(owner, case, coverages, _decided())


@pytest.mark.parametrize(
    ("kind", "loss", "left"),
    [("2", {"資格喪失日": "20260401", "喪失事由": "01"}, 1), ("3", {}, 0)],
)
async def test_a_split_coverage_can_be_ended_and_cancelled_by_its_insurer(
    case: int, owner: Any, take_in: Any, write: Any, record: Any, kind: str, loss: dict[str, str], left: int
) -> None:
    await release(owner, case, _decided())
    await reverse(owner, case, (), _decided())
    ending = record(
        1, レコード種別=kind, 保険者番号=OTHER, 資格取得日="20250401", 紐付番号="LK-RIGHT", **SOMEBODY, **loss
    )
    stranger = ending | {"生年月日": "3420304"}

    assert (await take_in(write(stranger), insurer=OTHER)).counts == (1, 1, 0, 0)
    assert (await take_in(write(ending), insurer=OTHER)).counts == (1, 0, 1, 0)

    current = "select lost_on from coverage where insurer_number = $1 and known_to = 'infinity'"
    found = await owner.fetch(current, OTHER)
    assert [str(row["lost_on"]) for row in found] == ["2026-04-01"] * left


async def test_both_insurers_are_told_of_days_that_a_release_covers_twice(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    married = {"氏名": "佐藤　花子", "氏名カナ": "ｻﾄｳ ﾊﾅｺ"}
    await take_in(write(record(1, 保険者番号=OTHER, 資格取得日="20250401", **married)), insurer=OTHER)

    await release(owner, await owner.fetchval("select case_id from mislink_case"), _decided())

    one, other = await take_in(write(record(2))), await take_in(write(record(3, 保険者番号=OTHER)), insurer=OTHER)
    for loaded, elsewhere in ((one, OTHER), (other, "06130512")):
        assert [elsewhere in f["expected"] for f in loaded.faults if f["code"] == "covered_elsewhere"] == [True]


async def test_the_right_linkage_code_brings_a_split_coverage_to_its_person(
    case: int, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    await release(owner, case, _decided())
    await reverse(owner, case, (), _decided())

    right = record(1, 保険者番号=OTHER, 資格取得日="20250401", 紐付番号="LK-RIGHT", **SOMEBODY, **LIMIT)
    loaded = await take_in(write(right), insurer=OTHER)

    assert loaded.counts == (1, 0, 1, 0)
    assert [row["linkage_code"] for row in await owner.fetch(CURRENT)] == ["LK-00000001", "LK-RIGHT"]


async def test_a_card_of_a_split_person_is_registered_anew_once_the_right_linkage_code_is_stated(
    case: int, owner: Any, take_in: Any, write: Any, record: Any, world: World, counter: Counter
) -> None:
    await release(owner, case, _decided())
    await reverse(owner, case, (), _decided())
    card, asked = world.card(), NUMBER | {"birth_date": "1967-03-03"}
    await counter.number(**asked)
    assert ((await _register(counter, card)).status_code, (await _number_patient(counter)).status_code) == (201, 200)

    right = record(1, 保険者番号=OTHER, 資格取得日="20250401", 紐付番号="LK-RIGHT", **SOMEBODY)
    assert (await take_in(write(right), insurer=OTHER)).counts == (1, 0, 1, 0)

    assert (await counter.verify(card)).json()["code"] == "card_not_registered"
    assert _shown(await counter.number(**asked)) == ("佐藤　太郎", None)
    assert ((await _register(counter, card)).status_code, (await _number_patient(counter)).status_code) == (201, 200)
    assert _shown(await counter.verify(card)) == ("佐藤　太郎", "[P]-1")


async def _keep_everything(owner: Any, world: World, counter: Counter, card: Any) -> str:
    """Let a counter register somebody's card and chart number and hold a consent; return the visit."""
    await counter.number(**NUMBER, birth_date="1967-03-03")
    assert ((await _register(counter, card)).status_code, (await _number_patient(counter)).status_code) == (201, 200)
    visit: str = (await counter.verify(card, consents=["medication"])).json()["verification_id"]
    return visit


async def _consents_in_force(owner: Any, visit: str) -> int:
    found: int = await owner.fetchval(
        "select count(*) from consent where verification_id = $1::text::uuid and withdrawn_at is null", visit
    )
    return found


@pytest.mark.parametrize("stated_by_another", [True, False])
async def test_what_counters_kept_by_a_wrong_linkage_code_goes_when_a_file_states_the_right_one(
    stated_by_another: bool, owner: Any, take_in: Any, write: Any, record: Any, world: World, counter: Counter
) -> None:
    if stated_by_another:  # a namesake, born on the same day, whose code the insurer states by mistake
        await take_in(write(record(7, 記号="99", 紐付番号="LK-WRONG", **SOMEBODY)))
    mistaken = record(1, 保険者番号=OTHER, 資格取得日="20250401", 紐付番号="LK-WRONG", **SOMEBODY)
    await take_in(write(mistaken), insurer=OTHER)
    wrong = await owner.fetchval("select person_id from person where linkage_code = 'LK-WRONG'")
    earlier, later = world.card("earlier"), world.card("later")
    await world.register(earlier, wrong)
    await owner.execute("update card set registered_at = registered_at - interval '1 hour'")
    visit = await _keep_everything(owner, world, counter, later)

    loaded = await take_in(write(mistaken | {"紐付番号": "LK-RIGHT"}), insurer=OTHER)

    assert loaded.counts == (1, 0, 1, 0)
    assert (await counter.verify(later)).json()["code"] == "card_not_registered"
    assert await _consents_in_force(owner, visit) == 0
    assert await owner.fetchval("select count(*) from reference_number") == 0
    # What is from before the mistake is the namesake's; where nobody else is, it would open nothing.
    assert await owner.fetchval("select count(*) from card") == stated_by_another
    event = await owner.fetchrow("select code, actor, detail from audit_event where kind = 'taken_back'")
    taken = {"person": wrong, "consents_withdrawn": 1, "cards_taken_back": 2 - stated_by_another}
    assert (event["code"], event["actor"]) == ("coverage_left", OTHER)
    assert event["detail"] == {"persons": [taken | {"reference_numbers_taken_back": 1}]}


async def test_who_is_stated_anew_after_a_cancellation_registers_card_and_number_anew(
    owner: Any, take_in: Any, write: Any, record: Any, world: World, counter: Counter
) -> None:
    await take_in(write(record(1, 紐付番号="LK-WRONG", **STATED_BY_OTHER)), insurer=OTHER)
    card = world.card()
    await _keep_everything(owner, world, counter, card)

    await take_in(write(record(1, レコード種別="3", 紐付番号="LK-WRONG", **STATED_BY_OTHER)), insurer=OTHER)
    assert (await counter.verify(card)).json()["code"] == "card_not_registered"
    await take_in(write(record(1, 紐付番号="LK-RIGHT", **STATED_BY_OTHER)), insurer=OTHER)

    await _keep_everything(owner, world, counter, card)
    assert _shown(await counter.verify(card)) == ("佐藤　太郎", "[P]-1")


async def test_a_coverage_cancelled_beside_another_leaves_what_counters_kept(
    owner: Any, take_in: Any, write: Any, record: Any, world: World, counter: Counter
) -> None:
    fields = {"紐付番号": "LK-RIGHT"} | SOMEBODY
    await take_in(write(record(1, 保険者番号=OTHER, 資格取得日="20250401", **fields)), insurer=OTHER)
    await take_in(write(record(7, 記号="99", 資格取得日="20200401", 資格喪失日="20250401", 喪失事由="01", **fields)))
    card = world.card()
    visit = await _keep_everything(owner, world, counter, card)

    loaded = await take_in(write(record(7, レコード種別="3", 記号="99", 資格取得日="20200401", **fields)))

    assert loaded.counts == (1, 0, 1, 0)
    assert _shown(await counter.verify(card)) == ("佐藤　太郎", "[P]-1")
    assert await _consents_in_force(owner, visit) == 1
    assert await owner.fetchval("select count(*) from audit_event where kind = 'taken_back'") == 0


async def test_a_coverage_that_was_put_to_other_persons_is_followed_since_it_was_known(
    case: int, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    await release(owner, case, _decided())
    right, wrong = await owner.fetch(CURRENT)
    known_at = await owner.fetchval("select clock_timestamp()")
    await reverse(owner, case, (), _decided())
    suspended = record(1, 保険者番号=OTHER, 資格取得日="20250401", 紐付番号="LK-RIGHT", 閲覧抑止="1", **SOMEBODY)
    await take_in(write(suspended), insurer=OTHER)

    number = InsuredNumber.parse(OTHER, "12", "0000001", "01")
    asked = NumberAsked(number, date(1967, 3, 3), known_at, InstitutionCode("1311234567"), wrong["coverage_id"])
    [rows] = await rows_of_numbers(owner, [asked])
    found = matches_of(rows)

    present = {(c.coverage_id, c.name, c.viewing_suspended) for c in (*found.asked, *found.others)}
    assert present == {(right["coverage_id"], "髙橋　花子", False), (wrong["coverage_id"], "佐藤　太郎", True)}


async def test_the_wrong_linkage_code_again_opens_a_case_again(
    case: int, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    await release(owner, case, _decided())
    await reverse(owner, case, (), _decided())

    wrong = record(1, 保険者番号=OTHER, 資格取得日="20250401", 住所="x", **SOMEBODY, **LIMIT)
    loaded = await take_in(write(wrong), insurer=OTHER)

    assert (1, "mislink_suspected") in loaded.codes
    assert await owner.fetchval("select count(*) from mislink_case where state = 'open'") == 1


@pytest.fixture
async def split_off(take_in: Any, write: Any, record: Any, owner: Any) -> int:
    """The person split from the one of whom nothing is stated any more: an insurer's own correction was none."""
    await take_in(write(record(1)))
    await take_in(write(record(1, **SOMEBODY)))
    case = await owner.fetchval("select case_id from mislink_case")
    await release(owner, case, _decided())
    (made,) = await reverse(owner, case, (), _decided())
    return made.split_off


async def test_a_coverage_that_was_split_off_is_put_back_by_an_operator_alone(
    split_off: int, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    right = record(3, 紐付番号="LK-00000001", 資格喪失日="20240501", 喪失事由="01")

    loaded = await take_in(write(record(1, **SOMEBODY), right))

    assert (1, "mislink_suspected") in loaded.codes
    assert "相違: 紐付番号" in loaded.faults[0]["expected"]
    assert loaded.counts == (2, 1, 1, 0)  # what is kept is nothing that the other could disagree with
    (wrong, _) = await owner.fetch(CURRENT)
    assert (wrong["name"], wrong["person_id"]) == ("佐藤　太郎", split_off)


async def test_nor_is_it_put_back_because_another_insurer_states_a_namesake_there(
    split_off: int, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    await take_in(write(record(1, 保険者番号=OTHER, 資格取得日="20200401", **SOMEBODY)), insurer=OTHER)

    loaded = await take_in(write(record(1, 住所="大阪府", **SOMEBODY)))

    assert (1, "mislink_suspected") in loaded.codes
    assert (await owner.fetch(CURRENT))[0]["person_id"] == split_off
    case = await owner.fetchval("select case_id from mislink_case where state = 'open'")
    assert await release(owner, case, _decided()) == 1
    assert {row["linkage_code"] for row in await owner.fetch(CURRENT)} == {"LK-00000001"}


@pytest.mark.parametrize(
    ("kind", "loss", "left"), [("2", {"資格喪失日": "20260401", "喪失事由": "01"}, 1), ("3", {}, 0)]
)
async def test_the_end_of_a_split_coverage_supersedes_what_would_put_it_back(
    split_off: int, owner: Any, take_in: Any, write: Any, record: Any, kind: str, loss: dict[str, str], left: int
) -> None:
    await take_in(write(record(1, 住所="大阪府", **SOMEBODY)))

    assert (await take_in(write(record(1, レコード種別=kind, **SOMEBODY, **loss)))).counts == (1, 0, 1, 0)

    states = await owner.fetch("select state from mislink_case order by case_id")
    assert [row["state"] for row in states] == ["reversed", "superseded"]
    found = await owner.fetch("select lost_on, person_id from coverage where known_to = 'infinity'")
    assert [tuple(row) for row in found] == [(date(2026, 4, 1), split_off)] * left


async def test_a_loss_of_a_split_coverage_that_is_put_off_covers_no_day_of_the_former_person_twice(
    case: int, owner: Any, take_in: Any, write: Any, record: Any
) -> None:
    await release(owner, case, _decided())
    await reverse(owner, case, (), _decided())
    lost = record(1, レコード種別="2", 保険者番号=OTHER, 資格取得日="20250401", 喪失事由="01", **SOMEBODY)
    await take_in(write(lost | {"資格喪失日": "20260401"}), insurer=OTHER)

    loaded = await take_in(write(lost | {"資格喪失日": "20260901"}), insurer=OTHER)

    assert (loaded.counts, loaded.codes) == ((1, 0, 1, 0), [])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["cases"], 0, "mismatch"),
        (["cases", "show", "{case}"], 0, "佐藤"),
        (["cases", "--state", "rejected"], 0, "事案"),
        (["cases", "reject", "{case}", "--by", "operator", "--reason", "x"], 0, "Rejected"),
        (["cases", "release", "{case}", "--by", "operator", "--reason", "x"], 0, "Released"),
        (["cases", "reverse", "{case}", "--coverage", "{known}", "--by", "operator", "--reason", "x"], 0, "still open"),
        (["cases", "show", "999"], 2, "no such case"),
        (["cases", "shown", "999", "--by", "operator", "--reason", "x"], 2, "no such case"),
        (["cases", "shown", "{case}"], 64, "--reason"),
        (["cases", "release", "999", "--by", "operator", "--reason", "x"], 2, "no such case"),
        (["cases", "reject", "{case}", "--by", " ", "--reason", "x"], 64, "empty"),
        (["cases", "reject", "{case}", "--by", "operator"], 64, "--reason"),
        (["cases", "reject", "{case}", "--by", "operator", "--reason", "1234 5678 9018"], 64, "My Number"),
        (["cases", "show", "9223372036854775808"], 64, "no such number"),
        (["cases", "show", "0"], 64, "no such number"),
        (["cases", "--insurer", "0613051"], 64, "8 digits"),
        (["submissions", "--limit", "0"], 64, "no such number"),
        (["submissions"], 0, "merged"),
        (["submissions", "--state", "held"], 0, "提出"),
        (["approve", "01234567-89ab-7def-8123-456789abcdef", "--by", "operator", "--reason", "x"], 2, "not held"),
        (["reject", "no-id", "--by", "operator", "--reason", "x"], 64, "submission"),
    ],
)
async def test_the_commands_say_what_they_did(
    case: int, owner: Any, database: str, monkeypatch: Any, capsys: Any, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.setenv("INTAKE_DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "200")

    known = await owner.fetchval("select coverage_id from coverage")
    given = [argument.format(case=case, known=known) for argument in arguments]
    assert await asyncio.to_thread(main, given) == code

    told = capsys.readouterr()
    assert said in told.out + told.err


async def test_what_insurers_wrote_is_shown_as_it_is(
    take_in: Any, write: Any, record: Any, owner: Any, database: str, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setenv("INTAKE_DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "200")
    await take_in(write(record(1)), stated={"file_name": "[/b] 全件 [red].csv"})
    await take_in(write(record(1, **SOMEBODY | {"氏名": "[/i]:boy:"})))
    case = await owner.fetchval("select case_id from mislink_case")

    assert await asyncio.to_thread(main, ["submissions"]) == 0
    assert "[/b] 全件 [red].csv" in capsys.readouterr().out
    assert await asyncio.to_thread(main, ["cases", "show", str(case)]) == 0
    assert "[/i]:boy:" in capsys.readouterr().out


def _in_japan(moment: datetime) -> str:
    return f"{moment.astimezone(UTC) + timedelta(hours=9):%Y-%m-%d %H:%M:%S}+09:00"


async def _listed(capsys: Any, *command: str) -> tuple[list[str], str]:
    """Run a command; return the first cell of each row that has one, and everything it said."""
    assert await asyncio.to_thread(main, [*command]) == 0
    told: str = capsys.readouterr().out
    return re.findall(r"^│ ([-0-9a-f]+) +│", told, re.MULTILINE), told


async def test_open_cases_come_first_and_the_oldest_of_them(
    case: int, owner: Any, database: str, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setenv("INTAKE_DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "200")
    rejected, second, latest, mine = [
        str(await owner.fetchval(
            "insert into mislink_case (opened_at, submission_id, insurer_number, lead_record, kind, state)"
            " select opened_at, submission_id, $1, $2, kind, $3 from mislink_case where case_id = $4 returning case_id",
            insurer, lead, state, case,
        ))
        for lead, (insurer, state) in enumerate(
            [(OTHER, "rejected"), (OTHER, "open"), (OTHER, "released"), ("06130512", "open")], start=100
        )
    ]  # fmt: skip
    first = str(case)

    assert (await _listed(capsys, "cases"))[0] == [first, second, mine, latest, rejected]
    assert (await _listed(capsys, "cases", "--insurer", "06130512"))[0] == [mine]
    assert (await _listed(capsys, "cases", "--state", "open", "--insurer", OTHER))[0] == [first, second]
    ids, told = await _listed(capsys, "cases", "--limit", "2")
    assert ids == [first, second]
    assert "3 more" in told
    ids, told = await _listed(capsys, "cases", "--limit", "5")
    assert (len(ids), "more" in told) == (5, False)


async def test_held_files_come_first_however_many_came_after_them(
    insurers: tuple[str, ...], owner: Any, database: str, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setenv("INTAKE_DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "200")
    state = (
        "insert into submission (submission_id, insurer_number, layout, edition, kind, file_name, content_length,"
        " content_digest, stated_records, state, created_at)"
        " select gen_random_uuid(), $1, 'eligibility', 1, 'full', 'x.csv', 1, sha256(''), 1, $2,"
        " timestamptz '2026-04-01' + n * interval '1 hour' from generate_series($3::int, $4::int) n"
        " order by n returning submission_id::text"
    )
    held = [row[0] for insurer in insurers for row in await owner.fetch(state, insurer, "held", 1, 1)]
    merged = [row[0] for row in await owner.fetch(state, insurers[0], "merged", 2, 110)]
    latest = [row[0] for row in await owner.fetch(state, insurers[1], "held", 111, 111)]

    ids, told = await _listed(capsys, "submissions")

    assert (set(ids[:2]), ids[2:]) == (set(held), latest + merged[:11:-1])
    assert (len(ids), "12 more" in told) == (100, True)
    assert (await _listed(capsys, "submissions", "--insurer", insurers[1]))[0] == [held[1], *latest]
    assert (await _listed(capsys, "submissions", "--limit", "112"))[0][-1] == merged[0]


COMMANDS = (["cases"], ["submissions"], ["drugs", "load", str(MASTER)])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        (None, 3, "is needed"),
        ("", 3, "is needed"),
        ("postgresql://localhost:1/x", 4, "is away"),
        ("foo", 3, "no address"),
        ("postgresql://payer:s3cr#t@localhost/x", 3, "no address"),
        ("postgresql://payer:s3cret@[::1/x", 3, "no address"),
        (f"postgresql://payer:s3cret@{'h' * 64}/x", 3, "no address"),
    ],
)
def test_a_command_says_that_it_has_no_database(
    monkeypatch: Any, capsys: Any, command: list[str], url: str | None, code: int, said: str
) -> None:
    monkeypatch.delenv("INTAKE_DATABASE_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("INTAKE_DATABASE_URL", url)

    assert main(command) == code
    told = capsys.readouterr()
    assert said in told.err
    assert "s3cr" not in told.err + told.out


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_does_not_work_on_a_database_that_could_lose_it(
    owner: Any, database: str, monkeypatch: Any, capsys: Any, command: list[str]
) -> None:
    await owner.execute(
        "create schema unsafe; grant usage on schema unsafe to public;"
        "create function unsafe.current_setting(text) returns text return 'off';"
    )
    name = await owner.fetchval("select current_database()")
    await owner.execute(f"alter role {ROLE} in database {name} set search_path = unsafe, pg_catalog, public")
    monkeypatch.setenv("INTAKE_DATABASE_URL", database)

    assert await asyncio.to_thread(main, command) == 3
    assert "fsync" in capsys.readouterr().err


async def test_a_command_says_that_the_database_went_away_midway(
    case: int, owner: Any, database: str, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setenv("INTAKE_DATABASE_URL", database)
    command = ["cases", "reject", str(case), "--by", "operator", "--reason", "x"]
    holder = await connect(database)
    try:
        async with holder.transaction():
            await holder.execute("select from mislink_case where case_id = $1 for update", case)
            rejected = asyncio.create_task(asyncio.to_thread(main, command))
            await until_waiting(owner, 1)
            await owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = $1 and datname = current_database()",
                ROLE,
            )
            assert await rejected == 4
    finally:
        await holder.close()

    assert "went away" in capsys.readouterr().err
    assert await owner.fetchval("select state from mislink_case") == "open"


async def test_a_database_of_another_release_or_only_to_be_read_is_named(
    case: int, database: str, running_stores: Stores, monkeypatch: Any, capsys: Any
) -> None:
    command = ["cases", "reject", str(case), "--by", "operator", "--reason", "x"]
    read_only = f"{database}{'&' if '?' in database else '?'}default_transaction_read_only=on"
    for address, code, said in (
        (running_stores.database_url, 3, "is not that of this release"),
        (read_only, 4, "can only be read"),
    ):
        monkeypatch.setenv("INTAKE_DATABASE_URL", address)
        assert await asyncio.to_thread(main, command) == code
        assert said in capsys.readouterr().err
