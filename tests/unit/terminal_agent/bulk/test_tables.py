import csv
from pathlib import Path

import pytest

from eligibility.domain.codes import Outcome
from eligibility.wire.bulk import BulkResult
from eligibility.wire.verifications import Verification
from terminal_agent.bulk.tables import FileUnusable, read_items, safe_cell, write_results
from terminal_agent.language import Language

ROW = "P1,06130512,記号,345,01,1980-01-01"
HEADING = "item_id,insurer_number,symbol,number,branch_number,birth_date"
FIELD_HEADING = "患者番号,保険者番号,記号,番号,枝番,生年月日"


@pytest.mark.parametrize("heading", [HEADING, FIELD_HEADING])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_as_offices_write_it(tmp_path: Path, heading: str, encoding: str, end: str) -> None:
    (tmp_path / "a.csv").write_bytes(end.join([heading, ROW, "", ROW.replace("P1", "P2")]).encode(encoding))
    items = read_items(tmp_path / "a.csv")
    assert [i.item_id for i in items] == ["P1", "P2"]
    assert (items[0].symbol, items[0].birth_date) == ("記号", "1980-01-01")


def test_columns_come_in_any_order_and_the_optional_ones_may_lack(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("生年月日,番号,備考,保険者番号\n5061231,12,要予約,133066\n1,2\n", encoding="utf-8")
    first, second = read_items(tmp_path / "a.csv")
    assert (first.item_id, first.insurer_number, first.number, first.birth_date) == ("1", "133066", "12", "5061231")
    assert (second.item_id, second.insurer_number) == ("2", "")  # told by the centre as this item's problem


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "bulk_file_empty"),
        (HEADING.encode(), "bulk_file_empty"),
        (b"item_id,insurer_number\n1,2", "bulk_column_missing"),
        (b"\x81", "bulk_file_unreadable"),
        ((HEADING + '\n"P1').encode(), "bulk_file_unreadable"),
        ((HEADING + "\nP1,1,2," + "3" * 101 + ",,").encode(), "bulk_value_too_long"),
        ((HEADING + "\n" + "P" * 51 + ",1,2,3,,").encode(), "bulk_value_too_long"),
        ((HEADING + "\nP\x00,1,2,3,,").encode(), "bulk_value_too_long"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(FileUnusable) as trouble:
        read_items(tmp_path / "a.csv")
    assert trouble.value.code == code


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileUnusable):
        read_items(tmp_path / "a.csv")


@pytest.mark.parametrize("text", ["=1+1", "+81", "-1", "@sum", "\tx", "\rx", "'quoted", "''"])
def test_a_formula_is_text_and_can_be_had_back(text: str) -> None:
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "1", "山田", "a=b", " =1"])
def test_plain_text_stays(text: str) -> None:
    assert safe_cell(text) == text


def test_results_are_written_in_order_for_their_owner_alone(tmp_path: Path, valid: Verification) -> None:
    assert valid.coverage is not None
    evil = valid.coverage.model_copy(update={"name": "=HYPERLINK(1)", "symbol": "-12"})
    results = [
        BulkResult(
            item_id=str(n), outcome=Outcome.VALID, coverage=evil, changed=n == 0, last_checked_at=None,
            reference_number="@P", problem=None,
        )
        for n in range(2)
    ]  # fmt: skip
    write_results(tmp_path / "out.csv", results, Language.EN)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["item_id"], line["changed"]) for line in lines] == [("0", "yes"), ("1", "")]
    assert (lines[0]["name"], lines[0]["symbol"], lines[0]["reference_number"]) == ("'=HYPERLINK(1)", "'-12", "'@P")
    assert (tmp_path / "out.csv").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
