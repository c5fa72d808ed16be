"""A folder into which files are dropped: which of them are whole, in what order they come, and where they are moved."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from payer_sync.feedback_files import FORMS
from payer_sync.file_names import shortened

LOCK_NAME: Final = ".payer_sync.lock"
RESULT: Final = ".result.json"
# Not to be pushed: what this program writes, and how programs call a file they have not finished.
_OURS_AND_UNFINISHED: Final = (*FORMS, RESULT, ".part", ".partial", ".tmp", ".crdownload", ".filepart", "~")


class FolderWatched(Exception):
    """Another process watches this folder already."""


@dataclass(frozen=True, slots=True)
class Look:
    """A file as one look found it; two looks that agree mean that nobody writes to it."""

    modified_ns: int
    name: str
    length: int
    inode: int

    @classmethod
    def at(cls, file: os.DirEntry[str] | Path) -> Self:
        """Look at a file.

        Raises:
            OSError: it has gone.
        """
        found = file.stat(follow_symlinks=False)
        return cls(found.st_mtime_ns, file.name, found.st_size, found.st_ino)


class WatchedFolder:
    """The folder, what the last look at it found, and its parts for files that have been pushed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done = folder / "done"
        self.failed = folder / "failed"
        self.held = folder / "held"  # for approval by the centre's operator
        self._seen: frozenset[Look] = frozenset()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone; the system lets go of it when the process ends, however it ends.

        Raises:
            FolderWatched: another process holds it.
            OSError: the folder is none, or closed to us.
        """
        with (self.folder / LOCK_NAME).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FolderWatched from error
            for part in (self.done, self.failed, self.held):
                part.mkdir(exist_ok=True)
            yield

    def look(self) -> tuple[Sequence[Path], int]:
        """Look once; return the files that are whole, oldest first, and how many others wait.

        A file is whole when two looks in a row find it the same, with something in it. One that came later waits for
        one that came before it and is still written to, so that an insurer's files are merged in their order; only an
        empty one is passed over, because it may never become anything.
        """
        found = sorted(_files(self.folder), key=lambda look: (look.modified_ns, look.name))
        whole: list[Path] = []
        for look in found:
            if look not in self._seen:
                break
            if look.length:
                whole.append(self.folder / look.name)
        left = sum(1 for look in found if look.length or look not in self._seen)
        self._seen = frozenset(found)
        return whole, left - len(whole)

    def unchanged(self, file: Path) -> bool:
        """Tell whether a file is still as the last look found it."""
        try:
            return Look.at(file) in self._seen
        except FileNotFoundError:
            return False

    def place(self, file: Path, part: Path) -> Path:
        """Return where in a part of the folder a file goes; nothing of an earlier one of the same name is overwritten.

        A name that leaves no room for the names of what is written beside it is shortened.
        """
        stem, suffix = shortened(file.name)
        target, number = part / f"{stem}{suffix}", 1
        # A result without a file: that file was replaced by a newer one while its feedback was written.
        while target.exists() or target.with_name(target.name + RESULT).exists():
            number += 1
            target = part / f"{stem}~{number}{suffix}"
        return target


def _files(folder: Path) -> Iterator[Look]:
    with os.scandir(folder) as entries:
        for entry in entries:
            ours = entry.name.startswith(".") or entry.name.lower().endswith(_OURS_AND_UNFINISHED)
            if not ours and entry.is_file(follow_symlinks=False):
                try:
                    yield Look.at(entry)
                except FileNotFoundError:
                    continue  # somebody took it away again
