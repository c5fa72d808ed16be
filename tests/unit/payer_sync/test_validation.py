"""A file checked offline: the faults of its samples, and what its records say of each other."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InsurerNumber
from payer_sync import reading
from payer_sync.__main__ import main
from payer_sync.layouts.register import EditionState, edition_state, find_layout
from payer_sync.validation import Validation

LAYOUT = find_layout("eligibility", 1)
INSURER = InsurerNumber("06130512")
TODAY = date(2026, 11, 21)
SAMPLES = Path(__file__).parents[2] / "samples"
LIMIT = {"限度額証区分": "01", "限度額適用区分": "A03", "限度額有効開始日": "20260401"}
DISEASE = {"特定疾病区分": "1", "特定疾病自己負担額": "10000", "特定疾病有効開始日": "20260401"}
ELDERLY = {"高齢負担割合": "020", "高齢有効開始日": "20260401"}
LOST = {"資格喪失日": "20250401", "喪失事由": "99"}
Write = Callable[..., Path]
STATE = edition_state(LAYOUT, day_in_japan(datetime.now(UTC)))  # the command asks the clock
while_the_next_is_beta = pytest.mark.skipif(
    edition_state(find_layout("eligibility", 2), day_in_japan(datetime.now(UTC))) is not EditionState.BETA,
    reason="edition 2 is in force: the next beta takes its place in these tests",
)


def _record(person: int = 1, **different: str) -> dict[str, str]:
    return dict.fromkeys(LAYOUT.column_names, "") | {
        "レコード種別": "1", "保険者番号": "06130512", "記号": "１２", "番号": f"{person:07}", "枝番": "01",
        "紐付番号": f"LK-{person}", "氏名": "髙橋　花子", "氏名カナ": "ﾀｶﾊｼ ﾊﾅｺ", "生年月日": "3550110", "性別": "2",
        "本人家族区分": "1", "被保険者証区分": "01", "資格取得日": "20240401",
    } | different  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(*records: dict[str, str]) -> Path:
        path = tmp_path / "file.csv"
        lines = [",".join(LAYOUT.column_names), *(",".join(record.values()) for record in records)]
        path.write_bytes(("\r\n".join(lines) + "\r\n").encode("cp932"))
        return path

    return make


def _faults(path: Path, insurer: InsurerNumber | None = INSURER) -> list[tuple[int | None, str, str]]:
    return [(line.record, line.code, line.expected) for line in Validation(path, LAYOUT, insurer, TODAY).lines()]


def test_a_file_whose_name_is_not_utf_8_is_checked(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    made = write(_record(性別="9"))
    path = made.with_name(os.fsdecode("資格.csv".encode("cp932")))
    made.rename(path)

    assert main(["validate", os.fspath(path)]) == 1

    assert "資格.csv.feedback.html" in capsys.readouterr().out.replace("\n", "")
    assert "<title>資格.csv" in path.with_name(path.name + ".feedback.html").read_text("utf-8")


def test_a_file_that_is_refused_for_its_bytes_tells_what_is_wrong_elsewhere_too(write: Write) -> None:
    path = write(_record(1, 生年月日="x"), _record(2), _record(3), _record(4, 性別="9"))
    path.write_bytes(path.read_bytes().replace(b"LK-2", b"LK-\xff").replace(b"LK-3", b"LK-\x81 "))

    assert [(record, code) for record, code, _ in _faults(path)] == [
        (1, "malformed_date"), (4, "unknown_code"), (2, "bytes_undecodable"), (3, "bytes_undecodable"),
    ]  # fmt: skip


def test_a_file_of_lines_without_fields_is_not_checked_to_its_end(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_ASTRAY", 100)
    monkeypatch.setattr(reading.read_batches, "__defaults__", (2000,))  # bytes: some 400 lines
    path = write(_record(1))
    path.write_bytes(path.read_bytes() + b"1,2\r\n" * 3000)
    validation = Validation(path, LAYOUT, INSURER, TODAY)

    *told, last = validation.lines()

    assert (last.record, last.code) == (None, "lines_astray")
    assert 100 < len(told) <= 600
    assert validation.file_refused


@pytest.mark.parametrize("edition", [1, 2])
def test_the_all_wrong_sample_gets_the_feedback_of_the_intake_and_more_of_the_whole(edition: int) -> None:
    folder = SAMPLES / f"eligibility_{edition}"
    validation = Validation(folder / "all_wrong.csv", find_layout("eligibility", edition), INSURER, TODAY)

    found = [json.loads(line.model_dump_json()) for line in validation.lines()]

    expected = [json.loads(line) for line in (folder / "all_wrong.expected.jsonl").read_text("utf-8").splitlines()]
    assert found[: len(expected)] == expected
    assert {fault["code"] for fault in found[len(expected) :]} <= {"contradicts", "overlaps"}
    refused = {fault["record"] for fault in found if fault["severity"] == "record_refused"}
    assert (validation.refused_records, validation.file_refused) == (len(refused), False)


@pytest.mark.parametrize(
    "different",
    [
        {"氏名": "別の　名前"},
        {"レコード種別": "3"},
        LOST,
        {"紐付番号": "LK-OTHER"},
        LIMIT | {"限度額適用区分": "A01"},
        DISEASE | {"特定疾病自己負担額": "20000"},
        ELDERLY | {"高齢負担割合": "030"},
    ],
)
def test_records_of_one_coverage_that_disagree_name_each_other(write: Write, different: dict[str, str]) -> None:
    carried = LIMIT | DISEASE | ELDERLY
    faults = _faults(write(_record(1, **carried), _record(2), _record(1, **(carried | different))))

    assert faults == [
        (1, "contradicts", "記録 3 と一致すること / agreement with record 3"),
        (3, "contradicts", "記録 1 と一致すること / agreement with record 1"),
    ]


def test_records_that_disagree_are_told_beside_bytes_that_cannot_be_read(write: Write) -> None:
    path = write(_record(1, **LIMIT), _record(2), _record(1, **LIMIT | {"限度額適用区分": "A01"}))
    path.write_bytes(path.read_bytes() + b"\xff\r\n")

    assert [(record, code) for record, code, _ in _faults(path)] == [
        (4, "bytes_undecodable"), (1, "contradicts"), (3, "contradicts"),
    ]  # fmt: skip


def test_records_that_carry_several_certificates_of_one_coverage_agree(write: Write) -> None:
    later = LIMIT | {"限度額有効開始日": "20270401"}

    assert _faults(write(_record(1, **LIMIT), _record(1, **later), _record(1, **DISEASE), _record(1, **LIMIT))) == []


@pytest.mark.parametrize(
    ("second", "found"),
    [
        ({"番号": "9", "資格取得日": "20250401"}, [(1, 2), (2, 1)]),
        ({"番号": "9", "資格取得日": "20230401"}, [(1, 2), (2, 1)]),
        ({"番号": "9", "資格取得日": "20240401"}, [(1, 2), (2, 1)]),
        ({"番号": "9", "資格取得日": "20230401", "資格喪失日": "20240401", "喪失事由": "99"}, []),
        ({"番号": "9", "資格取得日": "20250401", "資格喪失日": "20250401", "喪失事由": "99"}, []),
        ({"番号": "9", "資格取得日": "20250401", "レコード種別": "3"}, []),
        ({"番号": "9", "資格取得日": "20250401", "紐付番号": "LK-2"}, []),
    ],
)
def test_coverages_of_one_person_that_overlap_name_each_other(
    write: Write, second: dict[str, str], found: list[tuple[int, int]]
) -> None:
    faults = _faults(write(_record(1), _record(1, **second), _record(3)))

    assert [(record, code) for record, code, _ in faults] == [(record, "overlaps") for record, _ in found]
    assert all(f"record {other} " in said for (_, _, said), (_, other) in zip(faults, found, strict=True))


def test_one_long_coverage_overlaps_each_of_several_short_ones(write: Write) -> None:
    short = [
        _record(1, 番号=str(n), 資格取得日=f"202{n}0401", 資格喪失日=f"202{n}0501", 喪失事由="99") for n in range(4, 7)
    ]
    faults = _faults(write(_record(1, 資格取得日="20200101"), *short))

    assert [(record, code) for record, code, _ in faults] == [(n, "overlaps") for n in range(1, 5)]
    assert all("record 1 " in said for _, _, said in faults[1:])


def test_a_refused_record_is_not_held_against_another(write: Write) -> None:
    assert [code for _, code, _ in _faults(write(_record(1), _record(1, 氏名="", 番号="9")))] == ["required"]


def test_without_an_insurer_the_records_say_who_sends_the_file(write: Write) -> None:
    path = write(_record(1), _record(2, 保険者番号="33120015"), _record(3), _record(4, 保険者番号="x"))

    assert [(record, code) for record, code, _ in _faults(path, None)] == [
        (2, "other_insurer"),
        (4, "malformed_number"),
    ]
    assert [record for record, code, _ in _faults(path, InsurerNumber("33120015")) if code == "other_insurer"] == [1, 3]


def test_an_insurer_number_in_full_width_names_who_sends_the_file(write: Write) -> None:
    assert _faults(write(_record(1, 保険者番号="０６１３０５１２"), _record(2, 保険者番号="06130512 ")), None) == []


def test_an_insurer_number_without_its_check_digit_is_one_warning(write: Write) -> None:
    path = write(_record(1, 保険者番号="13111111"), _record(2, 保険者番号="13111111"))

    assert [(record, code) for record, code, _ in _faults(path, None)] == [(None, "check_digit")]


@pytest.mark.parametrize("column", ["生年月日", "資格取得日", "証交付日"])
@pytest.mark.parametrize("day", ["00010101", "10800110", "18680124"])
def test_a_day_of_a_mistyped_century_refuses_its_record(write: Write, column: str, day: str) -> None:
    assert _faults(write(_record(1), _record(2, **{column: day})))[0][:2] == (2, "malformed_date")


@pytest.mark.parametrize(
    ("different", "warned"),
    [
        ({"資格取得日": "29990401"}, True),
        ({"資格取得日": "20271122"}, True),
        ({"資格取得日": "20271121"}, False),
        ({"証交付日": "20271122"}, True),
        ({"証交付日": "5091121"}, False),
        ({"証有効終了日": "99991231"}, False),
        ({"資格取得日": "29990401", "レコード種別": "3"}, False),
    ],
)
def test_what_begins_over_a_year_ahead_is_a_warning(write: Write, different: dict[str, str], warned: bool) -> None:
    validation = Validation(write(_record(1), _record(2, **different)), LAYOUT, INSURER, TODAY)

    assert [(line.record, line.code) for line in validation.lines()] == [(2, "far_in_future")] * warned
    assert validation.refused_records == 0


class TestCommandLine:
    """`python -m payer_sync validate`, as an insurer's office runs it."""

    def test_a_good_file_ends_with_0_and_leaves_no_feedback(
        self, write: Write, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write(_record(1), _record(2))
        (path.parent / "file.csv.feedback.html").write_text("of an earlier time")

        assert main(["validate", str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {
            "edition_state": STATE.value, "checked_as": "insurer", "insurer_number": "06130512",
            "records": 2, "refused": 0, "file_refused": False, "warnings": 0, "faults": 0,
        }  # fmt: skip
        assert [p.name for p in path.parent.iterdir()] == ["file.csv"]

    def test_one_code_of_two_persons_is_said_to_be_the_centres_to_see(
        self, write: Write, capsys: pytest.CaptureFixture[str]
    ) -> None:
        somebody = {"氏名": "佐藤　太郎", "氏名カナ": "ｻﾄｳ ﾀﾛｳ", "生年月日": "3420303", "性別": "1", "紐付番号": "LK-1"}
        path = write(_record(1, **LOST), _record(2, 資格取得日="20250401", **somebody))

        assert main(["validate", str(path)]) == 0
        out = capsys.readouterr().out
        assert "一つの紐付番号が別の人に使われている" in out
        assert "one linkage code for two persons of the file" in out

    def test_refused_records_end_with_1_and_are_filed_in_three_forms(
        self, write: Write, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write(_record(1), _record(2, 性別="9"), _record(3, 氏名="\ue000"))

        assert main(["validate", str(path)]) == 1
        out = capsys.readouterr().out
        assert "unknown_code" in out
        assert "Only the centre can see" in out
        assert {p.name.removeprefix("file.csv") for p in path.parent.iterdir()} == {
            "", ".feedback.jsonl", ".feedback.csv", ".feedback.html",
        }  # fmt: skip
        for form in path.parent.glob("*.feedback.*"):
            assert "髙橋" not in form.read_text("utf-8")

    def test_a_file_that_would_be_refused_ends_with_2(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "x.csv").write_bytes(b"1,2,3\n")

        assert main(["validate", str(tmp_path / "x.csv"), "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["file_refused"] is True

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--edition", "99"], "Layout eligibility has no edition 99; --edition can be: 1, 2"),
            (["--edition", "0"], "--edition can be: 1, 2"),
            (["--layout", "claim_medical", "--edition", "2"], "--edition can be: 1"),
            (["--layout", "none"], "--layout can be: checkup, claim_dispensing, claim_medical, eligibility"),
            (["--layout", "[b]\udc8e", "--edition", "99"], "There is no layout [b]"),
            (["--insurer", "12"], "The insurer number is wrong: --insurer takes 8 digits"),
            (["--insurer", ""], "The insurer number is wrong"),
            (["--kind", "full"], "--kind"),
        ],
    )
    def test_a_wrong_option_is_usage_and_told_with_what_is_possible(
        self, write: Write, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write(_record(1))

        assert main(["validate", str(path), *options]) == 64
        assert said in capsys.readouterr().err

    @while_the_next_is_beta
    def test_a_file_of_the_next_edition_would_be_refused_with_all_its_other_faults_told(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        ask = ["validate", str(SAMPLES / "eligibility_2" / "all_wrong.csv"), "--edition", "2", "--into", str(tmp_path)]

        assert main([*ask, "--json"]) == 2
        counts = json.loads(capsys.readouterr().out)
        assert (counts["edition_state"], counts["file_refused"]) == ("beta", True)
        told = (tmp_path / "all_wrong.csv.feedback.jsonl").read_text("utf-8").splitlines()
        assert len(told) == counts["faults"] > 100
        first = json.loads(told[0])
        assert (first["record"], first["code"], first["severity"]) == (None, "edition_not_yet", "file_refused")
        assert first["expected"].endswith("accepted from 2027-04-01; until then by practice environments only")

        assert main(ask) == 2
        assert "the whole file would be refused" in capsys.readouterr().out

    @while_the_next_is_beta
    def test_a_practice_environment_takes_the_next_edition(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        good = str(SAMPLES / "eligibility_2" / "good.csv")

        assert main(["validate", good, "--edition", "2", "--practice", "--json", "--into", str(tmp_path)]) == 0
        counts = json.loads(capsys.readouterr().out)
        assert (counts["edition_state"], counts["file_refused"]) == ("beta", False)

    @pytest.mark.parametrize("layout", ["eligibility", "claim_medical"])
    def test_an_archive_of_check_ups_is_told_the_layout_it_needs(
        self, tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "checkups.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("DATA/x.xml", "<x/>")

        assert main(["validate", str(path), "--layout", layout]) == 64
        assert "add --layout checkup" in capsys.readouterr().err
        assert [p.name for p in tmp_path.iterdir()] == ["checkups.zip"]
        assert main(["validate", str(path), "--layout", "checkup"]) == 2  # it holds what it must not

    def test_feedback_goes_into_another_folder(self, write: Write, tmp_path: Path) -> None:
        path, into = write(_record(1, 性別="9")), tmp_path / "feedback"
        into.mkdir()

        assert main(["validate", str(path), "--into", str(into)]) == 1
        assert sorted(p.name for p in into.iterdir()) == [
            "file.csv.feedback.csv", "file.csv.feedback.html", "file.csv.feedback.jsonl",
        ]  # fmt: skip
        assert sorted(p.name for p in tmp_path.iterdir()) == ["feedback", "file.csv"]

    @pytest.mark.parametrize(("records", "ended"), [([_record(1)], 0), ([_record(1), _record(2, 性別="9")], 1)])
    def test_where_feedback_cannot_be_written_the_result_is_told_all_the_same(
        self, write: Write, records: list[dict[str, str]], ended: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write(*records)
        beside = path.with_name("file.csv.feedback.csv.part")
        beside.mkdir()  # the first form can be written, the second cannot

        assert main(["validate", str(path), "--json"]) == ended
        captured = capsys.readouterr()
        counts = json.loads(captured.out)
        assert (counts["records"], counts["refused"], counts["faults"]) == (len(records), ended, ended)
        assert ("The feedback cannot be written to" in captured.err) == bool(ended)  # without faults nothing is written
        assert "cannot be read" not in captured.err

        assert main(["validate", str(path)]) == ended
        assert ("unknown_code" in capsys.readouterr().out) == bool(ended)

    @pytest.mark.parametrize("name", ["absent.csv", "."])
    def test_a_file_that_cannot_be_read_is_usage(
        self, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["validate", str(tmp_path / name)]) == 64
        assert "cannot be read" in capsys.readouterr().err

    def test_it_needs_nothing_of_the_centre(self, write: Write) -> None:
        path = write(_record(1))
        away = ("asyncpg", "fastapi", "redis", "uvicorn", "starlette", "jwt")
        program = (
            f"import sys; sys.modules.update(dict.fromkeys({away!r}, None)); "
            "from payer_sync.__main__ import main; sys.exit(main(['validate', sys.argv[1], '--json']))"
        )

        assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 0
