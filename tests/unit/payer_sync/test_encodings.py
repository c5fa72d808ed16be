"""Every code of cp932 and the hard cases of UTF-8: what is read is what was written, or the file is refused."""

import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from eligibility.domain.identifiers import InsurerNumber
from payer_sync.contract import check
from payer_sync.faults import FaultCode, FileRefused
from payer_sync.layouts.register import find_layout
from payer_sync.reading import read_batches

LAYOUT = find_layout("eligibility", 1)
HEADER = ",".join(LAYOUT.column_names)
INSURER = InsurerNumber("06130512")
DOCUMENT = Path(__file__).parents[3] / "docs" / "encodings.md"
BEFORE, AFTER = "1,06130512,12,{},01,LK-{},外".encode("cp932"), "字,ｶﾅ,19800110,2,,,1,01,20240401".encode("cp932")
REST = b"," * (len(LAYOUT.columns) - 15)


def _two_byte() -> dict[bytes, str]:
    found = {}
    for lead in range(0x81, 0x100):
        for trail in range(0x100):
            try:
                text = bytes([lead, trail]).decode("cp932")
            except UnicodeDecodeError:
                continue
            if len(text) == 1:
                found[bytes([lead, trail])] = text
    return found


TWO_BYTE = _two_byte()
SINGLE = {bytes([b]): bytes([b]).decode("cp932") for b in (*range(0x20, 0x7F), *range(0xA1, 0xE0))}
GAIJI = {code for code in TWO_BYTE if b"\xf0\x40" <= code <= b"\xf9\xfc"}
TWINS = {code for code, text in TWO_BYTE.items() if text.encode("cp932") != code}


def _file(folder: Path, names: list[bytes], header: bytes = HEADER.encode("cp932")) -> Path:
    lines = [header]
    for number, name in enumerate(names):
        before = BEFORE.replace(b"{}", str(number).encode())
        quoted = name if not {name} & {b'"', b","} else name.replace(b'"', b'""')
        start, end = (b'"', b'"') if quoted != name or name == b"," else (b"", b"")
        before = before.removesuffix("外".encode("cp932")) + start + "外".encode("cp932")
        lines.append(before + quoted + AFTER.replace("字".encode("cp932"), "字".encode("cp932") + end, 1) + REST)
    path = folder / "file.csv"
    path.write_bytes(b"\r\n".join(lines) + b"\r\n")
    return path


def _checked(path: Path, block_bytes: int = 1 << 20) -> tuple[list[str], pl.DataFrame]:
    parts = [check(b, LAYOUT, INSURER, date(2026, 11, 21)) for b in read_batches(path, LAYOUT, block_bytes)]
    staged = pl.concat([part.staged for part in parts])
    return [name[1:-1] for name in staged["name"]], pl.concat([part.faults for part in parts])


def test_cp932_has_the_codes_that_the_document_counts() -> None:
    assert (len(TWO_BYTE), len(GAIJI), len(TWINS)) == (9604, 1880, 398)
    assert [TWO_BYTE[code] for code in sorted(GAIJI)] == [chr(0xE000 + n) for n in range(1880)]


@pytest.mark.parametrize("codes", [TWO_BYTE, SINGLE], ids=["two-byte", "single"])
def test_every_code_is_read_staged_and_written_back(tmp_path: Path, codes: dict[bytes, str]) -> None:
    names, faults = _checked(_file(tmp_path, list(codes)))

    assert names == list(codes.values())
    back = [name.encode("cp932") for name in names]
    apart = [code for code, again in zip(codes, back, strict=True) if again != code]
    assert set(apart) == TWINS & codes.keys()
    assert [again.decode("cp932") for again in back] == names
    assert not {"?", "\ufffd"} & (set(names) - {"?"} if codes is SINGLE else set(names))
    assert set(faults["code"]) <= {"gaiji"}


def test_gaiji_are_kept_with_their_bytes_and_each_is_marked(tmp_path: Path) -> None:
    names, faults = _checked(_file(tmp_path, sorted(GAIJI)))

    assert [name.encode("cp932") for name in names] == sorted(GAIJI)
    assert faults.select("record", "field", "code", "severity").rows() == [
        (record, "氏名", "gaiji", "warning") for record in range(1, 1881)
    ]


