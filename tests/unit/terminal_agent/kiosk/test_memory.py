"""What the terminal remembers of a person, and what a finder of its file learns: nothing."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eligibility.domain.codes import ConsentClass
from eligibility.wire.verifications import Verification
from terminal_agent.kiosk.differences import Difference, LastVisit, differences
from terminal_agent.kiosk.memory import REMEMBERED, Memory

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
KEY, CERTIFICATE, OTHER = b"k" * 32, b"a certificate of a card", b"another card's certificate"


@pytest.fixture
def last(valid: Verification) -> LastVisit:
    assert valid.coverage is not None
    return LastVisit.of(valid.coverage, (ConsentClass.MEDICATION,))


def test_a_visit_is_remembered_by_card_from_one_start_to_the_next(tmp_path: Path, last: LastVisit) -> None:
    file = tmp_path / "memory"
    memory = Memory(file, KEY, lambda: NOW)
    assert memory.recall(CERTIFICATE) is None
    memory.remember(CERTIFICATE, last)
    memory.close()
    again = Memory(file, KEY, lambda: NOW)
    assert again.recall(CERTIFICATE) == last
    assert again.recall(OTHER) is None
    again.close()


def test_the_file_tells_nothing_and_is_its_owners_only(tmp_path: Path, last: LastVisit) -> None:
    file = tmp_path / "memory"
    memory = Memory(file, KEY, lambda: NOW)
    memory.remember(CERTIFICATE, last)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for plain in (
        CERTIFICATE,
        last.name.encode(),
        last.number.encode() + b'"',
        last.insurer_number.encode(),
        b"medication",
    ):
        assert plain not in kept
    assert file.stat().st_mode & 0o077 == 0
    assert last.name not in repr(last)
    memory.close()


def test_another_key_or_another_persons_row_opens_nothing(tmp_path: Path, last: LastVisit) -> None:
    file = tmp_path / "memory"
    memory = Memory(file, KEY, lambda: NOW)
    memory.remember(CERTIFICATE, last)
    memory.remember(OTHER, last.model_copy(update={"name": "別の人"}))
    rows = memory._database.execute("select name, sealed from last_visit").fetchall()
    # Each content under the other's name.
    for (name, _), (_, sealed) in zip(rows, reversed(rows), strict=True):
        memory._database.execute("update last_visit set sealed = ? where name = ?", (sealed, name))
    assert memory.recall(CERTIFICATE) is None
    assert memory.recall(OTHER) is None
    memory.close()
    stranger = Memory(file, b"s" * 32, lambda: NOW)
    assert stranger.recall(CERTIFICATE) is None
    stranger.close()


def test_who_did_not_come_for_long_is_forgotten(tmp_path: Path, last: LastVisit) -> None:
    file = tmp_path / "memory"
    memory = Memory(file, KEY, lambda: NOW)
    memory.remember(CERTIFICATE, last)
    memory.close()
    later = Memory(file, KEY, lambda: NOW + REMEMBERED + timedelta(days=1))
    assert later.recall(CERTIFICATE) is None
    later.close()


def test_a_damaged_file_keeps_no_counter_shut(tmp_path: Path, last: LastVisit) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be read as one" * 100)
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("create table last_visit (something_else text)")
    for file in (tmp_path / "text", tmp_path / "other", tmp_path, tmp_path / "missing" / "memory"):
        memory = Memory(file, KEY, lambda: NOW)
        memory.remember(CERTIFICATE, last)
        assert memory.recall(CERTIFICATE) == last
        memory.close()


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, set()),
        ({"insurer_number": "01130012"}, {Difference.INSURER}),
        ({"branch_number": "02"}, {Difference.BRANCH_NUMBER}),
        ({"symbol": ""}, {Difference.INSURED_NUMBER}),
        ({"number": "1"}, {Difference.INSURED_NUMBER}),
        ({"copayment_percent": 10}, {Difference.COPAYMENT}),
        ({"copayment_percent": None}, {Difference.COPAYMENT}),
        ({"name": "別の 名"}, {Difference.NAME}),
        ({"address": "引っ越し先"}, {Difference.ADDRESS}),
        ({"insurer_number": "01130012", "branch_number": ""}, {Difference.INSURER, Difference.BRANCH_NUMBER}),
    ],
)
def test_what_is_new_is_named(
    valid: Verification, last: LastVisit, changed: dict[str, object], found: set[Difference]
) -> None:
    assert differences(last.model_copy(update=changed), valid) == found


def test_a_first_visit_and_an_answer_without_coverage_have_nothing_new(valid: Verification, last: LastVisit) -> None:
    assert differences(None, valid) == frozenset()
    assert differences(last, valid.model_copy(update={"coverage": None})) == frozenset()
