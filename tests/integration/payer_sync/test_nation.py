"""Realistic files of a synthetic nation, of every scheme, are taken in without a fault, in either order of arrival."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loadtest.population import Nation

pytestmark = pytest.mark.database
PERSONS = 3000
TODAY = date(2026, 11, 21)


async def test_every_insurer_of_a_nation_states_its_members(take_in: Any, owner: Any, tmp_path: Path) -> None:
    nation = Nation.make(PERSONS, seed=5, today=TODAY)
    records = 0
    for insurer in nation.insurers:
        path = tmp_path / f"{insurer.number}.csv"
        records += nation.write_eligibility_file(insurer, path)
        await owner.execute(
            "insert into insurer (insurer_number, name) values ($1, $2) on conflict do nothing", insurer.number, "x"
        )

        loaded = await take_in(path, kind="full", insurer=insurer.number)

        assert {code for _, code in loaded.codes} <= {"covered_elsewhere"}
        assert loaded.submission.refused == 0

    assert await owner.fetchval("select count(*) from person") == PERSONS
    assert await owner.fetchval("select count(*) from coverage where known_to = 'infinity'") == records


@pytest.mark.parametrize("example", [0, 1, 17])
async def test_a_person_is_found_by_the_number_their_insurer_stated(
    take_in: Any, owner: Any, tmp_path: Path, example: int
) -> None:
    nation = Nation.make(200, seed=9, today=TODAY, insurers=1)
    (insurer,) = nation.insurers
    path = tmp_path / "file.csv"
    nation.write_eligibility_file(insurer, path)
    await owner.execute("insert into insurer (insurer_number, name) values ($1, 'x')", insurer.number)
    await take_in(path, insurer=insurer.number)
    person = nation.person(example)

    row = await owner.fetchrow(
        "select c.birth_date, c.sex, c.name_kana, c.acquired_on from coverage c"
        " join person p using (person_id) where p.linkage_code = $1 and c.known_to = 'infinity'",
        person.linkage_code,
    )

    assert (row["birth_date"], row["sex"]) == (person.birth_date, person.sex.value)
    assert row["acquired_on"] == person.coverages[0].acquired_on
    assert re.sub(r"\s", "", row["name_kana"])
