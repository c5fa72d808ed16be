"""From bytes to text columns: encodings, line ends, headers, quotes, and files that are none."""

import contextlib
import csv
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payer_sync import reading
from payer_sync.faults import FaultCode, FileRefused
from payer_sync.layouts.register import find_layout
from payer_sync.reading import BATCH_LINES, MAX_ASTRAY, Batch, read_batches, read_texts
from payer_sync.refusals import MAX_TOLD

LAYOUT = find_layout("eligibility", 1)
HEADER = ",".join(LAYOUT.column_names)
WIDTH = len(LAYOUT.columns)


def _line(first: str, name: str = "髙橋　花子") -> str:
    fields = [""] * WIDTH
    fields[0], fields[6] = first, name
    return ",".join(fields)


def _write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    return path


def _read(path: Path, block_bytes: int = 1 << 20) -> tuple[list[int], list[str], list[tuple[int, str]], int]:
    batches = list(read_batches(path, LAYOUT, block_bytes))
    fields = pl.concat([batch.fields for batch in batches])
    faults = pl.concat([batch.faults for batch in batches])
    records = [number for batch in batches for number in batch.records.to_list()]
    return (
        records,
        fields["氏名"].to_list(),
        list(zip(faults["record"], faults["code"], strict=True)),
        sum(b.read for b in batches),
    )


@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
@pytest.mark.parametrize("block_bytes", [1 << 20, 700, 701, 702, 703])
def test_every_accepted_form_reads_the_same_wherever_it_is_cut(
    tmp_path: Path, encoding: str, end: str, last: str, block_bytes: int
) -> None:
    names = [f"髙橋　花子{'ｶﾞ' * n}" for n in range(40)]
    text = end.join([HEADER, *(_line(str(n), name) for n, name in enumerate(names))]) + (end if last else "")

    records, read, faults, count = _read(_write(tmp_path, text.encode(encoding)), block_bytes)

    assert (records, read, faults, count) == (list(range(1, 41)), names, [], 40)


def test_mixed_line_ends_are_read(tmp_path: Path) -> None:
    data = f"{HEADER}\n{_line('1')}\r\n{_line('2')}\n{_line('3')}".encode()

    assert _read(_write(tmp_path, data))[0] == [1, 2, 3]


def test_a_header_alone_has_no_records(tmp_path: Path) -> None:
    assert list(read_batches(_write(tmp_path, HEADER.encode("cp932")), LAYOUT)) == []


@pytest.mark.parametrize(
    ("written", "read"),
    [('"髙橋"', "髙橋"), ('"a,b"', "a,b"), ('"a""b"', 'a"b'), ('""', ""), ('""""', '"')],
)
def test_quoted_fields_are_unquoted(tmp_path: Path, written: str, read: str) -> None:
    path = _write(tmp_path, f"{HEADER}\r\n{_line('1', written)}\r\n".encode("cp932"))

    assert _read(path)[1:3] == ([read], [])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (_line("1")[:-1], FaultCode.WRONG_FIELD_COUNT),
        (_line("1") + ",", FaultCode.WRONG_FIELD_COUNT),
        ("", FaultCode.WRONG_FIELD_COUNT),
        ("1", FaultCode.WRONG_FIELD_COUNT),
        (_line("1", '"a,b') , FaultCode.QUOTES_WRONG),
        (_line("1", 'a"b'), FaultCode.QUOTES_WRONG),
        (_line("1", '"a"b'), FaultCode.QUOTES_WRONG),
        (_line("1", '"a" '), FaultCode.QUOTES_WRONG),
        (_line("1", '"a\nb"'), FaultCode.QUOTES_WRONG),
    ],
)  # fmt: skip
def test_a_line_without_its_fields_is_refused_alone(tmp_path: Path, line: str, code: FaultCode) -> None:
    path = _write(tmp_path, f"{HEADER}\n{_line('1', 'A')}\n{line}\n{_line('9', 'Z')}\n".encode())

    records, names, faults, count = _read(path)

    assert names == ["A", "Z"]
    assert (faults[0], {c for _, c in faults}) == ((2, code), {code})
    assert (records, count) == ([1, count], 3 + line.count("\n"))


