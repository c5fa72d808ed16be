"""The published interfaces: writes docs/openapi/ from the apps' routes."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from eligibility.api.routes import router as terminals
from payer_sync.intake.routes import router as insurers

FOLDER: Final = Path(__file__).parents[1] / "docs" / "openapi"
INTERFACES: Final[Mapping[str, tuple[str, APIRouter]]] = MappingProxyType(
    {"v1.json": ("Eligibility verification", terminals), "intake-v1.json": ("Insurers' intake", insurers)}
)


def schema(file: str) -> dict[str, Any]:
    """Return the OpenAPI description that stands in a file of the docs."""
    title, router = INTERFACES[file]
    app = FastAPI(title=title, version="1")
    app.include_router(router)
    return app.openapi()


def write() -> None:
    """Write the descriptions where the docs show them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in INTERFACES:
        (FOLDER / file).write_text(json.dumps(schema(file), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
