"""Which of one insurer's coverages of one person are refused because their days overlap."""

import json
import random
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from eligibility.storage.statements import statements
from tests.integration.payer_sync.conftest import INSURERS

pytestmark = pytest.mark.database

Coverage = tuple[int, int, date]  # whose, which of their insured numbers, acquired on
Coverages = dict[Coverage, date]  # lost on
OPEN = date.max
PERSONS = 20
STAGED = """
insert into staged_eligibility (record_number, record_kind, insurer_number, symbol, number, branch_number, symbol_key,
    number_key, linkage_code, name, name_kana, name_key, birth_date, sex, postal_code, address, relation, card_class,
    acquired_on, preschool, viewing_suspended)
select n, '1', $1, '', n::text, '01', '', n::text, 'ONE', '', '', '', '1980-01-10', '2', '', '', '1', '01',
    '2024-04-01', false, false
from generate_series(1, $2::integer) n
"""
PLANNED = """
insert into merge_plan (symbol_key, number_key, branch_number, acquired_on, record_number, records, record_kind,
    coverage_id, change, new_person)
select symbol_key, number_key, branch_number, acquired_on, record_number, 1, '1', record_number, 'new', true
from staged_eligibility
"""


def _drawn(chance: random.Random, known: Coverages) -> tuple[Coverages, set[Coverage]]:
    """Draw what a file states, and of which coverages it states the loss alone."""
    stated = {}
    for _ in range(3 * PERSONS):
        begin, days = chance.randrange(9), chance.choice((0, 1, 1, 1, 2, 2, 4, None))
        coverage = (chance.randrange(PERSONS), chance.randrange(3), _month(begin))
        stated[coverage] = OPEN if days is None else _month(begin + days)
    restated = {one: max(_month(chance.randrange(12)), one[2]) for one in known if chance.random() < 0.3}
    return stated | restated, {one for one in restated if chance.random() < 0.5}


def _month(number: int) -> date:
    return date(2020 + number // 12, number % 12 + 1, 1)


def _overlap(one: Coverage, other: Coverage, after: Coverages) -> bool:
    begins, ends = max(one[2], other[2]), min(after[one], after[other])
    filled = one[2] < after[one] and other[2] < after[other]
    return one != other and one[0] == other[0] and filled and begins < ends


def _refused(known: Coverages, stated: Coverages) -> set[Coverage]:
    left = dict(stated)
    while True:
        after = known | left
        found = {one for one in left if any(_overlap(one, other, after) for other in after)}
        if not found:
            return stated.keys() - left.keys()
        left = {one: lost_on for one, lost_on in left.items() if one not in found}


@pytest.mark.parametrize("seed", range(3))
async def test_what_overlaps_any_other_coverage_is_refused_and_names_a_record_that_it_overlaps(
    take_in: Any, write: Any, record: Any, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 (nothing secret is drawn)
    known: Coverages = {}
    for _ in range(3):
        stated, lost = _drawn(chance, known)
        in_file = list(stated)
        chance.shuffle(in_file)
        rows = [
            record(
                person, 番号=str(10 * person + which), 資格取得日=f"{acquired_on:%Y%m%d}",
                レコード種別="2" if one in lost else "1",
                **({} if stated[one] == OPEN else {"資格喪失日": f"{stated[one]:%Y%m%d}", "喪失事由": "99"}),
            )
            for one in in_file for person, which, acquired_on in (one,)
        ]  # fmt: skip
        loaded = await take_in(write(*rows))

        refused = {in_file[f["record_number"] - 1]: f for f in loaded.faults if f["code"] == "overlaps"}
        assert refused.keys() == _refused(known, stated)
        for one, fault in refused.items():
            named = re.search(r"record (\d+)", fault["expected"])
            if named:
                assert _overlap(one, in_file[int(named[1]) - 1], stated)
            else:
                assert any(_overlap(one, other, known | {one: stated[one]}) for other in known)
        known |= {one: lost_on for one, lost_on in stated.items() if one not in refused}


async def test_a_persons_coverages_are_not_each_compared_with_each_other(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    submission = (await take_in(write(record(1)))).submission.submission_id
    sql, records = statements("payer_sync.queries"), 300
    async with owner.transaction():
        await owner.execute(sql["begin_staging"])
        await owner.execute(sql["begin_plan"])
        await owner.execute(STAGED, INSURERS[0], records)
        await owner.execute(PLANNED)
        begun = await owner.fetchval("select count(*) from merge_plan")
        explained = await owner.fetchval(
            "explain (analyze, format json) " + sql["refuse_overlaps"],
            submission, 0, "overlaps", "field", "%s", "known", INSURERS[0],
        )  # fmt: skip
        left = await owner.fetchval("select count(*) from merge_plan")
    assert (begun, left) == (records, 0)
    rows = [node["Actual Rows"] * node["Actual Loops"] for node in _nodes(json.loads(explained)[0]["Plan"])]
    assert max(rows) <= 2 * records


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
