from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from terminal_agent.bridge.errors import SecretUnusable, StateUnusable
from terminal_agent.bridge.sealed import SealedStore

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LATER = NOW + timedelta(hours=24)


def _store(folder: Path, now: datetime = NOW) -> SealedStore:
    return SealedStore(folder, lambda: now)


def test_what_is_put_is_there_after_a_restart_until_it_is_over(tmp_path: Path) -> None:
    first = _store(tmp_path)
    first.put("visit", "a", b"1", LATER)
    first.put("visit", "a", b"2", LATER)
    first.close()
    again = _store(tmp_path, LATER)
    assert (again.get("visit", "a"), again.get("visit", "b"), again.get("last", "a")) == (b"2", None, None)
    again.close()
    over = _store(tmp_path, LATER + timedelta(milliseconds=1))
    assert over.get("visit", "a") is None
    over.close()


def test_neither_name_nor_content_can_be_read_and_what_is_over_is_deleted(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.put("visit", "ZZNAMEZZ", b"ZZCONTENTZZ", LATER)
    store.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"ZZNAMEZZ" not in kept
    assert b"ZZCONTENTZZ" not in kept
    over = _store(tmp_path, LATER + timedelta(days=1))
    over.put("visit", "other", b"", LATER + timedelta(days=2))
    assert over._database.execute("select count(*) from entry").fetchone() == (1,)
    over.close()


def test_an_entry_moved_to_another_name_or_key_cannot_be_opened(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.put("visit", "a", b"of a", LATER)
    store.put("visit", "b", b"of b", LATER)
    store._database.execute("update entry set sealed = (select max(sealed) from entry)")
    assert [store.get("visit", name) for name in "ab"].count(None) == 1
    store.close()
    (tmp_path / "bridge.key").write_bytes(b"k" * 32)
    other = _store(tmp_path)
    assert [other.get("visit", name) for name in "ab"] == [None, None]
    other.close()


def test_files_are_their_owner_s_alone(tmp_path: Path) -> None:
    _store(tmp_path / "state").close()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "state").iterdir()} == {0o600}


def test_an_empty_key_is_made_anew_and_what_the_lost_one_sealed_was_never_there(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.put("visit", "a", b"1", LATER)
    store.close()
    (tmp_path / "bridge.key").write_bytes(b"")
    again = _store(tmp_path)
    assert again.get("visit", "a") is None
    again.put("visit", "a", b"2", LATER)
    again.close()
    once_more = _store(tmp_path)
    assert once_more.get("visit", "a") == b"2"
    once_more.close()


@pytest.mark.parametrize("key", [b"k" * 31, b"k" * 33])
def test_a_damaged_key_is_said(tmp_path: Path, key: bytes) -> None:
    (tmp_path / "bridge.key").write_bytes(key)
    (tmp_path / "bridge.key").chmod(0o600)
    with pytest.raises(SecretUnusable):
        _store(tmp_path)


def test_a_key_that_others_may_read_is_said(tmp_path: Path) -> None:
    _store(tmp_path).close()
    (tmp_path / "bridge.key").chmod(0o644)
    with pytest.raises(SecretUnusable):
        _store(tmp_path)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "bridge.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(StateUnusable):
        _store(tmp_path)
