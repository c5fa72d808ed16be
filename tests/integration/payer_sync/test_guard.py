"""Records whose linkage code means somebody else: kept from the register, in a case, and told to both sides."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from loadtest.bench.guard import SIZE, judged, measure
from loadtest.promises import promised
from loadtest.verdict import judge
from payer_sync.cases import Decided, release, reverse

pytestmark = pytest.mark.database

CASES = "select kind, state, insurer_number from mislink_case order by case_id"
CURRENT = """
select p.linkage_code, c.insurer_number, c.name, c.birth_date from coverage c join person p using (person_id)
where c.known_to = 'infinity' order by p.linkage_code, c.insurer_number
"""
OTHER = "33120015"
SOMEBODY = {"氏名": "佐藤　太郎", "氏名カナ": "ｻﾄｳ ﾀﾛｳ", "生年月日": "3420303", "性別": "1"}
MARRIED = {"氏名": "佐藤　花子", "氏名カナ": "ｻﾄｳ ﾊﾅｺ"}
WIFE = SOMEBODY | {"枝番": "02", "資格取得日": "20250401"}
LIMIT = {"限度額証区分": "01", "限度額適用区分": "A03", "限度額有効開始日": "20260401", "限度額有効終了日": ""}


async def test_a_record_of_somebody_else_is_quarantined_and_both_insurers_are_told(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    before = await owner.fetch(CURRENT)

    loaded = await take_in(write(record(1, 保険者番号=OTHER, **SOMEBODY), record(2, 保険者番号=OTHER)), insurer=OTHER)

    assert loaded.codes == [(1, "mislink_suspected")]
    assert "生年月日・性別・氏名・氏名カナ" in loaded.faults[0]["expected"]
    assert loaded.counts == (2, 1, 1, 0)
    assert [tuple(row) for row in await owner.fetch(CASES)] == [("mismatch", "open", OTHER)]
    assert [row for row in await owner.fetch(CURRENT) if row["linkage_code"] == "LK-00000001"] == before
    other_side = await take_in(write(record(1, 住所="東京都")))
    assert other_side.codes == [(1, "mislink_elsewhere")]
    assert OTHER in other_side.faults[0]["expected"]
    assert (await take_in(write(record(1, 住所="大阪府")))).codes == []


@pytest.mark.parametrize(
    "change", [{"生年月日": "3550111"}, {"性別": "1"}, {"氏名": "高橋　桜", "氏名カナ": "ﾀｶﾊｼ ｻｸﾗ"}]
)
async def test_an_insurers_own_correction_of_who_it_is_is_quarantined_too(
    take_in: Any, write: Any, record: Any, owner: Any, change: dict[str, str]
) -> None:
    await take_in(write(record(1)))

    loaded = await take_in(write(record(1, **change), record(1, **change, **LIMIT)))

    assert loaded.codes == [(1, "mislink_suspected"), (2, "mislink_suspected")]
    assert await owner.fetchval("select birth_date from coverage") == date(1980, 1, 10)
    assert await owner.fetchval("select count(*) from limit_certificate") == 0


async def test_a_number_put_to_somebody_unknown_who_is_another_is_quarantined(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    before = await owner.fetch(CURRENT)

    loaded = await take_in(write(record(1, 紐付番号="LK-NEW", **SOMEBODY)))

    assert loaded.codes == [(1, "mislink_suspected")]
    assert await owner.fetch(CURRENT) == before
    case = await owner.fetchval("select case_id from mislink_case")
    await release(owner, case, Decided("operator", "telephoned", datetime.now(UTC)))
    (reversal,) = await reverse(owner, case, (), Decided("operator", "mistaken", datetime.now(UTC)))
    assert len(reversal.coverages) == 1


@pytest.mark.parametrize(
    ("different", "code"),
    [(SOMEBODY, "mislink_suspected"), ({"氏名": "佐藤　花子", "氏名カナ": "ｻﾄｳ ﾊﾅｺ"}, "mislink_review")],
)
async def test_records_of_one_file_are_compared_as_if_they_came_one_after_the_other(
    take_in: Any, write: Any, record: Any, owner: Any, different: dict[str, str], code: str
) -> None:
    ended = {"資格喪失日": "20250401", "喪失事由": "01"}
    later = {"紐付番号": "LK-00000001", "資格取得日": "20250501"}

    loaded = await take_in(write(record(1, **ended), record(2, **later, **different), record(3)))

    assert (loaded.counts, loaded.codes) == ((3, 1, 2, 0), [(2, code)])
    assert await owner.fetchval("select count(*) from coverage") == 2
    assert await owner.fetchval("select count(*) from quarantined_record") == 1


@pytest.mark.parametrize("known", [(1,), (2,), (1, 2)])
async def test_coverages_put_to_a_code_that_nobody_has_stated_are_compared_with_each_other(
    take_in: Any, write: Any, record: Any, owner: Any, known: tuple[int, ...]
) -> None:
    ended = {"資格喪失日": "20250401", "喪失事由": "01"}
    stated = [record(1, **ended), record(2, 資格取得日="20250501", **SOMEBODY)]
    await take_in(write(*(stated[number - 1] for number in known)))
    before = await owner.fetch(CURRENT)

    loaded = await take_in(write(*(one | {"紐付番号": "LK-NEW"} for one in stated)))

    assert (loaded.counts, loaded.codes) == ((2, 1, 1, 0), [(2, "mislink_suspected")])
    unmoved = [row for row in before if row["linkage_code"] == "LK-00000002"]
    now = [tuple(row)[::2] for row in await owner.fetch(CURRENT)]
    assert now == [*(tuple(row)[::2] for row in unmoved), ("LK-NEW", "髙橋　花子")]


async def test_coverages_of_one_person_go_to_another_code_together(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    ended = {"資格喪失日": "20250401", "喪失事由": "01"}
    married = {"資格取得日": "20250501", "氏名": "佐藤　花子", "氏名カナ": "ｻﾄｳ ﾊﾅｺ"}
    await take_in(write(record(1, **ended)))
    await take_in(write(record(1, **married)))
    case = await owner.fetchval("select case_id from mislink_case")
    await release(owner, case, Decided("operator", "telephoned", datetime.now(UTC)))

    moved = [record(1, 紐付番号="LK-NEW", **stated) for stated in (ended, married)]

    assert (await take_in(write(*moved))).counts == (2, 0, 2, 0)


@pytest.mark.parametrize("moved_first", [True, False])
async def test_a_record_that_is_kept_already_is_neither_compared_again_nor_compared_with(
    take_in: Any, write: Any, record: Any, owner: Any, moved_first: bool
) -> None:
    child = {"氏名": "佐藤　次郎", "氏名カナ": "ｻﾄｳ ｼﾞﾛｳ", "生年月日": "4100510", "性別": "1"}
    ended = {"資格喪失日": "20250401", "喪失事由": "01"}
    await take_in(write(record(1, **ended)))
    moved = record(1, 紐付番号="LK-NEW", **ended, **SOMEBODY)
    new = record(2, 紐付番号="LK-NEW", 資格取得日="20250501", **child)

    loaded = await take_in(write(*((moved, new) if moved_first else (new, moved))))

    assert loaded.codes == [(1 if moved_first else 2, "mislink_suspected")]
    assert await owner.fetchval("select count(*) from mislink_case") == 1


async def test_an_earlier_coverage_in_the_same_file_is_the_same_person(take_in: Any, write: Any, record: Any) -> None:
    ended = {"資格喪失日": "20250401", "喪失事由": "01"}
    later = {"紐付番号": "LK-00000001", "資格取得日": "20250501", "氏名": "高橋花子", "氏名カナ": "タカハシ　ハナコ"}

    loaded = await take_in(write(record(1, **ended), record(2, **later)))

    assert (loaded.counts, loaded.codes) == ((2, 0, 2, 0), [])


async def test_a_changed_surname_is_a_review(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    await take_in(write(record(1)))

    loaded = await take_in(write(record(1, 氏名="佐藤　花子", 氏名カナ="ｻﾄｳ ﾊﾅｺ")))

    assert loaded.codes == [(1, "mislink_review")]
    assert [row["kind"] for row in await owner.fetch(CASES)] == ["review"]


@pytest.mark.parametrize(
    "same",
    [
        {"氏名": "高橋 花子"}, {"氏名": "●橋　花子"}, {"氏名カナ": "タカハシ　ハナコ"},
        {"氏名カナ": "タカハシー ハナコ"}, {"氏名カナ": "タカハシイ　ハナアコ"}, {"住所": "x"},
    ],
)  # fmt: skip
async def test_another_spelling_is_merged(
    take_in: Any, write: Any, record: Any, owner: Any, same: dict[str, str]
) -> None:
    await take_in(write(record(1)))

    loaded = await take_in(write(record(1, 保険者番号=OTHER, 資格取得日="20250401", **same)), insurer=OTHER)

    assert loaded.counts == (1, 0, 1, 0)
    assert await owner.fetch(CASES) == []


async def test_a_key_that_the_release_before_has_stored_is_no_disagreement(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, 氏名="靑山　太郞")))
    await owner.execute("update coverage set name_key = '靑山太郞'")

    assert (await take_in(write(record(1, 氏名="青山　太郎")))).codes == []
    assert await owner.fetch(CASES) == []


async def test_two_persons_swapped_within_a_household_are_one_case(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    husband, wife = {"枝番": "01"}, {"枝番": "02"} | SOMEBODY
    await take_in(write(record(1, **husband), record(1, **wife, 紐付番号="LK-WIFE"), record(3)))
    before = await owner.fetch(CURRENT)

    loaded = await take_in(
        write(
            record(1, **husband, 紐付番号="LK-WIFE"),
            record(1, **wife, 紐付番号="LK-00000001"),
            record(3),
        )
    )

    assert [code for code in loaded.codes if code[1] == "persons_swapped"] == [
        (1, "persons_swapped"), (2, "persons_swapped")
    ]  # fmt: skip
    assert [row["kind"] for row in await owner.fetch(CASES)].count("swapped") == 1
    assert await owner.fetch(CURRENT) == before


async def test_one_holder_claimed_by_two_numbers_is_one_case(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    loaded = await take_in(write(record(1), record(2, 紐付番号="LK-00000001"), record(3)))

    assert {code for _, code in loaded.codes} == {"overlaps", "claimed_twice"}
    assert [row["kind"] for row in await owner.fetch(CASES)] == ["claimed_twice"]
    assert await owner.fetchval("select count(*) from quarantined_record") == 2


async def test_periods_of_one_number_that_overlap_are_no_case(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    loaded = await take_in(write(record(1), record(1, 資格取得日="20250401")))

    assert {code for _, code in loaded.codes} == {"overlaps"}
    assert await owner.fetch(CASES) == []


async def test_a_loss_needs_no_name_that_agrees(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    await take_in(write(record(1)))

    loss = {"レコード種別": "2", "資格喪失日": "20261001", "喪失事由": "03"}
    renamed = {"氏名": SOMEBODY["氏名"], "氏名カナ": SOMEBODY["氏名カナ"]}
    assert (await take_in(write(record(1, **loss, **renamed)))).counts == (1, 0, 1, 0)


async def test_stating_the_coverage_anew_supersedes_the_case(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    ended = SOMEBODY | {"資格取得日": "20200401", "資格喪失日": "20210401", "喪失事由": "99"}
    await take_in(write(record(1)))
    await take_in(write(record(2, **ended, 紐付番号="LK-00000001")))

    loaded = await take_in(write(record(2, **ended)))

    assert loaded.counts == (1, 0, 1, 0)
    assert [row["state"] for row in await owner.fetch(CASES)] == ["superseded"]


@pytest.fixture
async def kept(take_in: Any, write: Any, record: Any, owner: Any) -> int:
    """An open case: a coverage not yet in the register, of a person whom the other insurer knows by another surname."""
    await take_in(write(record(1, 保険者番号=OTHER, 資格喪失日="20240401", 喪失事由="01")), insurer=OTHER)
    assert (await take_in(write(record(1, **MARRIED)))).codes == [(1, "mislink_review")]
    number: int = await owner.fetchval("select case_id from mislink_case")
    return number


async def test_a_loss_of_a_coverage_that_is_only_kept_is_released_with_it(
    take_in: Any, write: Any, record: Any, owner: Any, kept: int
) -> None:
    loss = record(1, レコード種別="2", 資格喪失日="20250401", 喪失事由="03", **MARRIED)

    loaded = await take_in(write(loss, loss))

    assert (loaded.counts, loaded.codes) == ((2, 0, 0, 2), [(1, "loss_kept"), (2, "loss_kept")])
    assert f"case {kept}" in loaded.faults[0]["expected"]
    assert [row["state"] for row in await owner.fetch(CASES)] == ["open"]
    assert await release(owner, kept, Decided("operator", "telephoned", datetime.now(UTC))) == 1
    now = "select name, lost_on, loss_reason from coverage where insurer_number <> $1 and known_to = 'infinity'"
    assert [tuple(row) for row in await owner.fetch(now, OTHER)] == [("佐藤　花子", date(2025, 4, 1), "03")]


@pytest.mark.parametrize(
    ("contradicting", "codes"),
    [
        ([{"生年月日": "3550111"}], [(1, "nothing_known")]),
        ([{}, {"資格喪失日": "20250501"}], [(1, "contradicts"), (2, "contradicts")]),
    ],
)
async def test_a_loss_that_would_not_end_the_coverage_is_not_put_on_what_is_kept(
    take_in: Any, write: Any, record: Any, owner: Any, kept: int,
    contradicting: list[dict[str, str]], codes: list[tuple[int, str]],
) -> None:  # fmt: skip
    loss = record(1, レコード種別="2", 資格喪失日="20250401", 喪失事由="03", **MARRIED)

    loaded = await take_in(write(*(loss | different for different in contradicting)))

    assert loaded.codes == codes
    assert [row["state"] for row in await owner.fetch(CASES)] == ["open"]
    assert await owner.fetchval("select stated ->> 'lost_on' from quarantined_record") is None


@pytest.mark.parametrize("corrected", [{"生年月日": "3550111"}, {"紐付番号": "LK-00000002"}])
async def test_a_loss_that_agrees_with_a_correction_that_is_kept_is_released_with_it(
    take_in: Any, write: Any, record: Any, owner: Any, corrected: dict[str, str]
) -> None:
    await take_in(write(record(2, 保険者番号=OTHER, **SOMEBODY)), insurer=OTHER)
    await take_in(write(record(1)))
    assert (await take_in(write(record(1, **corrected)))).codes == [(1, "mislink_suspected")]
    case = await owner.fetchval("select case_id from mislink_case")

    loaded = await take_in(write(record(1, レコード種別="2", 資格喪失日="20250401", 喪失事由="03", **corrected)))

    assert (loaded.counts, loaded.codes) == ((1, 0, 0, 1), [(1, "loss_kept")])
    assert await release(owner, case, Decided("operator", "telephoned", datetime.now(UTC))) == 1
    now = "select birth_date, linkage_code, lost_on from coverage c join person using (person_id)"
    (row,) = await owner.fetch(f"{now} where insurer_number <> $1 and known_to = 'infinity'", OTHER)
    stated = [corrected.get("生年月日", "3550110")[-4:], corrected.get("紐付番号", "LK-00000001")]
    assert [f"{row['birth_date']:%m%d}", row["linkage_code"]] == stated
    assert row["lost_on"] == date(2025, 4, 1)


@pytest.mark.parametrize(
    "refused",
    [
        {"レコード種別": "3", "生年月日": "3550111"},
        {"レコード種別": "2", "生年月日": "3550112", "資格喪失日": "20250401", "喪失事由": "03"},
        {"レコード種別": "2", "生年月日": "3550111", "資格喪失日": "20250401", "喪失事由": "03", "紐付番号": "LK-NEW"},
    ],
)
async def test_a_loss_or_cancellation_that_is_refused_leaves_the_case_as_it_was(
    take_in: Any, write: Any, record: Any, owner: Any, refused: dict[str, str]
) -> None:
    await take_in(write(record(1)))
    await take_in(write(record(1, 生年月日="3550111")))

    assert (await take_in(write(record(1, **refused)))).codes == [(1, "another_person")]

    case = await owner.fetchval("select case_id from mislink_case")
    assert await release(owner, case, Decided("operator", "telephoned", datetime.now(UTC))) == 1
    now = "select birth_date, lost_on from coverage where known_to = 'infinity'"
    assert [tuple(row) for row in await owner.fetch(now)] == [(date(1980, 1, 11), None)]


async def test_records_that_contradict_each_other_are_told_so_and_not_kept(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))

    loaded = await take_in(write(*(record(1, 住所=address, **SOMEBODY) for address in ("大阪府", "京都府"))))

    assert (loaded.counts, loaded.codes) == ((2, 2, 0, 0), [(1, "contradicts"), (2, "contradicts")])
    assert await owner.fetch(CASES) == []


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ([{"住所": "大阪府"}, {"住所": "京都府"}], "contradicts"),
        ([{"レコード種別": "2", "資格喪失日": "20990401", "喪失事由": "03"}], "loss_kept"),
    ],
)
async def test_a_full_file_does_not_leave_out_what_it_states_in_records_that_are_not_merged(
    take_in: Any, write: Any, record: Any, owner: Any, kept: int, stated: list[dict[str, str]], code: str
) -> None:
    loaded = await take_in(write(*(record(1, **MARRIED, **different) for different in stated)), kind="full")

    assert {found for _, found in loaded.codes} >= {code}
    assert [row["state"] for row in await owner.fetch(CASES)] == ["open"]


async def test_a_cancellation_of_a_coverage_that_is_only_kept_supersedes_the_case(
    take_in: Any, write: Any, record: Any, owner: Any, kept: int
) -> None:
    loaded = await take_in(write(record(1, レコード種別="3", **MARRIED)))

    assert loaded.codes == [(1, "nothing_known")]
    assert [row["state"] for row in await owner.fetch(CASES)] == ["superseded"]


@pytest.fixture
async def swapped(take_in: Any, write: Any, record: Any, owner: Any) -> int:
    """An open case of a husband and a wife under each other's linkage codes."""
    husband, wife = {"枝番": "01"}, WIFE
    await take_in(write(record(1, **husband), record(1, **wife, 紐付番号="LK-WIFE")))
    await take_in(write(record(1, **husband, 紐付番号="LK-WIFE"), record(1, **wife, 紐付番号="LK-00000001")))
    (case,) = await owner.fetch("select case_id, kind from mislink_case")
    assert case["kind"] == "swapped"
    number: int = case["case_id"]
    return number


