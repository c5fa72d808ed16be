"""The published interface: writes docs/openapi/v1.json from the app."""

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from eligibility.api.routes import router

SNAPSHOT = Path(__file__).parents[1] / "docs" / "openapi" / "v1.json"


def api_schema() -> dict[str, Any]:
    """Return the OpenAPI description of the terminals' interface."""
    app = FastAPI(title="Eligibility verification", version="1")
    app.include_router(router)
    return app.openapi()


def write() -> None:
    """Write the description where the docs show it."""
    SNAPSHOT.parent.mkdir(parents=True, exist_ok=True)
    SNAPSHOT.write_text(json.dumps(api_schema(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
