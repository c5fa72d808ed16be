"""Checks a file as the intake does, without the centre: each record by itself, and the records of one file together."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import date
from pathlib import Path
from typing import Final

from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.submissions import FeedbackLine
from payer_sync.agreement import Agreement
from payer_sync.checkups.agreement import CheckupAgreement
from payer_sync.checkups.reading import STAGING as CHECKUP_STAGING
from payer_sync.checkups.reading import read_checked, read_unchecked
from payer_sync.contract import Checked, check, texts
from payer_sync.faults import Fault, FaultCode, FileRefused
from payer_sync.feedback_lines import line_of, lines_of
from payer_sync.layouts.layout import Layout
from payer_sync.reading import Batch, read_ahead

# Said wherever a result is shown, in both languages.
ONLY_THE_CENTRE_SEES: Final = (
    (
        "登録済みの資格との重なり・矛盾、登録のない資格への喪失・取消、他の保険者や他の人との突合"
        "(ファイル内で一つの紐付番号が別の人に使われている場合を含む)、"
        "健診・レセプトが誰のものか、"
        "全件ファイルの件数の変化は、センターだけが確かめられます。"
    ),
    (
        "Only the centre can see overlaps with coverages already known, losses of unknown ones, mix-ups with other "
        "insurers or persons (also one linkage code for two persons of the file), whose check-ups and claims they are, "
        "and how a full file's count has changed."
    ),
)


class Validation:
    """One file's check: iterate over `lines`, then ask for the counts."""

    def __init__(self, file: Path, layout: Layout, insurer: InsurerNumber | None, today: date) -> None:
        self._file = file
        self._layout = layout
        self._today = today
        self.insurer = insurer  # by default the one that most of the file's first records name
        self.records = 0
        self.refused_records = 0
        self.file_refused = False

    def lines(self, on_records: Callable[[int], None] = lambda _: None) -> Iterator[FeedbackLine]:
        """Yield every fault; `on_records` is told how many records each step read.

        Raises:
            OSError: the file cannot be read.
        """
        agreement = CheckupAgreement(self._layout) if self._of_checkups else Agreement(self._layout)
        try:
            for checked in self._checked():
                self.records += checked.read
                self.refused_records += checked.refused
                agreement.add(checked.staged)
                on_records(checked.read)
                yield from lines_of(checked.faults)
        except FileRefused as refused:
            self.file_refused = True
            yield from (line_of(fault) for fault in refused.faults)
        apart = agreement.faults()
        self.refused_records += len(apart)
        yield from lines_of(apart)
        if self.insurer and not self.insurer.check_digit_holds:
            yield line_of(Fault(FaultCode.CHECK_DIGIT, field=self._layout.column("insurer_number").name))

    @property
    def _of_checkups(self) -> bool:
        return self._layout.staging == CHECKUP_STAGING

    def _checked(self) -> Iterator[Checked]:
        if self._of_checkups:
            with suppress(FileRefused):  # of which the check says why
                named = map(self._named, read_unchecked(self._file, self._layout))
                self.insurer = self.insurer or next(filter(None, named), None)
            yield from read_checked(self._file, self._layout, self.insurer or _NOBODY, self._today)
            return
        with closing(read_ahead(self._file, self._layout)) as batches:
            for batch in batches:
                self.insurer = self.insurer or self._named(batch)
                yield check(batch, self._layout, self.insurer or _NOBODY, self._today)

    def _named(self, batch: Batch) -> InsurerNumber | None:
        column = self._layout.column("insurer_number")
        digits = texts(batch.fields, [column]).select(column.values()).to_series().drop_nulls()
        return InsurerNumber(digits.mode().sort().item(0)) if len(digits) else None


_NOBODY: Final = InsurerNumber("00000000")  # where no record names an insurer, none names another
