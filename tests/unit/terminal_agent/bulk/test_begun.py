from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from eligibility.wire.bulk import BulkItem
from terminal_agent.bulk.begun import Begun
from terminal_agent.bulk.tables import FileUnusable

TODAY = date(2026, 11, 21)
BULK_ID = UUID("0197a3c0-0000-7000-8000-000000000001")
ITEMS = [BulkItem(item_id="P1", insurer_number="06130512", number="1", birth_date="1980-01-01")]
OTHERS = [ITEMS[0].model_copy(update={"number": "2"})]


def begin(folder: Path, items: list[BulkItem] = ITEMS, day: date | None = None, today: date = TODAY) -> Begun:
    return Begun.beside(folder / "a.result.csv", items, day, today)


def test_what_was_begun_is_taken_up_part_by_part(tmp_path: Path) -> None:
    first = begin(tmp_path)
    assert not first.holds(0)
    keys = [first.key(0), first.key(1)]
    first.accepted(0, BULK_ID)
    again = begin(tmp_path)
    assert [again.holds(place) for place in range(3)] == [True, True, False]
    assert [again.key(place) for place in range(2)] == keys
    assert [again.bulk_id(place) for place in range(3)] == [BULK_ID, None, None]
    again.anew(0)
    third = begin(tmp_path)
    assert third.key(0) not in keys
    assert (third.bulk_id(0), third.key(1)) == (None, keys[1])


@pytest.mark.parametrize(
    ("items", "day", "today", "same"),
    [
        (ITEMS, None, TODAY, True),
        (OTHERS, None, TODAY, False),
        (ITEMS, TODAY, TODAY, False),  # another request, under which the key would be refused
        (ITEMS, None, TODAY + timedelta(days=1), False),
    ],
)
def test_other_lines_or_another_day_begin_anew(
    tmp_path: Path, items: list[BulkItem], day: date | None, today: date, same: bool
) -> None:
    begin(tmp_path).key(0)
    assert begin(tmp_path, items, day, today).holds(0) is same


def test_a_stated_day_is_taken_up_on_another(tmp_path: Path) -> None:
    begin(tmp_path, day=TODAY).key(0)
    assert begin(tmp_path, day=TODAY, today=TODAY + timedelta(days=1)).holds(0)


def test_a_run_that_is_over_leaves_nothing(tmp_path: Path) -> None:
    begun = begin(tmp_path)
    begun.key(0)
    begun.over()
    assert list(tmp_path.iterdir()) == []
    begun.over()  # another run of the same was quicker


def test_a_key_that_cannot_be_kept_is_not_given_out(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    begun = begin(folder)
    folder.rename(tmp_path / "away")
    with pytest.raises(FileUnusable):
        begun.key(0)
