"""The counter starts whatever is wrong with its outbox, and nothing of a damaged one is lost that can be read."""

import resource
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from eligibility.wire.verifications import Verification
from terminal_agent.outbox.journal import Conclusion, InsuredPerson, Journal, JournalDamaged, JournalUnusable, State
from terminal_agent.outbox.opening import aside_of, open_for_counter, probe
from terminal_agent.outbox.sealing import KeyUnusable, KeyWrong, OutboxTrouble, Seal
from terminal_agent.settings import TerminalSettings

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # 8:30 in Japan
ASIDE = "outbox.db.damaged-20261120T233000Z"
DAY = date(2026, 11, 20)
MANY = 300


@pytest.fixture
def settings(tmp_path: Path) -> TerminalSettings:
    return TerminalSettings(
        centre_url="https://127.0.0.1:9",
        centre_authority=Path(),
        certificate=Path(),
        key=Path(),
        outbox_file=tmp_path / "outbox.db",
        outbox_key_file=tmp_path / "outbox.key",
    )


@pytest.fixture
def file(settings: TerminalSettings) -> Path:
    assert settings.outbox_file is not None
    return settings.outbox_file


@pytest.fixture
def seal(tmp_path: Path) -> Seal:
    return Seal.from_file(tmp_path / "outbox.key")


