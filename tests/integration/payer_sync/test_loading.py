"""What a file changes in the register: first statements, corrections, losses, cancellations, and refusals."""

import asyncio
from datetime import date
from typing import Any

import pytest

from eligibility.storage.database import connect
from payer_sync import reading
from tests.integration.payer_sync.conftest import INSURERS
from tests.integration.waiting import until_waiting

pytestmark = pytest.mark.database

COVERAGES = """
select c.coverage_id, c.number, c.name, c.lost_on, c.loss_reason, c.known_from, c.known_to, p.linkage_code
from coverage c join person p using (person_id) order by c.known_from, c.coverage_id
"""
CURRENT = "select count(*) from coverage where known_to = 'infinity'"
LIMIT = {"限度額証区分": "01", "限度額適用区分": "A03", "限度額有効開始日": "20260401", "限度額有効終了日": "20270331"}
DISEASE = {"特定疾病区分": "1", "特定疾病自己負担額": "10000", "特定疾病有効開始日": "20260401"}
ELDERLY = {"高齢負担割合": "020", "高齢有効開始日": "20260401"}
LOSS = {"レコード種別": "2", "資格喪失日": "20261001", "喪失事由": "03"}
CERTIFICATES = ("limit_certificate", "specific_disease_certificate", "elderly_certificate")


async def _current_certificates(owner: Any) -> list[int]:
    return [await owner.fetchval(f"select count(*) from {t} where known_to = 'infinity'") for t in CERTIFICATES]  # noqa: S608


@pytest.mark.parametrize(
    ("encoding", "end"), [("cp932", "\r\n"), ("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("cp932", "\n")]
)
async def test_a_first_file_is_merged_in_every_accepted_form(
    take_in: Any, write: Any, record: Any, owner: Any, encoding: str, end: str
) -> None:
    loaded = await take_in(write(record(1), record(2), encoding=encoding, end=end))

    assert loaded.counts == (2, 0, 2, 0)
    assert loaded.faults == []
    row = await owner.fetchrow(
        "select name, name_key, number_key, birth_date, postal_code, symbol, symbol_key from coverage"
    )
    assert row["name"] == "髙橋　花子"
    assert row["name_key"] == "高橋花子"
    assert row["birth_date"] == date(1980, 1, 10)
    assert (row["symbol"], row["symbol_key"]) == ("１２", "12")
    assert await owner.fetchval("select data_as_of from insurer where insurer_number = '06130512'") is not None
    events = await owner.fetch("select kind, code, insurer_number from audit_event where kind like 'submission%'")
    assert [(e["kind"], e["code"], e["insurer_number"]) for e in events] == [
        ("submission_merged", "merged", "06130512")
    ]


async def test_the_same_statements_again_change_nothing(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    await take_in(write(record(1, **LIMIT, **DISEASE, **ELDERLY), record(2)))
    before = await owner.fetch(COVERAGES)

    loaded = await take_in(write(record(1, **LIMIT, **DISEASE, **ELDERLY), record(2), encoding="utf-8"))

    assert loaded.counts == (2, 0, 0, 2)
    assert await owner.fetch(COVERAGES) == before
    assert await _current_certificates(owner) == [1, 1, 1]


async def test_a_correction_closes_the_old_row_and_keeps_its_identifier(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))

    loaded = await take_in(write(record(1, 氏名="高橋 花子")))

    old, new = await owner.fetch(COVERAGES)
    assert loaded.counts == (1, 0, 1, 0)
    assert (old["coverage_id"], old["name"]) == (new["coverage_id"], "髙橋　花子")
    assert old["known_to"] == new["known_from"]
    assert new["name"] == "高橋 花子"


async def test_a_correction_of_the_person_moves_the_coverage_and_its_certificates(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, **LIMIT)))

    await take_in(write(record(1, **LIMIT, 紐付番号="LK-OTHER")))

    current = await owner.fetchrow(
        "select p.linkage_code, l.known_to from coverage c join person p using (person_id)"
        " join limit_certificate l using (person_id, coverage_id)"
        " where c.known_to = 'infinity' and l.known_to = 'infinity'"
    )
    assert current["linkage_code"] == "LK-OTHER"
    assert await _current_certificates(owner) == [1, 0, 0]


