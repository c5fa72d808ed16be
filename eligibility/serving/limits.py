"""Bounds what a caller can make the process hold in memory."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

from starlette.exceptions import HTTPException


class BodyLimit:
    """ASGI middleware: refuses a body larger than the limit, by its stated length and by what really arrives.

    A path may have a limit of its own.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        limit_bytes: int,
        own_limits: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._own_limits = own_limits

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, with its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit_bytes = self._own_limits.get(scope["path"], self._limit_bytes)
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        arrived = 0

        async def counted() -> Any:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > limit_bytes or not stated.isdigit() or int(stated) > limit_bytes:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)