async def test_a_swapped_pair_of_which_one_is_stated_anew_keeps_the_other_open(
    take_in: Any, write: Any, record: Any, owner: Any, swapped: int
) -> None:
    assert (await take_in(write(record(1, 枝番="01", 住所="東京都")))).counts == (1, 0, 1, 0)

    assert [row["state"] for row in await owner.fetch(CASES)] == ["open"]
    kept = "select record_number, superseded_at is null from quarantined_record order by 1"
    assert [tuple(row) for row in await owner.fetch(kept)] == [(1, False), (2, True)]

    assert (await take_in(write(record(1, 住所="東京都", **WIFE, 紐付番号="LK-WIFE")))).codes == []
    assert [row["state"] for row in await owner.fetch(CASES)] == ["superseded"]


async def test_a_release_merges_of_a_swapped_pair_only_what_was_not_stated_anew(
    take_in: Any, write: Any, record: Any, owner: Any, swapped: int
) -> None:
    # The husband has left, says the insurer under the right code; what the case keeps of him is older.
    lost = {"レコード種別": "2", "資格喪失日": "20250401", "喪失事由": "03"}
    assert (await take_in(write(record(1, 枝番="01", **lost)))).counts == (1, 0, 1, 0)
    decided = Decided("operator", "telephoned", datetime.now(UTC))

    assert await release(owner, swapped, decided) == 1

    now = "select branch_number, lost_on, linkage_code from coverage join person using (person_id)"
    rows = await owner.fetch(f"{now} where known_to = 'infinity' order by 1")
    assert [tuple(row) for row in rows] == [("01", date(2025, 4, 1), "LK-00000001"), ("02", None, "LK-00000001")]
    (reversal,) = await reverse(owner, swapped, (), decided)
    assert len(reversal.coverages) == 1


