"""What a file holds, by its layout: how it is staged and merged; the loader takes every file to its end by this."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from payer_sync.batches import CountersAsk
from payer_sync.checkups.content import CheckupContent
from payer_sync.claims.loading import ClaimContent
from payer_sync.claims.records import DISPENSING, MEDICAL
from payer_sync.feedback import FeedbackWriter
from payer_sync.submission import Filed
from payer_sync.table_content import TableContent


class Content(Protocol):
    """One file's content; both steps run in the load's transaction, under the lock of its insurer."""

    read: int  # records seen
    refused: int  # of these, left out by the check

    async def stage(self, aside: Any | None) -> None:
        """Check the file, keep its faults, and put what holds into the session's staging tables.

        `aside` is a connection outside the load's transaction; there is none when the file is not what was announced.

        Raises:
            FileRefused: the file cannot be read at all.
        """

    async def merge(self) -> tuple[int, int]:
        """Turn what is staged into facts; return how many records were refused and how many changed something."""


MakeContent = Callable[[Any, Filed, Path, FeedbackWriter], Content]


@dataclass(frozen=True, slots=True)
class Form:
    """One edition of a layout whose files are no table of columns, with the days on which it is accepted."""

    name: str
    edition: int
    accepted_from: date
    accepted_until: date | None  # the last day; None while no end is known
    make_content: MakeContent


_FORMS: Final = (
    Form(MEDICAL.layout, 1, date(2026, 4, 1), None, partial(ClaimContent, MEDICAL)),
    Form(DISPENSING.layout, 1, date(2026, 4, 1), None, partial(ClaimContent, DISPENSING)),
)
FORMS: Final[Mapping[tuple[str, int], Form]] = MappingProxyType({(form.name, form.edition): form for form in _FORMS})


def open_content(
    connection: Any, filed: Filed, path: Path, feedback: FeedbackWriter, counters_ask: CountersAsk
) -> Content:
    """Return what loads the file.

    Raises:
        LayoutUnknown: nothing does.
    """
    manifest = filed.submission.manifest
    if form := FORMS.get((manifest.layout, manifest.edition)):
        return form.make_content(connection, filed, path, feedback)
    if manifest.layout == "checkup":
        return CheckupContent(connection, filed, path, feedback)
    return TableContent(connection, filed, path, feedback, counters_ask)
