"""A virtual My Number card: answers command APDUs as the real card does (docs/card.md), in the process."""

import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from terminal_agent.card import apdu
from terminal_agent.card.apdu import Command, MalformedApdu, Response, StatusWord
from terminal_agent.card.sessions import AUTH_PIN_FILE, JPKI_AID
from terminal_agent.card.virtual_content import (
    CardContent,
    CardFile,
    DataFile,
    KeyFile,
    PinFile,
    applications,
)
from terminal_agent.card.visual import VISUAL_AID

OK: Final = StatusWord(0x9000)
WRONG_LENGTH: Final = StatusWord(0x6700)
SECURITY_NOT_SATISFIED: Final = StatusWord(0x6982)
REFERENCE_BLOCKED: Final = StatusWord(0x6984)
NO_CURRENT_EF: Final = StatusWord(0x6986)
FILE_NOT_FOUND: Final = StatusWord(0x6A82)
WRONG_PARAMETERS: Final = StatusWord(0x6A86)
OFFSET_OUTSIDE_FILE: Final = StatusWord(0x6B00)
WRONG_EXPECTED_LENGTH: Final = StatusWord(0x6C00)
UNKNOWN_INSTRUCTION: Final = StatusWord(0x6D00)
UNKNOWN_CLASS: Final = StatusWord(0x6E00)

_PKCS1_OVERHEAD: Final = 11  # RFC 8017 §9.2: 00 01, at least eight FF, 00


