"""Every message that a route takes, and every part of it, is of the kind that holds no NUL."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from fastapi.routing import APIRoute, APIRouter
from pydantic import BaseModel

from eligibility.api import routes as api_routes
from eligibility.wire.bulk import BulkRequest
from eligibility.wire.encoding import Incoming
from payer_sync.intake import routes as intake_routes


def _messages(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from _messages(field.annotation)
    for inner in get_args(kind):
        yield from _messages(inner)


def _taken(router: APIRouter) -> list[type[BaseModel]]:
    routes = [route for route in router.routes if isinstance(route, APIRoute)]
    bodies = [body.field_info.annotation for route in routes for body in route.dependant.body_params]
    return [message for body in bodies for message in _messages(body)]


# A bulk request is read by its route itself, in a thread.
@pytest.mark.parametrize(
    "taken", [_taken(api_routes.router), _taken(intake_routes.router), list(_messages(BulkRequest))]
)
def test_every_message_that_is_taken_is_incoming(taken: list[type[BaseModel]]) -> None:
    assert taken
    assert [message.__name__ for message in taken if not issubclass(message, Incoming)] == []