async def test_a_swapped_pair_stated_anew_at_once_supersedes_its_case(
    take_in: Any, write: Any, record: Any, owner: Any, swapped: int
) -> None:
    right = record(1, 枝番="01"), record(1, **WIFE, 紐付番号="LK-WIFE")

    assert (await take_in(write(*right))).counts == (2, 0, 0, 2)

    assert [row["state"] for row in await owner.fetch(CASES)] == ["superseded"]


async def test_both_insurers_are_told_of_days_covered_twice(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    await take_in(write(record(1)))

    second = await take_in(write(record(1, 保険者番号=OTHER, 資格取得日="20250401")), insurer=OTHER)
    first = await take_in(write(record(1, 住所="東京都")))

    assert second.codes == [(1, "covered_elsewhere")]
    assert first.codes == [(1, "covered_elsewhere")]
    assert ("06130512" in second.faults[0]["expected"], OTHER in first.faults[0]["expected"]) == (True, True)
    for fault in (*second.faults, *first.faults):
        assert "0000001" not in fault["expected"]
        assert "花子" not in fault["expected"]
    assert (
        await take_in(write(record(1, 保険者番号=OTHER, 資格取得日="20250401", 住所="x")), insurer=OTHER)
    ).faults == []


@pytest.mark.parametrize("kind", ["1", "2"])
async def test_both_insurers_are_told_of_days_that_a_loss_put_off_covers_twice(
    take_in: Any, write: Any, record: Any, kind: str
) -> None:
    ended, later = {"資格喪失日": "20250401", "喪失事由": "03"}, record(1, 保険者番号=OTHER, 資格取得日="20250401")
    await take_in(write(record(1, **ended)))
    await take_in(write(later), insurer=OTHER)

    first = await take_in(write(record(1, レコード種別=kind, **(ended | {"資格喪失日": "20250901"}))))
    second = await take_in(write(later | {"住所": "x"}), insurer=OTHER)

    assert (first.codes, second.codes) == ([(1, "covered_elsewhere")], [(1, "covered_elsewhere")])


@pytest.mark.parametrize("lost_on", ["20250401", "20250301"])
async def test_a_loss_that_leaves_no_day_covered_twice_is_told_to_nobody(
    take_in: Any, write: Any, record: Any, owner: Any, lost_on: str
) -> None:
    await take_in(write(record(1)))
    await take_in(write(record(1, 保険者番号=OTHER, 資格取得日="20250401")), insurer=OTHER)
    told = await owner.fetchval("select count(*) from insurer_notice")

    lost = record(1, レコード種別="2", 資格喪失日=lost_on, 喪失事由="03")
    assert [code for _, code in (await take_in(write(lost))).codes] == ["covered_elsewhere"]  # of the other's file

    assert (await take_in(write(lost | {"資格喪失日": "20250201"}))).codes == []
    assert await owner.fetchval("select count(*) from insurer_notice") == told


async def test_coverages_that_follow_each_other_are_told_to_nobody(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, 資格喪失日="20250401", 喪失事由="03")))

    assert (await take_in(write(record(1, 保険者番号=OTHER, 資格取得日="20250401")), insurer=OTHER)).faults == []
    assert await owner.fetchval("select count(*) from insurer_notice") == 0


async def test_planted_wrong_links_are_kept_and_harmless_changes_are_not(database: str, tmp_path: Path) -> None:
    guarded = await measure(database, tmp_path, persons=1500, seed=3, today=date(2026, 11, 21), share=0.1)

    assert guarded.planted.total() > 50
    assert judge(promised(SIZE), [judged(guarded)]).passed
    assert guarded.reviewed == guarded.renamed > 20
    assert guarded.harmless.keys() == {
        "old forms", "width", "long vowels", "small kana", "spaces", "address", "kana in names"
    }  # fmt: skip
    assert guarded.harmless["old forms"] > 30
    assert guarded.harmless["long vowels"] > 30
    assert guarded.alarms == {}
