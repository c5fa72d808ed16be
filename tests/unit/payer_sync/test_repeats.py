"""Which records of a file may share their person is seen before any is checked, however the file is written."""

from pathlib import Path

import pytest

from payer_sync.layouts.register import find_layout
from payer_sync.reading import read_batches
from payer_sync.repeats import find_shared_persons

LAYOUT = find_layout("eligibility", 1)
PLACE = LAYOUT.column_names.index("紐付番号")
WIDTH = len(LAYOUT.column_names)


def _line(code: str, name: str = "髙橋　花子") -> str:
    fields = [""] * WIDTH
    fields[PLACE], fields[PLACE + 1] = code, name
    return ",".join(fields)


def _file(tmp_path: Path, lines: list[str], encoding: str, end: str) -> Path:
    path = tmp_path / "file.csv"
    path.write_bytes((end.join([",".join(LAYOUT.column_names), *lines]) + end).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("lines", "shared"),
    [
        ([], []),
        ([_line("A")], []),
        ([_line("A"), _line("B"), _line("C")], []),
        ([_line("A"), _line("B"), _line("A"), _line("C"), _line("B")], [1, 2, 3, 5]),
        ([_line("A"), _line("a"), _line("Ａ")], []),  # opaque: another width is another code
        ([_line("A"), _line(" A ")], [1, 2]),
        ([_line("A"), _line("　A　")], [1, 2]),
        ([_line("A"), _line('"A"')], [1, 2]),
        ([_line("A"), _line("A", '"山田, 太郎"')], [1, 2]),
        ([_line("B", '"A",A'), _line("A")], []),  # one field too many: a line without fields
        ([_line("A"), "too,few", _line("A")], [1, 3]),
        ([_line("A"), "", _line("A")], [1, 3]),
        (["", _line("A"), _line("A")], [2, 3]),
        (["too,few", _line("A"), _line("A")], [2, 3]),
        (["", "x"], [1, 2]),
        ([_line("A"), _line("A", '"unclosed')], []),
    ],
)
def test_records_that_may_share_their_person(
    tmp_path: Path, lines: list[str], shared: list[int], encoding: str, end: str
) -> None:
    path = _file(tmp_path, lines, encoding, end)

    assert find_shared_persons(path, LAYOUT).to_list() == shared


@pytest.mark.parametrize("lines", [[_line("A"), "too,few", "", _line("B", '"x"')], [_line("", ""), _line("")]])
def test_records_are_counted_as_the_check_counts_them(tmp_path: Path, lines: list[str]) -> None:
    path = _file(tmp_path, [*lines, _line("Z"), _line("Z")], "cp932", "\r\n")
    read = sum(batch.read for batch in read_batches(path, LAYOUT))

    assert find_shared_persons(path, LAYOUT).to_list()[-2:] == [read - 1, read]


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    path = _file(tmp_path, [_line("A"), _line("B"), _line("A")], "utf-8", "\n")
    path.write_bytes(path.read_bytes().rstrip(b"\n"))

    assert find_shared_persons(path, LAYOUT).to_list() == [1, 3]
