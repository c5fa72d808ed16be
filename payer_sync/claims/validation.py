"""Checks a UKE file as the intake does, without the centre (see payer_sync.validation.Validation for tables)."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.submissions import FeedbackLine
from payer_sync.claims.checking import ClaimCheck
from payer_sync.claims.records import Uke
from payer_sync.faults import FileRefused
from payer_sync.feedback_lines import line_of, lines_of


class ClaimValidation:
    """One file's check: iterate over `lines`, then ask for the counts. Without an insurer it is a reviewer's file."""

    def __init__(self, file: Path, uke: Uke, insurer: InsurerNumber | None, today: date) -> None:
        self._check = ClaimCheck(file, uke, insurer, today)
        self.insurer = insurer
        self.file_refused = False

    @property
    def records(self) -> int:
        """Records seen: every line."""
        return self._check.read

    @property
    def refused_records(self) -> int:
        """Records that would be left out: every line of a refused receipt."""
        return self._check.refused

    def lines(self, on_records: Callable[[int], None] = lambda _: None) -> Iterator[FeedbackLine]:
        """Yield every fault; `on_records` is told how many records each step read.

        Raises:
            OSError: the file cannot be read.
        """
        before = 0
        try:
            for batch in self._check.batches():
                on_records(self.records - before)
                before = self.records
                yield from lines_of(batch.faults)
        except FileRefused as refused:
            self.file_refused = True
            yield from lines_of(self._check.rest())
            yield from (line_of(fault) for fault in refused.faults)
