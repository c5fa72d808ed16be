"""A watched folder: only whole files are taken, in their order, and nothing is overwritten."""

import os
from pathlib import Path

import pytest

from payer_sync.feedback_files import FORMS
from payer_sync.watched_folder import LOCK_NAME, RESULT, FolderWatched, WatchedFolder

FIRST_NS = 1_700_000_000_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> WatchedFolder:
    return WatchedFolder(tmp_path)


def _drop(folder: WatchedFolder, name: str, content: str = "x", modified_ns: int = FIRST_NS) -> Path:
    path = folder.folder / name
    path.write_text(content)
    os.utime(path, ns=(modified_ns, modified_ns))
    return path


def _names(folder: WatchedFolder) -> tuple[list[str], int]:
    whole, others = folder.look()
    return [path.name for path in whole], others


def test_a_file_is_taken_when_two_looks_agree(folder: WatchedFolder) -> None:
    _drop(folder, "a.csv")

    assert [_names(folder), _names(folder)] == [([], 1), (["a.csv"], 0)]


@pytest.mark.parametrize(("content", "later_ns"), [("xy", 0), ("x", 1), ("", 0)])
def test_a_file_that_is_written_to_is_left_alone(folder: WatchedFolder, content: str, later_ns: int) -> None:
    _drop(folder, "a.csv")
    folder.look()
    _drop(folder, "a.csv", content, FIRST_NS + later_ns)

    assert _names(folder) == ([], 1)


def test_an_empty_file_is_never_taken_and_stops_nobody(folder: WatchedFolder) -> None:
    _drop(folder, "a.csv", "")
    _drop(folder, "b.csv", modified_ns=FIRST_NS + 1)
    folder.look()

    assert _names(folder) == (["b.csv"], 0)


def test_files_come_in_the_order_of_their_time_and_then_their_name(folder: WatchedFolder) -> None:
    for name, ns in (("c", 0), ("a", 2), ("b", 2), ("d", 1)):
        _drop(folder, name, modified_ns=FIRST_NS + ns)
    folder.look()

    assert _names(folder) == (["c", "d", "a", "b"], 0)


def test_a_later_file_waits_for_an_earlier_one_that_is_still_written(folder: WatchedFolder) -> None:
    _drop(folder, "a")
    _drop(folder, "b", modified_ns=FIRST_NS + 1)
    folder.look()
    _drop(folder, "a", "longer")

    assert _names(folder) == ([], 2)
    assert _names(folder) == (["a", "b"], 0)


@pytest.mark.parametrize(
    "name",
    [".hidden", "x.csv.part", "x.csv.tmp", "X.CSV.TMP", "x.filepart", "x~", LOCK_NAME, "x.csv" + RESULT]
    + ["x.csv" + form for form in FORMS],
)
def test_unfinished_files_and_our_own_are_not_pushed(folder: WatchedFolder, name: str) -> None:
    _drop(folder, name)
    folder.look()

    assert _names(folder) == ([], 0)


def test_folders_and_links_are_not_pushed(folder: WatchedFolder, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.csv").symlink_to("/etc/hostname")
    folder.look()

    assert _names(folder) == ([], 0)


def test_a_file_that_changed_after_the_look_is_noticed(folder: WatchedFolder) -> None:
    path = _drop(folder, "a")
    folder.look()
    assert folder.unchanged(path)

    newer = _drop(folder, ".newer")
    newer.rename(path)  # of the same time and length
    assert not folder.unchanged(path)
    folder.look()
    _drop(folder, "a", "longer")
    assert not folder.unchanged(path)
    path.unlink()
    assert not folder.unchanged(path)


def test_two_watchers_do_not_share_a_folder_and_a_lock_ends_with_its_holder(
    folder: WatchedFolder, tmp_path: Path
) -> None:
    with folder.locked(), pytest.raises(FolderWatched), WatchedFolder(tmp_path).locked():
        pass
    with WatchedFolder(tmp_path).locked():
        assert folder.done.is_dir()


def test_an_earlier_file_of_the_same_name_is_not_overwritten(folder: WatchedFolder) -> None:
    with folder.locked():
        for taken in ("a.csv", "a~2.csv", "a~3.csv" + RESULT):
            (folder.done / taken).write_text("earlier")

        assert folder.place(Path("a.csv"), folder.done) == folder.done / "a~4.csv"
        assert folder.place(Path("a.csv"), folder.failed) == folder.failed / "a.csv"
