"""What a file is, found by reading it once: its length, its SHA-256 and how many records it has."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eligibility.wire.submissions import Manifest, SubmissionKind
from payer_sync.checkups.archive import count_documents, is_archive
from payer_sync.file_names import legible

_READ_BYTES = 1024 * 1024
MAX_NAME = 200
# Layouts whose files begin with their first record; every other file has a header line.
WITHOUT_HEADER = frozenset({"claim_medical", "claim_dispensing"})


@dataclass(frozen=True, slots=True)
class Measured:
    """A file's length in bytes, its digest, and its lines after the header, if it has one."""

    content_length: int
    content_digest: bytes
    records: int


def measure(path: Path, on_read: Callable[[int], None] = lambda _: None, *, headers: int = 1) -> Measured:
    """Read a file through; `on_read` is told how many bytes each step read.

    A line is a record, quoted or not (see payer_sync.reading), so that both sides count the same; of an archive each
    document is one.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    length = lines = 0
    last = b"\n"
    head = b""
    with path.open("rb") as file:
        while read := file.read(_READ_BYTES):
            head = head or read[:4]
            digest.update(read)
            length += len(read)
            lines += read.count(b"\n")
            last = read[-1:]
            on_read(len(read))
    lines += last != b"\n"
    if is_archive(head):
        return Measured(length, digest.digest(), count_documents(path))
    return Measured(length, digest.digest(), max(lines - headers, 0))


def build_manifest(
    path: Path, kind: SubmissionKind, layout: str, edition: int, on_read: Callable[[int], None] = lambda _: None
) -> Manifest:
    """Measure a file and say what it is.

    Raises:
        OSError: the file cannot be read.
    """
    measured = measure(path, on_read, headers=0 if layout in WITHOUT_HEADER else 1)
    return Manifest(
        layout=layout,
        edition=edition,
        kind=kind,
        file_name=legible(path.name)[-MAX_NAME:],
        content_length=measured.content_length,
        content_digest=measured.content_digest,
        records=measured.records,
    )
