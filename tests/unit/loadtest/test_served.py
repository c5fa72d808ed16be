"""A site is told of as long as somebody serves it."""

from pathlib import Path

from loadtest.reading import Member
from loadtest.served import Served, find, told

_SERVED = Served("https://localhost:1", "https://localhost:2", "cards.json", [Member(0, "負荷0", "password", "secret")])


def test_what_is_told_is_found_by_this_user_alone(tmp_path: Path) -> None:
    with told(tmp_path, _SERVED):
        assert find(tmp_path) == _SERVED
        assert [(file.name, file.stat().st_mode & 0o777) for file in tmp_path.iterdir()] == [("served.json", 0o600)]


def test_nothing_is_found_before_and_after(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    with told(tmp_path, _SERVED):
        pass
    assert find(tmp_path) is None
    assert not [*tmp_path.iterdir()]


def test_who_was_killed_serves_no_more_whoever_has_its_process_id_now(tmp_path: Path) -> None:
    with told(tmp_path, _SERVED):
        left = (tmp_path / "served.json").read_bytes()
    (tmp_path / "served.json").write_bytes(left)
    assert find(tmp_path) is None
