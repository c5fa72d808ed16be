"""Uploads on disk."""

from pathlib import Path
from uuid import UUID

import pytest

from payer_sync.intake.spool import Spool, SpoolAway

ONE = UUID(int=1)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.claim(())
    made.touch(ONE)
    return made


def test_chunks_land_at_their_places(spool: Spool) -> None:
    spool.write(ONE, 0, b"abc")
    spool.write(ONE, 3, b"def")

    assert spool.path(ONE).read_bytes() == b"abcdef"


def test_a_chunk_sent_again_changes_nothing_after_it(spool: Spool) -> None:
    spool.write(ONE, 0, b"abc")
    spool.write(ONE, 3, b"def")
    spool.write(ONE, 0, b"abc")

    assert spool.path(ONE).read_bytes() == b"abcdef"


def test_an_empty_file_has_its_place_too(spool: Spool) -> None:
    assert spool.path(ONE).read_bytes() == b""


def test_nobody_else_may_read_an_upload(spool: Spool) -> None:
    assert spool.path(ONE).stat().st_mode & 0o077 == 0
    assert spool.folder.stat().st_mode & 0o077 == 0


def test_what_is_removed_twice_is_gone(spool: Spool) -> None:
    spool.remove(ONE)
    spool.remove(ONE)

    assert not spool.path(ONE).exists()


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        Spool(tmp_path / "absent").write(ONE, 0, b"a")


def test_an_empty_place_is_no_spool_while_files_are_on_their_way(tmp_path: Path) -> None:
    place = Spool(tmp_path / "spool")

    with pytest.raises(SpoolAway):
        place.claim([ONE])

    assert not place.folder.exists()


def test_a_spool_of_a_release_that_marked_none_is_known_by_its_files(tmp_path: Path) -> None:
    place = Spool(tmp_path)
    place.path(ONE).write_bytes(b"abc")

    place.claim([UUID(int=2), ONE])

    place.check()


def test_a_spool_that_has_lost_its_files_stays_one(spool: Spool) -> None:
    spool.remove(ONE)

    spool.claim([ONE])

    spool.check()


def test_nothing_is_taken_where_the_volume_is_missing(spool: Spool, tmp_path: Path) -> None:
    spool.folder.rename(tmp_path / "elsewhere")
    spool.folder.mkdir()

    with pytest.raises(SpoolAway):
        spool.touch(ONE)
    with pytest.raises(SpoolAway):
        spool.write(ONE, 0, b"abc")

    assert not list(spool.folder.iterdir())
