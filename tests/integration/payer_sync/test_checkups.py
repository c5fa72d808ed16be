"""Check-ups from CSV and from documents in an archive: matched, merged, corrected, refused and deleted."""

import asyncio
import csv
import io
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.domain.retention import kept_from
from eligibility.settings import WorkerSettings
from eligibility.storage.clearing import purge_checkups
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_insurer
from eligibility.wire.submissions import SubmissionKind, SubmissionState
from eligibility.worker import run as run_worker
from loadtest.nation.checkups import Checkup, cda, make_checkups, write_archive, write_csv
from loadtest.population import HeldCoverage, Nation, Person
from payer_sync.cases import Decided, release, reverse
from payer_sync.faults import FaultCode
from payer_sync.gates import Decision, decide
from payer_sync.layouts.register import find_layout
from payer_sync.loading import load
from payer_sync.manifest import build_manifest
from payer_sync.push import Intake, push
from payer_sync.submission import Filed, announce, find_submission
from payer_sync.validation import Validation
from tests.integration.payer_sync.conftest import INSURERS, Loaded

pytestmark = pytest.mark.database

HEIGHT = {"項目コード": "9N001000000000001", "結果値": "158.2", "単位": "cm", "基準下限": "", "基準上限": ""}
PRESSURE = {"項目コード": "9A751000000000001", "結果値": "141", "単位": "mm[Hg]", "基準下限": "", "基準上限": "129"}
SMOKING = {
    "項目コード": "9N736000000000011",
    "結果種別": "CD",
    "結果値": "2",
    "結果コード名称": "いいえ",
} | dict.fromkeys(("単位", "基準下限", "基準上限"), "")
CURRENT = """
select p.linkage_code, k.insurer_number, k.performed_on, k.institution_code, r.item_code, r.result_kind, r.value,
    r.value_name, r.unit, r.low, r.high, r.stated_flag, r.flag
from checkup k join person p using (person_id) join checkup_result r using (person_id, checkup_id)
where k.known_to = 'infinity' and r.known_to = 'infinity'
order by p.linkage_code, k.performed_on, k.institution_code, r.item_code
"""
EVERYTHING = (
    "select checkup_id, known_from, known_to, submission_id from checkup order by checkup_id, known_from",
    "select checkup_id, item_code, known_from, known_to, value from checkup_result order by 1, 2, 3",
)
TakeIn = Callable[..., Awaitable[Loaded]]


@pytest.fixture
def result() -> Callable[..., dict[str, str]]:
    """Make a good record; the arguments say what is different in it."""

    def make(*several: dict[str, str], **different: str) -> dict[str, str]:
        filled = dict.fromkeys(find_layout("checkup", 1).column_names, "") | {
            "保険者番号": INSURERS[0], "記号": "12", "番号": "0000001", "枝番": "01", "生年月日": "19800110",
            "性別": "2", "健診実施日": "20260603", "健診機関番号": "1311234567", "項目コード": "3F015000002327101",
            "結果種別": "PQ", "結果値": "120", "単位": "mg/dL", "基準下限": "30", "基準上限": "149",
        }  # fmt: skip
        for more in several:
            filled |= more
        return filled | different

    return make


@pytest.fixture
def write_results(tmp_path: Path) -> Callable[..., Path]:
    """Write records as a CSV file of the check-up layout."""
    numbers = iter(range(1, 1000))

    def make(*records: dict[str, str], encoding: str = "cp932") -> Path:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(find_layout("checkup", 1).column_names)
        writer.writerows(record.values() for record in records)
        path = tmp_path / f"checkups-{next(numbers)}.csv"
        path.write_bytes(text.getvalue().encode(encoding))
        return path

    return make


@pytest.fixture
def take_checkups(database: str, owner: Any, insurers: tuple[str, ...]) -> TakeIn:
    """Load a check-up file as the intake does once it has arrived."""

    async def run(path: Path, *, insurer: str = INSURERS[0], kind: str = "delta") -> Loaded:
        manifest = build_manifest(path, SubmissionKind(kind), "checkup", 1)
        now, number = datetime.now(UTC), InsurerNumber(insurer)
        submission, _ = await announce(owner, uuid7(now), number, manifest, now)
        await load(database, Filed(number, submission), path)
        found = await find_submission(owner, submission.submission_id, number)
        assert found
        faults = await owner.fetch(
            "select record_number, field, code, severity, value_shape, expected from feedback"
            " where submission_id = $1 order by fault_number",
            submission.submission_id,
        )
        return Loaded(found, faults)

    return run


