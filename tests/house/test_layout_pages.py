"""docs/layouts/ is what the tables say."""

from pathlib import Path

from payer_sync.layouts.documents import pages

FOLDER = Path(__file__).parents[2] / "docs" / "layouts"


def test_the_pages_for_vendors_are_current() -> None:
    written = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}

    assert written == dict(pages()), "run `python -m payer_sync layouts --write docs/layouts`"
