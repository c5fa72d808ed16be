"""What a run has begun at the centre, in a file beside its result, so that another run can take it up again.

The centre marks a person as changed to whom it is told first: results that are lost after that are never marked again.
The file holds keys, ids and a digest, and nothing of a patient.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Final, Self
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from eligibility.wire.bulk import BulkItem
from terminal_agent.bulk.tables import FileUnusable
from terminal_agent.durable import sync_folder, write_whole

_SUFFIX: Final = ".state"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)

    key: UUID
    bulk_id: UUID | None = None


class _Run(BaseModel):
    model_config = ConfigDict(frozen=True)

    digest: str
    day: date
    day_stated: bool  # without it the centre takes today, and a request with it is another one
    parts: tuple[_Part, ...] = ()


class Begun:
    """The bulk checks of one run, by their places in it: their keys before they are sent, then the centre's ids."""

    def __init__(self, result: Path, run: _Run) -> None:
        self._result = result
        self._file = result.with_name(result.name + _SUFFIX)
        self._run = run

    @classmethod
    def beside(cls, result: Path, items: Sequence[BulkItem], day: date | None, today: date) -> Self:
        """Take up what a run of the same items and day left, or nothing; it is tried that the result can be written.

        Raises:
            FileUnusable: the result, or this file beside it, cannot be written.
        """
        digest = sha256("\n".join(item.model_dump_json() for item in items).encode()).hexdigest()
        begun = cls(result, _Run(digest=digest, day=day or today, day_stated=day is not None))
        try:
            with suppress(FileNotFoundError):
                result.open("r+b").close()  # a spreadsheet on another machine of the share may hold it
            with suppress(FileNotFoundError, ValidationError):
                left = _Run.model_validate_json(begun._file.read_bytes())
                if left.model_copy(update={"parts": ()}) == begun._run:
                    begun._run = left
        except OSError as error:
            raise FileUnusable("bulk_result_unwritable", result.name) from error
        begun._write(begun._run.parts)
        return begun

    def holds(self, place: int) -> bool:
        """Tell whether the part of this place was begun."""
        return place < len(self._run.parts)

    def key(self, place: int) -> UUID:
        """Return the key of a part, which is on disk before it can be sent.

        Raises:
            FileUnusable: it cannot be written.
        """
        if not self.holds(place):
            self._write((*self._run.parts, _Part(key=uuid4())))
        return self._run.parts[place].key

    def bulk_id(self, place: int) -> UUID | None:
        """Return what the centre called a part, if it did."""
        return self._run.parts[place].bulk_id if self.holds(place) else None

    def accepted(self, place: int, bulk_id: UUID) -> None:
        """Write down what the centre calls a part.

        Raises:
            FileUnusable: it cannot be written.
        """
        self._put(place, _Part(key=self._run.parts[place].key, bulk_id=bulk_id))

    def anew(self, place: int) -> None:
        """Give a part another key, because the centre no longer has its results.

        Raises:
            FileUnusable: it cannot be written.
        """
        self._put(place, _Part(key=uuid4()))

    def over(self) -> None:
        """Forget the run: its result is written."""
        with suppress(OSError):  # a file that stays has the same results fetched once more
            self._file.unlink()
            sync_folder(self._file.parent)

    def _put(self, place: int, part: _Part) -> None:
        parts = self._run.parts
        self._write((*parts[:place], part, *parts[place + 1 :]))

    def _write(self, parts: tuple[_Part, ...]) -> None:
        run = self._run.model_copy(update={"parts": parts})
        try:
            write_whole(self._file, run.model_dump_json().encode())
        except OSError as error:
            raise FileUnusable("bulk_result_unwritable", self._result.name) from error
        self._run = run
