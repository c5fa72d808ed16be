"""Opens an archive of check-up documents: refuses whatever could harm before it reads, and counts what it reads.

Nothing is ever written to disk under a name from the archive. Limits hold for what the directory declares and again
for what really comes out of the compression.
"""

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from payer_sync.faults import Fault, FaultCode, FileRefused, both, shape
from payer_sync.refusals import Refusals

MAX_ENTRIES: Final = 60_000  # an ordinary archive cannot have 65,536
MAX_DIRECTORY_BYTES: Final = MAX_ENTRIES * 256
MAX_DOCUMENT_BYTES: Final = 4 * 1024 * 1024  # a check-up has some tens of kilobytes
MAX_TOTAL_BYTES: Final = 8 * 1024**3
MAX_RATIO: Final = 200  # of one entry beyond the first bytes; such XML shrinks to a tenth or a twentieth
_SMALL_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 64 * 1024
_DOCUMENT: Final = re.compile(r"(?:[A-Za-z0-9_]{1,64}/)?DATA/[hg][0-9]{26}\.xml")
# What an exchange archive holds beside its documents; not read. Index, summary, schemas and claims of the check-ups.
_BESIDE: Final = re.compile(
    r"(?:[A-Za-z0-9_]{1,64}/)?(?:(?:ix|su)[0-9]{2}_V[0-9]{2}\.xml|(?:XSD|CLAIMS)/[A-Za-z0-9_./-]{1,100}\.(?:xsd|xml))"
)
_FOLDER: Final = re.compile(r"(?:[A-Za-z0-9_]{1,64}/){1,4}")
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_LOCATOR_64: Final = b"PK\x06\x07"
_LOCATOR_BYTES: Final = 20
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry, its place in the directory, and which of the documents it is, if it is one."""

    info: zipfile.ZipInfo
    place: int
    document: int | None

    def fault(self, ja: str, en: str, code: FaultCode = FaultCode.ARCHIVE_ENTRY) -> Fault:
        """Return a fault of it. Of a name that is no document's the shape is told: it may hold anything."""
        name = self.info.filename
        named, called = (shape(name), "") if self.document is None else (None, f" {_shown(name)}")
        said = both(f"目次の{self.place}番目{called}: {ja}", f"entry {self.place} of the directory{called}: {en}")
        return Fault(code, self.document, value_shape=named, expected=said)


def is_archive(head: bytes) -> bool:
    """Tell whether a file that begins so is a ZIP archive."""
    return head.startswith((b"PK\x03\x04", _END))


def count_documents(path: Path) -> int:
    """Return how many documents an archive's directory names; 0 where it has none that can be read."""
    with suppress(FileRefused), path.open("rb") as file, _open(file) as archive:
        return sum(bool(_DOCUMENT.fullmatch(entry.filename)) for entry in archive.infolist())
    return 0


def read_documents(path: Path, refusals: Refusals) -> Iterator[tuple[int, str, bytes]]:
    """Yield number, name and bytes of every document, in the directory's order.

    Entries that an archive must not have are left out and gathered: the caller refuses the file for them.

    Raises:
        FileRefused: the archive is damaged or beyond the limits; nothing more of it is read.
    """
    with path.open("rb") as file, _open(file) as archive:
        for entry in _checked_entries(archive.infolist(), refusals):
            if entry.document is not None:
                content = _read(archive, entry)
                if is_archive(content):
                    refusals.add(entry.fault("ZIP の中に ZIP がないこと", "no archive in the archive"))
                else:
                    yield entry.document, _shown(entry.info.filename), content


def _open(file: BinaryIO) -> zipfile.ZipFile:
    _check_directory(file)
    try:
        return zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise FileRefused(Fault(FaultCode.ARCHIVE_DAMAGED)) from error


def _check_directory(file: BinaryIO) -> None:
    # Before the directory is read into memory, its size is: many million entries fit into a small file.
    length = file.seek(0, 2)
    file.seek(max(length - (_END_BYTES + 0xFFFF + _LOCATOR_BYTES), 0))
    tail = file.read()
    file.seek(0)
    at = len(tail) - _END_BYTES if tail[-_END_BYTES:].startswith(_END) else tail.rfind(_END)
    end = tail[at : at + _END_BYTES] if at >= 0 else b""
    if len(end) < _END_BYTES:
        raise FileRefused(Fault(FaultCode.ARCHIVE_DAMAGED))
    entries = int.from_bytes(end[10:12], "little")
    size = int.from_bytes(end[12:16], "little")
    if tail[max(at - _LOCATOR_BYTES, 0) : at].startswith(_LOCATOR_64) or entries > MAX_ENTRIES:
        raise _too_many_entries()
    if size > MAX_DIRECTORY_BYTES:
        raise _too_large("the directory's size", "目次の大きさ")


