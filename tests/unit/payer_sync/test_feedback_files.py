"""Feedback as files: three forms of the same, no formula in any cell, nothing half-written."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from eligibility.wire.submissions import FeedbackLine, Severity
from payer_sync.feedback_files import CSV_ENCODINGS, FORMS, HEADER, guard, unguard, write_feedback
from payer_sync.feedback_page import ROWS_SHOWN


def _line(record: int | None = 1, **different: str | None) -> FeedbackLine:
    return FeedbackLine.model_validate(
        {
            "record": record, "field": "性別", "code": "unknown_code", "severity": Severity.RECORD_REFUSED,
            "value_shape": "9", "expected": "コード表の値 / a code of the list",
        } | different
    )  # fmt: skip


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "'", "", "あ", "=cmd|' /C calc'!A0", "1=1", "''=", "−1",
     "＝1+1", "＋1", "－1", "＠SUM(A1)", "\n=1"],
)  # fmt: skip
def test_a_guarded_cell_begins_no_formula_and_comes_back_as_it_was(cell: str) -> None:
    assert not guard(cell).startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n"))
    assert unguard(guard(cell)) == cell


@pytest.mark.parametrize("encoding", CSV_ENCODINGS)
def test_the_three_forms_hold_the_same_faults(tmp_path: Path, encoding: str) -> None:
    lines = [_line(n) for n in range(1, 30)] + [_line(None, field=None, value_shape=None, code="digest_wrong")]
    lines += [_line(31, value_shape="=あ,\"A"), _line(32, expected="-x")]  # fmt: skip

    told = write_feedback(tmp_path / "a.csv", lines, encoding)

    jsonl, sheet, page = ((tmp_path / f"a.csv{form}").read_bytes() for form in FORMS)
    assert [json.loads(line) for line in jsonl.decode().splitlines()] == [
        line.model_dump(mode="json") for line in lines
    ]
    rows = list(csv.reader(sheet.decode(encoding).splitlines()))
    assert rows[0] == list(HEADER)
    assert [[unguard(cell) for cell in row] for row in rows[1:]] == [
        ["" if line.record is None else str(line.record), line.field or "", line.code, line.severity.value,
         line.value_shape or "", line.expected]
        for line in lines
    ]  # fmt: skip
    assert sheet.startswith(b"\xef\xbb\xbf") is (encoding == "utf-8-sig")
    assert sheet.count(b"\r\n") == sheet.count(b"\n") == len(lines) + 1
    assert page.decode().count("<tr class=") - page.decode().count("<tr class=", 0, page.decode().index("faults")) == 32
    assert (told.faults, told.severities[Severity.RECORD_REFUSED]) == (32, 32)
    assert {path.name for path in tmp_path.iterdir()} == {f"a.csv{form}" for form in FORMS}


def test_what_the_csv_encoding_lacks_becomes_a_reference_and_no_question_mark(tmp_path: Path) -> None:
    write_feedback(tmp_path / "a", [_line(field="𠮷田")], "cp932")

    sheet = (tmp_path / "a.feedback.csv").read_bytes().decode("cp932")
    assert "&#134071;田" in sheet
    assert "?" not in sheet


def test_without_faults_those_of_an_earlier_time_are_removed(tmp_path: Path) -> None:
    write_feedback(tmp_path / "a", [_line()])

    told = write_feedback(tmp_path / "a", [])

    assert (told.faults, list(tmp_path.iterdir())) == (0, [])


def test_feedback_that_is_cut_off_leaves_the_earlier_one_whole(tmp_path: Path) -> None:
    write_feedback(tmp_path / "a", [_line(7)])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def cut() -> Iterator[FeedbackLine]:
        yield _line(8)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        write_feedback(tmp_path / "a", cut())
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_refuses_the_file_is_shown_first_however_late_it_comes(tmp_path: Path) -> None:
    late = _line(9, code="bytes_undecodable", severity=Severity.FILE_REFUSED)
    lines = [_line(n, severity=Severity.WARNING) for n in range(ROWS_SHOWN + 1)]

    told = write_feedback(tmp_path / "a", [*lines, late])

    assert told.first[:2] == [late, lines[0]]
    assert len(told.first) == ROWS_SHOWN + 1
    assert (tmp_path / f"a{FORMS[2]}").read_text("utf-8").count("bytes_undecodable") > 1  # counted, and a row


def test_long_names_that_differ_at_their_end_keep_their_feedback_apart(tmp_path: Path) -> None:
    names = ["資" * 80 + f"{n}.csv" for n in (1, 2)]

    told = [write_feedback(tmp_path / name, [_line()]) for name in names]

    assert {path for one in told for path in one.files} == set(tmp_path.iterdir())
    assert len(set(tmp_path.iterdir())) == 2 * len(FORMS)
    assert [write_feedback(tmp_path / name, [_line()]).files for name in names] == [one.files for one in told]


def test_without_faults_nothing_is_opened(tmp_path: Path) -> None:
    assert write_feedback(tmp_path / "absent" / "a", []).faults == 0
