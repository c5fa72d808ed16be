"""Finds the byte of a line that means nothing in its encoding, and says where it stands."""

import re
from typing import Final

from payer_sync.faults import Fault, FaultCode, both

# Single bytes that cp932 leaves undefined (80, A0, FD, FE, FF) and Python's decoder lets through as these.
UNDEFINED_IN_CP932: Final = "\x80\uf8f0\uf8f1\uf8f2\uf8f3"
_UNDEFINED: Final = re.compile(f"[{UNDEFINED_IN_CP932}]")


def unreadable_byte(line: bytes, encoding: str) -> tuple[FaultCode, int] | None:
    """Return a line's NUL byte, else the first that cannot be decoded, with its offset; None where all can be read."""
    if (at := line.find(b"\x00")) >= 0:
        return FaultCode.NUL_BYTE, at
    wrong_at: int | None = None
    try:
        text = line.decode(encoding)
    except UnicodeDecodeError as error:
        wrong_at = error.start
        text = line[:wrong_at].decode(encoding)
    if encoding == "cp932" and (undefined := _UNDEFINED.search(text)):
        wrong_at = len(text[: undefined.start()].encode("cp932"))
    return None if wrong_at is None else (FaultCode.BYTES_UNDECODABLE, wrong_at)


def byte_fault(code: FaultCode, record: int, line: int, at: int) -> Fault:
    """Return the fault of a byte of a line, which counts from 1; `at` is the byte's offset in it."""
    expected = both(f"{line}行目の{at + 1}バイト目: {code.ja}", f"line {line}, byte {at + 1}: {code.en}")
    return Fault(code, record=record, expected=expected)
