"""Which check-ups a refused record holds back: its own, those it may be of, and no other."""

import csv
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from eligibility.domain.identifiers import InsurerNumber
from payer_sync.checkups.incomplete import KEY
from payer_sync.checkups.reading import read_checked
from payer_sync.layouts.register import find_layout

TODAY = date(2026, 11, 21)
LAYOUT = find_layout("checkup", 1)
INSURER = InsurerNumber("06130512")


def _row(day: int, **different: str) -> str:
    filled = dict.fromkeys(LAYOUT.column_names, "") | {
        "保険者番号": INSURER.digits, "記号": "12", "番号": f"{day:07}", "枝番": "01", "生年月日": "19800110",
        "性別": "2", "健診実施日": f"202606{day:02}", "健診機関番号": "1311234567", "項目コード": "9N006000000000001",
        "結果種別": "PQ", "結果値": "60", "単位": "kg",
    }  # fmt: skip
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow((filled | different).values())
    return line.getvalue()


@pytest.fixture(params=[1, 2, 100_000], ids="batches of {}".format)
def incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., list[int]]:
    """Check lines after a header; return the days of June of the check-ups whose good records are held back."""
    monkeypatch.setattr("payer_sync.reading.BATCH_LINES", request.param)

    def days(*lines: str) -> list[int]:
        path = tmp_path / "a.csv"
        path.write_text("\r\n".join([",".join(LAYOUT.column_names), *lines, ""]), "cp932", newline="")
        staged = pl.concat([checked.staged for checked in read_checked(path, LAYOUT, INSURER, TODAY)])
        marked = staged.filter(pl.col("item_code").is_null())
        held = staged.filter(pl.col("item_code").is_not_null()).join(marked, on=KEY, how="semi")
        assert staged.columns == list(LAYOUT.staged_fields)
        return held["performed_on"].dt.day().unique().sort().to_list()

    return days


@pytest.mark.parametrize("line", ["x", _row(9) + ",", _row(9, 健診実施日="x", 健診機関番号="y")])
@pytest.mark.parametrize("many", [1, 4])
def test_a_line_that_tells_no_check_up_holds_back_those_beside_it(
    incomplete: Callable[..., list[int]], line: str, many: int
) -> None:
    lines = [line] * many
    assert incomplete(_row(1), _row(2), *lines, _row(3), _row(4)) == [2, 3]
    assert incomplete(_row(1), _row(2), _row(2), *lines, _row(2), _row(3)) == [2]
    assert incomplete(*lines, _row(1), _row(2)) == [1]
    assert incomplete(_row(1), _row(2), *lines) == [2]
    assert incomplete(*lines) == []


@pytest.mark.parametrize("empty", ["", "," * 16])
def test_an_empty_line_holds_nothing_back(incomplete: Callable[..., list[int]], empty: str) -> None:
    assert incomplete(empty, _row(1), empty, _row(2), empty, empty) == []
    assert incomplete(_row(1), _row(2), empty, "x", empty, _row(3), _row(4)) == [2, 3]


@pytest.mark.parametrize(
    ("different", "held"),
    [
        ({"結果値": "x"}, [2]),
        ({"枝番": "1"}, [2]),
        ({"健診機関番号": "x"}, [2]),
        ({"番号": "x" * 41}, [2]),
        ({"番号": ""}, [2]),
        ({"健診実施日": "20270602"}, [2]),
        ({"健診実施日": "", "番号": "0000003"}, [3]),
        ({"健診実施日": "", "番号": ""}, [1, 2, 3]),
        ({"枝番": "1", "生年月日": "19800111"}, []),
        ({"枝番": "1", "番号": "0000009"}, []),
        ({"枝番": "1", "紐付番号": "LK-1"}, []),
    ],
)
def test_a_record_whose_check_up_cannot_be_read_holds_back_those_it_agrees_with(
    incomplete: Callable[..., list[int]], different: dict[str, str], held: list[int]
) -> None:
    # Not beside the others of its check-up.
    assert incomplete(_row(1), _row(2), _row(3), _row(3), _row(2, **different)) == held


def test_of_a_family_it_holds_back_whom_birth_date_and_sex_tell(incomplete: Callable[..., list[int]]) -> None:
    his = {"番号": "0000001", "枝番": "02", "性別": "1"}

    assert incomplete(_row(1), _row(2, **his), _row(2, **his | {"枝番": "2"})) == [2]
    assert incomplete(_row(1), _row(2, **his), _row(2, **his | {"枝番": "2", "健診実施日": "x"})) == [2]
    assert incomplete(_row(1), _row(2, **his), _row(2, **his | {"枝番": "2", "性別": "", "健診実施日": "x"})) == [1, 2]
