"""The short way to the routes that counters wait for: the same caller, message and answer, without a detour.

A route stays declared as every other, so its description, its caller and its problems are those of the app. What is
out of the ordinary (another content type, a malformed message) goes the long way and is answered there.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

Handlers = Mapping[Any, Callable[[Request, Any], Any]]
_JSON: Final = b"application/json"
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class _Named:
    """The one part of a path that names something: its parameter, and what stands before and after it."""

    parameter: str
    before: str
    after: str

    def find(self, path: str) -> UUID | None:
        """Return what a path names, or None if it is another route's, or names nothing in the usual form."""
        named = path[len(self.before) : len(path) - len(self.after)]
        ours = path.startswith(self.before) and path.endswith(self.after) and _UUID.fullmatch(named)
        return UUID(named) if ours else None


@dataclass(frozen=True, slots=True)
class _Express:
    route: APIRoute
    named: _Named | None
    message: tuple[str, type[BaseModel]] | None
    callers: tuple[tuple[str, Callable[[Request], Any]], ...]
    request_name: str
    optional_headers: frozenset[bytes]
    reads_query: bool

    def detains(self, scope: MutableMapping[str, Any]) -> bool:
        """Tell whether a request brings what the route reads and most callers leave out, or no message of its kind."""
        headers = scope["headers"]
        return (
            (self.message is not None and (b"content-type", _JSON) not in headers)
            or (self.reads_query and scope["query_string"] != b"")
            or (bool(self.optional_headers) and any(name in self.optional_headers for name, _ in headers))
        )


class ExpressLane:
    """ASGI middleware: answers a well-formed request to one of the routes itself, and passes on everything else.

    It sees the dependencies that stand at a route, not those that its router is included with.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        routers: Iterable[APIRouter],
        paths: Collection[str],
        handlers: Handlers,
    ) -> None:
        """Take the routes from the routers.

        Raises:
            ValueError: a path is no route, or takes more than the request, one UUID in its path, one message, headers
                and a query that may be left out, and dependencies on the request.
        """
        self._app, self._handlers = app, handlers
        declared = (route for router in routers for route in router.routes if isinstance(route, APIRoute))
        routes = {route.path: route for route in declared if route.path in paths}
        if missing := set(paths) - routes.keys():
            raise ValueError(f"no such routes: {sorted(missing)}")
        made = [(method, _express(route)) for route in routes.values() for method in route.methods or ()]
        self._exact = {(method, e.route.path): e for method, e in made if e.named is None}
        self._naming = [(method, e.named, e) for method, e in made if e.named is not None]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer the request, or pass it on."""
        express, given = self._find(scope) if scope["type"] == "http" else (None, {})
        if express is None or express.detains(scope):
            await self._app(scope, receive, send)
            return
        scope["route"] = express.route
        try:
            # Who is calling shows before any of the body is waited for.
            asking = Request(scope)
            given |= {name: await find(asking) for name, find in express.callers}
            body = b"" if express.message is None else await _whole(receive)
            request = Request(scope, _again(body))
            if express.message is not None:
                name, message = express.message
                try:
                    given[name] = message.model_validate_json(body)
                except ValidationError:
                    await self._app(scope, _again(body), send)  # there every fault is named
                    return
            response = await express.route.endpoint(**{express.request_name: request}, **given)
        except Exception as error:
            handler = self._handler(error)
            if handler is None:
                raise
            response = await self._problem(handler, Request(scope, receive), error)
        await response(scope, receive, send)

    def _find(self, scope: MutableMapping[str, Any]) -> tuple[_Express | None, dict[str, Any]]:
        asked, path = scope["method"], scope["path"]
        if express := self._exact.get((asked, path)):
            return express, {}
        for method, named, express in self._naming:
            if method == asked and (found := named.find(path)):
                return express, {named.parameter: found}
        return None, {}

    async def _problem(self, handler: Callable[[Request, Any], Any], request: Request, error: Exception) -> Any:
        try:
            return await handler(request, error)
        except Exception as trouble:
            # A refusal could not be audited. In the app the second of two handling layers sees to it.
            of_trouble = self._handler(trouble)
            if of_trouble is None:
                raise
            return await of_trouble(request, trouble)

    def _handler(self, error: Exception) -> Callable[[Request, Any], Any] | None:
        return next((self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers), None)


def _express(route: APIRoute) -> _Express:
    needs = route.dependant
    left_out = {given.name for given in (*needs.header_params, *needs.query_params)}
    if (
        len(needs.body_params) > 1
        or len(needs.path_params) > 1
        or any(p.field_info.annotation is not UUID or p.field_info.metadata for p in needs.path_params)
        or any(_default(route.endpoint, name) is not None for name in left_out)
        or needs.cookie_params
        or needs.request_param_name is None
        or _more_of_the_app(needs)
        or any(d.name is None or not _only_request(d) for d in needs.dependencies)
    ):
        raise ValueError(f"{route.path} takes more than an express route can")
    named = message = None
    for parameter in needs.path_params:
        before, after = route.path.split(f"{{{parameter.name}}}")
        named = _Named(parameter.name, before, after)
    for body in needs.body_params:
        kind = body.field_info.annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            raise ValueError(f"{route.path} takes no message of its own kind")
        message = (body.name, kind)
    callers = tuple((str(d.name), _finder(d)) for d in needs.dependencies)
    headers = frozenset(header.alias.lower().encode("ascii") for header in needs.header_params)
    return _Express(route, named, message, callers, needs.request_param_name, headers, bool(needs.query_params))


def _default(endpoint: Callable[..., Any], name: str) -> Any:
    # What the endpoint itself has when nothing is passed: not what the framework would make of a declaration.
    return signature(endpoint).parameters[name].default


def _more_of_the_app(needs: Any) -> bool:
    return bool(
        needs.response_param_name or needs.background_tasks_param_name or needs.http_connection_param_name
        or needs.websocket_param_name or needs.security_scopes_param_name
    )  # fmt: skip


def _only_request(dependency: Any) -> bool:
    return not (
        _more_of_the_app(dependency) or
        dependency.dependencies or dependency.body_params or dependency.query_params or dependency.path_params
        or dependency.header_params or dependency.cookie_params
    )  # fmt: skip


def _finder(dependency: Any) -> Callable[[Request], Any]:
    return lambda request: dependency.call(**{dependency.request_param_name: request})


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