@pytest.mark.parametrize("end", ["\x1a", "\x1a\r\n", "\x1a\n"])
def test_an_end_of_file_mark_is_no_fault(tmp_path: Path, end: str) -> None:
    path = _write(tmp_path, f"{HEADER}\r\n{_line('1', 'A')}\r\n{end}".encode())

    assert _read(path) == ([1], ["A"], [], 2)
    assert [text for texts in read_texts(path, LAYOUT, LAYOUT.columns[6]) for text in texts] == ["A", None]


@pytest.mark.parametrize(
    "lines",
    [
        [""], ["", "", ""], ["x\x1a"], [" "], ["\r"], ["x"], [_line("1")[:-1]], [_line("1") + ","],
        [_line("1")[:-1], _line("2")], [_line("1") + ",", _line("2")], [_line("1") + ",", _line("2")[:-1]],
        [_line("1"), _line("2")[:-1]], [_line("1")[:-1], _line("2") + ","], ["", _line("2")], [_line("1"), ""],
        [_line("1"), "\r", _line("2")],
    ],
)  # fmt: skip
def test_lines_with_too_few_or_too_many_fields_are_found_wherever_they_stand(tmp_path: Path, lines: list[str]) -> None:
    path = _write(tmp_path, "\n".join([HEADER, *lines, ""]).encode())

    records, _, faults, count = _read(path)

    wrong = [number for number, line in enumerate(lines, 1) if line.count(",") != WIDTH - 1]
    assert faults == [(number, FaultCode.WRONG_FIELD_COUNT) for number in wrong]
    assert (records, count) == ([n for n in range(1, len(lines) + 1) if n not in wrong], len(lines))


@pytest.mark.parametrize(
    "lines",
    [
        [_line("1\r"), _line("2")[:-1], _line("3")],  # what is dropped of one line makes good for what another lacks
        [_line("1", "a\r"), "x" + "," * (WIDTH - 2)],
        [_line("1"), _line("2")[:-1], _line("3") + ","],
        [_line("1"), _line("2") + ","],
        [_line("1"), _line("2")[:-1]],
    ],
)
def test_a_last_line_without_an_end_and_stray_returns_hide_no_line(tmp_path: Path, lines: list[str]) -> None:
    path = _write(tmp_path, "\n".join([HEADER, *lines]).encode())

    records, _, faults, count = _read(path)

    wrong = [number for number, line in enumerate(lines, 1) if line.count(",") != WIDTH - 1]
    assert faults == [(number, FaultCode.WRONG_FIELD_COUNT) for number in wrong]
    assert (records, count) == ([n for n in range(1, len(lines) + 1) if n not in wrong], len(lines))


@pytest.mark.parametrize("wrong", [{30_000: "x", 35_000: "y", 39_000: "z"}, {39_000: '"a', 39_001: "x"}])
def test_wrong_lines_late_in_a_large_block_are_found(tmp_path: Path, wrong: dict[int, str]) -> None:
    lines = [_line("1", "x" * 150)] * 40_000
    for at, line in wrong.items():
        lines[at - 1] = line

    batches = list(read_batches(_write(tmp_path, "\n".join([HEADER, *lines, ""]).encode()), LAYOUT))

    assert [record for batch in batches for record in batch.faults["record"]] == list(wrong)
    assert sum(batch.read for batch in batches) == len(lines)


@pytest.mark.parametrize(
    "lines", ["\n" * 1_000_000, "x" * 2_000_000 + "\n" * 250_000, "\n" * 250_000 + "x" * 2_000_000 + "\n"]
)
def test_a_block_of_very_short_lines_is_read_in_parts(tmp_path: Path, lines: str) -> None:
    batches = list(read_batches(_write(tmp_path, f"{HEADER}\n{lines}".encode()), LAYOUT))

    assert max(batch.read for batch in batches) <= BATCH_LINES
    found = pl.concat([batch.faults["record"] for batch in batches])
    assert found.equals(pl.int_range(1, lines.count("\n") + 1, eager=True), check_names=False)