async def test_changed_certificates_leave_the_coverage_alone(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    await take_in(write(record(1, **LIMIT, **DISEASE)))

    loaded = await take_in(write(record(1, **(LIMIT | {"限度額適用区分": "A02"}), **ELDERLY)))

    assert loaded.counts == (1, 0, 1, 0)
    assert len(await owner.fetch(COVERAGES)) == 1
    assert await _current_certificates(owner) == [1, 0, 1]
    assert await owner.fetchval("select category from limit_certificate where known_to = 'infinity'") == "A02"
    assert await owner.fetchval("select count(*) from limit_certificate") == 2


async def test_several_records_carry_several_certificates_of_one_coverage(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    later = LIMIT | {"限度額有効開始日": "20270401", "限度額有効終了日": ""}

    loaded = await take_in(write(record(1, **LIMIT), record(1, **later), record(1, **LIMIT, **DISEASE)))

    assert loaded.counts == (3, 0, 3, 0)
    assert await owner.fetchval(CURRENT) == 1
    assert await _current_certificates(owner) == [2, 1, 0]


async def test_a_loss_ends_the_coverage_and_keeps_its_certificates(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, **LIMIT)))

    loaded = await take_in(write(record(1, **LOSS, 氏名="別の　名前")))

    old, new = await owner.fetch(COVERAGES)
    assert loaded.counts == (1, 0, 1, 0)
    assert (old["lost_on"], new["lost_on"], new["loss_reason"]) == (None, date(2026, 10, 1), "03")
    assert new["name"] == old["name"]
    assert await _current_certificates(owner) == [1, 0, 0]
    assert (await take_in(write(record(1, **LOSS)))).counts == (1, 0, 0, 1)


async def test_a_cancellation_closes_everything_in_known_time(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1, **LIMIT, **DISEASE, **ELDERLY), record(2)))

    loaded = await take_in(write(record(1, レコード種別="3")))

    assert loaded.counts == (1, 0, 1, 0)
    assert await owner.fetchval(CURRENT) == 1
    assert await _current_certificates(owner) == [0, 0, 0]
    assert await owner.fetchval("select count(*) from coverage") == 2


