"""The quick look at a batch's lines leaves nothing out: what is in one line is found as if each field were searched."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from eligibility.domain.identifiers import InsurerNumber
from payer_sync.contract import check_file
from payer_sync.layouts.register import find_layout

LAYOUT = find_layout("eligibility", 1)
INSURER = InsurerNumber("06130512")
RECORD = {
    "レコード種別": "1", "保険者番号": INSURER.digits, "記号": "１２", "番号": "0000001", "枝番": "01",
    "紐付番号": "LK-1", "氏名": "佐藤　花子", "氏名カナ": "ｻﾄｳ ﾊﾅｺ", "生年月日": "3420303", "性別": "2",
    "本人家族区分": "1", "被保険者証区分": "01", "資格取得日": "20260401", "閲覧抑止": "0",
}  # fmt: skip
PLAIN = 5  # records around the one that is different


def _file(tmp_path: Path, end: str, **changed: str) -> Path:
    records = [RECORD] * PLAIN + [RECORD | changed] + [RECORD] * PLAIN
    lines = [",".join(record.get(name, "") for name in LAYOUT.column_names) for record in records]
    path = tmp_path / "file.csv"
    path.write_bytes("".join(line + end for line in [",".join(LAYOUT.column_names), *lines]).encode())
    return path


def _checked(path: Path) -> tuple[pl.DataFrame, list[tuple[int, str, str]]]:
    (checked,) = check_file(path, LAYOUT, INSURER, date(2026, 11, 21))
    return checked.staged, checked.faults.select("record", "field", "code").rows()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("column", "around"),
    [
        (column, around)
        for column in ("レコード種別", "氏名", "住所", "資格取得日", "閲覧抑止")
        for around in (" {}", "{} ", "　{}", "{}　", '" {}"', '"{} "', '" 　{}　 "', '"{}"')
    ],
)
def test_spaces_around_one_value_mean_nothing(tmp_path: Path, end: str, column: str, around: str) -> None:
    plain = RECORD.get(column, "東京都　千代田区")
    expected, _ = _checked(_file(tmp_path, end, **{column: plain}))

    staged, faults = _checked(_file(tmp_path, end, **{column: around.format(plain)}))

    assert faults == []
    assert staged.equals(expected)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"住所": "東京都\u200b"}, "control_character"),
        ({"住所": "東京都\x1f"}, "control_character"),
        ({"氏名": "佐藤\ue000"}, "gaiji"),
        ({"住所": "123456789018"}, "my_number"),
        ({"番号": "1234 5678 9018"}, "my_number"),
        ({"記号": "１２３４５６７８９０１８"}, "my_number"),
    ],
)
@pytest.mark.parametrize("space", ["", " "])
def test_what_is_wrong_in_one_line_is_found(tmp_path: Path, changed: dict[str, str], code: str, space: str) -> None:
    ((column, text),) = changed.items()

    staged, faults = _checked(_file(tmp_path, "\n", **{column: text + space}))

    assert [(record, field) for record, field, found in faults if found == code] == [(PLAIN + 1, column)]
    assert len(staged) == 2 * PLAIN + (code == "gaiji")


def test_a_carriage_return_too_many_is_a_fault(tmp_path: Path) -> None:
    staged, faults = _checked(_file(tmp_path, "\r\r\n"))

    assert len(staged) == 0
    assert {code for _, _, code in faults} >= {"control_character"}
