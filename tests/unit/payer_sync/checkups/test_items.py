"""The table of items holds together."""

import re

import polars as pl
import pytest

from payer_sync.checkups.items import ITEM_CODE, ITEMS, Item, ResultKind, unit_keys


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS.keys())
def test_every_item_has_a_code_of_the_form_and_names_in_both_languages(item: Item) -> None:
    assert re.fullmatch(ITEM_CODE, item.code)
    assert item.ja
    assert item.en.isascii()
    assert bool(item.unit) == (item.kind is ResultKind.QUANTITY)
    ends = {"01": "PQ", "02": "PQ", "11": "CD CO", "49": "ST"}
    assert item.kind.value in ends[item.code[-2:]].split()


def test_codes_are_distinct_and_ranges_are_ranges() -> None:
    assert len(ITEMS) > 50
    for item in ITEMS.values():
        if item.reference and item.reference.low is not None and item.reference.high is not None:
            assert item.reference.low < item.reference.high


@pytest.mark.parametrize(
    "spellings",
    [
        ["mm[Hg]", "mmHg", "ｍｍＨｇ", "MMHG"],
        ["kg/m2", "kg/㎡", "kg/m^2"],
        ["mL/min/1.73m2", "mL/min/{1.73_m2}", "ml/min/1.73㎡"],
        ["U/L", "IU/l"],
        ["10*4/mm3", "万/mm3", "10^*4/mm3"],
    ],
)
def test_spellings_of_a_unit_are_equal(spellings: list[str]) -> None:
    assert pl.DataFrame({"unit": spellings}).select(unit_keys(pl.col("unit")))["unit"].n_unique() == 1


def test_different_units_are_not() -> None:
    units = ["mg/dL", "mmol/L", "g/dL", "U/L", "%", "cm", "cm2", ""]
    assert pl.DataFrame({"unit": units}).select(unit_keys(pl.col("unit")))["unit"].n_unique() == len(units)
