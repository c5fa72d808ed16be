"""Archives made to harm are refused, by what they declare before they are read; every entry is named."""

import io
import stat
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from payer_sync.checkups import archive as module
from payer_sync.checkups.archive import count_documents, is_archive, read_documents
from payer_sync.faults import FaultCode, FileRefused, shape
from payer_sync.refusals import gathered_refusals

NAME = "DATA/h00000000000000000000000001.xml"
OTHER = "DATA/g00000000000000000000000002.xml"
Entry = tuple[str | zipfile.ZipInfo, bytes]


def _zip(path: Path, *entries: Entry, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def _info(name: str, mode: int = 0, flags: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.flag_bits = flags
    return info


def _read(path: Path) -> list[tuple[int, str, bytes]]:
    with gathered_refusals() as refusals:
        return list(read_documents(path, refusals))


def _refusal(path: Path, code: FaultCode, named: str = "", drawn: str | None = None) -> None:
    with pytest.raises(FileRefused) as refused:
        _read(path)
    (fault,) = refused.value.faults
    assert (fault.code, fault.value_shape) == (code, drawn)
    assert all(named in said for said in fault.said.split(" / ", 1))  # in both languages


def test_documents_come_in_the_directorys_order_and_what_stands_beside_them_is_not_read(tmp_path: Path) -> None:
    path = _zip(
        tmp_path / "a.zip", ("DATA/", b""), (OTHER, b"2"), ("ix08_V08.xml", b"x"), ("XSD/hc08_V08.xsd", b"y"),
        ("06130512_20260603/DATA/" + NAME[5:], b"1"),
    )  # fmt: skip

    assert _read(path) == [(1, OTHER, b"2"), (2, NAME, b"1")]
    assert count_documents(path) == 2
    assert is_archive(path.read_bytes()[:4])


def test_an_archive_of_nothing_has_no_documents(tmp_path: Path) -> None:
    assert _read(_zip(tmp_path / "a.zip")) == []


@pytest.mark.parametrize(
    "name",
    [
        "../DATA/h00000000000000000000000001.xml",
        "/DATA/h00000000000000000000000001.xml",
        "DATA/../../h00000000000000000000000001.xml",
        "DATA\\h00000000000000000000000001.xml",
        "C:/DATA/h00000000000000000000000001.xml",
        "a/b/DATA/h00000000000000000000000001.xml",
        "XSD/../../etc/cron.d/x.xml",
        "DATA/h0000000000000000000000001.xml",
        "DATA/x00000000000000000000000001.xml",
        "DATA/h00000000000000000000000001.xml.exe",
        "DATA/h00000000000000000000000001.zip",
        "DATA/h０0000000000000000000000001.xml",
        "h00000000000000000000000001.xml",
        "../",
        "/",
        "readme.txt",
    ],
)
def test_an_entry_of_another_name_is_refused_and_told_by_its_shape(tmp_path: Path, name: str) -> None:
    _refusal(_zip(tmp_path / "a.zip", (NAME, b"<a/>"), (name, b"")), FaultCode.ARCHIVE_ENTRY, "2", shape(name))


def test_every_entry_that_must_not_be_there_is_told_at_once_and_the_others_are_read(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", (NAME, b"<a/>")).read_bytes()
    path = _zip(
        tmp_path / "a.zip", ("DATA/yamada_0000001_19800110.xml", b""), (NAME, b"1"), (_info(OTHER, stat.S_IFLNK), b"x"),
        ("x/" + NAME, inner), ("readme.txt", b""), (NAME.replace("1.xml", "3.xml"), b"4"),
    )  # fmt: skip
    found: list[bytes] = []

    with pytest.raises(FileRefused) as refused, gathered_refusals() as refusals:
        found.extend(content for _, _, content in read_documents(path, refusals))

    assert found == [b"1", b"4"]
    assert {fault.code for fault in refused.value.faults} == {FaultCode.ARCHIVE_ENTRY}
    assert [(f.record, f.value_shape, f.said.split(" / ")[1].split(":")[0]) for f in refused.value.faults] == [
        (None, "AAAAあAAAAAAあ9999999あ99999999あAAA", "entry 1 of the directory"),
        (2, None, f"entry 3 of the directory {OTHER}"),
        (None, "AAAAAAあAAA", "entry 5 of the directory"),
        (3, None, f"entry 4 of the directory {NAME}"),
    ]
    assert "yamada" not in repr(refused.value.faults)


def test_a_limit_ends_the_reading_at_once_and_what_was_found_before_is_told(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", ("readme.txt", b""), (NAME, bytes(1024 * 1024)), ("another.txt", b""))

    with pytest.raises(FileRefused) as refused:
        _read(path)

    assert [fault.code for fault in refused.value.faults] == [FaultCode.ARCHIVE_ENTRY, FaultCode.ARCHIVE_TOO_LARGE]


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_an_entry_that_is_no_regular_file_is_refused(tmp_path: Path, mode: int) -> None:
    _refusal(_zip(tmp_path / "a.zip", (_info(NAME, mode), b"/etc/passwd")), FaultCode.ARCHIVE_ENTRY, NAME)


@pytest.mark.parametrize("again", [NAME, NAME.replace("h", "H"), "data" + NAME[4:]])
def test_a_name_that_stands_twice_is_refused(tmp_path: Path, again: str) -> None:
    path = _zip(tmp_path / "a.zip", (NAME, b"1"))
    with zipfile.ZipFile(path, "a") as archive, pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        archive.writestr(again, b"2")

    named, drawn = (NAME, None) if again == NAME else ("2", shape(again))
    _refusal(path, FaultCode.ARCHIVE_ENTRY, named, drawn)


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2001])
def test_an_encrypted_entry_is_refused(tmp_path: Path, flags: int) -> None:
    path = _zip(tmp_path / "a.zip", (NAME, b"<a/>"))
    _patch(path, b"PK\x01\x02", 8, struct.pack("<H", flags))

    _refusal(path, FaultCode.ARCHIVE_ENTRY, NAME)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused(tmp_path: Path, method: int) -> None:
    _refusal(_zip(tmp_path / "a.zip", (NAME, b"<a/>"), method=method), FaultCode.ARCHIVE_ENTRY, NAME)


def test_an_archive_in_the_archive_is_refused(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", (NAME, b"<a/>")).read_bytes()

    _refusal(_zip(tmp_path / "a.zip", (NAME, inner)), FaultCode.ARCHIVE_ENTRY, NAME)


def _bomb(path: Path, declared: int) -> Path:
    # One mebibyte of zeros, flushed so that its compressed form can be repeated: ten gibibytes in ten megabytes.
    zeros = zlib.compressobj(9, zlib.DEFLATED, -15)
    mebibyte = zeros.compress(bytes(1 << 20)) + zeros.flush(zlib.Z_FULL_FLUSH)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(NAME, mebibyte * 10_240 + zeros.flush())
        (entry,) = archive.filelist
        entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, declared  # what the directory will say
    return path


def test_ten_gigabytes_in_ten_megabytes_are_refused_by_what_is_declared(tmp_path: Path) -> None:
    path = _bomb(tmp_path / "a.zip", 10 * 1024**3)

    assert path.stat().st_size < 16_000_000
    _refusal(path, FaultCode.ARCHIVE_TOO_LARGE, NAME)


@pytest.mark.parametrize("declared", [0, 100_000, 4_000_000])
def test_a_bomb_that_understates_itself_gives_no_more_than_it_declares(tmp_path: Path, declared: int) -> None:
    path = _bomb(tmp_path / "a.zip", declared)
    tracemalloc.start()
    try:
        _refusal(path, FaultCode.ARCHIVE_DAMAGED, NAME)
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_an_entry_that_shrank_beyond_belief_is_refused(tmp_path: Path) -> None:
    _refusal(_zip(tmp_path / "a.zip", (NAME, bytes(1024 * 1024))), FaultCode.ARCHIVE_TOO_LARGE, NAME)


@pytest.mark.parametrize(("limit", "value"), [("MAX_TOTAL_BYTES", 8), ("MAX_ENTRIES", 1), ("MAX_DIRECTORY_BYTES", 80)])
def test_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    path = _zip(tmp_path / "a.zip", (NAME, b"12345"), (OTHER, b"12345"))
    monkeypatch.setattr(module, limit, value)

    _refusal(path, FaultCode.ARCHIVE_TOO_LARGE)


def test_more_entries_than_the_directory_declares_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _zip(tmp_path / "a.zip", (NAME, b"1"), (OTHER, b"2"))
    data = bytearray(path.read_bytes())
    data[-14:-10] = struct.pack("<HH", 1, 1)  # entries on this disk, and in all
    path.write_bytes(data)
    monkeypatch.setattr(module, "MAX_ENTRIES", 1)

    _refusal(path, FaultCode.ARCHIVE_TOO_LARGE)


def test_more_entries_than_an_ordinary_archive_can_have_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    entry = zipfile.ZipInfo("DATA/")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, b"")
        archive.filelist = [entry] * 70_000

    _refusal(path, FaultCode.ARCHIVE_TOO_LARGE)
    assert count_documents(path) == 0


def _wrong_crc(content: bytes) -> bytes:
    at = content.index(b"PK\x01\x02") + 16
    return content[:at] + b"\xff\xff\xff\xff" + content[at + 4 :]


def _flipped(content: bytes) -> bytes:
    at = content.index(NAME.encode()) + len(NAME) + 2
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "wrong CRC": _wrong_crc,
    "flipped byte": _flipped,
    "another name in the entry's header": lambda content: content.replace(NAME.encode(), OTHER.encode(), 1),
    "cut": lambda content: content[:-30],
    "only its head": lambda content: content[:4],
    "only its end": lambda content: content[-22:],
    "begun later": lambda content: content[40:],
    "noise": lambda _: b"PK\x03\x04" + b"noise" * 100,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_archive_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = _zip(tmp_path / "a.zip", (NAME, b"<some>text of this document</some>" * 3))
    path.write_bytes(damage(path.read_bytes()))

    _refusal(path, FaultCode.ARCHIVE_DAMAGED)


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _zip(tmp_path / "a.zip", (NAME, b"<a/>"))
    monkeypatch.chdir(tmp_path)
    _read(path)

    assert [found.name for found in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("head", [b"", b"PK", b"\xef\xbb\xbf", "保険者番号".encode()])
def test_other_files_are_no_archives(head: bytes) -> None:
    assert not is_archive(io.BytesIO(head).read(4))


def _patch(path: Path, signature: bytes, offset: int, value: bytes) -> None:
    content = bytearray(path.read_bytes())
    at = content.rindex(signature) + offset if signature == b"PK\x01\x02" else content.index(signature) + offset
    content[at : at + len(value)] = value
    path.write_bytes(bytes(content))
