"""What a file holds, by its layout: how it is staged and merged; the loader takes every file to its end by this."""

from pathlib import Path
from typing import Any, Protocol

from payer_sync.batches import CountersAsk
from payer_sync.checkups.content import CheckupContent
from payer_sync.claims.loading import ClaimContent
from payer_sync.claims.records import UKES
from payer_sync.feedback import FeedbackWriter
from payer_sync.submission import Filed
from payer_sync.table_content import TableContent


class Content(Protocol):
    """One file's content; both steps run in the load's transaction, under the lock of its insurer."""

    read: int  # records seen so far
    refused: int  # of these, left out by the check

    async def stage(self, aside: Any | None) -> None:
        """Check the file, keep its faults, and put what holds into the session's staging tables.

        `aside` is a connection outside the load's transaction; there is none when the file is not what was announced.

        Raises:
            FileRefused: the file cannot be read at all.
        """

    async def merge(self) -> tuple[int, int]:
        """Turn what is staged into facts; return how many records were refused and how many changed something."""


def open_content(
    connection: Any, filed: Filed, path: Path, feedback: FeedbackWriter, counters_ask: CountersAsk
) -> Content:
    """Return what loads the file.

    Raises:
        LayoutUnknown: nothing does.
    """
    manifest = filed.submission.manifest
    if uke := UKES.get((manifest.layout, manifest.edition)):
        return ClaimContent(uke, connection, filed, path, feedback)
    if manifest.layout == "checkup":
        return CheckupContent(connection, filed, path, feedback)
    return TableContent(connection, filed, path, feedback, counters_ask)