class VirtualCard:
    """A card's files and the state of its session; tries used stay used when the power goes.

    With a `pinless_secret` it stands in for a card that an accredited terminal opens without a PIN (`card.pinless`);
    how real cards do that is not public.
    """

    def __init__(self, content: CardContent, pinless_secret: bytes | None = None) -> None:
        self._applications = applications(content)
        self._own_keys = {} if content.visual is None else {VISUAL_AID: content.visual.key}
        self._commands = {
            (0x00, apdu.SELECT): self._select,
            (0x00, apdu.READ_BINARY): self._read_binary,
            (0x00, apdu.VERIFY): self._verify,
            (0x00, apdu.CHANGE_REFERENCE_DATA): self._change_reference_data,
            (apdu.PROPRIETARY_CLASS, apdu.PERFORM_SECURITY_OPERATION): self._sign,
            (0x00, apdu.GET_CHALLENGE): self._get_challenge,
        }
        if pinless_secret is not None:
            self._pinless_secret = pinless_secret
            self._commands[apdu.PROPRIETARY_CLASS, apdu.SET_PUBLIC_KEY] = self._open_pinless
        self.reset()

    def reset(self) -> None:
        """Forget what was selected and verified, as when the power goes off and on."""
        self._aid: bytes | None = None
        self._current: int | None = None
        self._verified: set[int] = set()
        self._challenge = b""

    def transmit(self, apdu: bytes) -> bytes:
        """Answer one command APDU."""
        return self._answer(apdu).encode()

    def tries_left(self) -> dict[str, int]:
        """Return the tries left of each PIN, by application and file, for keeping."""
        return {
            f"{aid.hex()}/{file_id:04x}": file.tries_left
            for aid, files in self._applications.items()
            for file_id, file in files.items()
            if isinstance(file, PinFile)
        }

    def set_tries_left(self, kept: Mapping[str, int]) -> None:
        """Take up the tries left that an earlier `tries_left` returned; unknown names are left alone."""
        for aid, files in self._applications.items():
            for file_id, file in files.items():
                if isinstance(file, PinFile):
                    left = kept.get(f"{aid.hex()}/{file_id:04x}", file.tries_left)
                    file.tries_left = max(0, min(left, file.tries))

    def _answer(self, raw: bytes) -> Response:
        try:
            command = Command.parse(raw)
        except MalformedApdu:
            return _only(WRONG_LENGTH)
        if command.cla not in (0x00, apdu.PROPRIETARY_CLASS):
            return _only(UNKNOWN_CLASS)
        handler = self._commands.get((command.cla, command.instruction))
        return _only(UNKNOWN_INSTRUCTION) if handler is None else handler(command)

    def _select(self, command: Command) -> Response:
        match command.p1, command.p2:
            case 0x04, 0x0C:
                return _only(self._select_application(command.data))
            case 0x02, 0x0C:
                return _only(self._select_file(command.data))
            case _:
                return _only(WRONG_PARAMETERS)

    def _select_application(self, aid: bytes) -> StatusWord:
        if aid not in self._applications:
            return FILE_NOT_FOUND
        if aid != self._aid:
            self._verified.clear()
        self._aid, self._current = aid, None
        return OK

    def _select_file(self, file_id: bytes) -> StatusWord:
        if len(file_id) != 2:
            return WRONG_LENGTH
        number = int.from_bytes(file_id, "big")
        if number not in self._files:
            return FILE_NOT_FOUND
        self._current = number
        return OK

    def _read_binary(self, command: Command) -> Response:
        if command.data or command.expected is None:
            return _only(WRONG_LENGTH)
        offset = command.p1 << 8 | command.p2
        if command.p1 & 0x80:  # ISO/IEC 7816-4 §7.2.3: the low five bits name the file, P2 alone is the offset
            selected = self._select_file(bytes((0, command.p1 & 0x1F)))
            if not selected.ok:
                return _only(selected)
            offset = command.p2
        file = self._file()
        if not isinstance(file, DataFile):
            return _only(NO_CURRENT_EF)
        if not self._may_read(file):
            return _only(SECURITY_NOT_SATISFIED)
        if offset >= len(file.content):
            return _only(OFFSET_OUTSIDE_FILE)
        return Response(file.content[offset : offset + command.expected], OK)

    def _verify(self, command: Command) -> Response:
        problem = self._take_reference(command, p1=0x00)
        if problem is not None:
            return _only(problem)
        pin = self._file()
        if not isinstance(pin, PinFile) or self._current is None:
            return _only(NO_CURRENT_EF)
        if not command.data:
            return _only(_tries(pin))
        if pin.tries_left == 0:
            return _only(REFERENCE_BLOCKED)
        if len(command.data) not in pin.lengths:
            return _only(WRONG_LENGTH)
        # Counted before comparing, so that no interruption between the two gives a try away.
        pin.tries_left -= 1
        if pin.secret is None or not hmac.compare_digest(pin.secret, command.data):
            self._verified.discard(self._current)
            return _only(_tries(pin))
        pin.tries_left = pin.tries
        self._verified.add(self._current)
        return _only(OK)

    def _change_reference_data(self, command: Command) -> Response:
        problem = self._take_reference(command, p1=0x01)
        if problem is not None:
            return _only(problem)
        pin = self._file()
        if not isinstance(pin, PinFile):
            return _only(NO_CURRENT_EF)
        if self._current not in self._verified:
            return _only(SECURITY_NOT_SATISFIED)
        if len(command.data) not in pin.lengths:
            return _only(WRONG_LENGTH)
        pin.secret, pin.tries_left = command.data, pin.tries
        return _only(OK)

    def _sign(self, command: Command) -> Response:
        own_key = None if self._aid is None else self._own_keys.get(self._aid)
        if own_key is not None and (command.p1, command.p2) == (0x00, 0x00):
            return _signed(own_key, command)
        problem = self._take_reference(command, p1=0x00)
        if problem is not None:
            return _only(problem)
        file = self._file()
        if not isinstance(file, KeyFile):
            return _only(NO_CURRENT_EF)
        if file.opened_by not in self._verified:
            return _only(SECURITY_NOT_SATISFIED)
        return _signed(file.key, command)

    def _get_challenge(self, command: Command) -> Response:
        if command.p1 or command.p2:
            return _only(WRONG_PARAMETERS)
        if command.data or command.expected is None:
            return _only(WRONG_LENGTH)
        self._challenge = secrets.token_bytes(command.expected)
        return Response(self._challenge, OK)

    def _open_pinless(self, command: Command) -> Response:
        challenge, self._challenge = self._challenge, b""
        expected = hmac.digest(self._pinless_secret, challenge, "sha256")
        if self._aid != JPKI_AID or not challenge or not hmac.compare_digest(expected, command.data):
            return _only(SECURITY_NOT_SATISFIED)
        self._verified.add(AUTH_PIN_FILE)
        return _only(OK)

    def _take_reference(self, command: Command, p1: int) -> StatusWord | None:
        """Follow P2: 80 is the current file, 80 with a short file id in its low bits makes that one current."""
        if command.p1 != p1 or command.p2 & 0xE0 != 0x80:
            return WRONG_PARAMETERS
        if short_id := command.p2 & 0x1F:
            selected = self._select_file(bytes((0, short_id)))
            return None if selected.ok else selected
        return None

    @property
    def _files(self) -> Mapping[int, CardFile]:
        return {} if self._aid is None else self._applications[self._aid]

    def _file(self) -> CardFile | None:
        return None if self._current is None else self._files[self._current]

    def _may_read(self, file: DataFile) -> bool:
        if file.opened_by is None:
            return False
        return not file.opened_by or not file.opened_by.isdisjoint(self._verified)


def _only(word: StatusWord) -> Response:
    return Response(b"", word)


def _signed(key: rsa.RSAPrivateKey, command: Command) -> Response:
    size = key.key_size // 8
    if not 1 <= len(command.data) <= size - _PKCS1_OVERHEAD:
        return _only(WRONG_LENGTH)
    if command.expected is not None and command.expected < size:
        return _only(WRONG_EXPECTED_LENGTH)
    return Response(sign_padded(key, command.data), OK)


def _tries(pin: PinFile) -> StatusWord:
    return StatusWord(0x63C0 | pin.tries_left)


def sign_padded(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    """Pad as PKCS #1 v1.5 block type 1 and exponentiate; `data` is used as it is, hashed or not (P1 00).

    The library signs only hashes it knows, so the arithmetic is done here. It is not in constant time: a virtual
    card holds test keys.
    """
    numbers = key.private_numbers()
    size = key.key_size // 8
    padded = b"\x00\x01" + b"\xff" * (size - len(data) - 3) + b"\x00" + data
    message = int.from_bytes(padded, "big")
    from_p = pow(message, numbers.dmp1, numbers.p)
    from_q = pow(message, numbers.dmq1, numbers.q)
    signature = from_q + (from_p - from_q) * numbers.iqmp % numbers.p * numbers.q
    return signature.to_bytes(size, "big")
