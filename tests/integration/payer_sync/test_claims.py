"""UKE files in the database: matched by the day of care, corrected when sent again, kept when nobody is found."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from eligibility.domain.identifiers import InsurerNumber
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_insurer
from loadtest.nation.claims import ClaimWriter, Kind
from loadtest.population import Nation
from payer_sync.cases import Decided, release, reverse
from payer_sync.claims.drug_master import merge_drugs, read_drugs
from payer_sync.claims.records import MEDICAL
from tests.integration.payer_sync.conftest import Loaded
from tests.integration.waiting import until_waiting

pytestmark = pytest.mark.database
FIRST, SECOND, REVIEWER = "06130512", "33120015", "39131156"
MASTER = Path(__file__).parents[2] / "samples" / "drug_master" / "y_invented.csv"
TakeClaims = Callable[..., Awaitable[Loaded]]
CURRENT = "select match, person_id, covered_by, care_from, care_through from claim where known_to = 'infinity'"


@pytest.fixture
def take_claims(take_in: Any, tmp_path: Path) -> TakeClaims:
    """Load a UKE file, or lines of one."""

    async def run(
        *lines: str,
        path: Path | None = None,
        layout: str = MEDICAL.name,
        insurer: str = FIRST,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> Loaded:
        file = path or tmp_path / "RECEIPTC.UKE"
        if lines:
            file.write_bytes("".join(f"{line}\r\n" for line in lines).encode("cp932"))
        stated = {"layout": layout, "records": file.read_bytes().count(b"\n")}
        loaded: Loaded = await take_in(file, insurer=insurer, stated=stated, before=before)
        return loaded

    return run


def medical(
    *body: str, birth: str = "19800110", number: str = "0000001", branch: str = "01", day: int = 10,
    month: str = "202604", insurer: str = FIRST, search: str = "", receipt: int = 1, sex: int = 2,
) -> list[str]:  # fmt: skip
    """A file of one receipt with one medicine, taken home for five days, on the day of the month."""
    head = ["RE", str(receipt), "1112", month, "見本", str(sex), birth, *[""] * 11, search]
    medicine = ["IY", "21", "1", "620900101", "3", "4", "5", *[""] * 37]
    medicine[12 + day] = "5"
    charged = 20 + 73 * len(body)
    return [
        "IR,1,13,1,2345679,,見本,202605",
        ",".join(head),
        f"HO,{insurer},12,{number},1,{charged}",
        *([f"SN,1,01,,,,{branch},,"] if branch else []),
        ",".join(medicine),
        *body,
        f"GO,1,{charged},99",
    ]


TREATED = ",".join(["SI", "12", "1", "112007410", "", "73", "1", *[""] * 37])


async def test_the_public_sample_loads_whole_when_a_reviewer_sends_it(
    take_claims: TakeClaims, owner: Any, shared_data: Path
) -> None:
    await owner.execute("update insurer set reviews_claims = true where insurer_number = $1", FIRST)

    loaded = await take_claims(path=shared_data / "claims" / "RECEIPTC_GAIRAI_SAMPLE.UKE")

    assert loaded.counts == (636, 0, 634, 2)  # the institution and the totals change nothing themselves
    assert await owner.fetchval("select count(*) from claim") == 75
    assert await owner.fetchval("select count(*) from claim_medicine") == 32
    assert await owner.fetchval("select count(*) from claim_treatment where record_type = 'SI'") == 320
    assert await owner.fetchval("select count(*) from claim_share") == 69 + 71
    assert {row["match"] for row in await owner.fetch(CURRENT)} == {"no_coverage", "no_insurer"}


async def test_an_insurer_that_sends_the_public_sample_keeps_none_of_it(
    take_claims: TakeClaims, owner: Any, shared_data: Path
) -> None:
    loaded = await take_claims(path=shared_data / "claims" / "RECEIPTC_GAIRAI_SAMPLE.UKE")

    assert loaded.counts == (636, 634, 0, 2)
    assert {code for _, code in loaded.codes} == {"check_digit", "other_insurer"}
    assert await owner.fetchval("select count(*) from claim") == 0


async def test_a_claim_finds_its_person_by_the_insured_number_on_the_day_of_care(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(2, 枝番="02", 番号="0000001")))
    await merge_drugs(owner, list(read_drugs(MASTER)), datetime.now(UTC))

    loaded = await take_claims(*medical(number="０００００01"))

    person = await owner.fetchval(
        "select person_id from coverage join person using (person_id) where linkage_code = 'LK-00000001'"
    )
    assert (loaded.counts, loaded.codes) == ((6, 0, 4, 2), [])
    assert [(row["match"], row["person_id"]) for row in await owner.fetch(CURRENT)] == [("matched", person)]
    medicine = await owner.fetchrow(
        "select person_id, drug_known, drug_name, unit, quantity, days_or_times, usage_group, institution_code,"
        " medicine_on, prescribed_on from claim_medicine"
    )
    assert tuple(medicine) == (
        person, True, "アサガオ錠５ｍｇ", "錠", 3, 5, "oral", "1312345679", date(2026, 4, 10), date(2026, 4, 10),
    )  # fmt: skip
    shares = await owner.fetch("select position, payer_number, points from claim_share")
    assert [tuple(share) for share in shares] == [(0, FIRST, 20)]


@pytest.mark.parametrize(
    "different",
    [
        {"birth": "19800111"},
        {"number": "0000002"},
        {"branch": "09"},
        {"month": "202403"},  # before the acquisition on 1 April 2024
        {"month": "202603", "day": 20},  # the day of the loss
    ],
)
async def test_a_claim_that_nobody_here_was_covered_for_is_kept_without_a_person(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any, different: dict[str, Any]
) -> None:
    lost = {"資格喪失日": "20260320", "喪失事由": "03"} if different.get("day") == 20 else {}
    await take_in(write(record(1, **lost)))

    loaded = await take_claims(*medical(**different))

    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["no_coverage"]
    assert {code for _, code in loaded.codes} == {"no_coverage_on_day", "drug_unknown"}
    assert await owner.fetchval("select count(*) from claim_medicine where person_id is null") == 1


async def test_the_insurer_that_covered_the_day_is_named(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, 資格喪失日="20260401", 喪失事由="03")))
    moved = record(1, 保険者番号=SECOND, 番号="77", 資格取得日="20260401")
    await take_in(write(moved), insurer=SECOND)

    loaded = await take_claims(*medical())

    assert [row["covered_by"] for row in await owner.fetch(CURRENT)] == [SECOND]
    (said,) = [fault["expected"] for fault in loaded.faults if fault["code"] == "no_coverage_on_day"]
    assert said.count(SECOND) == 2


async def test_a_month_in_which_the_coverage_ended_is_told(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, 資格喪失日="20260415", 喪失事由="03")))
    later = ",".join(["SI", "12", "1", "112007410", "", "73", "1", *[""] * 25, "1", *[""] * 11])

    loaded = await take_claims(*medical(later))

    assert [(row["match"], row["care_through"].day) for row in await owner.fetch(CURRENT)] == [("matched", 20)]
    assert "coverage_ends_within" in {code for _, code in loaded.codes}


@pytest.mark.parametrize(
    ("lost", "acquired", "stated", "told"),
    [
        ("20260412", "20260412", True, False),
        ("20260412", "20260420", True, False),  # between its days of care
        ("20260412", "20260421", True, True),
        ("20260409", "20260411", True, True),
        ("20260412", "20260412", False, False),
        ("20260412", "20260413", False, True),
    ],
)
async def test_of_several_coverages_those_that_cover_all_days_of_care_together_are_enough(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any,
    owner: Any, lost: str, acquired: str, stated: bool, told: bool,
) -> None:  # fmt: skip
    await take_in(write(record(1, 資格喪失日=lost, 喪失事由="03"), record(1, 資格取得日=acquired)))
    lines = medical(",".join(["SI", "12", "1", "112007410", "", "73", "1", *[""] * 25, "1", *[""] * 11]))
    if not stated:
        lines[4:6] = "IY,21,1,620900101,3,4,5", TREATED

    loaded = await take_claims(*lines)

    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["matched"]
    assert ("coverage_ends_within" in {code for _, code in loaded.codes}) is told


@pytest.mark.parametrize("acquired", ["20260412", "20260410", "20260403"])
async def test_a_claim_is_not_of_a_coverage_that_lies_between_its_days_of_care(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any, acquired: str
) -> None:
    await take_in(write(record(1, 資格取得日=acquired, 資格喪失日="20260420", 喪失事由="03")))
    later = ",".join(["SI", "12", "1", "112007410", "", "73", "1", *[""] * 25, "1", *[""] * 11])  # on the 20th

    loaded = await take_claims(*medical(later, day=3))

    matched = acquired == "20260403"
    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["matched" if matched else "no_coverage"]
    assert ("no_coverage_on_day" in {code for _, code in loaded.codes}) is not matched


async def test_a_claim_without_stated_days_is_of_any_coverage_in_its_month(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, 資格取得日="20260412", 資格喪失日="20260420", 喪失事由="03")))
    lines = medical()
    lines[4] = "IY,21,1,620900101,3,4,5"

    await take_claims(*lines)

    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["matched"]


async def test_a_claim_of_a_cancelled_coverage_is_matched_anew_by_its_days(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    later = ",".join(["SI", "12", "1", "112007410", "", "73", "1", *[""] * 25, "1", *[""] * 11])
    await take_claims(*medical(later, day=3))
    between = record(1, 資格取得日="20260412", 資格喪失日="20260420", 喪失事由="03")

    await take_in(write(record(1, レコード種別="3"), between))

    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["no_coverage"]


async def test_twins_are_told_apart_by_the_branch_number_only(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(2, 番号="0000001", 枝番="02", 氏名="髙橋　月子")))

    without = await take_claims(*medical(branch=""))
    first = [row["match"] for row in await owner.fetch(CURRENT)]
    await take_claims(*medical(branch="02"))

    told = [(fault["record_number"], fault["field"]) for fault in without.faults if fault["code"] == "several_persons"]
    assert told == [(3, "HO 被保険者証等の番号")]
    assert (first, [row["match"] for row in await owner.fetch(CURRENT)]) == (["several_persons"], ["matched"])


@pytest.mark.parametrize(
    ("known", "claimed", "whose"), [("1", 1, "LK-00000001"), ("1", 2, None), ("2", 1, None), ("3", 1, "LK-00000001")]
)
async def test_a_claim_whose_sex_disagrees_is_nobodys_and_says_so(
    take_in: Any,
    take_claims: TakeClaims,
    write: Any,
    record: Any,
    owner: Any,
    known: str,
    claimed: int,
    whose: str | None,
) -> None:
    await take_in(write(record(1, 性別=known)))

    loaded = await take_claims(*medical(sex=claimed, branch=""))

    assert await owner.fetchval("select linkage_code from claim left join person using (person_id)") == whose
    told = [(fault["record_number"], fault["field"]) for fault in loaded.faults if fault["code"] == "sex_disagrees"]
    assert told == ([] if whose else [(2, "RE 男女区分")])


async def test_a_warning_of_whose_a_claim_is_names_the_line_of_its_field(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any
) -> None:
    twin = {"番号": "0000001", "枝番": "02", "氏名": "髙橋　月子"}
    ending = record(3, 生年月日="19700505", 資格喪失日="20260415", 喪失事由="03")
    await take_in(write(record(1), record(2, **twin), ending))
    later = ",".join(["SI", "12", "1", "112007410", "", "73", "1", *[""] * 25, "1", *[""] * 11])
    without_branch = [line.replace("SN,1,01,,,,01", "SN,1,01,,,,") for line in medical(receipt=1)]
    nobody = medical(receipt=2, number="0000009")
    ends = medical(later, receipt=3, number="0000003", birth="19700505")
    opening, *receipts = (line for lines in (without_branch, nobody, ends) for line in lines[:-1])
    lines = [opening, *(line for line in receipts if line != opening), "GO,3,133,99"]

    loaded = await take_claims(*lines)

    told = {f["code"]: (f["record_number"], f["field"]) for f in loaded.faults if f["code"] != "drug_unknown"}
    assert told == {
        "several_persons": (4, "SN 枝番"),
        "no_coverage_on_day": (7, "HO 被保険者証等の番号"),
        "coverage_ends_within": (11, "HO 被保険者証等の番号"),
    }
    assert all(lines[line - 1].startswith(name[:2]) for line, name in told.values())


async def test_a_holder_that_differs_is_told_at_the_receipt_where_it_has_no_insured_number(
    take_claims: TakeClaims, owner: Any
) -> None:
    await owner.execute("update insurer set reviews_claims = true where insurer_number = $1", FIRST)
    await take_claims(*medical(search="S-1"))

    loaded = await take_claims(
        *(line.replace(f"HO,{FIRST},12,0000001", "KO,12130010,1234567,") for line in medical(search="S-1", branch=""))
    )

    told = [(fault["record_number"], fault["field"]) for fault in loaded.faults if fault["code"] == "holder_differs"]
    assert told == [(2, "RE レセプト番号")]


async def test_twins_of_different_sex_are_told_apart_without_a_branch_number(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(2, 番号="0000001", 枝番="02", 氏名="髙橋　一郎", 性別="1")))

    await take_claims(*medical(sex=1, branch=""))

    assert await owner.fetchval("select linkage_code from claim join person using (person_id)") == "LK-00000002"


async def test_an_insurer_is_not_named_for_a_claim_whose_sex_disagrees_with_the_holders(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, 資格喪失日="20260401", 喪失事由="03")))
    await take_in(write(record(1, 保険者番号=SECOND, 番号="77", 資格取得日="20260401")), insurer=SECOND)

    loaded = await take_claims(*medical(sex=1))

    assert [row["covered_by"] for row in await owner.fetch(CURRENT)] == [None]
    assert "sex_disagrees" not in {code for _, code in loaded.codes}  # on that day nobody had the number here


async def test_a_receipt_sent_again_corrects_and_an_equal_one_changes_nothing(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    first = await take_claims(*medical(search="S-1"))
    equal = await take_claims("", *medical(search="S-1"))  # another file by a blank line, with the same receipt
    later = await take_claims(*medical(search="S-1", day=12))

    assert (first.counts, equal.counts, later.counts) == ((6, 0, 4, 2), (7, 0, 0, 7), (6, 0, 4, 2))
    assert equal.codes[0] == (1, "record_type_unknown")
    claims = await owner.fetch("select claim_id, known_from, known_to from claim order by known_from")
    assert len({claim["claim_id"] for claim in claims}) == 1
    assert claims[0]["known_to"] == claims[1]["known_from"]
    medicines = await owner.fetch("select medicine_on, known_to from claim_medicine order by known_from")
    assert [medicine["medicine_on"].day for medicine in medicines] == [10, 12]
    assert medicines[0]["known_to"] == claims[1]["known_from"]


async def test_claims_follow_their_coverage_to_the_right_person(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, 紐付番号="LK-WRONG")))
    await take_claims(*medical())
    wrong = await owner.fetchval("select person_id from person where linkage_code = 'LK-WRONG'")

    await take_in(write(record(1)))

    right = await owner.fetchval("select person_id from person where linkage_code = 'LK-00000001'")
    for table in ("claim", "claim_medicine"):
        rows = await owner.fetch(f"select person_id, known_to = 'infinity' as now from {table} order by known_from")  # noqa: S608
        assert [tuple(row) for row in rows] == [(wrong, False), (right, True)]


async def test_claims_of_a_coverage_that_is_split_off_go_with_it(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    await take_claims(*medical(TREATED))

    await take_in(write(record(1, 紐付番号="LK-OTHER")))

    other = await owner.fetchval("select person_id from person where linkage_code = 'LK-OTHER'")
    for table in ("claim", "claim_medicine", "claim_treatment"):
        rows = await owner.fetch(f"select person_id from {table} where known_to = 'infinity'")  # noqa: S608
        assert [row["person_id"] for row in rows] == [other]
    assert await owner.fetchval("select count(*) from claim_share where known_to = 'infinity'") == 1


WHOSE = """
select p.linkage_code, k.match, k.coverage_id = c.coverage_id as of_theirs,
    (select array_agg(m.person_id is not distinct from k.person_id) from claim_medicine m
     where m.claim_id = k.claim_id and m.known_to = 'infinity') as medicines,
    (select array_agg(t.person_id is not distinct from k.person_id) from claim_treatment t
     where t.claim_id = k.claim_id and t.known_to = 'infinity') as treatments
