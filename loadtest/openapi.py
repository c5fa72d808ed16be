"""The published interfaces: writes docs/openapi/ from the apps' routes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from eligibility.api import routes as centre
from eligibility.serving.description import complete
from payer_sync.intake.routes import router as insurers

FOLDER: Final = Path(__file__).parents[1] / "docs" / "openapi"
INTERFACES: Final[Mapping[str, tuple[str, Sequence[APIRouter]]]] = MappingProxyType(
    {
        "v1.json": ("Eligibility verification", (centre.router, centre.public)),
        "intake-v1.json": ("Insurers' intake", (insurers,)),
    }
)


def schema(file: str) -> dict[str, Any]:
    """Return the OpenAPI description that stands in a file of the docs."""
    title, routers = INTERFACES[file]
    app = FastAPI(title=title, version="1")
    for router in routers:
        app.include_router(router)
    return complete(app).openapi()


def write() -> None:
    """Write the descriptions where the docs show them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in INTERFACES:
        (FOLDER / file).write_text(json.dumps(schema(file), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
