"""A site is told of as long as somebody serves it."""

import os
import subprocess
import sys
from pathlib import Path

from loadtest.reading import Member
from loadtest.served import Served, find, tell, tell_no_more


def _served(process: int) -> Served:
    member = Member(0, "負荷0", "password", "secret")
    return Served(process, "https://localhost:1", "https://localhost:2", "cards.json", [member])


def test_what_is_told_is_found_by_this_user_alone(tmp_path: Path) -> None:
    tell(tmp_path, _served(os.getpid()))
    assert find(tmp_path) == _served(os.getpid())
    assert [(file.name, file.stat().st_mode & 0o777) for file in tmp_path.iterdir()] == [("served.json", 0o600)]


def test_nothing_is_found_before_and_after(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    tell(tmp_path, _served(os.getpid()))
    tell_no_more(tmp_path)
    assert find(tmp_path) is None
    tell_no_more(tmp_path)


def test_who_was_killed_serves_no_more(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        tell(tmp_path, _served(ended.pid))
    assert find(tmp_path) is None
