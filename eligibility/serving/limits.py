"""Bounds what a caller can make the process hold in memory."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Final

from starlette.exceptions import HTTPException

from eligibility.serving.problems import RETRY_AFTER_S

LARGE_BYTES: Final = 64 * 1024 * 1024


class BodyLimit:
    """ASGI middleware: refuses a body larger than the limit, by its stated length and by what really arrives.

    A path may have a limit of its own. What bodies have brought that are larger than the common limit is counted until
    their requests are answered: beyond `large_bytes` in the process, and a quarter of that from one caller, they are
    turned away, whole or not, and no other.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        limit_bytes: int,
        own_limits: Mapping[str, int] = MappingProxyType({}),
        large_bytes: int = LARGE_BYTES,
    ) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._own_limits = own_limits
        self._large_bytes = large_bytes
        self._held_bytes: Counter[str] = Counter()  # by the certificates of those who send

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, with its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit_bytes = self._own_limits.get(scope["path"], self._limit_bytes)
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        arrived = held = 0
        caller = _certificate_of(scope)

        async def counted() -> Any:
            nonlocal arrived, held
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > limit_bytes or not stated.isdigit() or int(stated) > limit_bytes:
                raise HTTPException(413)
            if arrived > self._limit_bytes:
                self._held_bytes[caller] += arrived - held
                held = arrived
                if self._held_bytes[caller] > self._large_bytes // 4 or self._held_bytes.total() > self._large_bytes:
                    raise HTTPException(503, headers={"Retry-After": str(RETRY_AFTER_S)})
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            if held:
                self._held_bytes[caller] -= held
                self._held_bytes += Counter()  # whoever holds nothing any more is forgotten


def _certificate_of(scope: MutableMapping[str, Any]) -> str:
    chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    return chain[0] if chain else ""
