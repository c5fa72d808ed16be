"""docs/openapi/v1.json is what the app says; `make openapi` writes it again."""

import json
from pathlib import Path

from loadtest.openapi import api_schema

SNAPSHOT = Path(__file__).parents[2] / "docs" / "openapi" / "v1.json"


def test_the_published_interface_is_what_the_app_says() -> None:
    assert json.loads(SNAPSHOT.read_text(encoding="utf-8")) == api_schema()