async def test_a_cancelled_coverage_can_be_stated_again(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    await take_in(write(record(1)))
    await take_in(write(record(1, レコード種別="3")))

    assert (await take_in(write(record(1, 住所="東京都")))).counts == (1, 0, 1, 0)
    assert await owner.fetchval(CURRENT) == 1


@pytest.mark.parametrize("what", [LOSS, {"レコード種別": "3"}])
async def test_ending_what_is_not_known_is_a_warning(
    take_in: Any, write: Any, record: Any, owner: Any, what: dict[str, str]
) -> None:
    loaded = await take_in(write(record(1, **what)))

    assert loaded.counts == (1, 0, 0, 1)
    assert loaded.codes == [(1, "nothing_known")]
    assert await owner.fetchval("select count(*) from person") == 0


@pytest.mark.parametrize(
    "different",
    [
        {"氏名": "別の　名前"},
        {"レコード種別": "3"},
        {"資格喪失日": "20261001", "喪失事由": "99"},
        {"紐付番号": "LK-OTHER"},
        LIMIT | {"限度額適用区分": "A01"},
        DISEASE | {"特定疾病自己負担額": "20000"},
        ELDERLY | {"高齢負担割合": "030"},
    ],
)
async def test_records_of_one_coverage_that_disagree_are_all_refused_and_name_each_other(
    take_in: Any, write: Any, record: Any, owner: Any, different: dict[str, str]
) -> None:
    first = record(1, **LIMIT, **DISEASE, **ELDERLY)

    loaded = await take_in(write(first, record(2), record(1, **(LIMIT | DISEASE | ELDERLY | different))))

    assert loaded.codes == [(1, "contradicts"), (3, "contradicts")]
    assert ["3" in loaded.faults[0]["expected"], "1" in loaded.faults[1]["expected"]] == [True, True]
    assert loaded.counts == (3, 2, 1, 0)
    assert [row["number"] for row in await owner.fetch(COVERAGES)] == ["0000002"]


@pytest.mark.parametrize("others", [["LK-9"], ["LK-9", "LK-9"], ["LK-8", "LK-9"], ["LK-00000002"]])
@pytest.mark.parametrize("different", [{}, LOSS, {"レコード種別": "3"}])
async def test_one_coverage_stated_of_different_persons_is_refused_whichever_of_them_are_known_or_stated_again(
    take_in: Any, write: Any, record: Any, owner: Any, others: list[str], different: dict[str, str]
) -> None:
    await take_in(write(record(8, 保険者番号="33120015", 紐付番号="LK-8", 資格取得日="20200101")), insurer="33120015")
    wrong = [record(1, 紐付番号=code, **different) for code in others]

    loaded = await take_in(write(record(1), record(2), *wrong, record(3)))

    refused = [1, *range(3, 3 + len(wrong))]
    assert loaded.codes == [(number, "contradicts") for number in refused]
    assert loaded.submission.merged == 2
    own = await owner.fetch("select number from coverage where insurer_number = '06130512' order by number")
    assert [row["number"] for row in own] == ["0000002", "0000003"]


async def test_two_records_of_persons_known_elsewhere_that_state_one_coverage_are_refused(
    take_in: Any, write: Any, record: Any
) -> None:
    known = [record(n, 保険者番号="33120015", 資格取得日="20200101") for n in (7, 8)]
    await take_in(write(*known), insurer="33120015")

    loaded = await take_in(write(record(1, 紐付番号="LK-00000007"), record(1, 紐付番号="LK-00000008"), record(2)))

    assert loaded.codes == [(1, "contradicts"), (2, "contradicts")]
    assert loaded.submission.merged == 1


async def test_overlapping_coverages_of_one_person_in_one_file_are_both_refused(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    loaded = await take_in(write(record(1), record(1, 番号="999", 資格取得日="20250401"), record(2)))

    assert loaded.codes == [(1, "overlaps"), (2, "overlaps"), (1, "claimed_twice"), (2, "claimed_twice")]
    assert loaded.counts == (3, 2, 1, 0)
    assert await owner.fetchval("select count(*) from person") == 1


async def test_a_coverage_that_overlaps_a_known_one_is_refused(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))

    loaded = await take_in(write(record(1, 番号="999", 資格取得日="20250401")))

    assert loaded.codes == [(1, "overlaps"), (1, "claimed_twice")]
    assert await owner.fetchval("select count(*) from coverage") == 1


@pytest.mark.parametrize("address", ["東京都千代田区千代田１－１", "大阪府大阪市北区１"])  # as known, and another
async def test_days_stated_as_they_are_known_overlap_what_is_new_in_their_file(
    take_in: Any, write: Any, record: Any, owner: Any, address: str
) -> None:
    await take_in(write(record(1), record(2)))
    before = await owner.fetch(COVERAGES)

    loaded = await take_in(write(record(1, 住所=address), record(1, 番号="999", 資格取得日="20250401")))

    assert loaded.codes == [(1, "overlaps"), (2, "overlaps"), (1, "claimed_twice"), (2, "claimed_twice")]
    assert await owner.fetch(COVERAGES) == before


async def test_a_loss_in_the_same_file_makes_room_for_the_next_coverage(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1)))

    loaded = await take_in(write(record(1, **LOSS), record(1, 番号="999", 資格取得日="20261001")))

    assert loaded.counts == (2, 0, 2, 0)
    assert await owner.fetchval(CURRENT) == 2


async def test_a_refused_correction_takes_down_what_relied_on_it(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(1, 番号="888", 資格取得日="20200401", 資格喪失日="20210401", 喪失事由="99")))
    before = await owner.fetch(COVERAGES)

    # Record 1 would make room for record 2 but collides with the known coverage 888 itself.
    loaded = await take_in(
        write(
            record(1, 番号="888", 資格取得日="20200401", 資格喪失日="20250101", 喪失事由="99"),
            record(1, 番号="777", 資格取得日="20210401", 資格喪失日="20220401", 喪失事由="99"),
        )
    )

    assert ("overlaps" in {code for _, code in loaded.codes}, loaded.submission.merged) == (True, 0)
    assert await owner.fetch(COVERAGES) == before


