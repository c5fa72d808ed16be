"""Who may ask the local pages: a browser that was opened with this start's address, and from these pages alone."""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it a browser says "null" as the origin of our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """This start's two keys: one opens the patient's screen, the other the staff's."""

    patient: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    staff: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


@dataclass(frozen=True, slots=True)
class Cookies:
    """The names of one counter's cookies; of no other's on this machine, as a browser keeps one set for all ports.

    Without the prefix `__Host-`: it asks for `Secure`, which nothing on loopback is, for a path that the session has
    not, and it tells ports apart no better.
    """

    port: int

    @property
    def patient(self) -> str:
        """Of the browser that was opened with the patient's address."""
        return f"counter_patient_{self.port}"

    @property
    def staff(self) -> str:
        """Of the browser that was opened with the staff's address."""
        return f"counter_staff_{self.port}"

    @property
    def session(self) -> str:
        """Of who is signed in."""
        return f"counter_session_{self.port}"

    @property
    def language(self) -> str:
        """Of the language in which staff read."""
        return f"counter_language_{self.port}"


class Guard:
    """ASGI middleware: refuses other hosts, other origins and browsers without a key, and adds the strict headers."""

    def __init__(self, app: Application, *, hosts: frozenset[str], keys: Keys, cookies: Cookies) -> None:
        self._app = app
        self._hosts = hosts
        self._keys = keys
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        # (1) Our own address, so that no other name can be pointed at this machine (DNS rebinding).
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return PlainTextResponse("This address is not served here.\n", 421)
        # (2) What changes something comes from our own pages.
        if scope["method"] not in ("GET", "HEAD") and headers.get("origin") != f"http://{hosts[0]}":
            return PlainTextResponse("This does not come from the counter's own page.\n", 403)
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("This does not come from the counter's own page.\n", 403)
        # (3) The browser was opened with the address that was made at this start.
        path = str(scope["path"])
        if path.startswith(("/enter/", "/static/")):
            return None
        names, keys = self._cookies, self._keys
        wanted, key = (names.staff, keys.staff) if is_staff(path) else (names.patient, keys.patient)
        if not any(hmac.compare_digest(given, key) for given in _cookies(headers.getlist("cookie"), wanted)):
            return PlainTextResponse(_NO_KEY, 403)
        return None


def is_staff(path: str) -> bool:
    """Return whether a path belongs to the staff's screen."""
    return path == "/staff" or path.startswith("/staff/")


def _cookies(headers: Iterable[str], wanted: str) -> list[str]:
    found = []
    for header in headers:
        try:
            cookies = SimpleCookie(header)
        except CookieError:
            continue
        if wanted in cookies:
            found.append(cookies[wanted].value)
    return found


_NO_KEY: Final = (
    "この画面は、起動時に表示されたアドレスから開いてください。\n"
    "Open this screen with the address that was shown when the terminal was started.\n"
)
