"""What every application of the card is used with: select it, read a file, present a secret, ask the tries left."""

from datetime import date
from typing import ClassVar, Final, Self

from terminal_agent.card import tlv
from terminal_agent.card.apdu import MAX_EXPECTED, VERIFY, Command, Response, Status, StatusWord
from terminal_agent.card.connection import Connection, exchange, read_binary, select_application, select_file
from terminal_agent.card.errors import ApduError, CardDataMalformed, NotAMyNumberCard, PinBlocked, PinWrong

CURRENT_FILE: Final = 0x80  # P2 of VERIFY and PERFORM SECURITY OPERATION
MAX_FILE_BYTES: Final = 8192  # certificates have about 1,700; the centre accepts no more either


def read_file(connection: Connection, file_id: int, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Read a file that begins with a TLV header, to that TLV's end; the file itself may be padded.

    Raises:
        ApduError: the file may not be read.
        CardDataMalformed: no TLV, one longer than `max_bytes`, or one the file does not hold whole.
    """
    select_file(connection, file_id)
    content = read_binary(connection, 0, 5)
    _, start, length = tlv.header(content)
    size = start + length
    if size > max_bytes:
        raise CardDataMalformed
    content = content[:size]
    while len(content) < size:
        content += _block(connection, len(content), min(MAX_EXPECTED, size - len(content)))
    return content


def tries_left(connection: Connection, pin_file: int) -> int:
    """Send VERIFY without data, which compares nothing and uses no try."""
    select_file(connection, pin_file)
    word = exchange(connection, Command(VERIFY, 0x00, CURRENT_FILE)).status_word
    if word.blocked:
        return 0
    if word.tries_left is None:
        raise ApduError(word.value)
    return word.tries_left


class ApplicationSession:
    """An application of a card, selected; what its secret unlocks stays so until another application is selected."""

    AID: ClassVar[bytes]
    SECRET_FILE: ClassVar[int]

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, connection: Connection) -> Self:
        """Select the application.

        Raises:
            NotAMyNumberCard: the card has no such application.
        """
        response = select_application(connection, cls.AID)
        if not response.status_word.ok:
            raise NotAMyNumberCard from ApduError(response.status_word.value)
        return cls(connection)

    def tries_left(self) -> int:
        """Ask how often its secret may still be wrong; asking uses no try."""
        return tries_left(self._connection, self.SECRET_FILE)


def verify(
    connection: Connection,
    pin_file: int,
    secret: bytes,
    blocked: type[PinBlocked],
    wrong: type[PinWrong] = PinWrong,
) -> None:
    """Present a secret to its file.

    Raises:
        PinWrong: `wrong`, with the tries that are left.
        PinBlocked: `blocked`; no tries are left.
    """
    select_file(connection, pin_file)
    response: Response = exchange(connection, Command(VERIFY, 0x00, CURRENT_FILE, secret))
    word = response.status_word
    if word.ok:
        return
    if word.blocked:
        raise blocked
    if word.tries_left is not None:
        raise wrong(word.tries_left)
    if word.status is Status.VERIFICATION_FAILED:  # 6300 does not say; ask.
        raise wrong(tries_left(connection, pin_file))
    raise ApduError(word.value)


def _block(connection: Connection, offset: int, length: int) -> bytes:
    try:
        block = read_binary(connection, offset, length)
    except ApduError as error:
        if StatusWord(error.status_word).status is Status.OFFSET_OUTSIDE_FILE:
            raise CardDataMalformed from error
        raise
    if not block:
        raise CardDataMalformed
    return block


def day(text: str) -> date:
    """Read the card's YYYYMMDD.

    Raises:
        CardDataMalformed: not eight digits.
        ValueError: no day of the calendar.
    """
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        raise CardDataMalformed
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))