@pytest.fixture
async def known(take_in: Any, write: Any, record: Any) -> None:
    """One person insured since April 2024, another who left in June 2026, and twins who share all but the branch."""
    twin = {"番号": "77", "生年月日": "20000101"}
    left = {"資格喪失日": "20260601", "喪失事由": "03"}
    loaded = await take_in(
        write(
            record(1),
            record(2, 氏名="鈴木　一郎", 氏名カナ="スズキ　イチロウ", 性別="1", 生年月日="19700505", **left),
            record(3, **twin, 枝番="02"),
            record(4, **twin, 枝番="03", 氏名="髙橋　月子", 氏名カナ="タカハシ　ツキコ"),
        )
    )
    assert loaded.counts == (4, 0, 4, 0)


async def test_a_check_up_is_merged_with_flags_by_its_own_ranges(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any
) -> None:
    low = result(項目コード="3F070000002327101", 結果値="39.5", 基準下限="40", 基準上限="96")
    loaded = await take_checkups(
        write_results(result(), result(HEIGHT), result(PRESSURE, 判定="H"), result(SMOKING), low)
    )

    assert loaded.counts == (5, 0, 5, 0)
    assert loaded.faults == []
    rows = {row["item_code"][:5]: row for row in await owner.fetch(CURRENT)}
    flags = {item: row["flag"] for item, row in rows.items()}
    assert flags == {"3F015": "N", "9N001": None, "9A751": "H", "9N736": None, "3F070": "L"}
    assert (rows["9N736"]["value"], rows["9N736"]["value_name"]) == ("2", "いいえ")
    assert (rows["3F015"]["linkage_code"], rows["3F015"]["performed_on"]) == ("LK-00000001", date(2026, 6, 3))
    events = await owner.fetch(
        "select kind, code from audit_event where submission_id = $1", loaded.submission.submission_id
    )
    assert [tuple(event) for event in events] == [("submission_merged", "merged")]


async def test_the_same_check_up_again_changes_nothing(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any
) -> None:
    records = [result(), result(HEIGHT), result(SMOKING)]
    await take_checkups(write_results(*records))
    before = [await owner.fetch(query) for query in EVERYTHING]

    loaded = await take_checkups(write_results(*reversed(records), records[0], encoding="utf-8"))

    assert loaded.counts == (4, 0, 0, 4)
    assert [await owner.fetch(query) for query in EVERYTHING] == before


async def test_a_check_up_sent_again_takes_the_earlier_ones_place(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any
) -> None:
    await take_checkups(write_results(result(), result(HEIGHT), result(SMOKING)))

    loaded = await take_checkups(write_results(result(結果値="210"), result(HEIGHT), result(PRESSURE)))

    assert loaded.counts == (3, 0, 3, 0)
    old, new = await owner.fetch(EVERYTHING[0])
    assert (old["checkup_id"], old["known_to"]) == (new["checkup_id"], new["known_from"])
    rows = await owner.fetch(
        "select left(item_code, 5) as item, value, known_from = $1 as added, known_to = $1 as closed"
        " from checkup_result order by item_code, known_from",
        new["known_from"],
    )
    assert [tuple(row) for row in rows] == [
        ("3F015", "120", False, True),
        ("3F015", "210", True, False),
        ("9A751", "141", True, False),
        ("9N001", "158.2", False, False),
        ("9N736", "2", False, True),
    ]


@pytest.mark.parametrize(
    "other", [{"健診実施日": "20260604"}, {"健診実施日": "20250603"}, {"健診機関番号": "0110000019"}]
)
async def test_another_day_or_place_is_another_check_up(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any, other: dict[str, str]
) -> None:
    await take_checkups(write_results(result()))

    assert (await take_checkups(write_results(result(other)))).counts == (1, 0, 1, 0)
    assert await owner.fetchval("select count(*) from checkup where known_to = 'infinity'") == 2