def _checked_entries(infos: list[zipfile.ZipInfo], refusals: Refusals) -> list[_Entry]:
    """Return the entries that an archive may have; what is beyond a limit ends the reading at once."""
    if len(infos) > MAX_ENTRIES:  # whatever the end of the directory declares
        raise _too_many_entries()
    seen: set[str] = set()
    kept: list[_Entry] = []
    total = documents = 0
    for place, info in enumerate(infos, 1):
        is_document = _DOCUMENT.fullmatch(info.filename) is not None
        documents += is_document
        entry = _Entry(info, place, documents if is_document else None)
        fault = _entry_fault(entry, seen)
        if fault is None:
            kept.append(entry)
        elif fault.code is FaultCode.ARCHIVE_TOO_LARGE:
            raise FileRefused(fault)
        else:
            refusals.add(fault)
        seen.add(info.filename.casefold())
        total += info.file_size
        if total > MAX_TOTAL_BYTES:
            raise _too_large(f"{MAX_TOTAL_BYTES:,} bytes", f"合計{MAX_TOTAL_BYTES:,}バイト")
    return kept


def _entry_fault(entry: _Entry, seen: Set[str]) -> Fault | None:
    info = entry.info
    kind = stat.S_IFMT(info.external_attr >> 16)
    bound = max(info.compress_size * MAX_RATIO, _SMALL_BYTES)
    if info.file_size > min(MAX_DOCUMENT_BYTES, bound):
        return entry.fault(
            f"{MAX_DOCUMENT_BYTES:,}バイト以内、圧縮率{MAX_RATIO}倍以内",
            f"at most {MAX_DOCUMENT_BYTES:,} bytes and {MAX_RATIO} times its compressed size",
            FaultCode.ARCHIVE_TOO_LARGE,
        )
    if info.flag_bits & _ENCRYPTED:
        return entry.fault("暗号化されていないこと", "no encryption")
    if not (info.is_dir() and _FOLDER.fullmatch(info.filename) and info.file_size == 0 and kind in (0, stat.S_IFDIR)):
        if kind not in (0, stat.S_IFREG):
            return entry.fault("通常のファイルだけ", "regular files only")
        beside = _BESIDE.fullmatch(info.filename) and ".." not in info.filename
        if entry.document is None and not beside:
            return entry.fault("DATA/ の下の h か g と数字26桁の .xml", "DATA/, then h or g, 26 digits and .xml")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return entry.fault("無圧縮か deflate", "stored or deflated")
    if info.filename.casefold() in seen:
        return entry.fault("同じ名前は一度だけ", "each name once")
    return None


def _read(archive: zipfile.ZipFile, entry: _Entry) -> bytes:
    pieces, length = [], 0
    try:
        with archive.open(entry.info) as stream:
            while piece := stream.read(_READ_BYTES):
                length += len(piece)
                if length > MAX_DOCUMENT_BYTES:
                    raise FileRefused(
                        entry.fault(
                            f"{MAX_DOCUMENT_BYTES:,}バイト以内", f"at most {MAX_DOCUMENT_BYTES:,} bytes",
                            FaultCode.ARCHIVE_TOO_LARGE,
                        )
                    )  # fmt: skip
                pieces.append(piece)
    except (*_DAMAGE, RuntimeError) as error:
        raise FileRefused(
            entry.fault("壊れていないこと(CRC・長さ)", "no damage (CRC, length)", FaultCode.ARCHIVE_DAMAGED)
        ) from error
    if length != entry.info.file_size:
        raise FileRefused(entry.fault("目次どおりの長さ", "the length the directory states", FaultCode.ARCHIVE_DAMAGED))
    return b"".join(pieces)


def _shown(name: str) -> str:
    """Return a document's name as a fault may say it: what stands before DATA/ is its sender's own."""
    return name[name.index("DATA/") :]


def _too_many_entries() -> FileRefused:
    return _too_large(f"{MAX_ENTRIES:,} entries", f"{MAX_ENTRIES:,}個")


def _too_large(en: str, ja: str) -> FileRefused:
    return FileRefused(Fault(FaultCode.ARCHIVE_TOO_LARGE, expected=both(f"上限以内: {ja}", f"within the limit: {en}")))
