"""Every layout has a good sample, an all-wrong sample, and the feedback expected of it."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from eligibility.domain.identifiers import InsurerNumber
from payer_sync.contract import Checked, check
from payer_sync.layouts.layout import Layout
from payer_sync.layouts.register import layouts
from payer_sync.reading import read_batches

SAMPLES = Path(__file__).parents[1] / "samples"
INSURER = InsurerNumber("06130512")
TODAY = date(2026, 11, 21)
EVERY = [pytest.param(layout, id=f"{layout.name}_{layout.edition}") for layout in layouts().values()]


def _checked(layout: Layout, sample: str, block_bytes: int = 1 << 20) -> list[Checked]:
    path = SAMPLES / f"{layout.name}_{layout.edition}" / sample
    return [check(batch, layout, INSURER, TODAY) for batch in read_batches(path, layout, block_bytes)]


def _faults(checked: list[Checked]) -> list[dict[str, object]]:
    return pl.concat([part.faults for part in checked]).to_dicts()


@pytest.mark.parametrize("layout", EVERY)
def test_a_good_sample_has_no_fault(layout: Layout) -> None:
    checked = _checked(layout, "good.csv")

    assert _faults(checked) == []
    assert sum(part.read for part in checked) == sum(len(part.staged) for part in checked) > 0
    assert {tuple(part.staged.columns) for part in checked} == {layout.staged_fields}


@pytest.mark.parametrize("block_bytes", [1 << 20, 900, 4096])
@pytest.mark.parametrize("layout", EVERY)
def test_an_all_wrong_sample_gets_its_expected_feedback_however_it_is_cut(layout: Layout, block_bytes: int) -> None:
    expected = (SAMPLES / f"{layout.name}_{layout.edition}" / "all_wrong.expected.jsonl").read_text("utf-8")

    assert _faults(_checked(layout, "all_wrong.csv", block_bytes)) == [
        json.loads(line) for line in expected.splitlines()
    ]


@pytest.mark.parametrize("layout", EVERY)
def test_every_column_is_wrong_somewhere_in_the_all_wrong_sample(layout: Layout) -> None:
    assert {fault["field"] for fault in _faults(_checked(layout, "all_wrong.csv"))} >= set(layout.column_names)