LEFT = {"番号": "0000002", "性別": "1", "生年月日": "19700505", "健診実施日": "20260531"}


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"枝番": ""},
        {"性別": "3"},
        {"記号": "１２", "番号": "０００００００１"[1:]},
        {"紐付番号": "LK-00000001"},
        {"紐付番号": "LK-00000001", "記号": "", "番号": "", "枝番": ""},
        {"健診実施日": "20240401"},
        LEFT,
        {"番号": "77", "枝番": "02", "生年月日": "20000101"},
    ],
)
async def test_the_holder_is_found(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, named: dict[str, str]
) -> None:
    loaded = await take_checkups(write_results(result(named)))

    assert loaded.counts == (1, 0, 1, 0), loaded.codes


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ({"番号": "9999999"}, "person_not_found"),
        ({"記号": "13"}, "person_not_found"),
        ({"枝番": "02"}, "person_not_found"),
        ({"健診実施日": "20240331"}, "person_not_found"),
        (LEFT | {"健診実施日": "20260601"}, "person_not_found"),
        ({"紐付番号": "LK-UNKNOWN"}, "person_not_found"),
        ({"生年月日": "19800111"}, "person_disagrees"),
        ({"性別": "1"}, "person_disagrees"),
        ({"紐付番号": "LK-00000001", "番号": "77"}, "person_disagrees"),
        ({"紐付番号": "LK-00000003"}, "person_disagrees"),
        ({"番号": "77", "枝番": "", "生年月日": "20000101"}, "person_ambiguous"),
    ],
)
async def test_a_check_up_without_one_holder_is_refused(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any, named: dict[str, str], code: str
) -> None:
    loaded = await take_checkups(
        write_results(result(HEIGHT, 健診実施日="20260701"), result(named), result(PRESSURE, named))
    )

    assert loaded.counts == (3, 2, 1, 0)
    assert loaded.codes == [(2, code), (3, code)]
    assert {fault["severity"] for fault in loaded.faults} == {"record_refused"}
    assert await owner.fetchval("select count(*) from checkup") == 1


async def test_another_insurers_coverage_is_no_holder(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None
) -> None:
    loaded = await take_checkups(write_results(result(保険者番号=INSURERS[1])), insurer=INSURERS[1])

    assert loaded.codes == [(1, "person_not_found")]


async def test_a_refused_record_refuses_its_check_up_and_no_other(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any
) -> None:
    await take_checkups(write_results(result(), result(HEIGHT)))
    before = [await owner.fetch(query) for query in EVERYTHING]
    other = {"健診実施日": "20250603"}

    loaded = await take_checkups(write_results(result(結果値="x"), result(HEIGHT, 結果値="150"), result(HEIGHT, other)))

    assert loaded.counts == (3, 2, 1, 0)
    assert sorted(loaded.codes) == [(1, "result_malformed"), (2, "checkup_incomplete")]
    after = [await owner.fetch(query) for query in EVERYTHING]
    assert [rows[: len(old)] for rows, old in zip(after, before, strict=True)] == before


LINKED = {"紐付番号": "LK-00000001"}
ONLY_LINKED = {**LINKED, "記号": "", "番号": "", "枝番": ""}


@pytest.mark.parametrize(
    ("refused", "other", "whole"),
    [
        (LINKED, {}, False),
        (ONLY_LINKED, {}, False),
        ({}, LINKED, False),
        ({"枝番": ""}, ONLY_LINKED, False),
        ({**ONLY_LINKED, "紐付番号": "LK-00000002"}, {}, True),
        ({"番号": "0000002"}, ONLY_LINKED, True),
        ({**LINKED, "健診実施日": "20260604"}, {}, True),
        ({**LINKED, "健診機関番号": "1311234575"}, {}, True),
    ],
)
async def test_a_refused_record_refuses_its_check_up_also_where_they_name_the_holder_in_two_ways(
    take_checkups: TakeIn,
    write_results: Any,
    result: Any,
    take_in: Any,
    write: Any,
    record: Any,
    owner: Any,
    refused: dict[str, str],
    other: dict[str, str],
    whole: bool,
) -> None:
    await take_in(write(record(1, 生年月日="19800110"), record(2, 生年月日="19700505")))
    await take_checkups(write_results(result(), result(HEIGHT)))
    before = await owner.fetch(CURRENT)

    loaded = await take_checkups(write_results(result(refused, 結果値="x"), result(HEIGHT, other, 結果値="150")))

    assert loaded.counts == ((2, 1, 1, 0) if whole else (2, 2, 0, 0))
    assert (await owner.fetch(CURRENT) == before) is not whole


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.replace("1311234567", "13112X4567"),
        lambda line: line.replace("1311234567", ""),
        lambda line: line.replace("20260603", "20260631"),
        lambda line: line.replace(",01,", ",1,"),
        lambda line: line.replace("0000001", ""),
        lambda line: line.replace("12,0000001,01", ",,"),
        lambda line: line.replace(",01,", ",", 1) + ",",
        lambda line: line + ",",
        lambda line: line.replace("いいえ", 'いい"え'),
        lambda _: "x",
    ],
    ids=[
        "place", "no place", "day", "branch", "no number", "nobody named", "a cell deleted, the others moved up",
        "a comma too many", "a stray quote", "something else",
    ],
)  # fmt: skip
async def test_a_check_up_that_may_have_lost_a_refused_record_stays_as_it_is_known(
    take_checkups: TakeIn,
    write_results: Any,
    result: Any,
    known: None,
    owner: Any,
    spoil: Callable[[str], str],
) -> None:
    await take_checkups(write_results(result(), result(HEIGHT), result(SMOKING)))
    before = await owner.fetch(CURRENT)
    path = write_results(result(結果値="130"), result(HEIGHT), result(SMOKING))
    *others, line, end = path.read_bytes().decode("cp932").split("\r\n")
    path.write_bytes("\r\n".join([*others, spoil(line), end]).encode("cp932"))

    loaded = await take_checkups(path)

    assert loaded.counts == (3, 3, 0, 0)
    assert loaded.codes[-2:] == [(1, "checkup_incomplete"), (2, "checkup_incomplete")]
    assert await owner.fetch(CURRENT) == before


