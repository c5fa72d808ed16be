"""Bounds what a caller can make the process hold in memory."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Final

from starlette.exceptions import HTTPException

from eligibility.serving.problems import RETRY_AFTER_S

LARGE_BYTES: Final = 64 * 1024 * 1024


class BodyLimit:
    """ASGI middleware: refuses a body larger than the limit, by its stated length and by what really arrives.

    A path may have a limit of its own. What bodies have brought that are larger than the common limit is counted until
    their requests are answered: beyond `large_bytes` in the process they are turned away, whole or not, and no other.
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
        self._held_bytes = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, with its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit_bytes = self._own_limits.get(scope["path"], self._limit_bytes)
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        arrived = held = 0

        async def counted() -> Any:
            nonlocal arrived, held
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > limit_bytes or not stated.isdigit() or int(stated) > limit_bytes:
                raise HTTPException(413)
            if arrived > self._limit_bytes:
                self._held_bytes += arrived - held
                held = arrived
                if self._held_bytes > self._large_bytes:
                    raise HTTPException(503, headers={"Retry-After": str(RETRY_AFTER_S)})
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held_bytes -= held
