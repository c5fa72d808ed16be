"""docs/openapi/ is what the apps say; `make openapi` writes it again."""

import json

import pytest

from loadtest.openapi import FOLDER, INTERFACES, schema


@pytest.mark.parametrize("file", INTERFACES)
def test_each_published_interface_is_what_its_app_says(file: str) -> None:
    assert json.loads((FOLDER / file).read_text(encoding="utf-8")) == schema(file)
