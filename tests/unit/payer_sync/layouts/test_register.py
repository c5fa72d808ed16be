"""Which layouts there are, and when each is accepted."""

from dataclasses import replace
from datetime import date

import pytest

from payer_sync.layouts.register import LayoutUnknown, find_layout, layouts


def test_every_edition_is_found_by_its_name() -> None:
    assert all(find_layout(name, edition).edition == edition for name, edition in layouts())
    assert ("eligibility", 1) in layouts()


@pytest.mark.parametrize(("name", "edition"), [("eligibility", 0), ("eligibility", 99), ("", 1), ("../eligibility", 1)])
def test_an_unknown_edition_is_refused(name: str, edition: int) -> None:
    with pytest.raises(LayoutUnknown):
        find_layout(name, edition)


@pytest.mark.parametrize(
    ("day", "accepted"),
    [
        (date(2026, 3, 31), False),
        (date(2026, 4, 1), True),
        (date(2027, 3, 31), True),
        (date(2027, 4, 1), False),
    ],
)
def test_an_edition_is_accepted_on_its_days_both_ends_included(day: date, accepted: bool) -> None:
    layout = replace(find_layout("eligibility", 1), accepted_from=date(2026, 4, 1), accepted_until=date(2027, 3, 31))

    assert layout.accepted_on(day) is accepted
