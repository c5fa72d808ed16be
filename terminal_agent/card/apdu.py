"""The card's language: short command APDUs, responses and status words (ISO/IEC 7816-4), without any reader."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

SELECT: Final = 0xA4
READ_BINARY: Final = 0xB0
VERIFY: Final = 0x20
CHANGE_REFERENCE_DATA: Final = 0x24
RESET_RETRY_COUNTER: Final = 0x2C
PERFORM_SECURITY_OPERATION: Final = 0x2A
SET_PUBLIC_KEY: Final = 0xA2  # of the path without a PIN, whose parameters are not public
GET_CHALLENGE: Final = 0x84
GET_RESPONSE: Final = 0xC0

PROPRIETARY_CLASS: Final = 0x80  # the JPKI application signs with this class (OpenSC card-jpki.c, docs/card.md)

MAX_DATA: Final = 255  # Lc of a short APDU
MAX_EXPECTED: Final = 256  # Le of a short APDU, written as 00

_SECRET_INSTRUCTIONS: Final = frozenset({VERIFY, CHANGE_REFERENCE_DATA, RESET_RETRY_COUNTER})


class MalformedApdu(ValueError):
    """The bytes are not a short command APDU or a response (ISO/IEC 7816-4 §5.1)."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Status(StrEnum):
    """What a status word says."""

    OK = "ok"
    MORE_DATA = "more_data"
    VERIFICATION_FAILED = "verification_failed"
    WRONG_LENGTH = "wrong_length"
    SECURITY_NOT_SATISFIED = "security_not_satisfied"
    AUTHENTICATION_BLOCKED = "authentication_blocked"
    REFERENCE_BLOCKED = "reference_blocked"
    CONDITIONS_NOT_SATISFIED = "conditions_not_satisfied"
    NO_CURRENT_EF = "no_current_ef"
    FILE_NOT_FOUND = "file_not_found"
    RECORD_NOT_FOUND = "record_not_found"
    WRONG_PARAMETERS = "wrong_parameters"
    OFFSET_OUTSIDE_FILE = "offset_outside_file"
    WRONG_EXPECTED_LENGTH = "wrong_expected_length"
    UNKNOWN_INSTRUCTION = "unknown_instruction"
    UNKNOWN_CLASS = "unknown_class"
    OTHER = "other"


_STATUS_BY_WORD: Final = {
    0x9000: Status.OK,
    0x6300: Status.VERIFICATION_FAILED,
    0x6700: Status.WRONG_LENGTH,
    0x6982: Status.SECURITY_NOT_SATISFIED,
    0x6983: Status.AUTHENTICATION_BLOCKED,
    0x6984: Status.REFERENCE_BLOCKED,
    0x6985: Status.CONDITIONS_NOT_SATISFIED,
    0x6986: Status.NO_CURRENT_EF,
    0x6A82: Status.FILE_NOT_FOUND,
    0x6A83: Status.RECORD_NOT_FOUND,
    0x6A86: Status.WRONG_PARAMETERS,
    0x6B00: Status.OFFSET_OUTSIDE_FILE,
    0x6D00: Status.UNKNOWN_INSTRUCTION,
    0x6E00: Status.UNKNOWN_CLASS,
}
_STATUS_BY_FIRST_BYTE: Final = {0x61: Status.MORE_DATA, 0x6C: Status.WRONG_EXPECTED_LENGTH}


@dataclass(frozen=True, slots=True)
class StatusWord:
    """The two bytes that end every response."""

    value: int

    @property
    def status(self) -> Status:
        """What the word says."""
        if self.value & 0xFFF0 == 0x63C0:
            return Status.VERIFICATION_FAILED
        return _STATUS_BY_WORD.get(self.value) or _STATUS_BY_FIRST_BYTE.get(self.value >> 8, Status.OTHER)

    @property
    def ok(self) -> bool:
        """Whether the command did what it was asked."""
        return self.value == 0x9000

    @property
    def tries_left(self) -> int | None:
        """The tries that remain, of 63Cx; None for any other word."""
        return self.value & 0xF if self.value & 0xFFF0 == 0x63C0 else None

    @property
    def available(self) -> int | None:
        """How many bytes may be fetched, of 61xx and 6Cxx (00 stands for 256); None for any other word."""
        if self.value >> 8 not in _STATUS_BY_FIRST_BYTE:
            return None
        return self.value & 0xFF or MAX_EXPECTED

    @property
    def blocked(self) -> bool:
        """Whether the PIN can no longer be tried."""
        return self.status in (Status.AUTHENTICATION_BLOCKED, Status.REFERENCE_BLOCKED) or self.tries_left == 0

    def __str__(self) -> str:
        return f"{self.value:04X}"

    def __repr__(self) -> str:
        return f"StatusWord({self.value:04X} {self.status})"


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """A short command APDU; `expected` is Le, 1 to 256, or None where no data are expected."""

    instruction: int
    p1: int
    p2: int
    data: bytes = b""
    expected: int | None = None
    cla: int = 0

    def __post_init__(self) -> None:
        if not all(0 <= byte <= 0xFF for byte in (self.cla, self.instruction, self.p1, self.p2)):
            raise MalformedApdu
        if len(self.data) > MAX_DATA or (self.expected is not None and not 1 <= self.expected <= MAX_EXPECTED):
            raise MalformedApdu

    def encode(self) -> bytes:
        """Return the bytes that go to the card."""
        head = bytes((self.cla, self.instruction, self.p1, self.p2))
        body = bytes((len(self.data),)) + self.data if self.data else b""
        tail = b"" if self.expected is None else bytes((self.expected & 0xFF,))
        return head + body + tail

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a short command APDU of any of the four cases.

        Raises:
            MalformedApdu: shorter than its header, lengths that do not add up, or an extended length.
        """
        if len(raw) < 4:
            raise MalformedApdu
        cla, instruction, p1, p2 = raw[:4]
        body = raw[4:]
        if not body:
            return cls(instruction, p1, p2, cla=cla)
        if len(body) == 1:
            return cls(instruction, p1, p2, b"", body[0] or MAX_EXPECTED, cla)
        length = body[0]
        if length == 0 or len(body) not in (length + 1, length + 2):
            raise MalformedApdu
        expected = (body[-1] or MAX_EXPECTED) if len(body) == length + 2 else None
        return cls(instruction, p1, p2, bytes(body[1 : length + 1]), expected, cla)

    def __repr__(self) -> str:
        """Show the command; what VERIFY and its like carry is a secret and never shown, not even its length."""
        data = "***" if self.instruction in _SECRET_INSTRUCTIONS and self.data else self.data.hex()
        head = f"{self.cla:02X} {self.instruction:02X} {self.p1:02X} {self.p2:02X}"
        return f"Command({head} data={data or '-'} expected={self.expected})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """What a card answered."""

    data: bytes
    status_word: StatusWord

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Split the status word from the data.

        Raises:
            MalformedApdu: fewer than the two bytes of the status word.
        """
        if len(raw) < 2:
            raise MalformedApdu
        return cls(bytes(raw[:-2]), StatusWord(int.from_bytes(raw[-2:], "big")))

    def encode(self) -> bytes:
        """Return the bytes that come from the card."""
        return self.data + self.status_word.value.to_bytes(2, "big")

    def __repr__(self) -> str:
        """Show the status word and the length: the data may name the holder."""
        return f"Response({len(self.data)} bytes, {self.status_word})"

    __str__ = __repr__