def test_what_is_read_in_parts_is_read_as_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [_line("1"), _line("\ufeff2"), _line("3\r"), "4", _line('"5"'), _line("\ufeff6"), ""]
    path = _write(tmp_path, "\n".join([HEADER, *lines, ""]).encode())
    at_once = list(read_batches(path, LAYOUT))
    monkeypatch.setattr(reading, "BATCH_LINES", 1)

    parts = list(read_batches(path, LAYOUT))

    assert [len(batches) for batches in (at_once, parts)] == [1, len(lines)]
    for name in ("records", "lines", "fields", "faults"):
        assert pl.concat([getattr(part, name) for part in parts]).equals(getattr(at_once[0], name))


def test_a_block_of_real_records_is_read_at_once(tmp_path: Path) -> None:
    lines = [_line("1", "x" * 130)] * 45_000

    (batch,) = read_batches(_write(tmp_path, "\n".join([HEADER, *lines, ""]).encode()), LAYOUT)

    assert batch.read == len(lines)


@pytest.mark.parametrize("line", ["", _line("1")[:-1]])
def test_a_file_of_very_many_lines_without_fields_is_refused_and_not_read_on(tmp_path: Path, line: str) -> None:
    path = _write(tmp_path, (HEADER + "\n" + f"{line}\n" * (MAX_ASTRAY + 3 * BATCH_LINES)).encode())
    batches = read_batches(path, LAYOUT)
    found: list[Batch] = []

    with pytest.raises(FileRefused) as refused:
        found.extend(batches)

    told = sum(len(batch.faults) for batch in found)
    (fault,) = refused.value.faults
    assert (fault.code, fault.record) == (FaultCode.LINES_ASTRAY, None)
    assert "more than 1,000,000" in fault.said
    assert MAX_ASTRAY < told <= MAX_ASTRAY + BATCH_LINES


@pytest.mark.parametrize("line", ["", "1,2", "1,2,3,4,5,6,7"])
def test_a_quick_look_ends_with_very_many_lines_without_fields(tmp_path: Path, line: str) -> None:
    path = _write(tmp_path, (HEADER + "\n" + f"{line}\n" * (2 * MAX_ASTRAY)).encode())

    with pytest.raises(FileRefused) as refused:
        list(read_texts(path, LAYOUT, LAYOUT.column("linkage_code")))

    assert [fault.code for fault in refused.value.faults] == [FaultCode.LINES_ASTRAY]


THREE = replace(LAYOUT, columns=LAYOUT.columns[:3])
FIELDS = ("", "a", "髙", " ", "a\r", "a\rb", "\ufeff", "\ufeffa", "\x1e", "\x1f", "#", '"a"', '"a,b"', '""""')


def _as_it_stands(line: str) -> list[str]:
    line = line.removesuffix("\r").translate({ord("\r"): "\x1e", ord("\x1f"): "\x1e"})
    return next(csv.reader(["\x1e" + line[1:] if line.startswith("\ufeff") else line]), [])


@given(
    st.lists(st.lists(st.sampled_from(FIELDS), max_size=4) | st.tuples(*[st.sampled_from(FIELDS)] * 3), max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([80, 1 << 20]),
)
def test_every_line_has_its_own_fields_or_none(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], end: str, ended: bool, block_bytes: int
) -> None:
    text = end.join([",".join(THREE.column_names), *map(",".join, lines)]) + (end if ended else "")
    path = _write(tmp_path_factory.getbasetemp(), text.encode())

    batches = list(read_batches(path, THREE, block_bytes))

    read = {n: list(row) for b in batches for n, row in zip(b.records, b.fields.rows(), strict=True)}
    expected = [_as_it_stands(line) for line in text.removesuffix("\n").split("\n")[1:]]
    assert read == {n: fields for n, fields in enumerate(expected, 1) if len(fields) == 3}
    assert sum(batch.read for batch in batches) == len(expected)


def test_separators_of_other_kinds_do_not_shift_the_fields(tmp_path: Path) -> None:
    path = _write(tmp_path, f"{HEADER}\n{_line('1', 'A' + chr(0x1F) + 'B')}\n{_line('2', 'C')}\n".encode())

    assert _read(path)[:2] == ([1, 2], ["A\x1eB", "C"])