@pytest.mark.parametrize(
    "second",
    [{"結果値": "121"}, {"単位": "mg/dl"}, {"基準上限": "150"}, {"生年月日": "19800111"}, {"紐付番号": "LK-00000001"}],
)
async def test_records_of_one_check_up_that_contradict_each_other_are_refused(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any, second: dict[str, str]
) -> None:
    loaded = await take_checkups(write_results(result(), result(second), result(HEIGHT)))

    assert {code for _, code in loaded.codes} == {FaultCode.CHECKUP_CONTRADICTS}
    assert loaded.counts == (3, 3, 0, 0)
    assert await owner.fetchval("select count(*) from checkup_result") == 0


async def test_every_fault_that_a_file_of_check_ups_alone_shows_is_told_offline_too(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None
) -> None:
    days = [{"健診実施日": f"202606{day:02}"} for day in range(3, 9)]
    path = write_results(
        result(days[0], 保険者番号="0613051X"), result(HEIGHT, days[0]), result(days[1], 枝番="1"),
        result(HEIGHT, days[2]), result(HEIGHT, days[1]), result(days[3]), result(days[3], 結果値="121"),
        result(HEIGHT, days[3]), result(days[4]), result(days[4], 基準下限="30.0"), result(SMOKING, days[4], 性別="3"),
        result(days[5]), result(days[5], 基準下限="30.00", 基準上限="149.0"), result(HEIGHT, days[5], 単位=""),
        result(健診実施日="20200101", 結果値="1"), result(健診実施日="20200101"),
    )  # fmt: skip

    loaded = await take_checkups(path)
    validation = Validation(path, find_layout("checkup", 1), None, day_in_japan(datetime.now(UTC)))
    offline = [(f.record, f.field, f.code, f.severity, f.value_shape, f.expected) for f in validation.lines()]

    assert offline == [tuple(fault) for fault in loaded.faults]
    assert (validation.records, validation.refused_records) == loaded.counts[:2] == (16, 10)


async def test_an_unknown_item_is_kept_and_told_of(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any
) -> None:
    loaded = await take_checkups(write_results(result(項目コード="5C095000002302301", 単位="ng/mL")))

    assert loaded.counts == (1, 0, 1, 0)
    assert loaded.codes == [(1, "unknown_item")]
    assert await owner.fetchval("select unit from checkup_result") == "ng/mL"


def _day(day: date) -> str:
    return f"{day:%Y%m%d}"


async def test_check_ups_of_more_than_five_years_ago_are_not_kept(
    take_in: Any, write: Any, record: Any, take_checkups: TakeIn, write_results: Any, result: Any, owner: Any
) -> None:
    await take_in(write(record(1, 資格取得日="20100401")))
    oldest = kept_from(day_in_japan(datetime.now(UTC)))

    loaded = await take_checkups(
        write_results(result(健診実施日=_day(oldest)), result(健診実施日=_day(oldest - timedelta(days=1))))
    )

    assert loaded.counts == (2, 0, 1, 1)
    assert loaded.codes == [(2, "performed_too_long_ago")]
    assert await owner.fetchval("select performed_on from checkup") == oldest


async def test_the_worker_deletes_what_is_kept_no_longer_and_leaves_an_event(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any, database: str
) -> None:
    old = {"健診実施日": "20240501"}
    await take_checkups(write_results(result(old), result(HEIGHT, old), result()))
    await take_checkups(write_results(result(old, 結果値="99")))
    worker = await connect(database, role="eligibility_worker")
    try:
        now = datetime.now(UTC)
        assert await purge_checkups(worker, date(2029, 5, 1), now) == 0
        assert await purge_checkups(worker, date(2029, 5, 2), now) == 1
        assert await purge_checkups(worker, date(2029, 5, 2), now) == 0
    finally:
        await worker.close()

    assert [row["performed_on"] for row in await owner.fetch(CURRENT)] == [date(2026, 6, 3)]
    assert await owner.fetchval("select count(*) from checkup_result") == 1
    events = await owner.fetch("select code, detail from audit_event where kind = 'checkups_purged'")
    assert [(e["code"], e["detail"]["checkups"]) for e in events] == [("kept_long_enough", 1)]


