"""The connections to the centre: with the credentials as they are on disk now, and with an end to every request."""

import math
import ssl
import threading
import time
from contextlib import closing, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from terminal_agent.settings import TerminalSettings

MEBIBYTE: Final = 1024 * 1024
# Bytes a second; whatever is longer than a counter's short messages has its time by them.
SLOWEST_LINE: Final = 64 * 1024


class AnswerTooLong(Exception):
    """The answer is longer than those to such a request are."""


class AnswerCompressed(Exception):
    """The answer is compressed, which none of the centre's is."""


def fetch(http: httpx.Client, request: httpx.Request, longest: int) -> tuple[httpx.Response, bytes]:
    """Send a request and return its answer of at most so many bytes; where it is given up, its connection is closed.

    From the first byte sent to the last one read it may take what the client allows for a read, and a second more for
    each `SLOWEST_LINE` bytes either way: an answer that comes byte by byte ends there, and a long one is waited for.

    Raises:
        httpx.HTTPError: there is no answer, or not all of it in time.
        AnswerTooLong, AnswerCompressed: it is not read on.
    """
    request.headers["Accept-Encoding"] = "identity"
    allowed = _Allowed((http.timeout.read or math.inf) + len(request.content) / SLOWEST_LINE)
    before = _allowed.set(allowed)
    try:
        with closing(http.send(request, stream=True)) as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise AnswerCompressed  # a few bytes could become any number
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > longest:
                    raise AnswerTooLong
                allowed.seconds += len(part) / SLOWEST_LINE
    finally:
        _allowed.reset(before)
    return response, bytes(content)


def trusting(authority: Path) -> ssl.SSLContext:
    """Return what a connection to the centre is made with, without a certificate of this terminal.

    Raises:
        OSError: the file is missing or malformed.
    """
    tls = ssl.create_default_context(cafile=authority)
    tls.sslsocket_class = _Hurried
    return tls


class OwnCredentials(httpx.BaseTransport):
    """Speaks to the centre with the certificate that is there now, so that a renewed one needs no new start.

    Safe to be used by several threads.
    """

    def __init__(self, settings: TerminalSettings) -> None:
        """Read the files.

        Raises:
            OSError: one is missing or malformed, or the key is not the certificate's.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self._seen = self._stamps()
        self._line = self._opened()
        self._earlier: list[httpx.HTTPTransport] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, by what stands in the files."""
        return self._current().handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        for line in (*self._earlier, self._line):
            line.close()

    def _current(self) -> httpx.HTTPTransport:
        with self._lock:
            # Half replaced, they are no pair, or not there: what was read before is used until they are.
            with suppress(OSError):
                # Looked at before they are read: what changes between is seen the next time.
                if (stamps := self._stamps()) != self._seen:
                    renewed = self._opened()
                    # Requests may be under way there, so it is closed with the rest.
                    self._earlier.append(self._line)
                    self._line, self._seen = renewed, stamps
            return self._line

    def _stamps(self) -> list[tuple[int, int, int]]:
        files = (self._settings.centre_authority, self._settings.certificate, self._settings.key)
        return [(found.st_ino, found.st_mtime_ns, found.st_size) for found in (file.stat() for file in files)]

    def _opened(self) -> httpx.HTTPTransport:
        tls = trusting(self._settings.centre_authority)
        tls.load_cert_chain(self._settings.certificate, self._settings.key)
        return httpx.HTTPTransport(verify=tls)


@dataclass(slots=True)
class _Allowed:
    """How many seconds a request may take, from the first byte that is sent."""

    seconds: float
    began: float | None = None

    def left(self) -> float:
        now = time.monotonic()
        if self.began is None:
            self.began = now
        return self.began + self.seconds - now


_allowed: ContextVar[_Allowed | None] = ContextVar("allowed", default=None)


class _Hurried(ssl.SSLSocket):
    """Waits no longer than the request in hand may take, however often a byte comes.

    Timeouts of the HTTP client are for one read or write each, and it reads the head of an answer by itself.
    """

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        self._hurry()
        return super().recv(buflen, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        self._hurry()
        return super().send(data, flags)

    def _hurry(self) -> None:
        if (allowed := _allowed.get()) is None:
            return
        if (left := allowed.left()) <= 0:
            raise TimeoutError
        if left < (self.gettimeout() or math.inf):
            self.settimeout(left)
