"""Medication and check-ups reach the staff who may see them, of a patient who agreed, and nobody else."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from eligibility.domain.codes import ConsentClass, Role
from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.database import connect
from eligibility.storage.medical import consented_checkups, consented_medicines, consented_treatments, disclosure_facts
from loadtest.pki import KeyPair
from tests.integration.eligibility.world import INSTITUTION, INSURER, OTHER_INSTITUTION, Counter, World

ALL = [wanted.value for wanted in ConsentClass]


def today() -> date:
    return day_in_japan(datetime.now(UTC))


@dataclass(frozen=True)
class Visit:
    """A patient with a card, verified at a counter."""

    person: int
    card: KeyPair
    verification_id: str

    def medications(self) -> str:
        return f"/v1/verifications/{self.verification_id}/medications"

    def checkups(self) -> str:
        return f"/v1/verifications/{self.verification_id}/checkups"

    def treatments(self) -> str:
        return f"/v1/verifications/{self.verification_id}/treatments"

    def consent(self, wanted: str) -> str:
        return f"/v1/verifications/{self.verification_id}/consents/{wanted}"


async def visit(world: World, counter: Counter, consents: list[str] = ALL, **coverage: Any) -> Visit:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    await world.coverage(person, **coverage)
    answer = await counter.verify(card, consents=consents)
    assert answer.status_code == 200, answer.text
    return Visit(person, card, answer.json()["verification_id"])


def months_before(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 15)


async def doctor(world: World, counter: Counter, role: Role = Role.DOCTOR) -> dict[str, str]:
    return await counter.token(await world.staff(role))


async def test_medicines_come_latest_first_with_name_ingredient_and_where_from(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.drug()
    await world.medicine(was.person, medicine_on=today() - timedelta(days=40), comment="１日１回　朝食後")
    await world.medicine(
        was.person, medicine_on=today() - timedelta(days=3), drug_code="629999999", drug_known=False, drug_name=None,
        unit=None, quantity=None, kind="medical", institution_name="別の医院", institution_code=OTHER_INSTITUTION,
    )  # fmt: skip

    answer = await counter.http.get(was.medications(), headers=await doctor(world, counter))

    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["verification_id"] == was.verification_id
    assert body["through_month"] == f"{today():%Y-%m}"
    assert body["from_month"] == f"{today().year - 3}-{today():%m}"
    unknown, known = body["medicines"]
    assert (known["drug_name"], known["ingredient"], known["unit"]) == ("アサガオ錠５ｍｇ", "9991001", "錠")
    assert (Decimal(known["quantity"]), known["days_or_times"]) == (Decimal("1.5"), 14)
    assert (known["kind"], known["institution_name"], known["comment"]) == (
        "dispensing",
        "試験薬局",
        "１日１回　朝食後",
    )
    assert (unknown["drug_code"], unknown["drug_known"], unknown["drug_name"]) == ("629999999", False, None)
    assert (unknown["institution_name"], unknown["quantity"], unknown["ingredient"]) == ("別の医院", None, None)


async def test_a_name_that_the_master_learned_later_is_shown(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.medicine(was.person, drug_known=False, drug_name=None, unit=None)
    await world.drug()
    answer = await counter.http.get(was.medications(), headers=await doctor(world, counter))
    (medicine,) = answer.json()["medicines"]
    assert (medicine["drug_name"], medicine["unit"], medicine["drug_known"]) == ("アサガオ錠５ｍｇ", "錠", True)


async def test_checkups_come_latest_first_with_names_and_ranges(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.checkup(was.person, today() - timedelta(days=400), {"value": "26.1", "flag": "H"})
    later = {"item_code": "9N736000000000011", "result_kind": "CD", "value": "2", "value_name": "いいえ", "unit": ""}
    unranged = {"low": None, "high": None, "flag": None}
    unknown = {"item_code": "9Z999000000000049", "result_kind": "ST", "value": "字", "unit": ""}
    await world.checkup(was.person, today() - timedelta(days=30), later | unranged, unknown | unranged)

    body = (await counter.http.get(was.checkups(), headers=await doctor(world, counter))).json()

    assert [c["performed_on"] for c in body["checkups"]] == [
        (today() - timedelta(days=days)).isoformat() for days in (30, 400)
    ]
    new, old = body["checkups"]
    assert (old["insurer_number"], old["insurer_name"]) == (INSURER, f"保険者{INSURER}")
    (index,) = old["items"]
    assert (index["name_ja"], index["value"], index["unit"], index["flag"]) == ("BMI", "26.1", "kg/m2", "H")
    assert (Decimal(index["low"]), Decimal(index["high"])) == (Decimal("18.5"), Decimal("24.9"))
    assert [(i["name_en"], i["value_name"]) for i in new["items"]] == [("smoking", "いいえ"), (None, "")]


async def test_treatments_come_latest_month_first_in_the_claims_own_order(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    month = today().replace(day=1)
    earlier = months_before(today(), 2).replace(day=1)
    await world.treatment(was.person, care_month=earlier, days=[earlier + timedelta(days=8), earlier], times=2)
    device = {"record_type": "TO", "code": "710010001", "name": "検査器材", "quantity": Decimal("1.5"), "unit": "個"}
    await world.treatment(
        was.person, institution_code=OTHER_INSTITUTION, institution_name="別の病院", days=[], times=None, **device
    )
    body = (await counter.http.get(was.treatments(), headers=await doctor(world, counter))).json()
    assert (body["from_month"], body["through_month"]) == (f"{today().year - 3}-{today():%m}", f"{today():%Y-%m}")
    used, done = body["treatments"]
    assert (used["care_month"], used["days"], used["times"]) == (f"{month:%Y-%m}", [], None)
    assert (used["record"], used["name"], Decimal(used["quantity"]), used["unit"]) == (
        "TO",
        "検査器材",
        Decimal("1.5"),
        "個",
    )
    assert (used["institution_code"], used["institution_name"]) == (OTHER_INSTITUTION, "別の病院")
    assert (done["code"], done["service_class"], done["times"], done["name"]) == ("160008010", "60", 2, None)
    assert done["days"] == [earlier.isoformat(), (earlier + timedelta(days=8)).isoformat()]
    assert "points" not in done, "what was paid is no part of what was done"


@pytest.mark.parametrize(
    ("role", "consents", "code"),
    [
        (Role.CLERK, ALL, "not_shown_role"),
        (Role.NURSE, ALL, "not_shown_role"),
        (Role.PHARMACIST, ALL, "not_shown_role"),
        (Role.DOCTOR, [], "not_shown_no_consent"),
        (Role.DOCTOR, ["medication", "checkup"], "not_shown_no_consent"),
    ],
)
async def test_treatments_are_for_a_doctor_whom_the_patient_allowed_it(
    role: Role, consents: list[str], code: str, world: World, counter: Counter
) -> None:
    was = await visit(world, counter, consents)
    await world.treatment(was.person)
    answer = await counter.http.get(was.treatments(), headers=await doctor(world, counter, role))
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert "160008010" not in answer.text
    detail = await world.owner.fetchval(
        "select detail from audit_event where kind = 'request_refused' order by event_id desc limit 1"
    )
    assert detail["class"] == "treatment"


async def test_treatments_that_are_corrected_or_anothers_or_too_old_are_not_shown(
    world: World, counter: Counter
) -> None:
    was = await visit(world, counter)
    other = await world.person()
    await world.treatment(was.person, known_to=datetime(2026, 2, 1, tzinfo=UTC))
    await world.treatment(None)
    await world.treatment(other)
    await world.treatment(was.person, care_month=months_before(today(), 37).replace(day=1))
    token = await doctor(world, counter)
    assert (await counter.http.get(was.treatments(), headers=token)).json()["treatments"] == []
    await counter.http.delete(was.consent("treatment"))
    refused = await counter.http.get(was.treatments(), headers=token)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_shown_withdrawn")


async def test_nothing_stated_is_an_empty_answer_and_no_refusal(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    token = await doctor(world, counter)
    assert (await counter.http.get(was.medications(), headers=token)).json()["medicines"] == []
    assert (await counter.http.get(was.checkups(), headers=token)).json()["checkups"] == []


async def test_what_is_corrected_or_nobodys_or_anothers_is_not_shown(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    other = await world.person()
    await world.medicine(was.person, known_to=datetime(2026, 2, 1, tzinfo=UTC), comment="corrected")
    await world.medicine(None, comment="nobody's")
    await world.medicine(other, comment="another's")
    await world.checkup(other, today() - timedelta(days=1), {})
    token = await doctor(world, counter)
    assert (await counter.http.get(was.medications(), headers=token)).json()["medicines"] == []
    assert (await counter.http.get(was.checkups(), headers=token)).json()["checkups"] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["2 months", "35 months"]),
        ("?from={1}&through={1}", []),
        ("?from={3}&through={1}", ["2 months"]),
        ("?through={20}", ["35 months"]),
        ("?from=1999-01", ["2 months", "35 months"]),
        ("?through=2999-12", ["2 months", "35 months"]),
    ],
)
async def test_months_narrow_what_is_shown_and_never_widen_it(
    query: str, expected: list[str], world: World, counter: Counter
) -> None:
    was = await visit(world, counter)
    ago = {months: months_before(today(), months) for months in (1, 2, 3, 20, 35, 40)}
    for months in (2, 35, 40):
        await world.medicine(was.person, medicine_on=ago[months], comment=f"{months} months")
    for number, month in ago.items():
        query = query.replace(f"{{{number}}}", f"{month:%Y-%m}")
    answer = await counter.http.get(was.medications() + query, headers=await doctor(world, counter))
    assert [m["comment"] for m in answer.json()["medicines"]] == expected


@pytest.mark.parametrize(
    "query",
    [
        "?from=2026-13",
        "?from=2026-1",
        "?from=",
        "?through=99999-01",
        "?from=2026-03&through=2026-02",
        "?from=2026-1-1",
    ],
)
async def test_a_month_that_is_none_is_refused(query: str, world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    answer = await counter.http.get(was.medications() + query, headers=await doctor(world, counter))
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")


async def test_what_was_shown_to_whom_is_on_record_before_it_leaves(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    member = await world.staff(Role.PHARMACIST)
    token = await counter.token(member)
    await counter.http.get(was.medications() + "?from=2026-01", headers=token)
    event = await world.owner.fetchrow(
        "select actor_kind, actor, code, person_id, verification_id, detail from audit_event where kind = 'disclosure'"
    )
    assert (event["actor_kind"], event["actor"], event["code"]) == ("staff", str(member.staff_id), "shown")
    assert (event["person_id"], str(event["verification_id"])) == (was.person, was.verification_id)
    assert event["detail"] == {
        "class": "medication", "role": "pharmacist", "terminal": str(counter.terminal_id), "from": "2026-01",
        "through": f"{today():%Y-%m}",
    }  # fmt: skip
    looks = await world.owner.fetch(
        "select staff_id, verification_id::text, class from disclosures_of($1, now() - interval '1 hour')", was.person
    )
    assert [tuple(look) for look in looks] == [(str(member.staff_id), was.verification_id, "medication")]


async def test_without_a_record_nothing_medical_leaves(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.medicine(was.person, comment="カナリア")
    token = await doctor(world, counter)
    await world.owner.execute(
        "create function disk_is_full() returns trigger language plpgsql as"
        " $$ begin raise exception 'no space' using errcode = 'disk_full'; end $$;"
        "create trigger full_disk before insert on audit_event for each row execute function disk_is_full()"
    )
    for url in (was.medications(), was.checkups()):
        answer = await counter.http.get(url, headers=token)
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert "カナリア" not in answer.text
    await world.owner.execute("drop trigger full_disk on audit_event")
    answer = await counter.http.get(was.medications(), headers=token)
    assert [m["comment"] for m in answer.json()["medicines"]] == ["カナリア"]


async def _refused(world: World, counter: Counter, was: Visit, role: Role = Role.DOCTOR) -> str:
    answer = await counter.http.get(was.medications(), headers=await doctor(world, counter, role))
    assert answer.status_code in (403, 503), answer.text
    assert "medicines" not in answer.text
    code = answer.json()["code"]
    event = await world.owner.fetchrow(
        "select code, person_id, verification_id, detail from audit_event"
        " where kind = 'request_refused' order by event_id desc limit 1"
    )
    assert (event["code"], event["person_id"], str(event["verification_id"])) == (code, was.person, was.verification_id)
    assert event["detail"]["class"] == "medication"
    return str(code)


async def test_a_clerk_sees_neither_medicines_nor_checkups(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.medicine(was.person)
    assert await _refused(world, counter, was, Role.CLERK) == "not_shown_role"


@pytest.mark.parametrize("consents", [[], ["checkup"], ["limit_certificate", "specific_disease", "treatment"]])
async def test_another_class_is_no_consent(consents: list[str], world: World, counter: Counter) -> None:
    was = await visit(world, counter, consents)
    await world.medicine(was.person)
    assert await _refused(world, counter, was) == "not_shown_no_consent"


async def test_a_consent_of_an_earlier_visit_does_not_open_a_later_one(world: World, counter: Counter) -> None:
    earlier = await visit(world, counter)
    later = await counter.verify(earlier.card)
    was = Visit(earlier.person, earlier.card, later.json()["verification_id"])
    assert await _refused(world, counter, was) == "not_shown_no_consent"


async def test_a_number_is_no_card(world: World, counter: Counter) -> None:
    person = await world.person()
    await world.coverage(person)
    answer = await counter.number()
    was = Visit(person, world.card(), answer.json()["verification_id"])
    assert await _refused(world, counter, was) == "not_shown_needs_card"


async def test_a_certificate_in_its_grace_gives_eligibility_and_nothing_medical(world: World, counter: Counter) -> None:
    now = datetime.now(UTC)
    person, card = (
        await world.person(),
        world.card(not_before=now - timedelta(days=900), not_after=now - timedelta(days=1)),
    )
    await world.register(card, person)
    await world.coverage(person)
    answer = (await counter.verify(card, consents=ALL)).json()
    assert answer["outcome"] == "valid"
    assert {c["consent_class"] for c in answer["consents"]} == {"limit_certificate", "specific_disease"}
    was = Visit(person, card, answer["verification_id"])
    assert await _refused(world, counter, was) == "not_shown_certificate_expired"
    # Not even when a consent turns up where there should be none.
    await world.owner.execute(
        "insert into consent (person_id, consent_id, class, institution_code, verification_id, given_at, expires_at)"
        " select person_id, $2, 'medication', institution_code, verification_id, occurred_at,"
        " occurred_at + interval '24 hours' from verification where verification_id = $1",
        answer["verification_id"], uuid4(),
    )  # fmt: skip
    assert await _refused(world, counter, was) == "not_shown_certificate_expired"


async def test_what_a_reading_reads_of_consents_does_not_grow_with_the_persons_visits(
    world: World, counter: Counter, database: str
) -> None:
    was = await visit(world, counter)
    await world.owner.execute(
        "insert into consent (person_id, consent_id, class, institution_code, verification_id, given_at, expires_at)"
        " select $1, gen_random_uuid(), class, $2, gen_random_uuid(), now(), now() + '1h'"
        " from generate_series(1, 1000), unnest($3::text[]) as class",
        was.person, INSTITUTION, ALL,
    )  # fmt: skip
    await world.owner.execute("analyze consent")
    asked = UUID(was.verification_id), InstitutionCode(INSTITUTION)
    reader = await connect(database, role="eligibility_counter")
    async with reader.transaction():
        for read in (consented_medicines, consented_checkups, consented_treatments):
            assert await read(reader, *asked, date(2020, 1, 1), today()) is not None
        facts = await disclosure_facts(reader, *asked)
        assert facts is not None
        assert len(facts.consents) == len(ALL)
        looked_at = await reader.fetchval(
            "select idx_tup_fetch + seq_tup_read from pg_stat_xact_user_tables where relname = 'consent'"
        )
    await reader.close()
    assert 0 < looked_at < 50


async def test_a_card_revoked_after_the_visit_shows_nothing_more(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    world.write_crl([was.card])
    world.app.state.centre.revocation.refresh(world.clock.now())
    assert await _refused(world, counter, was) == "not_shown_certificate_revoked"


async def test_with_stale_lists_nothing_medical_is_shown(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    world.clock.offset = timedelta(hours=2)
    member = await world.staff(Role.DOCTOR)
    token = await counter.token(member, world.clock.now())
    answer = await counter.http.get(was.medications(), headers=token)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_shown_revocation_unknown")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("viewing_suspended = true", "not_shown_suspended"),
        ("lost_on = acquired_on + 1", "not_shown_not_covered"),
        ("known_to = now()", "not_shown_not_covered"),
        ("acquired_on = current_date + 30", "not_shown_not_covered"),
    ],
)
async def test_what_insurers_say_since_counts_at_reading(
    change: str, code: str, world: World, counter: Counter
) -> None:
    was = await visit(world, counter)
    await world.owner.execute(f"update coverage set {change} where person_id = $1", was.person)  # noqa: S608
    assert await _refused(world, counter, was) == code


async def test_a_person_not_covered_then_is_not_shown_later(world: World, counter: Counter) -> None:
    was = await visit(world, counter, lost_on=date(2021, 1, 1))
    await world.coverage(was.person, number="9", acquired_on=date(2024, 1, 1))
    assert await _refused(world, counter, was) == "not_shown_not_covered"


@pytest.mark.parametrize(("ahead", "allowed"), [(timedelta(hours=24, minutes=-5), True), (timedelta(hours=24), False)])
async def test_a_consent_holds_for_24_hours(ahead: timedelta, allowed: bool, world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    world.clock.offset = ahead
    world.write_crl()
    world.app.state.centre.revocation.refresh(world.clock.now())
    token = await counter.token(await world.staff(Role.DOCTOR), world.clock.now())
    answer = await counter.http.get(was.medications(), headers=token)
    assert (answer.status_code == 200) is allowed, answer.text
    assert allowed or answer.json()["code"] == "not_shown_consent_expired"


async def test_a_process_whose_clock_is_behind_opens_nothing_that_is_over(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.owner.execute(
        "update consent set given_at = now() - interval '24 hours', expires_at = now() - interval '1 second'"
    )
    world.clock.offset = -timedelta(minutes=10)
    token = await counter.token(await world.staff(Role.DOCTOR), world.clock.now())
    answer = await counter.http.get(was.medications(), headers=token)
    assert answer.json()["code"] == "not_shown_consent_expired"


async def test_a_consent_is_withdrawn_at_once(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    again = await counter.verify(was.card, consents=["medication"])
    token = await doctor(world, counter)
    assert (await counter.http.get(was.medications(), headers=token)).status_code == 200

    withdrawn = await counter.http.delete(was.consent("medication"))

    assert withdrawn.status_code == 204
    for verification_id in (was.verification_id, again.json()["verification_id"]):
        url = Visit(was.person, was.card, verification_id).medications()
        assert (await counter.http.get(url, headers=token)).json()["code"] == "not_shown_withdrawn"
    assert (await counter.http.get(was.checkups(), headers=token)).status_code == 200
    event = await world.owner.fetchrow("select code, detail from audit_event where kind = 'consent_withdrawn'")
    assert (event["code"], event["detail"]) == ("withdrawn", {"class": "medication", "ended": 2})


async def test_a_second_withdrawal_changes_nothing_and_is_on_record(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    for _ in range(2):
        assert (await counter.http.delete(was.consent("checkup"))).status_code == 204
    rows = await world.owner.fetch("select code from audit_event where kind = 'consent_withdrawn' order by event_id")
    assert [row["code"] for row in rows] == ["withdrawn", "nothing_in_force"]


async def test_a_process_whose_clock_is_ahead_withdraws_what_others_would_still_show(
    world: World, counter: Counter
) -> None:
    was = await visit(world, counter)
    token = await doctor(world, counter)
    world.clock.offset = timedelta(hours=25)
    assert (await counter.http.delete(was.consent("medication"))).status_code == 204
    world.clock.offset = timedelta(0)
    answer = await counter.http.get(was.medications(), headers=token)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_shown_withdrawn")


async def test_a_fresh_card_after_a_withdrawal_is_a_fresh_consent(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await counter.http.delete(was.consent("medication"))
    again = await counter.verify(was.card, consents=["medication"])
    url = Visit(was.person, was.card, again.json()["verification_id"]).medications()
    assert (await counter.http.get(url, headers=await doctor(world, counter))).status_code == 200


@pytest.mark.parametrize("wanted", ["everything", "medication ", "MEDICATION", "'"])
async def test_a_class_that_is_none_is_refused(wanted: str, world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    answer = await counter.http.delete(was.consent(wanted))
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")


async def test_anothers_verification_is_as_one_that_does_not_exist(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.medicine(was.person)
    there = await world.terminal(OTHER_INSTITUTION)
    token = await there.token(await world.staff(Role.DOCTOR, OTHER_INSTITUTION))
    absent = Visit(0, was.card, str(uuid4()))

    def told(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.text

    for one, other in ((was.medications(), absent.medications()), (was.checkups(), absent.checkups())):
        answers = {told(await there.http.get(url, headers=token)) for url in (one, other)}
        assert [status for status, _ in answers] == [404]
    for wanted in ("medication", "checkup"):
        answers = {told(await there.http.delete(url.consent(wanted))) for url in (was, absent)}
        assert [status for status, _ in answers] == [404]
    refused = [code for kind, code in await world.events() if kind == "request_refused"]
    assert refused == ["verification_not_found"] * 8
    assert await world.owner.fetchval("select count(*) from consent where withdrawn_at is not null") == 0


async def test_staff_who_ask_for_anothers_verification_are_on_record(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    there = await world.terminal(OTHER_INSTITUTION)
    member = await world.staff(Role.NURSE, OTHER_INSTITUTION)
    answer = await there.http.get(was.checkups(), headers=await there.token(member))
    assert answer.json()["code"] == "verification_not_found"
    (event,) = await world.owner.fetch(
        "select code, actor_kind, actor, institution_code, person_id, verification_id, detail from audit_event "
        "where kind = 'request_refused'"
    )
    detail = {"class": "checkup", "role": "nurse", "terminal": str(there.terminal_id), "asked": was.verification_id}
    assert dict(event) == {
        "code": "verification_not_found", "actor_kind": "staff", "actor": str(member.staff_id),
        "institution_code": OTHER_INSTITUTION, "person_id": None, "verification_id": None, "detail": detail,
    }  # fmt: skip


async def test_no_read_that_begins_after_a_withdrawal_is_answered(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    await world.medicine(was.person, comment="カナリア")
    token = await doctor(world, counter)
    withdrawn = asyncio.Event()

    async def read() -> tuple[bool, httpx.Response]:
        late = withdrawn.is_set()
        return late, await counter.http.get(was.medications(), headers=token)

    async def withdraw() -> None:
        assert (await counter.http.delete(was.consent("medication"))).status_code == 204
        withdrawn.set()

    async def reader() -> list[tuple[bool, httpx.Response]]:
        answers = []
        while sum(late for late, _ in answers) < 2:
            answers.append(await read())
        return answers

    _, *answers = await asyncio.gather(withdraw(), *(reader() for _ in range(10)))
    for late, answer in (answer for several in answers for answer in several):
        assert answer.status_code == 403 or not late
        # What had begun before is whole or refused, and never half of either.
        assert (answer.status_code == 200) is ("カナリア" in answer.text)


async def test_no_consent_comes_without_a_card_or_from_a_card_seen_before(world: World, counter: Counter) -> None:
    was = await visit(world, counter, [])
    asked = {"insurer_number": INSURER, "symbol": "12", "number": "345", "birth_date": "1980-01-01"}
    by_number = await counter.http.post("/v1/number-verifications", json=asked | {"consents": ["medication"]})
    assert by_number.status_code == 422
    proof = counter.proof(was.card, await counter.challenge())
    first = {"proof": proof, "method": "pin"}
    assert (await counter.http.post("/v1/verifications", json=first)).status_code == 200
    again = await counter.http.post("/v1/verifications", json=first | {"consents": ["medication"]})
    assert (again.status_code, again.json()["code"]) == (401, "challenge_replayed")
    there = await world.terminal()
    elsewhere = counter.proof(was.card, await counter.challenge())
    moved = await there.http.post(
        "/v1/verifications", json={"proof": elsewhere, "method": "pin", "consents": ["medication"]}
    )
    assert (moved.status_code, moved.json()["code"]) == (401, "challenge_forged")
    assert await world.owner.fetchval("select count(*) from consent") == 0


async def test_a_consent_of_one_patient_opens_no_other(world: World, counter: Counter) -> None:
    await visit(world, counter)
    other = await visit(world, counter, [], number="346")
    await world.medicine(other.person)
    assert await _refused(world, counter, other) == "not_shown_no_consent"


@pytest.mark.parametrize("wanted", ["medications", "checkups", "treatments"])
async def test_both_ways_to_a_reading_answer_alike(world: World, counter: Counter, wanted: str) -> None:
    # A query takes the long way through the app's routing; what comes of it is the same.
    was, token = await visit(world, counter), await doctor(world, counter)
    await world.medicine(was.person)
    await world.checkup(was.person, today() - timedelta(days=30), {"value": "26.1"})
    month = f"{today():%Y-%m}"
    paths = [f"/v1/verifications/{named}/{wanted}" for named in (was.verification_id, str(uuid4()), "unnamed")]
    for path, status in zip(paths, (200, 404, 422), strict=True):
        answers = [await counter.http.get(path + query, headers=token) for query in ("", f"?through={month}")]
        assert [answer.status_code for answer in answers] == [status] * 2
        assert answers[0].json() == answers[1].json()
        assert answers[0].headers["content-type"] == answers[1].headers["content-type"]
    counted = [event for event in await world.events() if event[0] in ("disclosure", "request_refused")]
    assert counted[::2] == counted[1::2]
    shut_out = [await counter.http.get(paths[0] + query) for query in ("", f"?through={month}")]
    assert [(answer.status_code, answer.json()["code"]) for answer in shut_out] == [(401, "staff_session_needed")] * 2