@pytest.fixture
def visits(file: Path, seal: Seal, valid: Verification) -> list[UUID]:
    """An outbox with many visits, and the holder of one card; closed."""
    assert valid.coverage is not None
    with closing(Journal(file, seal)) as journal:
        ids = []
        for minute in range(MANY // 10):
            people = [(InsuredPerson("06130512", "記号", str(n), "01", date(1977, 7, 7)), DAY) for n in range(10)]
            ids += journal.add_all(people, NOW - timedelta(hours=8 - minute / 60))
        journal.add(None, DAY, NOW)
        journal.remember(b"certificate", valid.coverage, DAY)
    return sorted(ids)  # as the file has them


def opened(settings: TerminalSettings) -> Journal:
    journal = open_for_counter(settings, NOW).journal
    assert journal is not None
    return journal


def count(journal: Journal) -> int:
    return sum(journal.counts().values())


def content(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as base:
        return list(base.iterdump())


def zeroed(first: int, last: int) -> Callable[[bytes], bytes]:
    return lambda whole: whole[:first] + bytes(last - first) + whole[last:]


def lose_the_page_of(visit_id: UUID, file: Path) -> None:
    """Empty the page on which a visit's row stands: its id, and then when it was journalled."""
    whole = file.read_bytes()
    place = whole.index(str(visit_id).encode() + b"2026-") // 4096 * 4096
    file.write_bytes(zeroed(place, place + 4096)(whole))


NOTHING_READABLE: dict[str, Callable[[bytes], bytes]] = {
    "text in its place": lambda _: b"this is a text, and long enough to be taken for a database " * 200,
    "half is left": lambda whole: whole[: len(whole) // 2],
    "one page is left": lambda whole: whole[:4096],
    "less than a header is left": lambda whole: whole[:60],
    "the header is gone": zeroed(0, 100),
    "the schema is gone": lambda whole: whole[:100] + secrets.token_bytes(3996) + whole[4096:],
    "random": lambda whole: secrets.token_bytes(len(whole)),
    "another magic": lambda whole: b"SQLite format 2" + whole[15:],
}


@pytest.mark.parametrize("damage", NOTHING_READABLE)
def test_a_damaged_file_is_put_aside_as_it_is_and_the_counter_begins_a_fresh_one(
    settings: TerminalSettings, file: Path, visits: list[UUID], damage: str
) -> None:
    left = NOTHING_READABLE[damage](file.read_bytes())
    file.write_bytes(left)
    with closing(opened(settings)) as journal:
        assert (file.parent / ASIDE).read_bytes() == left
        assert aside_of(file) == (ASIDE,)
        journal.add(None, DAY, NOW)
        assert journal.counts()[State.NEEDS_STAFF] == 1
    assert file.stat().st_mode & 0o077 == 0
    probe(settings)


def test_what_can_be_read_before_and_after_a_damaged_page_is_taken_over(
    settings: TerminalSettings, file: Path, visits: list[UUID], valid: Verification
) -> None:
    lose_the_page_of(visits[MANY // 2], file)
    with closing(opened(settings)) as journal:
        kept = {visit.visit_id for visit in journal.latest(limit=2 * MANY)}
        assert {visits[0], visits[-1]} < kept
        assert visits[MANY // 2] not in kept
        assert MANY - 40 < len(kept) <= MANY
        journal.check()
        first = journal.visit(visits[0])
        assert first is not None
        assert (first.state, first.asked_for, first.problem) == (State.JOURNALLED, DAY, None)
        assert first.person is not None
        assert journal.recall(b"certificate") is not None
        assert count(journal) == len(kept)


def test_the_newest_visits_that_stand_only_in_the_log_beside_the_file_are_taken_over(
    settings: TerminalSettings, file: Path, seal: Seal, tmp_path: Path
) -> None:
    before = Journal(file, seal)
    newest = before.add(None, DAY, NOW)
    log = Path(f"{file}-wal").read_bytes()
    assert log
    held = file.read_bytes()
    before.close()
    file.write_bytes(held[:-100] if held else b"\xff" * 4096)
    Path(f"{file}-wal").write_bytes(log)
    with closing(opened(settings)) as journal:
        assert journal.visit(newest) is not None


def test_what_was_in_hand_or_settled_keeps_its_key_and_its_answer(
    settings: TerminalSettings, file: Path, seal: Seal, visits: list[UUID], valid: Verification
) -> None:
    with closing(Journal(file, seal)) as before:
        taken = before.take(2, NOW)
        before.conclude([Conclusion(taken[0].visit_id, State.SETTLED, valid)], NOW)
    lose_the_page_of(visits[MANY // 2], file)
    with closing(opened(settings)) as journal:
        settled = journal.visit(taken[0].visit_id)
        assert settled is not None
        assert (settled.state, settled.answer) == (State.SETTLED, valid)
        assert journal.take_up_again() == 1
        in_hand = journal.visit(taken[1].visit_id)
        assert in_hand is not None
        assert in_hand.first_sent_at == NOW


def test_rows_that_do_not_open_or_hold_anything_are_left_in_the_damaged_file(
    settings: TerminalSettings, file: Path, visits: list[UUID]
) -> None:
    garbled = (
        "update visit set sealed = zeroblob(80) where visit_id = ?",
        "update visit set journalled_at = x'ff' where visit_id = ?",
        "update visit set journalled_at = 'yesterday' where visit_id = ?",
        "update visit set sealed = 7 where visit_id = ?",
        "update visit set answer = zeroblob(9) where visit_id = ?",
        "update visit set visit_id = 'nobody' where visit_id = ?",
        "update visit set settled_at = 'x', state = 'settled' where visit_id = ?",
    )
    with closing(sqlite3.connect(file)) as base:
        for statement, visit_id in zip(garbled, visits, strict=False):
            base.execute(statement, (str(visit_id),))
        base.execute("update holder set name = 'x'")
        base.commit()
    lose_the_page_of(visits[MANY // 2], file)
    with closing(opened(settings)) as journal:
        kept = {visit.visit_id for visit in journal.latest(limit=2 * MANY)}
        assert not kept & set(visits[: len(garbled)])
        assert visits[len(garbled)] in kept
        assert journal.recall(b"certificate") is None


def test_a_second_damaged_file_of_the_same_second_does_not_cover_the_first(
    settings: TerminalSettings, file: Path, visits: list[UUID]
) -> None:
    for text in (b"one" * 999, b"two" * 999):
        file.write_bytes(text)
        opened(settings).close()
    assert aside_of(file) == (ASIDE, f"{ASIDE}-2")
    assert (file.parent / ASIDE).read_bytes() == b"one" * 999


def _another_key(settings: TerminalSettings) -> None:
    assert settings.outbox_key_file is not None
    settings.outbox_key_file.write_bytes(b"k" * 32)


def _key_open_to_all(settings: TerminalSettings) -> None:
    assert settings.outbox_key_file is not None
    settings.outbox_key_file.chmod(0o644)


def _another_programs_file(settings: TerminalSettings) -> None:
    assert settings.outbox_file is not None
    settings.outbox_file.unlink()
    with closing(sqlite3.connect(settings.outbox_file)) as other:
        other.execute("create table visit (something_else text)")


@pytest.mark.parametrize(
    ("harm", "trouble"),
    [(_another_key, KeyWrong), (_key_open_to_all, KeyUnusable), (_another_programs_file, JournalUnusable)],
)
def test_a_whole_file_that_cannot_be_used_is_left_where_it_is_and_the_counter_starts_without(
    settings: TerminalSettings,
    file: Path,
    visits: list[UUID],
    harm: Callable[[TerminalSettings], None],
    trouble: type[OutboxTrouble],
) -> None:
    harm(settings)
    before = content(file)
    with pytest.raises(trouble):
        probe(settings)
    assert open_for_counter(settings, NOW).journal is None
    assert content(file) == before
    assert aside_of(file) == ()


def test_the_first_key_back_opens_everything_again(settings: TerminalSettings, file: Path, visits: list[UUID]) -> None:
    assert settings.outbox_key_file is not None
    key = settings.outbox_key_file.read_bytes()
    _another_key(settings)
    assert open_for_counter(settings, NOW).journal is None
    settings.outbox_key_file.write_bytes(key)
    with closing(opened(settings)) as journal:
        assert count(journal) == MANY + 1


def test_a_folder_in_the_files_place_keeps_no_counter_shut(settings: TerminalSettings, file: Path) -> None:
    file.mkdir()
    assert open_for_counter(settings, NOW).journal is None
    with pytest.raises(JournalUnusable):
        probe(settings)


def test_looking_makes_neither_file_nor_key(settings: TerminalSettings, file: Path, tmp_path: Path) -> None:
    probe(settings)
    assert list(tmp_path.iterdir()) == []
    Journal(file, Seal.from_file(tmp_path / "another.key")).close()
    with pytest.raises(KeyUnusable):
        probe(settings)
    assert not (tmp_path / "outbox.key").exists()


def test_damage_is_told_before_the_next_start(settings: TerminalSettings, file: Path, visits: list[UUID]) -> None:
    lose_the_page_of(visits[MANY // 2], file)
    with pytest.raises(JournalDamaged):
        probe(settings)


def test_no_outbox_is_no_trouble(settings: TerminalSettings) -> None:
    none = settings.model_copy(update={"outbox_file": None})
    probe(none)
    assert open_for_counter(none, NOW).journal is None


CUT = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from terminal_agent.outbox.opening import open_for_counter
from terminal_agent.settings import TerminalSettings

rename, left = os.rename, [int(sys.argv[2])]

def cut(*names):
    if not left[0]:
        os._exit(9)
    left[0] -= 1
    rename(*names)

os.rename = cut
open_for_counter(TerminalSettings.model_validate_json(sys.argv[1]), datetime.now(UTC))
"""


@pytest.mark.parametrize("renames", range(5))
def test_a_start_that_is_cut_while_it_puts_a_file_aside_loses_nothing_that_could_be_read(
    settings: TerminalSettings, file: Path, visits: list[UUID], renames: int
) -> None:
    lose_the_page_of(visits[MANY // 2], file)
    done = subprocess.run([sys.executable, "-c", CUT, settings.model_dump_json(), str(renames)], check=False)
    assert done.returncode in (0, 9)

    with closing(opened(settings)) as journal:
        assert MANY * 0.9 < count(journal) < MANY
    assert len(aside_of(file)) == 1


def test_without_room_for_what_is_taken_over_the_damaged_file_stays_for_the_next_start(
    settings: TerminalSettings, file: Path, visits: list[UUID]
) -> None:
    lose_the_page_of(visits[MANY // 2], file)
    before = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, limits[1]))
    try:
        assert open_for_counter(settings, NOW).journal is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == before

    with closing(opened(settings)) as journal:
        assert MANY * 0.9 < count(journal) < MANY


def test_a_file_that_the_settings_name_for_something_else_is_left_as_it_is(
    settings: TerminalSettings, tmp_path: Path
) -> None:
    key = tmp_path / "terminal.key"
    key.write_text("-----BEGIN PRIVATE KEY-----", encoding="ascii")

    assert open_for_counter(settings.model_copy(update={"outbox_file": key, "key": key}), NOW).journal is None

    assert key.read_text(encoding="ascii") == "-----BEGIN PRIVATE KEY-----"
