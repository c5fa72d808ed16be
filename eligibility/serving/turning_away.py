"""Answers whoever finds no room by the protocol itself: a refusal that costs much leaves little for those inside."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

TurnAway = Callable[[bytes], Response | None]


class AdmittingProtocol(HttpToolsProtocol):
    """HTTP on one connection, where `turn_away` may refuse an ordinary request for an address before the app begins.

    It is refused as soon as its head is read, and what follows of it is not kept. Ordinary is one of HTTP/1.1 that
    wants a body back, sends its own without being told to and keeps the connection, where all before it are answered
    and none of what was read together was refused. Any other goes to the app, which asks whether there is room, too,
    and waits for clients that do not read.
    """

    def __init__(self, *arguments: Any, turn_away: TurnAway | None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._turn_away = turn_away
        self._refused = False  # the request whose parts are being read
        self._has_refused = False  # one of those that were read together

    def data_received(self, data: bytes) -> None:
        """Read what arrived."""
        self._has_refused = False
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Let the request begin, or refuse it."""
        refusal = self._turn_away(self.url) if self._turn_away is not None and self._ordinary() else None
        self._refused = refusal is not None
        if refusal is None:
            super().on_headers_complete()
            return
        self._has_refused = True
        headers = (b"%b: %b\r\n" % header for header in self.server_state.default_headers + refusal.raw_headers)
        self.transport.write(b"".join((STATUS_LINE[refusal.status_code], *headers, b"\r\n", refusal.body)))

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, unless the request was refused."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        if not self._refused:
            super().on_message_complete()
        self._refused = False

    def _ordinary(self) -> bool:
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not self._has_refused
            and not self.flow.write_paused
            and not self.expect_100_continue
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and self.parser.get_method() != b"HEAD"
        )
