"""Uploads on disk: each chunk is durable before anyone is told that it arrived."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

_MARK: Final = ".spool"  # a file that says that this is the folder, and not the place its volume is missing from


class SpoolAway(OSError):
    """The folder is not the one that holds the uploads: most often its volume is not mounted."""


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder with one file for each submission that is on its way."""

    folder: Path

    def path(self, submission_id: UUID) -> Path:
        """Return where a submission's bytes are."""
        return self.folder / f"{submission_id}.part"

    def claim(self, on_their_way: Sequence[UUID]) -> None:
        """Mark the folder as the spool, unless it is already; it should hold the bytes of those that are on their way.

        Raises:
            SpoolAway: it is not marked, and holds the bytes of none of them.
            OSError: it cannot be written to.
        """
        mark = self.folder / _MARK
        if mark.exists():
            return
        if on_their_way and not any(self.path(one).exists() for one in on_their_way):
            raise SpoolAway(
                f"{self.folder} holds none of the files that are on their way: is its volume mounted? If they are lost,"
                f" put an empty file {_MARK} into it, and their insurers are told to send them again."
            )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.touch(mode=0o600)
        self._make_names_durable()

    def check(self) -> None:
        """Look whether the folder is here.

        Raises:
            SpoolAway: it is not.
        """
        if not (self.folder / _MARK).exists():
            raise SpoolAway(f"{self.folder} is not marked as the spool: is its volume mounted?")

    def write(self, submission_id: UUID, offset: int, chunk: bytes) -> None:
        """Write a chunk at its place and wait until the disk has it.

        Raises:
            OSError: the disk is full or away; nothing is known to have been written.
        """
        self.check()
        descriptor = os.open(self.path(submission_id), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            view = memoryview(chunk)
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def touch(self, submission_id: UUID) -> None:
        """Make a submission's file, durable in its folder.

        Raises:
            OSError: the disk is full or away.
        """
        self.check()
        self.path(submission_id).touch(mode=0o600)
        self._make_names_durable()

    def untouched_since(self, moment: datetime) -> list[UUID]:
        """Return the submissions whose bytes nobody has written to since then; other files are nobody's business."""
        found = []
        for path in self.folder.glob("*.part"):
            try:
                if path.stat().st_mtime < moment.timestamp():
                    found.append(UUID(path.stem))
            except (FileNotFoundError, ValueError):
                continue  # somebody else deleted it, or it is none of ours
        return found

    def remove(self, submission_id: UUID) -> None:
        """Forget a submission's bytes."""
        self.path(submission_id).unlink(missing_ok=True)

    def _make_names_durable(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
