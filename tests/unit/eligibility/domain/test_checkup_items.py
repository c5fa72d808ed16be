"""The table of items holds together."""

import re

import pytest

from eligibility.domain.checkup_items import ITEM_CODE, ITEMS, Item, ResultKind


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
