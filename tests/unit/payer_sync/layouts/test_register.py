"""Which layouts there are, and how each stands on a day."""

from dataclasses import replace
from datetime import date

import pytest

from payer_sync.layouts.register import (
    EditionState,
    LayoutUnknown,
    accepted_until,
    edition_state,
    find_layout,
    layouts,
)


def test_every_edition_is_found_by_its_name() -> None:
    assert all(find_layout(name, edition).edition == edition for name, edition in layouts())
    assert ("eligibility", 1) in layouts()


@pytest.mark.parametrize(("name", "edition"), [("eligibility", 0), ("eligibility", 99), ("", 1), ("../eligibility", 1)])
def test_an_unknown_edition_is_refused(name: str, edition: int) -> None:
    with pytest.raises(LayoutUnknown):
        find_layout(name, edition)


@pytest.mark.parametrize(
    ("edition", "day", "state"),
    [
        (1, date(2026, 3, 31), EditionState.BETA),
        (1, date(2026, 4, 1), EditionState.IN_FORCE),
        (1, date(2027, 3, 31), EditionState.IN_FORCE),
        (1, date(2027, 4, 1), EditionState.PREVIOUS),
        (1, date(2027, 9, 30), EditionState.PREVIOUS),
        (1, date(2027, 10, 1), EditionState.ENDED),
        (2, date(2027, 3, 31), EditionState.BETA),
        (2, date(2027, 4, 1), EditionState.IN_FORCE),
        (2, date(2099, 1, 1), EditionState.IN_FORCE),
    ],
)
def test_an_edition_stands_by_its_days_and_those_of_the_next(edition: int, day: date, state: EditionState) -> None:
    assert edition_state(find_layout("eligibility", edition), day) is state


@pytest.mark.parametrize(
    ("own", "until"),
    [(None, date(2027, 9, 30)), (date(2027, 5, 1), date(2027, 5, 1)), (date(2030, 1, 1), date(2027, 9, 30))],
)
def test_the_earlier_of_two_ends_holds(own: date | None, until: date) -> None:
    assert accepted_until(replace(find_layout("eligibility", 1), accepted_until=own)) == until


def test_the_last_edition_has_no_end() -> None:
    assert accepted_until(find_layout("eligibility", 2)) is None


def test_on_any_day_one_edition_of_each_layout_is_in_force() -> None:
    for day in (date(2026, 11, 21), date(2027, 4, 1), date(2027, 12, 1)):
        in_force = [e.name for e in layouts().values() if edition_state(e, day) is EditionState.IN_FORCE]
        assert sorted(in_force) == sorted({name for name, _ in layouts()})