async def test_a_running_worker_deletes_what_has_become_too_old(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any, database: str
) -> None:
    await take_checkups(write_results(result(), result(健診実施日="20250603")))
    await owner.execute("update checkup set performed_on = performed_on - 3650 where performed_on < '2026-01-01'")
    told = asyncio.Event()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_worker(WorkerSettings(database_url=SecretStr(database)), told))
        purged = "select count(*) from audit_event where kind = 'checkups_purged'"
        while not await owner.fetchval(purged):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        told.set()

    assert [row["performed_on"] for row in await owner.fetch(CURRENT)] == [date(2026, 6, 3)]


async def test_the_payer_process_cannot_delete_check_ups(database: str) -> None:
    payer = await connect(database, role="eligibility_payer")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await purge_checkups(payer, date(2029, 5, 2), datetime.now(UTC))
    finally:
        await payer.close()


# ── Documents in an archive ─────────────────────────────────────────────────────────────────────────────────────


def _name(number: int) -> str:
    return f"DATA/h{number:026}.xml"


@pytest.fixture
def document() -> Callable[..., str]:
    """Make the document of the known person's check-up."""
    nobody = Nation.make(20, 1, date(2026, 11, 21), 1).person(0)

    def make(
        value: str = "141", number: str = "0000001", day: date = date(2026, 6, 3), born: date = date(1980, 1, 10)
    ) -> str:
        person = Person(0, nobody.name, nobody.name_kana, born, type(nobody.sex)("2"), "", "", "LK-00000001", ())
        held = HeldCoverage(INSURERS[0], "１２", number, "01", date(2024, 4, 1), None)
        results = (
            ("9A751000000000001", "PQ", value, "", "mm[Hg]", "", "129", ""),
            ("9N736000000000011", "CD", "2", "いいえ", "", "", "", ""),
        )
        return cda(Checkup(person, held, day, "1311234567", results))

    return make


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Write documents as an archive."""

    def make(*documents: str | bytes) -> Path:
        path = tmp_path / "checkups.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as writer:
            for number, content in enumerate(documents, 1):
                writer.writestr(_name(number), content)
        return path

    return make


async def test_documents_are_records_and_each_is_taken_or_refused_whole(
    take_checkups: TakeIn, archive: Any, document: Any, known: None, owner: Any
) -> None:
    loaded = await take_checkups(
        archive(
            document(), document(value="high", day=date(2026, 6, 4)), document(number="5", day=date(2026, 6, 5)),
            "<ClinicalDocument", document(value="", born=date(2999, 12, 31), day=date(2999, 12, 31)),
            document(day=date(2026, 6, 6)),
        )
    )  # fmt: skip

    assert loaded.counts == (6, 4, 2, 0)
    assert sorted(loaded.codes) == [
        (2, "result_malformed"), (3, "person_not_found"), (4, "document_wrong"), (5, "born_in_future"),
        (5, "performed_in_future"), (5, "required"),
    ]  # fmt: skip
    told = {fault["code"]: fault["expected"] for fault in loaded.faults}
    assert told["result_malformed"].endswith(f"[{_name(2)} 9A751000000000001]")
    assert told["document_wrong"].endswith(f"[{_name(4)}]")
    assert told["born_in_future"].endswith(f"[{_name(5)}]")
    assert await owner.fetchval("select count(*) from checkup") == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "http://192.0.2.1/">]><a>&b;</a>', "xml_forbidden"),
        ("<a>" * 1000, "xml_forbidden"),
        (bytes(1_000_000), "archive_too_large"),
        (b"PK\x03\x04 an archive", "archive_entry"),
    ],
)
async def test_an_archive_made_to_harm_is_refused_whole_and_names_the_entry(
    take_checkups: TakeIn, archive: Any, document: Any, known: None, owner: Any, content: str | bytes, code: str
) -> None:
    loaded = await take_checkups(archive(document(), content))

    assert loaded.submission.state is SubmissionState.REFUSED
    assert loaded.codes == [(2, code)]
    assert _name(2) in loaded.faults[0]["expected"]
    assert await owner.fetchval("select count(*) from checkup") == 0
    events = await owner.fetch(
        "select kind, code from audit_event where submission_id = $1", loaded.submission.submission_id
    )
    assert [tuple(event) for event in events] == [("submission_refused", code)]


async def test_a_damaged_archive_is_refused(take_checkups: TakeIn, archive: Any, document: Any, known: None) -> None:
    path = archive(document())
    path.write_bytes(path.read_bytes()[:-5])

    loaded = await take_checkups(path)

    assert [code for _, code in loaded.codes] == ["archive_damaged"]


@pytest.mark.parametrize("archive_first", [True, False])
async def test_both_forms_of_the_same_check_ups_merge_to_the_same_rows(
    take_in: Any, take_checkups: TakeIn, owner: Any, tmp_path: Path, archive_first: bool
) -> None:
    today = day_in_japan(datetime.now(UTC))
    nation = Nation.make(60, 7, today, 1)
    insurer = nation.insurers[0].number
    await enrol_insurer(owner, InsurerNumber(insurer), "保険者", datetime.now(UTC))
    register = tmp_path / "register.csv"
    nation.write_eligibility_file(nation.insurers[0], register)
    await take_in(register, insurer=insurer)
    checkups = list(make_checkups(nation, range(40), 7, ("1311234567", "0110000019"), everyone=True))
    files = [tmp_path / "checkups.zip", tmp_path / "checkups.csv"]
    documents, results = write_archive(checkups, files[0]), write_csv(checkups, files[1], linkage=False)
    first, second = files if archive_first else reversed(files)

    one = await take_checkups(first, insurer=insurer)
    rows = await owner.fetch(CURRENT)
    other = await take_checkups(second, insurer=insurer)

    assert {one.counts, other.counts} in (
        {(documents, 0, documents, 0), (results, 0, 0, results)},
        {(results, 0, results, 0), (documents, 0, 0, documents)},
    ), (one.codes, other.codes)
    assert len(rows) == results > 500
    assert await owner.fetch(CURRENT) == rows
    assert {row["linkage_code"] for row in rows} == {c.person.linkage_code for c in checkups}


async def test_an_archive_is_pushed_like_any_file(
    intake: Any, credentials: Any, take_in: Any, write: Any, record: Any, archive: Any, document: Any, owner: Any
) -> None:
    await take_in(write(record(1)))
    path = archive(document(), document(day=date(2026, 6, 4)))

    def work() -> Any:
        with Intake(intake.url, credentials(INSURERS[0]).context()) as connection:
            manifest = build_manifest(path, SubmissionKind("delta"), "checkup", 1)
            return push(connection, path, manifest, lambda _: None)

    pushed = await asyncio.to_thread(work)

    assert (pushed.submission.state, pushed.submission.records, pushed.submission.merged) == ("merged", 2, 2)
    assert await owner.fetchval("select count(*) from checkup_result") == 4


async def test_a_check_up_follows_its_coverage_to_the_right_person(
    take_in: Any, write: Any, record: Any, take_checkups: TakeIn, write_results: Any, result: Any, owner: Any
) -> None:
    await take_in(write(record(1, 紐付番号="LK-WRONG")))
    await take_checkups(write_results(result(), result(HEIGHT), result(健診実施日="20230601")))
    assert {row["linkage_code"] for row in await owner.fetch(CURRENT)} == {"LK-WRONG"}

    await take_in(write(record(1)))

    rows = await owner.fetch(CURRENT)
    assert [(row["linkage_code"], row["value"]) for row in rows] == [
        ("LK-00000001", "120"),
        ("LK-00000001", "158.2"),
    ]
    ended = await owner.fetchval("select max(known_to) from checkup where known_to <> 'infinity'")
    assert ended == await owner.fetchval("select known_from from coverage where known_to = 'infinity'")
    again = await take_checkups(write_results(result(), result(HEIGHT)))
    assert again.counts == (2, 0, 0, 2)


async def test_the_very_file_of_check_ups_finds_its_persons_once_they_are_registered(
    take_in: Any, write: Any, record: Any, take_checkups: TakeIn, write_results: Any, result: Any, owner: Any
) -> None:
    path = write_results(result(), result(HEIGHT))
    assert (await take_checkups(path)).codes == [(1, "person_not_found"), (2, "person_not_found")]

    await take_in(write(record(1)))
    found = await take_checkups(path)
    assert found.counts == (2, 0, 2, 0)
    assert (await take_checkups(path)).submission == found.submission

    await take_in(write(record(1, レコード種別="3")))
    await take_in(write(record(1)))
    assert await owner.fetch(CURRENT) == []
    assert (await take_checkups(path)).counts == (2, 0, 2, 0)


async def test_a_check_up_that_the_right_person_has_already_only_ends(
    take_in: Any, write: Any, record: Any, take_checkups: TakeIn, write_results: Any, result: Any, owner: Any
) -> None:
    await take_in(write(record(1, 紐付番号="LK-WRONG")))
    await take_checkups(write_results(result()))
    right = await owner.fetchval("insert into person (linkage_code) values ('LK-00000001') returning person_id")
    await owner.execute(
        "insert into checkup select $1, nextval('checkup_id_seq'), known_from, known_to, submission_id,"
        " insurer_number, performed_on, institution_code from checkup", right,
    )  # fmt: skip

    await take_in(write(record(1)))

    rows = await owner.fetch("select person_id from checkup where known_to = 'infinity'")
    assert [row["person_id"] for row in rows] == [right]
    assert await owner.fetchval("select count(*) from checkup_result where known_to = 'infinity'") == 0


async def test_check_ups_of_a_couple_that_was_swapped_are_exchanged(
    take_in: Any, write: Any, record: Any, take_checkups: TakeIn, write_results: Any, result: Any, owner: Any
) -> None:
    his = {"氏名": "髙橋　太郎", "氏名カナ": "ﾀｶﾊｼ ﾀﾛｳ", "生年月日": "3420303", "性別": "1"}
    couple = [record(1), record(2, **his)]
    await take_in(write(couple[0] | {"紐付番号": "LK-00000002"}, couple[1] | {"紐付番号": "LK-00000001"}))
    # On the same day at the same place.
    at_once = result(), result(番号="0000002", 生年月日="19670303", 性別="1", 結果値="99")
    assert (await take_checkups(write_results(*at_once))).counts == (2, 0, 2, 0)

    assert [code for _, code in (await take_in(write(*couple))).codes] == ["persons_swapped"] * 2
    await release(owner, await owner.fetchval("select case_id from mislink_case"), _decided())

    rows = await owner.fetch(CURRENT)
    assert [(row["linkage_code"], row["value"]) for row in rows] == [("LK-00000001", "120"), ("LK-00000002", "99")]


@pytest.fixture
async def mislinked(take_in: Any, write: Any, record: Any, owner: Any) -> Callable[..., dict[str, str]]:
    """Another insurer's coverage of somebody else, released though its linkage code is the known person's."""
    somebody = {"氏名": "佐藤　太郎", "氏名カナ": "ｻﾄｳ ﾀﾛｳ", "生年月日": "3420303", "性別": "1"}

    def make(**different: str) -> dict[str, str]:
        made: dict[str, str] = record(1, **({"保険者番号": INSURERS[1], "番号": "77"} | somebody | different))
        return made

    await take_in(write(record(1)))
    await take_in(write(make()), insurer=INSURERS[1])
    await release(owner, await owner.fetchval("select case_id from mislink_case"), _decided())
    return make


HIS = {"保険者番号": INSURERS[1], "番号": "77", "生年月日": "19670303", "性別": "1"}
HERS = {"保険者番号": INSURERS[1], "番号": "78", "健診実施日": "20260701"}


async def test_a_check_up_of_days_that_the_coverage_has_lost_since_goes_with_it(
    take_in: Any, write: Any, take_checkups: TakeIn, write_results: Any, result: Any, owner: Any, mislinked: Any
) -> None:
    other = INSURERS[1]
    assert (await take_checkups(write_results(result(HIS)), insurer=other)).counts == (1, 0, 1, 0)
    lost = {"資格喪失日": "20260401", "喪失事由": "03"}
    await take_in(write(mislinked(レコード種別="2", **lost)), insurer=other)
    # Since then the person has a coverage of the same insurer of her own.
    hers = mislinked(番号="78", 資格取得日="20260401", 氏名="髙橋　花子", 氏名カナ="ﾀｶﾊｼ ﾊﾅｺ") | {
        "生年月日": "3550110",
        "性別": "2",
    }
    assert (await take_in(write(hers), insurer=other)).counts == (1, 0, 1, 0)
    assert (await take_checkups(write_results(result(HERS)), insurer=other)).counts == (1, 0, 1, 0)

    await reverse(owner, await owner.fetchval("select case_id from mislink_case"), (), _decided())

    assert await _held(owner) == [("LK-00000001", date(2026, 7, 1)), ("split", date(2026, 6, 3))]
    # The right code takes it along once more.
    right = {"紐付番号": "LK-RIGHT", "レコード種別": "1"}
    await take_in(write(mislinked(**lost, **right)), insurer=other)
    assert await _held(owner) == [("LK-00000001", date(2026, 7, 1)), ("LK-RIGHT", date(2026, 6, 3))]


@pytest.mark.parametrize(
    ("anew", "left"),
    [
        ([], 0),
        ([{"番号": "0000009"}], 0),
        ([{"紐付番号": "LK-RIGHT", "資格取得日": "20240501"}], 0),
        ([{"資格取得日": "20260604"}], 0),
        ([{"資格取得日": "20240501"}], 1),
        ([{"資格取得日": "20240501", "枝番": ""}], 1),
    ],
    ids=["not stated anew", "of another number", "another's", "of later days", "of other days", "without a branch"],
)
async def test_check_ups_of_a_cancelled_coverage_end_unless_another_one_has_their_day(
    take_in: Any,
    write: Any,
    record: Any,
    take_checkups: TakeIn,
    write_results: Any,
    result: Any,
    owner: Any,
    anew: list[dict[str, str]],
    left: int,
) -> None:
    await take_in(write(record(1)))
    await take_checkups(write_results(result(), result(HEIGHT)))

    loaded = await take_in(write(record(1, レコード種別="3"), *(record(1, **different) for different in anew)))

    assert loaded.counts == (1 + len(anew), 0, 1 + len(anew), 0)
    assert await _held(owner) == [("LK-00000001", date(2026, 6, 3))] * left
    assert await owner.fetchval("select count(*) from checkup_result where known_to = 'infinity'") == 2 * left
    assert await owner.fetchval("select count(*) from checkup") == 1


async def test_a_check_up_that_stayed_with_a_coverage_stated_anew_goes_with_that_one(
    take_in: Any, write: Any, record: Any, take_checkups: TakeIn, write_results: Any, result: Any, owner: Any
) -> None:
    wrong = record(1, 紐付番号="LK-WRONG")
    await take_in(write(wrong))
    await take_checkups(write_results(result()))
    await take_in(write(wrong | {"レコード種別": "3"}, wrong | {"資格取得日": "20240501"}))

    await take_in(write(record(1, 資格取得日="20240501")))

    assert await _held(owner) == [("LK-00000001", date(2026, 6, 3))]


def _decided() -> Decided:
    return Decided("operator", "telephoned", datetime.now(UTC))


async def _held(owner: Any) -> list[tuple[str, date]]:
    """Return the first word of each person's code, and the day, of all check-ups."""
    rows = await owner.fetch(
        "select split_part(p.linkage_code, ' ', 1), k.performed_on from checkup k join person p using (person_id)"
        " where k.known_to = 'infinity' order by 1, 2"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("again", "held"),
    [
        ({}, []),
        ({"結果値": "99"}, []),
        ({"単位": ""}, [("held_column_empty", "単位")]),
        ({"単位": "", "基準上限": ""}, [("held_column_empty", "単位"), ("held_column_empty", "基準上限")]),
        (None, [("held_count_drop", None)]),
    ],
    ids=["the same", "corrected", "without units", "without units and bounds", "left out"],
)
async def test_check_ups_that_lose_much_when_stated_again_are_held(
    take_checkups: TakeIn,
    write_results: Any,
    result: Any,
    known: None,
    owner: Any,
    again: dict[str, str] | None,
    held: list[tuple[str, str | None]],
) -> None:
    results = [
        result(結果値=f"{40 + day}", 基準下限="40", 基準上限="96", 健診実施日=f"202606{day:02}") | {"項目コード": item}
        for day in range(10, 15)
        for item in ("3F070000002327101", "3F015000002327101")
    ]
    await take_checkups(write_results(*results))
    before = await owner.fetch(CURRENT)
    worse = [r if again is None or place % 3 else r | again for place, r in enumerate(results)]
    path = write_results(*(r for place, r in enumerate(worse) if again is not None or place % 3))

    loaded = await take_checkups(path)

    assert [(f["code"], f["field"]) for f in loaded.faults if f["code"].startswith("held")] == held
    assert loaded.submission.state == ("held" if held else "merged")
    assert (await owner.fetch(CURRENT) == before) == (bool(held) or again == {})


async def test_an_approved_file_of_check_ups_takes_what_it_leaves_out(
    take_checkups: TakeIn, write_results: Any, result: Any, known: None, owner: Any, database: str
) -> None:
    results = [result(健診実施日=f"202606{day:02}") for day in range(10, 14)]
    more = [one | HEIGHT for one in results]
    await take_checkups(write_results(*results, *more))
    path = write_results(*results)
    loaded = await take_checkups(path)
    assert loaded.submission.state == "held"
    now = datetime.now(UTC)
    await decide(owner, loaded.submission.submission_id, Decision.APPROVED, "operator", "telephoned", now)
    await load(database, Filed(InsurerNumber(INSURERS[0]), loaded.submission), path)
    assert {row["item_code"] for row in await owner.fetch(CURRENT)} == {results[0]["項目コード"]}