@pytest.mark.parametrize(
    ("spoilt", "encoding", "line", "byte"),
    [
        (b"\x81\x20", "cp932", 3, 5),
        (b"\x85\x40", "cp932", 3, 5),
        (b"\x80", "cp932", 3, 5),
        (b"\xa0", "cp932", 3, 5),
        (b"\xfd", "cp932", 3, 5),
        (b"\xfe", "cp932", 3, 5),
        (b"\xff", "cp932", 3, 5),
        (b"\xff", "utf-8", 3, 5),
        (b"\xc0\xaf", "utf-8", 3, 5),
        (b"\xed\xa0\x80", "utf-8", 3, 5),
        (b"\xe9\xab ", "utf-8", 3, 5),
    ],
)
@pytest.mark.parametrize("block_bytes", [1 << 20, 600])
def test_the_first_undecodable_byte_is_named_by_line_and_place(
    tmp_path: Path, spoilt: bytes, encoding: str, line: int, byte: int, block_bytes: int
) -> None:
    data = f"{HEADER}\r\n{_line('1')}\r\nabcd".encode(encoding) + spoilt + f",\r\n{_line('3')}\r\n".encode(encoding)

    with pytest.raises(FileRefused) as refused:
        list(read_batches(_write(tmp_path, data), LAYOUT, block_bytes))

    (fault,) = refused.value.faults
    assert (fault.code, fault.record) == (FaultCode.BYTES_UNDECODABLE, line - 1)
    assert f"line {line}, byte {byte}:" in fault.expected


@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("block_bytes", [1 << 20, 600])
def test_every_line_that_cannot_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, encoding: str, end: str, block_bytes: int
) -> None:
    lines = [_line("1"), _line("2\x00"), _line("3")[:-1], _line("4□"), _line("5"), "□", "\x00□", _line("8")[:-1], "□"]
    data = ("\n".join([HEADER, *lines]) + end).encode(encoding)
    data = data.replace("□".encode(encoding), b"\xff")
    batches = read_batches(_write(tmp_path, data), LAYOUT, block_bytes)
    found: list[Batch] = []

    with pytest.raises(FileRefused) as refused:
        found.extend(batches)

    assert [number for batch in found for number in batch.records] == [1, 5]
    assert [text for batch in found for text in batch.fields["レコード種別"]] == ["1", "5"]
    assert [number for batch in found for number in batch.faults["record"]] == [3, 8]  # those alone that lack a field
    assert sum(batch.read for batch in found) == len(lines)
    assert [(f.record, f.code, f.said.split(", byte ")[1].split(":")[0]) for f in refused.value.faults] == [
        (2, FaultCode.NUL_BYTE, "2"),
        (4, FaultCode.BYTES_UNDECODABLE, "2"),
        (6, FaultCode.BYTES_UNDECODABLE, "1"),
        (7, FaultCode.NUL_BYTE, "1"),
        (9, FaultCode.BYTES_UNDECODABLE, "1"),
    ]


def test_of_very_many_lines_that_cannot_be_read_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    data = HEADER.encode() + b"\n" + b"\xff\n" * 1500 + b"\x00\n"

    with pytest.raises(FileRefused) as refused:
        list(read_batches(_write(tmp_path, data), LAYOUT))

    *named, others, nul = refused.value.faults
    assert [fault.record for fault in named] == list(range(1, MAX_TOLD + 1))
    assert (others.record, others.code) == (None, FaultCode.BYTES_UNDECODABLE)
    assert "500 more" in others.said
    assert (nul.record, nul.code) == (None, FaultCode.NUL_BYTE)


def test_what_ends_the_reading_is_told_after_what_could_not_be_read(tmp_path: Path) -> None:
    data = HEADER.encode() + b"\n\xff\n" + b"x" * 5000

    with pytest.raises(FileRefused) as refused:
        list(read_batches(_write(tmp_path, data), LAYOUT, 1000))

    assert [fault.code for fault in refused.value.faults] == [FaultCode.BYTES_UNDECODABLE, FaultCode.LINE_TOO_LONG]


