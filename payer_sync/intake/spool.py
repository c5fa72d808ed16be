"""Uploads on disk: each chunk is durable before anyone is told that it arrived."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder with one file for each submission that is on its way."""

    folder: Path

    def path(self, submission_id: UUID) -> Path:
        """Return where a submission's bytes are."""
        return self.folder / f"{submission_id}.part"

    def write(self, submission_id: UUID, offset: int, chunk: bytes) -> None:
        """Write a chunk at its place and wait until the disk has it.

        Raises:
            OSError: the disk is full or away; nothing is known to have been written.
        """
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
        """Make a submission's file, durable in its folder."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path(submission_id).touch(mode=0o600)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

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
