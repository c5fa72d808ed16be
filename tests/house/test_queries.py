"""Every named statement prepares against a database made from schema.sql, and every one is used."""

from pathlib import Path
from typing import Any

import pytest

from eligibility.storage.statements import statements

ROOT = Path(__file__).parents[2]
PACKAGES = ["eligibility.storage.queries", "payer_sync.queries"]
CODE = "".join(
    path.read_text(encoding="utf-8")
    for package in ("eligibility", "payer_sync")
    for path in (ROOT / package).rglob("*.py")
)


@pytest.mark.parametrize("package", PACKAGES)
async def test_every_statement_prepares(package: str, owner: Any) -> None:
    for name, text in statements(package).items():
        try:
            await owner.prepare(text)
        except Exception as error:
            error.add_note(f"statement {name} of {package}")
            raise


@pytest.mark.parametrize("package", PACKAGES)
def test_every_statement_is_used(package: str) -> None:
    assert [name for name in statements(package) if f'"{name}"' not in CODE] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_statement_selects_whatever_there_is(package: str) -> None:
    whole = [
        name for name, text in statements(package).items() if "select *" in text.lower().replace("from unnest", "")
    ]
    assert [n for n in whole if "unnest(" not in statements(package)[n]] == []
