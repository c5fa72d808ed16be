"""Every route's dependency tree holds exactly one of the callers."""

from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIRouter

from eligibility.api import routes as api_routes
from eligibility.api.terminals import terminal
from eligibility.serving.callers import anyone, insurer_of
from payer_sync.intake import routes as intake_routes

CALLERS = {terminal, insurer_of, anyone}


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


@pytest.mark.parametrize("router", [api_routes.router, api_routes.public, intake_routes.router])
def test_every_route_names_its_caller(router: APIRouter) -> None:
    routes = [route for route in router.routes if isinstance(route, APIRoute)]
    assert routes
    for route in routes:
        assert sum(call in CALLERS for call in _calls(route.dependant)) == 1, route.path
