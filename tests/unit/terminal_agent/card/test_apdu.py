import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.card.apdu import Command, MalformedApdu, Response, Status, StatusWord


@pytest.mark.parametrize(
    ("command", "wire"),
    [
        (Command(0x20, 0, 0x80), "00200080"),
        (Command(0xB0, 1, 2, expected=4), "00B0010204"),
        (Command(0xB0, 0, 0, expected=256), "00B0000000"),
        (Command(0xA4, 2, 0x0C, bytes((0, 0x0A))), "00A4020C02000A"),
        (Command(0x2A, 0, 0x80, b"\xaa\xbb", 256, 0x80), "802A008002AABB00"),
    ],
)
def test_each_of_the_four_cases_is_written_and_read(command: Command, wire: str) -> None:
    assert command.encode() == bytes.fromhex(wire)
    assert Command.parse(bytes.fromhex(wire)) == command


@given(
    st.builds(
        Command,
        st.integers(0, 255),
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(max_size=255),
        st.none() | st.integers(1, 256),
        st.integers(0, 255),
    )
)
def test_what_is_written_is_read_back(command: Command) -> None:
    assert Command.parse(command.encode()) == command


@pytest.mark.parametrize(
    "wire",
    [
        "",
        "00",
        "00A402",
        "00A4020C03000A",  # Lc says three, two follow
        "00A4020C02000A0000",  # two bytes too many
        "00A4020C00000A",  # an extended length
        "00B000000001000000",
    ],
)
def test_bytes_that_are_no_short_command_are_refused(wire: str) -> None:
    with pytest.raises(MalformedApdu):
        Command.parse(bytes.fromhex(wire))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        command = Command.parse(raw)
    except MalformedApdu:
        return
    assert command.encode() == raw


@pytest.mark.parametrize(
    ("instruction", "p1", "p2", "data", "expected"),
    [
        (256, 0, 0, b"", None),
        (-1, 0, 0, b"", None),
        (0xA4, 256, 0, b"", None),
        (0xA4, 0, 256, b"", None),
        (0xA4, 0, 0, bytes(256), None),
        (0xB0, 0, 0, b"", 0),
        (0xB0, 0, 0, b"", 257),
    ],
)
def test_a_command_out_of_range_cannot_be_made(
    instruction: int, p1: int, p2: int, data: bytes, expected: int | None
) -> None:
    with pytest.raises(MalformedApdu):
        Command(instruction, p1, p2, data, expected)


@pytest.mark.parametrize(
    ("word", "status", "tries_left", "available", "blocked"),
    [
        (0x9000, Status.OK, None, None, False),
        (0x6110, Status.MORE_DATA, None, 0x10, False),
        (0x6100, Status.MORE_DATA, None, 256, False),
        (0x6300, Status.VERIFICATION_FAILED, None, None, False),
        (0x63C3, Status.VERIFICATION_FAILED, 3, None, False),
        (0x63C1, Status.VERIFICATION_FAILED, 1, None, False),
        (0x63C0, Status.VERIFICATION_FAILED, 0, None, True),
        (0x6700, Status.WRONG_LENGTH, None, None, False),
        (0x6982, Status.SECURITY_NOT_SATISFIED, None, None, False),
        (0x6983, Status.AUTHENTICATION_BLOCKED, None, None, True),
        (0x6984, Status.REFERENCE_BLOCKED, None, None, True),
        (0x6985, Status.CONDITIONS_NOT_SATISFIED, None, None, False),
        (0x6986, Status.NO_CURRENT_EF, None, None, False),
        (0x6A82, Status.FILE_NOT_FOUND, None, None, False),
        (0x6A83, Status.RECORD_NOT_FOUND, None, None, False),
        (0x6A86, Status.WRONG_PARAMETERS, None, None, False),
        (0x6B00, Status.OFFSET_OUTSIDE_FILE, None, None, False),
        (0x6C20, Status.WRONG_EXPECTED_LENGTH, None, 0x20, False),
        (0x6C00, Status.WRONG_EXPECTED_LENGTH, None, 256, False),
        (0x6D00, Status.UNKNOWN_INSTRUCTION, None, None, False),
        (0x6E00, Status.UNKNOWN_CLASS, None, None, False),
        (0x6F00, Status.OTHER, None, None, False),
        (0x9001, Status.OTHER, None, None, False),
        (0x63D0, Status.OTHER, None, None, False),
    ],
)
def test_each_status_word_says_what_it_says(
    word: int, status: Status, tries_left: int | None, available: int | None, blocked: bool
) -> None:
    read = StatusWord(word)
    assert (read.status, read.tries_left, read.available, read.blocked) == (status, tries_left, available, blocked)
    assert read.ok is (word == 0x9000)
    assert str(read) == f"{word:04X}"


def test_every_status_has_a_word() -> None:
    assert {StatusWord(word).status for word in range(0x10000)} == set(Status)


@pytest.mark.parametrize("raw", [b"", b"\x90"])
def test_fewer_bytes_than_a_status_word_are_no_response(raw: bytes) -> None:
    with pytest.raises(MalformedApdu):
        Response.parse(raw)


def test_a_response_is_split_and_joined_again() -> None:
    response = Response.parse(b"data\x90\x00")
    assert (response.data, response.status_word) == (b"data", StatusWord(0x9000))
    assert response.encode() == b"data\x90\x00"


@pytest.mark.parametrize("instruction", [0x20, 0x24, 0x2C])
def test_a_command_that_carries_a_pin_never_shows_it(instruction: int) -> None:
    command = Command(instruction, 0, 0x80, b"2741")
    for shown in (repr(command), str(command), f"{command}", f"{[command]}"):
        assert "2741" not in shown
        assert b"2741".hex() not in shown


def test_a_response_never_shows_its_data() -> None:
    response = Response(b"secret", StatusWord(0x9000))
    assert "secret" not in f"{response!r}{response}"
    assert b"secret".hex() not in f"{response!r}{response}"