async def test_two_insurers_may_claim_one_person(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    await take_in(write(record(1)))
    loaded = await take_in(write(record(1, 保険者番号="33120015")), insurer="33120015")

    assert loaded.counts == (1, 0, 1, 0)
    assert await owner.fetchval("select count(*) from person") == 1


async def test_bad_records_are_left_out_and_the_good_ones_merged(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    loaded = await take_in(
        write(record(1), record(2, 生年月日="20010229"), record(3, 保険者番号="33120015"), record(4))
    )

    assert loaded.codes == [(2, "malformed_date"), (3, "other_insurer")]
    assert loaded.counts == (4, 2, 2, 0)
    assert loaded.faults[0]["value_shape"] == "99999999"
    assert await owner.fetchval("select code from audit_event where kind = 'submission_merged'") == "merged_in_part"


async def test_a_my_number_is_refused_and_kept_nowhere(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    my_number = "123456789018"
    loaded = await take_in(
        write(
            record(1, 紐付番号=my_number), record(2, 住所="番号１２３４５６７８９０１８です"), record(3),
            record(4, 番号="1234 5678 9018"),
            record(5, 記号="１２３４５６７８　９０１８"), record(6, 住所="1234-5678-9018"),
        )
    )  # fmt: skip

    assert loaded.codes == [(number, "my_number") for number in (1, 2, 4, 5, 6)]
    for table in ("feedback", "audit_event", "person", "coverage"):
        found = f"select exists (select from {table} t where t::text like $1)"  # noqa: S608
        assert not await owner.fetchval(found, f"%{my_number}%")


@pytest.mark.parametrize(
    ("different", "code"),
    [
        ({"番号": "\u00a0"}, "required"),
        ({"氏名": "\u2003\u00a0"}, "required"),
        ({"番号": "00\u200b01"}, "control_character"),
        ({"氏名": "髙橋\ufeff花子"}, "control_character"),
        ({"住所": "東京都\u200f"}, "control_character"),
    ],
)
async def test_a_value_that_only_looks_filled_or_is_not_what_it_looks_like_is_refused(
    take_in: Any, write: Any, record: Any, different: dict[str, str], code: str
) -> None:
    loaded = await take_in(write(record(1, **different), record(2), encoding="utf-8"))

    assert (loaded.counts, loaded.codes) == ((2, 1, 1, 0), [(1, code)])


async def test_a_full_file_with_refused_records_says_that_nobody_was_retired(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(2)))
    loaded = await take_in(write(record(1), record(3), record(2, 生年月日="20010229")), kind="full")

    assert loaded.codes == [(3, "malformed_date"), (None, "retirement_not_done")]
    assert await owner.fetchval(CURRENT) == 3


async def test_an_insurer_number_whose_check_digit_fails_is_one_warning(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await owner.execute("insert into insurer (insurer_number, name) values ('13111111', 'x')")

    loaded = await take_in(write(*(record(n, 保険者番号="13111111") for n in range(9))), insurer="13111111")

    assert loaded.codes == [(None, "check_digit")]
    assert loaded.counts == (9, 0, 9, 0)


@pytest.mark.parametrize(
    ("spoil", "code", "record_number"),
    [
        (lambda data: data.replace(b"LK-00000002", b"LK-\x81\x20"), "bytes_undecodable", 2),
        (lambda data: data.replace(b"LK-00000002", b"LK-\xa0"), "bytes_undecodable", 2),
        (lambda data: data.replace(b"LK-00000001", b"LK-\x00"), "nul_byte", 1),
        (lambda data: data.decode("cp932").encode("utf-16"), "encoding_unknown", None),
        (lambda data: data.decode("cp932").encode("euc_jp", "replace"), "encoding_unknown", None),
        (lambda data: data.split(b"\r\n", 1)[1], "header_missing", None),
        (lambda data: data.replace("枝番".encode("cp932"), b"branch", 1), "column_unknown", None),
        (lambda data: data.replace("枝番".encode("cp932"), "番号".encode("cp932"), 1), "column_duplicate", None),
        (lambda data: data.replace("枝番,".encode("cp932"), b"", 1), "column_missing", None),
        (lambda data: b"", "header_missing", None),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_whole(
    take_in: Any, write: Any, record: Any, owner: Any, spoil: Any, code: str, record_number: int | None
) -> None:
    await take_in(write(record(1)))
    path = write(record(1, 氏名="別の　名前"), record(2))
    path.write_bytes(spoil(path.read_bytes()))

    loaded = await take_in(path)

    assert loaded.submission.state == "refused"
    assert loaded.codes[0] == (record_number, code)
    assert {fault["severity"] for fault in loaded.faults} == {"file_refused"}
    assert [row["name"] for row in await owner.fetch(COVERAGES)] == ["髙橋　花子"]
    assert await owner.fetchval("select code from audit_event where kind = 'submission_refused'") == code


@pytest.mark.parametrize("first", [True, False])
async def test_a_file_with_bytes_that_cannot_be_read_is_checked_to_its_end_and_nothing_of_it_is_merged(
    take_in: Any, write: Any, record: Any, owner: Any, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    if not first:
        await take_in(write(record(1, 氏名="別の　名前")))
    before = await owner.fetch(COVERAGES)
    monkeypatch.setattr(reading.read_batches, "__defaults__", (2000,))  # several portions
    path = write(record(1, 性別="9"), *(record(n) for n in range(2, 40)), record(40, 生年月日="x"))
    path.write_bytes(path.read_bytes().replace(b"LK-00000030", b"LK-\xff").replace(b"LK-00000035", b"LK-\x00"))

    loaded = await take_in(path)

    assert loaded.submission.state == "refused"
    assert loaded.codes == [(1, "unknown_code"), (40, "malformed_date"), (30, "bytes_undecodable"), (35, "nul_byte")]
    assert await owner.fetch(COVERAGES) == before
    assert await owner.fetchval("select count(*) from coverage") == len(before)


@pytest.mark.parametrize("first", [True, False])
async def test_of_a_file_of_lines_without_fields_no_more_is_told_than_a_bound(
    take_in: Any, write: Any, record: Any, owner: Any, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    if not first:
        await take_in(write(record(2)))
    before = await owner.fetch(COVERAGES)
    monkeypatch.setattr(reading, "MAX_ASTRAY", 100)
    monkeypatch.setattr(reading.read_batches, "__defaults__", (2000,))  # bytes: some 400 lines
    path = write(record(1))
    path.write_bytes(path.read_bytes() + b"1,2\r\n" * 3000)

    loaded = await take_in(path)

    assert loaded.submission.state == "refused"
    *told, last = loaded.faults
    assert (last["record_number"], last["code"]) == (None, "lines_astray")
    assert "more than 100 have others" in last["expected"]
    assert {fault["code"] for fault in told} <= {"wrong_field_count"}
    assert len(told) <= 600
    assert await owner.fetch(COVERAGES) == before


@pytest.mark.parametrize(
    ("stated", "state", "code"),
    [({"content_digest": bytes(32)}, "held", "held_digest"), ({"records": 7}, "refused", "count_wrong")],
)
async def test_a_file_that_is_not_what_its_manifest_says_is_not_merged(
    take_in: Any, write: Any, record: Any, owner: Any, stated: dict[str, object], state: str, code: str
) -> None:
    loaded = await take_in(write(record(1)), stated=stated)

    assert loaded.submission.state == state
    assert loaded.codes == [(None, code)]
    assert await owner.fetchval("select count(*) from coverage") == 0


async def test_a_file_that_the_disk_lost_is_refused(take_in: Any, write: Any, record: Any, owner: Any) -> None:
    path = write(record(1))

    loaded = await take_in(path, spool=path.with_name("lost"))

    assert loaded.codes == [(None, "digest_wrong")]
    assert loaded.submission.state == "refused"


@pytest.mark.parametrize("different", [{"紐付番号": "LK-SOMEBODY"}, {"生年月日": "3600101"}])
@pytest.mark.parametrize("kind", ["2", "3"])
async def test_a_loss_or_cancellation_of_another_person_is_refused(
    take_in: Any, write: Any, record: Any, owner: Any, kind: str, different: dict[str, str]
) -> None:
    await take_in(write(record(1)))
    stated = {"レコード種別": kind, "資格喪失日": "20250401", "喪失事由": "99"} | different
    loaded = await take_in(write(record(1, **stated)))
    assert [code for _, code in loaded.codes] == ["another_person"]
    assert await owner.fetchval("select count(*) from coverage where known_to = 'infinity' and lost_on is null") == 1


async def test_a_first_file_finds_whom_another_load_has_named_meanwhile(
    take_in: Any, write: Any, record: Any, owner: Any, database: str
) -> None:
    other, watch = await connect(database), await connect(database)
    naming = other.transaction()
    await naming.start()
    person = await other.fetchval("insert into person (linkage_code) values ($1) returning person_id", "LK-00000002")
    loading = asyncio.create_task(take_in(write(*(record(n) for n in range(1, 4)))))
    await until_waiting(watch, 1)
    assert not loading.done()
    await naming.commit()
    await other.close()
    await watch.close()

    assert (await loading).counts == (3, 0, 3, 0)
    assert await owner.fetchval("select person_id from coverage where number = '0000002'") == person
    assert await owner.fetchval("select count(*) from person") == 3


async def test_identifiers_that_name_somebody_already_are_given_to_nobody_else(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(record(1), record(2)))
    for sequence, first in (("person_person_id_seq", 1), ("identifier_block_seq", 2**42)):  # as after an older restore
        await owner.execute("select setval($1::text::regclass, $2, false)", sequence, first)
    other = {"保険者番号": INSURERS[1]}

    loaded = await take_in(write(record(3, **other), record(4, **other)), insurer=INSURERS[1])

    assert loaded.counts == (2, 0, 2, 0)
    rows = await owner.fetch("select number, linkage_code from coverage join person using (person_id) order by 1")
    assert [tuple(row) for row in rows] == [(f"{n:07}", f"LK-{n:08}") for n in range(1, 5)]
