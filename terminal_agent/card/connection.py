"""One exchange with a card, whichever way the card is reached."""

from dataclasses import replace
from typing import Final, Protocol

from terminal_agent.card.apdu import GET_RESPONSE, READ_BINARY, SELECT, Command, MalformedApdu, Response, Status
from terminal_agent.card.errors import ApduError, CardUnresponsive

# 256 rounds of 256 bytes are all that READ BINARY with its 15-bit offset could ever bring.
MAX_ROUNDS: Final = 256


class Connection(Protocol):
    """A powered card: a reader's (`reader.ReaderConnection`) or the virtual one (`virtual.VirtualCard`)."""

    def transmit(self, apdu: bytes) -> bytes:
        """Send a command APDU and return the response with its status word."""


def exchange(connection: Connection, command: Command) -> Response:
    """Send a command; fetch the rest of a long answer (61xx) and repeat once with the length asked for (6Cxx).

    Raises:
        CardUnresponsive: the card's bytes are no response, or it announces data without end.
        CardError: whatever the connection raises.
    """
    response = _send(connection, command)
    if response.status_word.status is Status.WRONG_EXPECTED_LENGTH:
        response = _send(connection, replace(command, expected=response.status_word.available))
    collected = response.data
    for _ in range(MAX_ROUNDS):
        if response.status_word.status is not Status.MORE_DATA:
            return Response(collected, response.status_word)
        response = _send(connection, Command(GET_RESPONSE, 0, 0, expected=response.status_word.available))
        collected += response.data
    raise CardUnresponsive


def select_application(connection: Connection, aid: bytes) -> Response:
    """Select an application by its AID (`00 A4 04 0C`) and return the answer, whatever it is."""
    return exchange(connection, Command(SELECT, 0x04, 0x0C, aid))


def select_file(connection: Connection, file_id: int) -> None:
    """Make an elementary file of the selected application the current one (`00 A4 02 0C`).

    Raises:
        ApduError: the card has no such file.
    """
    expect_ok(exchange(connection, Command(SELECT, 0x02, 0x0C, file_id.to_bytes(2, "big"))))


def read_binary(connection: Connection, offset: int, length: int) -> bytes:
    """Read up to 256 bytes of the current file.

    Raises:
        ApduError: the file may not be read, or the offset lies beyond its end.
    """
    command = Command(READ_BINARY, offset >> 8, offset & 0xFF, expected=length)
    return expect_ok(exchange(connection, command)).data


def expect_ok(response: Response) -> Response:
    """Return the response if its status word is 9000.

    Raises:
        ApduError: any other status word.
    """
    if not response.status_word.ok:
        raise ApduError(response.status_word.value)
    return response


def _send(connection: Connection, command: Command) -> Response:
    try:
        return Response.parse(connection.transmit(command.encode()))
    except MalformedApdu as error:
        raise CardUnresponsive from error
