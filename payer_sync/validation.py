"""Checks a file as the intake does, without the centre: each record by itself, and the records of one file together."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.submissions import FeedbackLine
from payer_sync.agreement import STAGING, Agreement
from payer_sync.checkups.reading import STAGING as CHECKUP_STAGING
from payer_sync.checkups.reading import insurer_named, read_checked
from payer_sync.contract import Checked, check
from payer_sync.faults import Fault, FaultCode, FileRefused
from payer_sync.feedback_lines import line_of, lines_of
from payer_sync.layouts.columns import InsurerDigits
from payer_sync.layouts.layout import Layout
from payer_sync.reading import Batch, read_ahead

# Said wherever a result is shown, in both languages.
ONLY_THE_CENTRE_SEES: Final = (
    (
        "登録済みの資格との重なり・矛盾、登録のない資格への喪失・取消、他の保険者や他の人との突合、"
        "全件ファイルの件数の変化は、センターだけが確かめられます。"
    ),
    (
        "Only the centre can see overlaps with coverages already known, losses of unknown ones, mix-ups with other "
        "insurers or persons, and how a full file's count has changed."
    ),
)


class Validation:
    """One file's check: iterate over `lines`, then ask for the counts."""

    def __init__(self, file: Path, layout: Layout, insurer: InsurerNumber | None, today: date) -> None:
        self._file = file
        self._layout = layout
        self._today = today
        self.insurer = insurer  # by default the one that the file's first records name
        self.records = 0
        self.refused_records = 0
        self.file_refused = False

    def lines(self, on_records: Callable[[int], None] = lambda _: None) -> Iterator[FeedbackLine]:
        """Yield every fault; `on_records` is told how many records each step read.

        Raises:
            OSError: the file cannot be read.
        """
        agreement = Agreement(self._layout) if self._layout.staging == STAGING else None
        try:
            for checked in self._checked():
                self.records += checked.read
                self.refused_records += checked.refused
                if agreement:
                    agreement.add(checked.staged)
                on_records(checked.read)
                yield from lines_of(checked.faults)
        except FileRefused as refused:
            self.file_refused = True
            yield from (line_of(fault) for fault in refused.faults)
        if agreement:
            apart = agreement.faults()
            self.refused_records += len(apart)
            yield from lines_of(apart)
        if self.insurer and not self.insurer.check_digit_holds:
            yield line_of(Fault(FaultCode.CHECK_DIGIT, field=self._layout.column("insurer_number").name))

    def _checked(self) -> Iterator[Checked]:
        if self._layout.staging == CHECKUP_STAGING:
            self.insurer = self.insurer or insurer_named(self._file, self._layout)
            yield from read_checked(self._file, self._layout, self.insurer or _NOBODY, self._today)
            return
        with closing(read_ahead(self._file, self._layout)) as batches:
            for batch in batches:
                self.insurer = self.insurer or self._named(batch)
                yield check(batch, self._layout, self.insurer or _NOBODY, self._today)

    def _named(self, batch: Batch) -> InsurerNumber | None:
        numbers = batch.fields.select(
            InsurerDigits().read(pl.col(self._layout.column("insurer_number").name)).drop_nulls().mode().sort().first()
        ).item()
        return InsurerNumber(numbers) if numbers else None


_NOBODY: Final = InsurerNumber("00000000")  # where no record names an insurer, none names another
