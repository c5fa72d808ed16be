"""Writes files so that a power cut leaves them whole: as they were, or as they were to become."""

import fcntl
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

LEFT_S: Final = 3600.0  # no writing takes so long: what is older was left by one that was killed

_log = structlog.get_logger(__name__)


def write_whole(file: Path, content: bytes) -> None:
    """Write a file through to the disk, in place of an earlier one; only its owner may read it.

    What an earlier writing left that was killed goes, once it is an hour old.

    Raises:
        OSError: it cannot be written; an earlier one is as it was.
    """
    _remove_left(file)
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(content)
            written.flush()
            os.fsync(handle)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def make_once(file: Path, content: bytes, *, over_empty: bool = False) -> None:
    """Write a file where there is none; of several who try, one does. With `over_empty` an empty one counts as none.

    Raises:
        OSError: it cannot be written, or the folder is not there.
    """
    if _stands(file, over_empty):
        return
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # not every share can
            fcntl.flock(folder, fcntl.LOCK_EX)
        if not _stands(file, over_empty):
            if file.exists():
                _log.warning("empty_file_made_anew", file=file.name)
            write_whole(file, content)
    finally:
        os.close(folder)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    with suppress(OSError):  # not every share can
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_left(file: Path) -> None:
    made = re.compile(re.escape(f".{file.name}.") + "[0-9a-f]{8}")
    with suppress(OSError):  # the writing itself says what is wrong; another's removal is none
        for left in file.parent.iterdir():
            if made.fullmatch(left.name) and left.stat().st_mtime < time.time() - LEFT_S:
                left.unlink()


def _stands(file: Path, over_empty: bool) -> bool:
    try:
        return file.stat().st_size > 0 or not over_empty
    except FileNotFoundError:
        return False
