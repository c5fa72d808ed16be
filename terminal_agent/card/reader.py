"""The card reader: the only module that talks to PC/SC, and the place where its errors get our names.

pyscard's low-level layer is used, since its error codes tell a removed card from a reset one, and it starts no
threads. It is imported when a reader is first asked for, so that the rest of the terminal runs without it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from terminal_agent.card.errors import (
    CardError,
    CardInUse,
    CardMissing,
    CardRemoved,
    CardReset,
    CardUnresponsive,
    ReaderMissing,
    ReaderServiceDown,
    ReaderSupportMissing,
)

# How long another program may hold the card before we give up; a background program looks at a new card briefly.
SHARING_PATIENCE_S: Final = 3.0
_SHARING_PAUSE_S: Final = 0.1
_WAIT_SLICE_S: Final = 0.5

# WinSCard's codes (pcsclite.h); the same numbers on every platform.
_ERRORS: Final[dict[int, type[CardError]]] = {
    0x8010001D: ReaderServiceDown,  # SCARD_E_NO_SERVICE
    0x8010001E: ReaderServiceDown,  # SCARD_E_SERVICE_STOPPED
    0x80100013: ReaderServiceDown,  # SCARD_F_COMM_ERROR
    0x8010002E: ReaderMissing,  # SCARD_E_NO_READERS_AVAILABLE
    0x80100009: ReaderMissing,  # SCARD_E_UNKNOWN_READER
    0x80100017: ReaderMissing,  # SCARD_E_READER_UNAVAILABLE
    0x8010000C: CardMissing,  # SCARD_E_NO_SMARTCARD
    0x8010000A: CardMissing,  # SCARD_E_TIMEOUT
    0x80100069: CardRemoved,  # SCARD_W_REMOVED_CARD
    0x80100016: CardRemoved,  # SCARD_E_NOT_TRANSACTED: pcsc-lite's word for a card that vanished during a command
    0x80100068: CardReset,  # SCARD_W_RESET_CARD
    0x8010000B: CardInUse,  # SCARD_E_SHARING_VIOLATION
    0x80100066: CardUnresponsive,  # SCARD_W_UNRESPONSIVE_CARD
    0x80100067: CardUnresponsive,  # SCARD_W_UNPOWERED_CARD
    0x80100065: CardUnresponsive,  # SCARD_W_UNSUPPORTED_CARD
    0x8010000F: CardUnresponsive,  # SCARD_E_PROTO_MISMATCH
}
_SHARING_VIOLATION: Final = 0x8010000B
_TIMEOUT: Final = 0x8010000A


def reader_names() -> list[str]:
    """Return the names of the connected readers.

    Raises:
        ReaderServiceDown: pcscd is not running.
        ReaderSupportMissing: pyscard is not installed.
    """
    scard = _scard()
    with _context(scard) as context:
        return _names(scard, context)


def reader_with_card(wanted: str | None = None, wait_s: float = 30.0) -> str:
    """Wait for a card without touching it, and return the name of its reader.

    Raises:
        ReaderServiceDown, ReaderSupportMissing, ReaderMissing, CardMissing: as `card_in_reader`.
    """
    scard = _scard()
    with _context(scard) as context:
        return _wait_for_card(scard, context, wanted, wait_s)


def card_left(reader: str, wait_s: float) -> bool:
    """Wait until this reader holds no card, without touching it; return False if one is still there after `wait_s`.

    A reader that is gone holds no card either.

    Raises:
        ReaderServiceDown, ReaderSupportMissing: as `card_in_reader`.
    """
    scard = _scard()
    with _context(scard) as context:
        known = [(reader, scard.SCARD_STATE_PRESENT)]
        deadline = time.monotonic() + wait_s
        while True:
            code, states = scard.SCardGetStatusChange(context, int(max(0.0, deadline - time.monotonic()) * 1000), known)
            if _unsigned(code) == _TIMEOUT:
                return False
            if _ERRORS.get(_unsigned(code)) is ReaderMissing:
                return True
            _check(code)
            name, state, _ = states[0]
            if not state & scard.SCARD_STATE_PRESENT:
                return True
            # It was another change: the card was taken up, or let go of, by a program.
            known = [(name, state & ~scard.SCARD_STATE_CHANGED)]


@contextmanager
def card_in_reader(wanted: str | None = None, wait_s: float = 30.0) -> Iterator["ReaderConnection"]:
    """Wait for a card, hold it alone for the block, and reset it afterwards so that no PIN stays verified.

    `wanted` is a part of the reader's name; without it any reader will do.

    Raises:
        ReaderServiceDown: pcscd is not running.
        ReaderSupportMissing: pyscard is not installed.
        ReaderMissing: no reader, or none with that name.
        CardMissing: no card within `wait_s`.
        CardInUse: another program holds the card.
        CardUnresponsive: the card does not power up, or offers no T=1.
    """
    scard = _scard()
    with _context(scard) as context:
        name = _wait_for_card(scard, context, wanted, wait_s)
        handle = _connect(scard, context, name)
        try:
            yield ReaderConnection(scard, handle)
        finally:
            # Its result does not matter: a card that is gone has forgotten the PIN as well.
            scard.SCardDisconnect(handle, scard.SCARD_RESET_CARD)


class ReaderConnection:
    """A powered card in a reader, reached with T=1."""

    def __init__(self, scard: Any, handle: Any) -> None:
        self._scard = scard
        self._handle = handle

    def transmit(self, apdu: bytes) -> bytes:
        """Send a command APDU and return the response.

        Raises:
            CardRemoved: the card was taken away.
            CardReset: another program reset it.
            CardError: any other trouble.
        """
        code, answer = self._scard.SCardTransmit(self._handle, self._scard.SCARD_PCI_T1, list(apdu))
        if _unsigned(code) == 0x8010000C:  # no card any more is, half-way, a removed card
            raise CardRemoved
        _check(code)
        return bytes(byte & 0xFF for byte in answer)


def _scard() -> Any:
    try:
        from smartcard import scard  # noqa: TID251 - the one place, and only when it is needed
    except ImportError as error:
        raise ReaderSupportMissing from error
    return scard


@contextmanager
def _context(scard: Any) -> Iterator[Any]:
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    _check(code)
    try:
        yield context
    finally:
        scard.SCardReleaseContext(context)


def _names(scard: Any, context: Any) -> list[str]:
    code, names = scard.SCardListReaders(context, [])
    if _ERRORS.get(_unsigned(code)) is ReaderMissing:
        return []
    _check(code)
    return [str(name) for name in names]


def _wait_for_card(scard: Any, context: Any, wanted: str | None, wait_s: float) -> str:
    """Return the name of the first matching reader with a card in it."""
    deadline = time.monotonic() + wait_s
    while True:
        names = [name for name in _names(scard, context) if wanted is None or wanted.casefold() in name.casefold()]
        if not names:
            raise ReaderMissing
        # Asked from scratch each time: a reader may come or go while we wait.
        unaware = [(name, scard.SCARD_STATE_UNAWARE) for name in names]
        code, states = scard.SCardGetStatusChange(context, 0, unaware)
        if _unsigned(code) != _TIMEOUT:
            _check(code)
            for name, state, _ in states:
                if state & scard.SCARD_STATE_PRESENT:
                    return str(name)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise CardMissing
        known = [(name, state & ~scard.SCARD_STATE_CHANGED) for name, state, _ in states]
        code, _ = scard.SCardGetStatusChange(context, int(min(remaining, _WAIT_SLICE_S) * 1000), known)
        if _unsigned(code) != _TIMEOUT:
            _check(code)


def _connect(scard: Any, context: Any, name: str) -> Any:
    """Connect exclusively, so that nobody else can use the card while its PIN is verified."""
    deadline = time.monotonic() + SHARING_PATIENCE_S
    while True:
        code, handle, _ = scard.SCardConnect(context, name, scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_PROTOCOL_T1)
        if _unsigned(code) != _SHARING_VIOLATION or time.monotonic() > deadline:
            break
        time.sleep(_SHARING_PAUSE_S)
    _check(code)
    return handle


def _check(code: int) -> None:
    if code != 0:
        raise _ERRORS.get(_unsigned(code), CardError)


def _unsigned(code: int) -> int:
    # pyscard hands the same codes out as signed or unsigned, by platform.
    return code & 0xFFFFFFFF
