"""Cuts off who sends or reads too slowly, or sends a head without end (CASES F-9, I-7).

The server underneath only bounds how long a connection may rest between two requests: nobody shall hold one for as
long as they like, nor what they like of the process's memory before it is known who they are.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from eligibility.serving.turning_away import AdmittingProtocol

_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_LOOK_AGAIN_S: Final = 1.0
MAX_HEAD_BYTES: Final = 32 * 1024  # a terminal's own have less than one
MAX_FIELDS: Final = 100


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client is waited for.

    A request is whole `arrival_s` after its first byte, and later only by as much as what has arrived takes at
    `bytes_a_second`. An answer that fills every buffer on the way is read on within `reading_s`.
    """

    arrival_s: float = 10.0
    bytes_a_second: float = 1024.0
    reading_s: float = 30.0


class PatientProtocol(AdmittingProtocol):
    """HTTP on one connection, with a bound on the client's slowness; a request that comes in one piece has no timer.

    A head is kept until its request is answered, so it has a bound, too: address and fields, trailers among them. What
    is still incomplete is seen once what was read at once is parsed.
    """

    def __init__(self, *arguments: Any, patience: Patience, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience = patience
        self._arriving, self._completed = False, False
        self._began_at, self._arrived_bytes = 0.0, 0
        self._head_bytes, self._too_large = 0, False
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the connection rest before its first request no longer than between two."""
        super().connection_made(transport)
        self._rest()

    def data_received(self, data: bytes) -> None:
        """Take what arrived, and begin to count the time when the client owes the rest of something."""
        self._completed = False
        self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._head_bytes > MAX_HEAD_BYTES or (self._arriving and len(self.headers) > MAX_FIELDS):
            self._cut(_TOO_LARGE)
            return
        resting = self.cycle is None or self.cycle.response_complete
        if self._late is not None:
            self._arrived_bytes += len(data)
        elif self._arriving or (resting and not self._completed):  # empty lines alone begin nothing, ever so many
            self._arrived_bytes = len(data)
            self._wait_for_the_rest()
        elif resting:  # the rest of a message that was answered before it was whole: the connection rests again
            self._rest()

    def on_message_begin(self) -> None:
        """Note that a request has begun, which has a time of its own."""
        super().on_message_begin()
        self._arriving = True
        self._late = _stopped(self._late)

    def on_headers_complete(self) -> None:
        """Let the request begin if its head is within bounds and can be read in one way only (CASES I-12).

        Raises:
            ValueError: it is not, names its host not once, or asks for another protocol.
        """
        size, hosts = len(self.url), 0
        for name, value in self.headers:
            size += len(name) + len(value)
            hosts += name == b"host"
        self._too_large = size > MAX_HEAD_BYTES or len(self.headers) > MAX_FIELDS
        hostless = hosts == 0 and self.parser.get_http_version() != "1.0"
        # The parser takes whatever follows a request for an upgrade as that protocol's, its body included.
        if self._too_large or hosts > 1 or hostless or self.parser.should_upgrade():
            raise ValueError
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Count anew: what stands between the parts of a body is not kept."""
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which is bounded where it is read."""
        self._head_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is whole.

        Raises:
            ValueError: it has too many trailers.
        """
        self._head_bytes = 0
        self._too_large = len(self.headers) > MAX_FIELDS
        if self._too_large:
            raise ValueError
        super().on_message_complete()
        self._arriving, self._completed = False, True
        self._late = _stopped(self._late)

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser gave up."""
        if self._too_large:
            self._cut(_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """Wait for the client to read; an answer's sender waits meanwhile."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._patience.reading_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing: the client has read."""
        self._unread = _stopped(self._unread)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._late, self._unread = _stopped(self._late), _stopped(self._unread)
        super().connection_lost(exc)

    def _rest(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _wait_for_the_rest(self) -> None:
        self._began_at = self.loop.time()
        self._late = self.loop.call_later(self._patience.arrival_s, self._judge)

    def _judge(self) -> None:
        self._late = None
        if self.transport.is_closing():
            return
        if self.flow.read_paused or (self._answering() and self.cycle.waiting_for_100_continue):
            self._wait_for_the_rest()  # what is not read here, or not asked for yet, cannot arrive
            return
        allowed_s = self._patience.arrival_s + self._arrived_bytes / self._patience.bytes_a_second
        left_s = self._began_at + allowed_s - self.loop.time()
        if left_s > 0:
            self._late = self.loop.call_later(max(left_s, _LOOK_AGAIN_S), self._judge)
            return
        self._cut(_TOO_SLOW)

    def _cut(self, answer: bytes) -> None:
        # Of a request whose answer has begun no other is sent: it would be taken for the next one's.
        own = self.cycle is not None and self.cycle.scope is self.scope
        if not (self._refused or (self.cycle.response_started if own else self._answering())):
            self.transport.write(answer)
        self.transport.close()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


def _stopped(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
