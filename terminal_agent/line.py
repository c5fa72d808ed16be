"""The connections to the centre: with an end to every request."""

import math
import ssl
import time
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

# The centre's longest answers: a page of 1,000 bulk results has 2.7 MB where each text is as long as it may be, and
# three years of treatment at most 800 bytes a line.
LONGEST_ANSWER: Final = 16 * 1024 * 1024
# Bytes a second; whatever is longer than a counter's short messages has its time by them.
SLOWEST_LINE: Final = 64 * 1024


class AnswerNotTaken(Exception):
    """The answer is longer than any of the centre's, or compressed, which none of them is."""


def fetch(http: httpx.Client, request: httpx.Request) -> tuple[httpx.Response, bytes]:
    """Send a request and return its answer with all its bytes; where it is given up, its connection is closed.

    From the first byte sent to the last one read it may take what the client allows for a read, and a second more for
    each `SLOWEST_LINE` bytes either way: an answer that comes byte by byte ends there, and a long one is waited for.

    Raises:
        httpx.HTTPError: there is no answer, or not all of it in time.
        AnswerNotTaken: it is not read on.
    """
    request.headers["Accept-Encoding"] = "identity"
    allowed = _Allowed((http.timeout.read or math.inf) + len(request.content) / SLOWEST_LINE)
    before = _allowed.set(allowed)
    try:
        with closing(http.send(request, stream=True)) as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise AnswerNotTaken  # a few bytes could become any number
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > LONGEST_ANSWER:
                    raise AnswerNotTaken
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
