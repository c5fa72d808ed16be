"""The pages for vendors say all that the tables say."""

from pathlib import Path

import pytest

from payer_sync.faults import FaultCode
from payer_sync.layouts.columns import Code
from payer_sync.layouts.documents import pages, write_pages
from payer_sync.layouts.layout import Layout
from payer_sync.layouts.register import layouts

EVERY = [pytest.param(layout, id=f"{layout.name}_{layout.edition}") for layout in layouts().values()]


@pytest.mark.parametrize("layout", EVERY)
def test_a_page_has_every_column_in_its_place_and_every_code(layout: Layout) -> None:
    page = pages()[f"{layout.name}_{layout.edition}.md"]

    for number, column in enumerate(layout.columns, 1):
        assert f"| {number} | {column.name} | " in page
        if isinstance(column.kind, Code):
            assert all(f"| `{code.value}` | {code.ja} | {code.en} |" in page for code in column.kind.codes)
    assert all(f"`{rule.code.value}`" in page for rule in layout.rules)


@pytest.mark.parametrize("layout", [p for p in EVERY if p.id and p.id.startswith("eligibility")])
def test_every_column_of_eligibility_has_an_example(layout: Layout) -> None:
    page = pages()[f"{layout.name}_{layout.edition}.md"]
    columns = page.split("## 項目 / Columns")[1].split("\n##")[0]

    assert [line for line in columns.splitlines() if line.endswith("|  |")] == []


def test_every_fault_is_explained_in_both_languages() -> None:
    page = pages()["faults.md"]

    assert [code for code in FaultCode if f"| `{code.value}` | " not in page] == []
    assert all(code.ja in page and code.en in page for code in FaultCode)


def test_tables_have_the_same_number_of_cells_in_every_row() -> None:
    for name, page in pages().items():
        for table in page.split("\n\n"):
            rows = [line for line in table.splitlines() if line.startswith("|")]
            assert len({row.count("|") for row in rows}) <= 1, name


def test_pages_of_layouts_that_are_no_more_are_removed(tmp_path: Path) -> None:
    (tmp_path / "gone_1.md").write_text("old")

    write_pages(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == set(pages())