from claim k left join person p using (person_id)
left join coverage c on c.person_id = k.person_id and c.known_to = 'infinity'
where k.known_to = 'infinity'
"""


@pytest.mark.parametrize(
    ("anew", "whose"),
    [
        ([], (None, "no_coverage", None)),
        ([{"番号": "0000009"}], (None, "no_coverage", None)),
        ([{"紐付番号": "LK-RIGHT", "資格取得日": "20240501"}], ("LK-RIGHT", "matched", True)),
        ([{"資格取得日": "20240501"}], ("LK-00000001", "matched", True)),
    ],
    ids=["not stated anew", "of another number", "another's", "of other days"],
)
async def test_claims_of_a_cancelled_coverage_are_matched_anew(
    take_in: Any,
    take_claims: TakeClaims,
    write: Any,
    record: Any,
    owner: Any,
    anew: list[dict[str, str]],
    whose: tuple[Any, ...],
) -> None:
    await take_in(write(record(1)))
    await take_claims(*medical(TREATED))

    loaded = await take_in(write(record(1, レコード種別="3"), *(record(1, **different) for different in anew)))

    assert loaded.counts == (1 + len(anew), 0, 1 + len(anew), 0)
    assert [tuple(row) for row in await owner.fetch(WHOSE)] == [(*whose, [True], [True])]
    assert await owner.fetchval("select count(*) from claim_share where known_to = 'infinity'") == 1


async def test_claims_of_a_cancelled_coverage_name_the_insurer_that_covered_the_day_and_come_back(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(1, 資格取得日="20230401", 資格喪失日="20240401", 喪失事由="03")))
    await take_in(write(record(1, 保険者番号=SECOND, 番号="77")), insurer=SECOND)
    await take_claims(*medical(search="S-1"))

    await take_in(write(record(1, レコード種別="3")))

    assert [row["covered_by"] for row in await owner.fetch(CURRENT)] == [SECOND]
    assert (await take_claims("", *medical(search="S-1"))).counts[2] == 0
    await take_in(write(record(1)))
    assert (await take_claims("", "", *medical(search="S-1"))).counts[2] == 4
    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["matched"]


async def test_claims_that_became_known_later_than_their_coverage_moves_go_with_it(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, 紐付番号="LK-WRONG")))
    await take_claims(*medical(TREATED))
    for table in ("claim", "claim_medicine", "claim_treatment"):  # as though a reviewer's file had ended in between
        await owner.execute(f"update {table} set known_from = known_from + interval '1 hour'")  # noqa: S608

    await take_in(write(record(1)))

    assert [tuple(row) for row in await owner.fetch(WHOSE)] == [("LK-00000001", "matched", True, [True], [True])]


@pytest.fixture
async def reviewed(take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any) -> list[str]:
    """A released case of a wrong link, and a claim of its coverage that a reviewer has sent before it; sent again."""
    await enrol_insurer(owner, InsurerNumber(REVIEWER), "x", datetime.now(UTC))
    await owner.execute("update insurer set reviews_claims = true where insurer_number = $1", REVIEWER)
    claimed = medical(birth="19670303", insurer=SECOND, search="S-1", sex=1)
    await take_in(write(record(1)))
    await take_claims(*claimed, insurer=REVIEWER)
    somebody = {"氏名": "佐藤　太郎", "氏名カナ": "ｻﾄｳ ﾀﾛｳ", "生年月日": "3420303", "性別": "1"}
    await take_in(write(record(1, 保険者番号=SECOND, **somebody)), insurer=SECOND)
    await release(owner, await owner.fetchval("select case_id from mislink_case"), Decided("o", "x", datetime.now(UTC)))
    return ["", *claimed]


@pytest.mark.parametrize(
    ("held", "claims_first"),
    [
        ("select from claim for update", True),
        (f"select from insurer where insurer_number = '{SECOND}' for update", False),
    ],
    ids=["claims first", "split first"],
)
async def test_claims_that_a_reviewer_loads_beside_a_reversal_go_with_the_coverage(
    reviewed: list[str], take_claims: TakeClaims, owner: Any, database: str, held: str, claims_first: bool
) -> None:
    case = await owner.fetchval("select case_id from mislink_case")
    holder, operator = await connect(database), await connect(database)
    announced = asyncio.Event()

    async def announce() -> None:
        announced.set()

    def reversal() -> asyncio.Task[Any]:
        return asyncio.create_task(reverse(operator, case, (), Decided("o", "x", datetime.now(UTC))))

    async def load() -> asyncio.Task[Any]:
        loading = asyncio.create_task(take_claims(*reviewed, insurer=REVIEWER, before=announce))
        await announced.wait()
        return loading

    try:
        async with holder.transaction():
            await holder.execute(held)  # at this the first of the two waits when it has read whose the coverage is
            first = await load() if claims_first else reversal()
            await until_waiting(owner, 1)
            second = reversal() if claims_first else await load()
            await until_waiting(owner, 2)
        done = [await first, await second]
    finally:
        for connection in (holder, operator):
            await connection.close()

    ((split,), _) = reversed(done) if claims_first else done
    for table in ("claim", "claim_medicine"):
        rows = await owner.fetch(f"select person_id from {table} where known_to = 'infinity'")  # noqa: S608
        assert [row["person_id"] for row in rows] == [split.split_off]


async def test_receipts_of_other_months_and_numbers_stand_beside_each_other(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    for different in ({}, {"month": "202603"}, {"receipt": 2}, {"search": "S-2"}):
        await take_claims(*medical(**different))

    assert len(await owner.fetch(CURRENT)) == 4


async def test_a_claim_follows_the_register_when_it_is_sent_again(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_claims(*medical(search="S-1"))
    await take_in(write(record(1)))

    again = await take_claims("", *medical(search="S-1"))

    assert again.counts[2] == 4
    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["matched"]
    assert (
        await owner.fetchval("select count(*) from claim_medicine where known_to = 'infinity' and person_id > 0") == 1
    )


@pytest.mark.parametrize("sender", [FIRST, REVIEWER])
async def test_the_very_file_of_claims_is_matched_anew_once_coverages_were_stated(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any, sender: str
) -> None:
    await enrol_insurer(owner, InsurerNumber(REVIEWER), "審査支払機関", datetime.now(UTC))
    await owner.execute("update insurer set reviews_claims = true where insurer_number = $1", REVIEWER)
    first = await take_claims(*medical(), insurer=sender)
    assert "no_coverage_on_day" in {code for _, code in first.codes}
    assert (await take_claims(*medical(), insurer=sender)).submission == first.submission

    # What another insurer states decides nothing about an insurer's own claims.
    await take_in(write(record(9, 保険者番号=SECOND)), insurer=SECOND)
    anew = (await take_claims(*medical(), insurer=sender)).submission.submission_id != first.submission.submission_id
    assert anew == (sender == REVIEWER)

    await take_in(write(record(1)))
    matched = await take_claims(*medical(), insurer=sender)
    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["matched"]

    # Cancelled, as though it had never been, and registered anew with another person's code.
    await take_in(write(record(1, レコード種別="3")))
    await take_in(write(record(1, 紐付番号="LK-ANEW")))
    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["no_coverage"]
    again = await take_claims(*medical(), insurer=sender)
    assert again.submission.submission_id != matched.submission.submission_id
    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["matched"]


async def test_an_insurer_cannot_take_over_the_receipt_of_another_but_a_reviewer_may_move_it(
    take_claims: TakeClaims, owner: Any
) -> None:
    await take_claims(*medical(search="S-1"))

    refused = await take_claims(*medical(search="S-1", insurer=SECOND), insurer=SECOND)
    await owner.execute("update insurer set reviews_claims = true where insurer_number = $1", FIRST)
    moved = await take_claims(*medical(search="S-1", insurer=SECOND))

    assert (refused.counts, refused.codes) == ((6, 4, 0, 2), [(2, "other_insurer")])
    assert moved.counts[2] == 4
    holders = await owner.fetch("select insurer_number from claim where known_to = 'infinity'")
    assert [row["insurer_number"] for row in holders] == [SECOND]


TAKEN_BY = """
select p.linkage_code from claim_medicine m join person p using (person_id) where m.known_to = 'infinity' order by 1
"""
OTHER = {"生年月日": "19700505", "氏名": "鈴木　一郎", "氏名カナ": "スズキ　イチロウ"}


async def test_a_receipt_number_of_another_holder_replaces_nothing_and_is_told(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(2, **OTHER)))
    first = await take_claims(*medical())

    other = await take_claims(*medical(number="0000002", birth="19700505"))
    corrected = await take_claims(*medical(number="0000002", birth="19700505", day=12))

    assert [row["linkage_code"] for row in await owner.fetch(TAKEN_BY)] == ["LK-00000001", "LK-00000002"]
    assert (other.counts[2], corrected.counts[2]) == (4, 4)
    assert "holder_differs" not in {code for _, code in first.codes}
    (told,) = [fault for fault in other.faults if fault["code"] == "holder_differs"]
    assert (told["record_number"], "both are kept" in told["expected"]) == (3, True)


async def test_a_receipt_number_of_another_insurer_shuts_nobody_out(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    await take_in(write(record(2, 保険者番号=SECOND, **OTHER)), insurer=SECOND)
    await take_claims(*medical())

    loaded = await take_claims(*medical(number="0000002", birth="19700505", insurer=SECOND), insurer=SECOND)

    assert (loaded.counts[1:3], [code for _, code in loaded.codes]) == ((0, 4), ["drug_unknown"])
    assert [row["linkage_code"] for row in await owner.fetch(TAKEN_BY)] == ["LK-00000001", "LK-00000002"]


async def test_a_search_number_that_comes_for_another_holder_replaces_what_is_known_and_is_told(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(2, **OTHER)))
    await take_claims(*medical(search="S-1"))

    loaded = await take_claims(*medical(search="S-1", number="0000002", birth="19700505"))

    assert [row["linkage_code"] for row in await owner.fetch(TAKEN_BY)] == ["LK-00000002"]
    (told,) = [fault for fault in loaded.faults if fault["code"] == "holder_differs"]
    assert (told["record_number"], "was replaced" in told["expected"]) == (3, True)


async def test_a_receipt_of_public_expense_alone_is_found_again(take_claims: TakeClaims, owner: Any) -> None:
    await owner.execute("update insurer set reviews_claims = true where insurer_number = $1", FIRST)
    paid = [line.replace(f"HO,{FIRST},12,0000001", "KO,12130010,1234567,") for line in medical(branch="")]
    await take_claims(*paid)

    again = await take_claims("", *paid)

    assert (again.counts[2], await owner.fetchval("select match from claim")) == (0, "no_insurer")


async def test_a_search_number_stays_when_the_month_of_care_is_corrected(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    await take_claims(*medical(search="S-1"))

    loaded = await take_claims(*medical(search="S-1", month="202603"))

    assert loaded.counts[2] == 4
    current = "select medicine_on from claim_medicine where known_to = 'infinity'"
    assert [row["medicine_on"] for row in await owner.fetch(current)] == [date(2026, 3, 10)]


def claimed_again(claimed: str, **different: Any) -> list[str]:
    """The file of one receipt, claimed in another month."""
    opening, *rest = medical(**different)
    return [opening.replace("202605", claimed), *rest]


async def test_care_that_is_claimed_again_under_another_number_is_told_with_both_receipts(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    first = await take_claims(*medical(receipt=4))

    searched = await take_claims(*claimed_again("202606", search="S-1"))
    without = await take_claims(*claimed_again("202607", receipt=7))

    assert "likely_duplicate" not in {code for _, code in first.codes}
    before = ["month of claim 202605, number 4 is known", "month of claim 202606, number S-1 is known"]
    for loaded, others in ((searched, before[:1]), (without, before)):
        (told,) = [fault for fault in loaded.faults if fault["code"] == "likely_duplicate"]
        assert told["record_number"] == 2
        assert any(other in told["expected"] for other in others)
    assert await owner.fetchval("select count(*) from claim_medicine where known_to = 'infinity'") == 3


@pytest.mark.parametrize(
    ("search", "wrong", "right", "column", "known"),
    [
        ("", "見本", "正しい名の医院", "institution_name", "正しい名の医院"),
        ("S-1", "202605", "202606", "claimed_month", date(2026, 6, 1)),
    ],
)
async def test_what_the_institutions_record_corrects_is_known_of_its_receipts(
    take_claims: TakeClaims, owner: Any, search: str, wrong: str, right: str, column: str, known: str | date
) -> None:
    opening, *rest = medical(search=search)
    await take_claims(opening, *rest)

    loaded = await take_claims(opening.replace(wrong, right), *rest)
    again = await take_claims("", opening.replace(wrong, right), *rest)

    assert (loaded.counts[2], again.counts[2]) == (4, 0)
    rows = await owner.fetch(f"select claim_id, {column} from claim order by known_from")  # noqa: S608
    assert len({row["claim_id"] for row in rows}) == 1
    assert [row[column] for row in rows][1:] == [known]


@pytest.mark.parametrize(
    "different",
    [{"month": "202603"}, {"number": "0000002"}, {"branch": "02"}, {"type": "1111"}, {"institution": "2345687"}],
)
async def test_other_care_is_no_likely_duplicate(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, different: dict[str, str]
) -> None:
    await take_in(write(record(1), record(2), record(3, 番号="0000001", 枝番="02")))
    await take_claims(*medical())
    stated = {key: value for key, value in different.items() if key not in ("type", "institution")}
    opening, head, *rest = claimed_again("202606", receipt=7, **stated)
    head = head.replace("1112", different.get("type", "1112"))
    opening = opening.replace("2345679", different.get("institution", "2345679"))

    loaded = await take_claims(opening, head, *rest)

    assert loaded.counts[2] == 4
    assert "likely_duplicate" not in {code for _, code in loaded.codes}


async def test_an_unknown_medicine_keeps_what_the_claim_says_and_is_marked(take_claims: TakeClaims, owner: Any) -> None:
    loaded = await take_claims(*medical())

    assert [(f["record_number"], f["field"], f["severity"]) for f in loaded.faults if f["code"] == "drug_unknown"] == [
        (5, "IY 医薬品コード", "warning")
    ]
    row = await owner.fetchrow("select drug_code, drug_known, drug_name, quantity from claim_medicine")
    assert tuple(row) == ("620900101", False, None, 3)


async def test_a_file_that_breaks_off_is_refused_whole_with_what_was_found(take_claims: TakeClaims, owner: Any) -> None:
    lines = medical(birth="19801350")

    loaded = await take_claims(*lines[:-1], lines[1])

    assert loaded.submission.state.value == "refused"
    assert loaded.codes == [(2, "malformed_date"), (None, "totals_missing")]
    assert await owner.fetchval("select count(*) from claim") == 0


async def test_a_claims_file_whose_lines_are_not_as_stated_is_refused(take_in: Any, tmp_path: Path) -> None:
    path = tmp_path / "RECEIPTC.UKE"
    path.write_bytes("".join(f"{line}\r\n" for line in medical()).encode("cp932"))

    loaded = await take_in(path, stated={"layout": MEDICAL.name, "records": 5})

    assert [code for _, code in loaded.codes] == ["count_wrong"]


@pytest.mark.parametrize("kind", ["medical", "dispensing"])
async def test_claims_of_the_nation_find_their_persons(
    take_in: Any, take_claims: TakeClaims, owner: Any, tmp_path: Path, kind: Kind
) -> None:
    nation = Nation.make(150, seed=4, today=date(2026, 11, 21), insurers=1)
    (insurer,) = nation.insurers
    await owner.execute("insert into insurer (insurer_number, name) values ($1, 'x')", insurer.number)
    nation.write_eligibility_file(insurer, tmp_path / "eligibility.csv")
    await take_in(tmp_path / "eligibility.csv", insurer=insurer.number)
    await merge_drugs(owner, list(read_drugs(MASTER)), datetime.now(UTC))
    wanted = "pharmacy" if kind == "dispensing" else "clinic"
    institution = next(i for i in nation.institutions(50) if i.kind == wanted)
    path = tmp_path / "claims.UKE"
    written = ClaimWriter(nation, seed=4).write(path, kind, institution, date(2026, 9, 1), 30, insurer.number)

    loaded = await take_claims(path=path, layout=f"claim_{kind}", insurer=insurer.number)

    assert written.receipts == 30
    assert loaded.codes == []
    assert {row["match"] for row in await owner.fetch(CURRENT)} == {"matched"}
    assert await owner.fetchval("select count(*) from claim_medicine where drug_known") == written.medicines


async def test_claims_are_pushed_like_any_other_file(
    intake: Any, credentials: Any, take_in: Any, write: Any, record: Any, owner: Any, tmp_path: Path
) -> None:
    await take_in(write(record(1)))
    path = tmp_path / "RECEIPTC.UKE"
    path.write_bytes("".join(f"{line}\r\n" for line in medical()).encode("cp932"))
    files = credentials(FIRST)
    command = [
        sys.executable, "-m", "payer_sync", "push", str(path), "--layout", "claim_medical", "--json",
        "--to", intake.url, "--certificate", str(files.certificate),
        "--key", str(files.key), "--authority", str(files.authority),
    ]  # fmt: skip

    run = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)

    submission = json.loads(run.stdout)
    assert (run.returncode, submission["state"], submission["records"], submission["merged"]) == (0, "merged", 6, 4)
    assert [row["match"] for row in await owner.fetch(CURRENT)] == ["matched"]


async def test_a_claim_of_another_birth_date_does_not_follow_its_number_to_another_person(
    take_in: Any, take_claims: TakeClaims, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    await take_claims(*medical())
    held = await owner.fetchval("select person_id from claim_medicine where known_to = 'infinity'")
    await take_in(write(record(1, 紐付番号="LK-NEW", 生年月日="3420303", 氏名="佐藤　太郎")))
    await release(owner, await owner.fetchval("select case_id from mislink_case"), Decided("o", "x", datetime.now(UTC)))

    assert await owner.fetchval("select linkage_code from person join coverage using (person_id)"
                                " where known_to = 'infinity'") == "LK-NEW"  # fmt: skip
    for table in ("claim", "claim_medicine"):
        assert await owner.fetchval(f"select person_id from {table} where known_to = 'infinity'") == held  # noqa: S608


async def test_the_command_loads_a_master_and_leaves_an_event(database: str, owner: Any) -> None:
    command = [sys.executable, "-m", "payer_sync", "drugs", "load", str(MASTER)]
    runs = [
        subprocess.run(command, env=os.environ | {"INTAKE_DATABASE_URL": database}, capture_output=True, check=False)  # noqa: ASYNC221
        for _ in range(2)
    ]

    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert await owner.fetchval("select count(*) from drug where ingredient <> ''") == 8
    details = await owner.fetch("select detail from audit_event where kind = 'drugs_loaded' order by event_id")
    assert [row["detail"] for row in details] == [{"medicines": 8, "changed": 8}, {"medicines": 8, "changed": 0}]


def test_the_command_says_that_the_database_is_away() -> None:
    command = [sys.executable, "-m", "payer_sync", "drugs", "load", str(MASTER)]
    away = {"INTAKE_DATABASE_URL": "postgresql://localhost:1/x"}

    run = subprocess.run(command, env=os.environ | away, capture_output=True, check=False)

    assert (run.returncode, b"The database is away" in run.stderr) == (4, True)


@pytest.mark.parametrize(("data", "exit_code"), [(b"0,Y\n", 2), (None, 64)])
def test_the_command_refuses_what_is_no_master(
    database: str, tmp_path: Path, data: bytes | None, exit_code: int
) -> None:
    path = tmp_path / "y.csv"
    if data:
        path.write_bytes(data)
    command = [sys.executable, "-m", "payer_sync", "drugs", "load", str(path)]

    run = subprocess.run(command, env=os.environ | {"INTAKE_DATABASE_URL": database}, capture_output=True, check=False)

    assert (run.returncode, run.stdout) == (exit_code, b"")


async def test_the_payers_role_can_neither_change_nor_delete_what_a_claim_said(database: str) -> None:
    payer = await connect(database, role="eligibility_payer")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await payer.execute("update claim_medicine set drug_code = ''")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await payer.execute("delete from claim")
    finally:
        await payer.close()