def test_a_quick_look_counts_lines_that_cannot_be_read(tmp_path: Path) -> None:
    data = "\n".join([HEADER, _line("1"), "□", _line("3")]).encode().replace("□".encode(), b"\xff")

    texts = pl.concat(list(read_texts(_write(tmp_path, data), LAYOUT, LAYOUT.columns[0])))

    assert texts.to_list() == ["1", None, "3"]


def _pairs() -> dict[bytes, str]:
    found = {}
    for lead in (*range(0x81, 0xA0), *range(0xE0, 0xFD)):
        for trail in range(0x40, 0xFD):
            with contextlib.suppress(UnicodeDecodeError):
                found[bytes([lead, trail])] = bytes([lead, trail]).decode("cp932")
    return {pair: character for pair, character in found.items() if len(character) == 1}


def test_gaiji_and_every_pair_that_cp932_defines_are_read(tmp_path: Path) -> None:
    pairs = _pairs()
    line = _line("1", "NAME").encode()
    data = b"\r\n".join([HEADER.encode("cp932"), *(line.replace(b"NAME", pair) for pair in pairs)])

    assert _read(_write(tmp_path, data))[1] == list(pairs.values())
    assert "\ue000" in pairs.values()
    assert len(pairs) > 9000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "euc_jp", "iso2022_jp"])
def test_other_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    path = _write(tmp_path, f"{HEADER}\r\n{_line('1', '高橋')}\r\n".encode(encoding))

    with pytest.raises(FileRefused) as refused:
        list(read_batches(path, LAYOUT))

    assert refused.value.faults[0].code is FaultCode.ENCODING_UNKNOWN


@pytest.mark.parametrize(
    ("header", "codes"),
    [
        ("", {FaultCode.HEADER_MISSING}),
        (_line("1"), {FaultCode.HEADER_MISSING}),
        (HEADER.replace("枝番", "枝"), {FaultCode.COLUMN_UNKNOWN, FaultCode.COLUMN_MISSING}),
        (HEADER.replace("枝番", " 枝番"), {FaultCode.COLUMN_UNKNOWN, FaultCode.COLUMN_MISSING}),
        (HEADER.replace("枝番,", ""), {FaultCode.COLUMN_MISSING}),
        (HEADER.replace("枝番", "番号"), {FaultCode.COLUMN_DUPLICATE, FaultCode.COLUMN_MISSING}),
        (HEADER + ",備考", {FaultCode.COLUMN_UNKNOWN}),
        (HEADER.replace("記号,番号", "番号,記号"), {FaultCode.COLUMN_MISPLACED}),
        ("レコード種別", {FaultCode.COLUMN_MISSING}),
    ],
)
def test_a_header_that_is_not_the_layouts_is_refused_with_every_difference(
    tmp_path: Path, header: str, codes: set[FaultCode]
) -> None:
    with pytest.raises(FileRefused) as refused:
        list(read_batches(_write(tmp_path, f"{header}\r\n{_line('1')}\r\n".encode("cp932")), LAYOUT))

    assert {fault.code for fault in refused.value.faults} == codes
    assert all("列目" in fault.said for fault in refused.value.faults)


def test_a_header_of_personal_data_is_not_repeated(tmp_path: Path) -> None:
    path = _write(tmp_path, _line("1", "山田　太郎").encode("cp932"))

    with pytest.raises(FileRefused) as refused:
        list(read_batches(path, LAYOUT))

    assert "山田" not in repr(refused.value.faults) + str(refused.value)


@pytest.mark.parametrize("where", [b"header", b"record"])
def test_a_nul_byte_is_refused(tmp_path: Path, where: bytes) -> None:
    header = HEADER.encode("cp932") + (b"\x00" if where == b"header" else b"")

    with pytest.raises(FileRefused) as refused:
        list(read_batches(_write(tmp_path, header + b"\r\n1,\x00,\r\n"), LAYOUT))

    assert refused.value.faults[0].code in (FaultCode.NUL_BYTE, FaultCode.ENCODING_UNKNOWN)


def test_a_line_that_never_ends_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        list(read_batches(_write(tmp_path, HEADER.encode() + b"\n" + b"x" * 5000), LAYOUT, 1000))

    assert refused.value.faults[0].code is FaultCode.LINE_TOO_LONG
