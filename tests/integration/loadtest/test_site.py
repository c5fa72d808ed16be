"""A site whose making was cut is made anew; one that is whole keeps its keys."""

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from loadtest.installation import make_keys
from loadtest.site import Site, make_database, open_site


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="eligibility-site-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


async def _databases(site: Site) -> set[str]:
    administrator = await asyncpg.connect(site.stores.database_url)
    try:
        return {row[0] for row in await administrator.fetch("select datname from pg_database")}
    finally:
        await administrator.close()


def test_a_site_whose_keys_are_not_all_there_is_made_anew_and_then_kept(folder: Path) -> None:
    own = ("challenge.key", "receipt.key", "staff.key")
    with open_site(folder) as first:
        asyncio.run(make_database(first))
        assert "eligibility_load" in asyncio.run(_databases(first))
    (folder / "keys" / "staff.key").write_bytes(b"")
    (folder / "terminals").mkdir()
    for made in ("terminals/0000.key", "deck-1.json"):
        (folder / made).write_text("by the first keys", encoding="ascii")
    with open_site(folder) as second:
        assert not second.stores.embedded or "eligibility_load" not in asyncio.run(_databases(second))
    assert second.jpki.auth[0].pem != first.jpki.auth[0].pem
    assert [(folder / "keys" / name).stat().st_size > 0 for name in own] == [True] * 3
    assert not [*folder.glob("terminals/*.key"), *folder.glob("deck-*.json")]
    with open_site(folder) as third:
        assert third.jpki.auth[0].pem == second.jpki.auth[0].pem


def test_keys_that_cannot_be_made_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "keys.new").write_text("no folder", encoding="ascii")
    with pytest.raises(OSError, match=r"could not be made in .*keys\.new"):
        make_keys(tmp_path, datetime.now(UTC))
    assert not (tmp_path / "keys").exists()
