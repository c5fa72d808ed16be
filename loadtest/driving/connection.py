"""One kept connection of a terminal: HTTP/1.1 over mutual TLS, one request at a time, as little work as can be.

A general client costs several times what the centre's own edge does, and would be what is measured on a shared machine.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httptools


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `status` is `LOST` where nothing did."""

    status: int
    body: bytes = b""
    retry_after: bytes = b""  # the header as it stands


Answered = Callable[[Answer], None]
LOST = 0  # the status of a request whose connection ended before its answer
_RETRY_AFTER = b"retry-after"
_FRESH_S: Final = 60.0  # the centre ends a connection on which nothing was asked for 75


class Connection(asyncio.Protocol):
    """A connection that is open, and connects again when the server ends it."""

    def __init__(self, number: int, idle: Callable[["Connection"], None]) -> None:
        self.number = number
        self._idle = idle
        self._transport: Any = None
        self._parser: Any = None
        self._answered: Answered | None = None
        self._body: list[bytes] = []
        self._retry_after = b""
        self._last = False  # whether the next answer is this connection's last
        self._idle_since = 0.0
        self.lost = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether a request can be sent now."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def fresh(self) -> bool:
        """Whether it is open and the server not about to end it as one on which nothing is asked."""
        return self.open and time.monotonic() - self._idle_since < _FRESH_S

    def send(self, request: list[bytes], answered: Answered) -> None:
        """Send one request; `answered` is told what came of it."""
        self._answered = answered
        if not self.open:
            self._finish(Answer(LOST))
            return
        self._transport.writelines(request)

    def connection_made(self, transport: Any) -> None:
        """Be ready for requests."""
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)
        self._last = False
        self._idle_since = time.monotonic()
        self.lost.clear()
        self._idle(self)

    def data_received(self, data: bytes) -> None:
        """Read an answer, or a part of one."""
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits that no answer will come."""
        self._transport = None
        if self._answered is not None:
            self._finish(Answer(LOST))
        self.lost.set()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the one header that says what an answer means."""
        if len(name) == len(_RETRY_AFTER) and name.lower() == _RETRY_AFTER:
            self._retry_after = value

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Hand over a whole answer."""
        answer = Answer(self._parser.get_status_code(), b"".join(self._body), self._retry_after)
        self._body, self._retry_after = [], b""
        if (self._last or not self._parser.should_keep_alive()) and self._transport is not None:
            self._transport.close()
            self._transport = None
        self._finish(answer)

    def renew(self) -> None:
        """End the connection as soon as no answer is open on it; whoever keeps it connects anew."""
        if self._answered is None:
            self.close()
        else:
            self._last = True

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def _finish(self, answer: Answer) -> None:
        answered, self._answered = self._answered, None
        self._idle_since = time.monotonic()
        if answered is not None:
            answered(answer)
        if self._transport is not None:
            self._idle(self)


def terminal_tls(authority: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the TLS context of a terminal: it trusts the platform's server authority and shows its certificate."""
    context = ssl.create_default_context(cafile=authority)
    context.load_cert_chain(certificate, key)
    return context