def test_the_document_names_every_code_that_comes_back_as_its_twin() -> None:
    rows = re.findall(r"^\| ([0-9A-F]{4})(?:–([0-9A-F]{4}))? \| (\d+) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    found: set[bytes] = set()
    for first, last, number in rows:
        within = {code for code in TWO_BYTE if first <= code.hex().upper() <= (last or first)}
        assert len(within) == int(number)
        found |= within
    assert found == TWINS


@pytest.mark.parametrize("block_bytes", range(300, 364, 7))
def test_half_a_character_at_an_edge_is_no_error(tmp_path: Path, block_bytes: int) -> None:
    codes = [code * 20 for code in sorted(TWO_BYTE)[:40]]

    assert _checked(_file(tmp_path, codes), block_bytes)[0] == [code.decode("cp932") for code in codes]


@pytest.mark.parametrize("byte", [b"\x80", b"\xa0", b"\xfd", b"\xfe", b"\xff", b"\x81 ", b"\xf0\x3f", b"\x85\x40"])
def test_bytes_without_a_character_refuse_the_file(tmp_path: Path, byte: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        _checked(_file(tmp_path, [b"A", b"\x88\x9f" + byte, b"B"]))

    (fault,) = refused.value.faults
    assert (fault.code, fault.record) == (FaultCode.BYTES_UNDECODABLE, 2)
    assert "line 3, byte" in fault.expected


@pytest.mark.parametrize(
    "name",
    ["〜～", "−－ー‐", "髙﨑", "𠮷", "葛\U000e0100", "か\u309a", "\ue000", "é", "e\u0301", "𩸽", "👨\u200d👩"],
)
def test_utf8_is_kept_as_it_was_written(tmp_path: Path, name: str) -> None:
    path = _file(tmp_path, [b"X"])
    path.write_bytes(path.read_bytes().decode("cp932").replace("外X字", f"外{name}字").encode("utf-8-sig"))

    assert _checked(path)[0] == [name]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "euc_jp", "iso2022_jp"])
def test_other_encodings_are_refused_whole(tmp_path: Path, encoding: str) -> None:
    path = _file(tmp_path, [b"X"])
    path.write_bytes(path.read_bytes().decode("cp932").encode(encoding, "replace"))

    with pytest.raises(FileRefused) as refused:
        _checked(path)
    assert refused.value.faults[0].code is FaultCode.ENCODING_UNKNOWN


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_a_change_of_encoding_within_the_file_is_refused(tmp_path: Path, encoding: str) -> None:
    other = "cp932" if encoding == "utf-8" else "utf-8"
    path = tmp_path / "file.csv"
    path.write_bytes(f"{HEADER}\r\n".encode(encoding) + "1,06130512,髙橋　花子﨑".encode(other) + b"\r\n")

    with pytest.raises(FileRefused) as refused:
        _checked(path)
    assert refused.value.faults[0].code is FaultCode.BYTES_UNDECODABLE


def test_mixed_line_ends_are_read_and_a_lone_cr_is_none(tmp_path: Path) -> None:
    path = _file(tmp_path, [b"A", b"B", b"C"])
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\r\n", b"\n", 2))
    assert _checked(path)[0] == ["A", "B", "C"]

    path.write_bytes(whole.replace(b"\r\n", b"\r"))
    with pytest.raises(FileRefused) as refused:
        _checked(path)
    assert "CR alone" in refused.value.faults[0].expected


def test_one_wrong_byte_in_record_900_000_refuses_the_file_and_is_named(tmp_path: Path) -> None:
    line = b"1,\x8d\x82\x8b\xb4" + b"," * (len(LAYOUT.columns) - 2)
    path = tmp_path / "file.csv"
    with path.open("wb") as file:
        file.write(HEADER.encode("cp932") + b"\r\n")
        file.write((line + b"\r\n") * 899_999)
        file.write(line[:2] + b"\xff" + line[2:] + b"\r\n")
        file.write((line + b"\r\n") * 10)

    with pytest.raises(FileRefused) as refused:
        for _ in read_batches(path, LAYOUT):
            pass

    (fault,) = refused.value.faults
    assert (fault.code, fault.record) == (FaultCode.BYTES_UNDECODABLE, 900_000)
    assert "line 900001, byte 3:" in fault.expected
