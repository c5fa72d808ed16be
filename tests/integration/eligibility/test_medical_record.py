"""A record that came by the insurers' own way reaches the counter: files, loading, consent, role, answer."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from eligibility.domain.codes import Sex
from loadtest.medical_record import CLINIC, PHARMACY, Patient, RecordRefused, give_medical_record
from tests.integration.eligibility.test_medical import doctor, visit
from tests.integration.eligibility.world import INSURER, Counter, World

PATIENT = Patient(INSURER, "12", "345", "01", date(1980, 1, 1), Sex.MALE)


async def test_what_insurers_sent_is_what_a_doctor_sees(
    world: World, counter: Counter, database: str, tmp_path: Path
) -> None:
    was = await visit(world, counter)
    (tmp_path / "sent").mkdir()
    await give_medical_record(database, PATIENT, tmp_path / "sent")
    token = await doctor(world, counter)

    medicines = (await counter.http.get(was.medications(), headers=token)).json()["medicines"]
    checkups = (await counter.http.get(was.checkups(), headers=token)).json()["checkups"]

    assert len(medicines) == 7
    same = {m["institution_code"]: m for m in medicines if m["ingredient"] == "9991001"}
    assert same.keys() == {CLINIC[0], PHARMACY[0]}
    assert {m["institution_name"] for m in same.values()} == {CLINIC[1], PHARMACY[1]}
    assert same[PHARMACY[0]]["prescriber_name"] == CLINIC[1]
    assert [m["medicine_on"] for m in medicines] == sorted((m["medicine_on"] for m in medicines), reverse=True)
    assert len(checkups) == 3
    assert [len(c["items"]) for c in checkups] == [7, 7, 7]
    sugar = [i for c in checkups for i in c["items"] if i["item_code"] == "3D046000001920402"]
    assert [(i["value"], i["flag"]) for i in sugar] == [("6.1", "H"), ("5.7", "H"), ("5.4", "N")]


@pytest.mark.parametrize("wrong", [{"number": "346"}, {"birth_date": date(1980, 1, 2)}, {"branch_number": "09"}])
async def test_a_record_of_nobody_is_refused_and_shown_to_nobody(
    wrong: dict[str, Any], world: World, counter: Counter, database: str, tmp_path: Path
) -> None:
    was = await visit(world, counter)
    told = {name: getattr(PATIENT, name) for name in PATIENT.__slots__}
    with pytest.raises(RecordRefused, match="no_coverage_on_day"):
        await give_medical_record(database, Patient(**(told | wrong)), tmp_path)
    token = await doctor(world, counter)
    assert (await counter.http.get(was.medications(), headers=token)).json()["medicines"] == []


async def test_a_mislinked_claim_that_moves_away_is_shown_no_longer(
    world: World, counter: Counter, database: str, tmp_path: Path
) -> None:
    was = await visit(world, counter)
    await give_medical_record(database, PATIENT, tmp_path)
    other = await world.person()
    for table in ("claim", "claim_medicine"):
        await world.owner.execute(f"update {table} set person_id = $1", other)  # noqa: S608
    answer = await counter.http.get(was.medications(), headers=await doctor(world, counter))
    assert answer.json()["medicines"] == []
