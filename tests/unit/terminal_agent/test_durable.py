import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from terminal_agent.durable import make_once, write_whole
from terminal_agent.sealing import own_key


def test_a_file_is_written_whole_for_its_owner_in_place_of_an_earlier_one(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"earlier")
    file.chmod(0o644)
    write_whole(file, b"later")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"later", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_killed_writing_left_goes_and_what_another_writes_now_stays(tmp_path: Path) -> None:
    an_hour_ago = time.time() - 3700
    others = (".results.csv.0123abcd.csv", ".results.csv.0123abc", ".other.csv.0123abcd", "results.csv.0123abcd")
    for name in (".results.csv.0123abcd", *others):
        (tmp_path / name).write_bytes(b"patients")
        os.utime(tmp_path / name, (an_hour_ago, an_hour_ago))
    (tmp_path / ".results.csv.4567cdef").write_bytes(b"being written")
    write_whole(tmp_path / "results.csv", b"later")
    assert {file.name for file in tmp_path.iterdir()} == {*others, ".results.csv.4567cdef", "results.csv"}


def test_what_cannot_be_put_in_its_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "a", b"content")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(("over_empty", "content"), [(False, b""), (True, b"new")])
def test_what_is_there_stays_and_an_empty_one_where_it_counts(tmp_path: Path, over_empty: bool, content: bytes) -> None:
    for name, kept in (("full", b"kept"), ("empty", b"")):
        (tmp_path / name).write_bytes(kept)
        make_once(tmp_path / name, b"new", over_empty=over_empty)
    assert ((tmp_path / "full").read_bytes(), (tmp_path / "empty").read_bytes()) == (b"kept", content)


def test_of_several_who_make_a_key_at_once_all_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as several:
        keys = list(several.map(lambda _: own_key(tmp_path / "key"), range(64)))
    assert len(set(keys)) == 1
