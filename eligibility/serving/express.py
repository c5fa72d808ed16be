"""The short way to the routes that counters wait for: the same caller, message and answer, without a detour.

A route stays declared as every other, so its description, its caller and its problems are those of the app. What is
out of the ordinary (another content type, a malformed message) goes the long way and is answered there.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

Handlers = Mapping[Any, Callable[[Request, Any], Any]]
_JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class _Express:
    route: APIRoute
    message: type[BaseModel]
    message_name: str
    callers: tuple[tuple[str, Callable[[Request], Any]], ...]
    request_name: str
    optional_headers: frozenset[bytes]

    def detains(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Tell whether a header is there that the route reads, and that most callers leave out."""
        return bool(self.optional_headers) and any(name in self.optional_headers for name, _ in headers)


class ExpressLane:
    """ASGI middleware: answers a well-formed request to one of the routes itself, and passes on everything else."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        router: APIRouter,
        paths: Collection[str],
        handlers: Handlers,
    ) -> None:
        """Take the routes from the router.

        Raises:
            ValueError: a path is no route, or takes more than the request, one message, headers that may be left
                out, and dependencies on the request.
        """
        self._app, self._handlers = app, handlers
        routes = {route.path: route for route in router.routes if isinstance(route, APIRoute) and route.path in paths}
        if missing := set(paths) - routes.keys():
            raise ValueError(f"no such routes: {sorted(missing)}")
        self._express = {
            (method, path): _express(route) for path, route in routes.items() for method in route.methods or ()
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer the request, or pass it on."""
        express = self._express.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if express is None or (b"content-type", _JSON) not in scope["headers"] or express.detains(scope["headers"]):
            await self._app(scope, receive, send)
            return
        scope["route"] = express.route
        try:
            body = await _whole(receive)
            request = Request(scope, _again(body))
            given = {name: await find(request) for name, find in express.callers}
            try:
                given[express.message_name] = express.message.model_validate_json(body)
            except ValidationError:
                await self._app(scope, _again(body), send)  # there every fault is named
                return
            response = await express.route.endpoint(**{express.request_name: request}, **given)
        except Exception as error:
            handler = self._handler(error)
            if handler is None:
                raise
            response = await handler(Request(scope, receive), error)
        await response(scope, receive, send)

    def _handler(self, error: Exception) -> Callable[[Request, Any], Any] | None:
        return next((self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers), None)


def _express(route: APIRoute) -> _Express:
    needs = route.dependant
    if (
        len(needs.body_params) != 1
        or needs.query_params or needs.path_params or needs.cookie_params
        or any(header.field_info.is_required() for header in needs.header_params)
        or needs.request_param_name is None
        or any(d.name is None or not _only_request(d) for d in needs.dependencies)
    ):  # fmt: skip
        raise ValueError(f"{route.path} takes more than an express route can")
    message = needs.body_params[0]
    callers = tuple((str(d.name), _find(d)) for d in needs.dependencies)
    kind = message.field_info.annotation
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        raise ValueError(f"{route.path} takes no message of its own kind")
    headers = frozenset(header.alias.lower().encode("ascii") for header in needs.header_params)
    return _Express(route, kind, message.name, callers, needs.request_param_name, headers)


def _only_request(dependency: Any) -> bool:
    return not (
        dependency.dependencies or dependency.body_params or dependency.query_params or dependency.path_params
        or dependency.header_params or dependency.cookie_params
    )  # fmt: skip


def _find(dependency: Any) -> Callable[[Request], Any]:
    async def find(request: Request) -> Any:
        return await dependency.call(**{dependency.request_param_name: request})

    return find


async def _whole(receive: Any) -> bytes:
    # `Request.body` says the same by way of two generators, which cost more than what they bring.
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _again(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
