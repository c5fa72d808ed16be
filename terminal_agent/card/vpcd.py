"""Puts a virtual card into vpcd's reader, so that pcscd and everything above it meet it as a card in a slot."""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Final, Self

from terminal_agent.card.errors import ReaderServiceDown
from terminal_agent.card.virtual import VirtualCard

DEFAULT_PORT: Final = 35963
CONNECT_TIMEOUT_S: Final = 5.0
POWER_UP_TIMEOUT_S: Final = 2.0  # for the first insertion; each further one has twice the time, on a busy machine
OUT_S: Final = 1.0
INSERTIONS: Final = 4
# T=0 and T=1 offered, and the historical bytes of a contactless storage card: pyscard and OpenSC connect with T=1.
ATR: Final = bytes.fromhex("3B8F8001804F0CA0000003060300030000000068")

# A message of one byte is a command of the reader (vsmartcard, vpcd.h); every other message is an APDU.
_POWER_OFF, _POWER_ON, _RESET, _SEND_ATR = b"\x00", b"\x01", b"\x02", b"\x04"


class CardInVpcd:
    """A card that is in vpcd's slot between `insert` and `remove`; as a context it is in for the block."""

    def __init__(self, card: VirtualCard, port: int = DEFAULT_PORT, host: str = "127.0.0.1") -> None:
        self._card = card
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._powered = threading.Event()

    def insert(self) -> None:
        """Put the card in: connect to vpcd, answer it from a thread, and wait until the reader powered the card up.

        Raises:
            ReaderServiceDown: nothing answers on vpcd's port, or pcscd does not power the card up.
        """
        if self._socket is not None:
            return
        for number in range(INSERTIONS):
            self._connect()
            if self._powered.wait(POWER_UP_TIMEOUT_S * 2**number):
                return
            # pcscd looks at the slot a few times a second: a card that comes back between two looks is overlooked
            # until it has been out for long enough.
            self.remove()
            time.sleep(OUT_S)
        raise ReaderServiceDown

    def remove(self) -> None:
        """Take the card out; whoever is talking to it is told so."""
        if self._socket is None or self._thread is None:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        self._socket = self._thread = None
        self._card.reset()

    def __enter__(self) -> Self:
        self.insert()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def _connect(self) -> None:
        try:
            connection = socket.create_connection(self._address, CONNECT_TIMEOUT_S)
        except OSError as error:
            raise ReaderServiceDown from error
        # From here on the thread waits as long as the card stays in.
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._card.reset()
        self._powered.clear()
        self._socket = connection
        self._thread = threading.Thread(target=self._serve, args=(connection,), name="virtual card", daemon=True)
        self._thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # An OSError is vpcd going away, or `remove` shutting the socket: the card is out either way.
        with contextlib.suppress(OSError):
            while (message := _receive(connection)) is not None:
                answer = self._answer(message)
                if answer is not None:
                    # One send, so that length and body travel in one segment.
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, message: bytes) -> bytes | None:
        if message in (_POWER_OFF, _POWER_ON, _RESET):
            self._card.reset()
            if message == _POWER_ON:
                self._powered.set()
            return None
        if message == _SEND_ATR:
            return ATR
        return self._card.transmit(message)


def _receive(connection: socket.socket) -> bytes | None:
    """Return the next message, or None when vpcd hung up."""
    head = _exactly(connection, 2)
    return None if head is None else _exactly(connection, int.from_bytes(head, "big"))


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    collected = b""
    while len(collected) < count:
        # Linux forgets this option after each use; without it vpcd's two sends per message cost 40 ms.
        if hasattr(socket, "TCP_QUICKACK"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(count - len(collected))
        if not part:
            return None
        collected += part
    return collected
