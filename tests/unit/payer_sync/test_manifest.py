"""What a file is, by reading it once."""

import hashlib
from pathlib import Path

import pytest

from eligibility.wire.submissions import SubmissionKind
from payer_sync.manifest import build_manifest, measure


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (b"", 0),
        (b"h", 0),
        (b"h\n", 0),
        (b"h\r\na", 1),
        (b"h\na\n", 1),
        (b"h\na\n\n", 2),
        (b"h\r\n\"a\n\"\r\n", 2),
        (b"h\n" + b"a\n" * 700_000, 700_000),
    ],
)  # fmt: skip
def test_lines_after_the_header_are_records(tmp_path: Path, data: bytes, records: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    steps: list[int] = []

    measured = measure(path, steps.append)

    assert (measured.records, measured.content_length) == (records, len(data))
    assert measured.content_digest == hashlib.sha256(data).digest()
    assert sum(steps) == len(data)


@pytest.mark.parametrize(("layout", "records"), [("eligibility", 1), ("claim_medical", 2), ("claim_dispensing", 2)])
def test_claims_begin_with_their_first_record(tmp_path: Path, layout: str, records: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"IR\r\nGO\r\n")

    assert build_manifest(path, SubmissionKind.DELTA, layout, 1).records == records


def test_a_long_name_keeps_its_end(tmp_path: Path) -> None:
    path = tmp_path / ("長" * 70 + ".csv")
    path.write_bytes(b"h\n")

    assert build_manifest(path, SubmissionKind.FULL, "eligibility", 1).file_name.endswith(".csv")


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        measure(tmp_path / "absent")
