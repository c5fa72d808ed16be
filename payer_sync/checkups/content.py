"""A check-up file: staged in either form, matched to persons, merged in two times."""

from collections.abc import Generator
from contextlib import aclosing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from eligibility.domain.dates import day_in_japan
from eligibility.storage.statements import statements
from payer_sync.batches import in_threads
from payer_sync.checkups.reading import read_checked
from payer_sync.copying import copy_bytes, copy_rows
from payer_sync.faults import FaultCode
from payer_sync.feedback import FeedbackWriter
from payer_sync.gates import pass_checkup_gates
from payer_sync.layouts.layout import Layout
from payer_sync.layouts.register import find_layout
from payer_sync.submission import Filed

_SQL = statements("payer_sync.queries")
_TIMEOUT_S: Final = 4 * 3600.0
# What only the whole file or the known facts can show, and the field it is reported at.
_TROUBLES: Final = {
    FaultCode.CHECKUP_INCOMPLETE: "performed_on",
    FaultCode.CHECKUP_CONTRADICTS: "performed_on",
    FaultCode.PERSON_NOT_FOUND: "number",
    FaultCode.PERSON_AMBIGUOUS: "branch_number",
    FaultCode.PERSON_DISAGREES: "birth_date",
}


class CheckupContent:
    """The content of one check-up file (see payer_sync.contents.Content).

    A file states whole check-ups: what it states of a known one takes that one's place, results it does not state
    included. Check-ups it does not state stay, whether the file is a full one or not.
    """

    def __init__(self, connection: Any, filed: Filed, path: Path, feedback: FeedbackWriter) -> None:
        manifest = filed.submission.manifest
        self._connection = connection
        self._filed = filed
        self._path = path
        self._feedback = feedback
        self._layout: Layout = find_layout(manifest.layout, manifest.edition)
        self.read = 0
        self.refused = 0

    async def stage(self, aside: Any | None) -> None:
        """Check every record and copy those that hold.

        Raises:
            FileRefused: the file cannot be read at all.
        """
        await self._execute("begin_checkup_staging")
        await self._execute("begin_checkup_plan")
        async with aclosing(in_threads(self._checked(day_in_japan(datetime.now(UTC))))) as rows:
            await copy_rows(self._connection, self._layout.staging, self._layout.staged_fields, rows, _TIMEOUT_S)

    async def merge(self) -> tuple[int, int]:
        """Match the check-ups to persons and merge them; return how many records were refused and how many merged.

        Raises:
            Held: a gate is closed; nothing was changed.
        """
        insurer = self._filed.insurer.digits
        await self._execute("give_checkup_memory")
        await self._execute("analyze_checkup_staging")
        await self._execute("plan_checkups")
        await self._execute("analyze_checkup_plan")
        await self._execute("find_holders", insurer)
        await self._execute("find_incomplete", insurer)
        await self._execute("find_contradictions")
        refused = await self._tell_troubles()
        await self._execute("find_known_checkups", insurer)
        await self._execute("mark_changed_checkups")
        await pass_checkup_gates(self._connection, self._filed, self._layout)
        known_from = await self._connection.fetchval(_SQL["checkup_merge_time"])
        await self._execute("close_checkups", known_from)
        await self._execute("close_checkup_results", known_from)
        await self._execute("add_checkups", known_from, self._filed.submission.submission_id, insurer)
        await self._execute("add_checkup_results", known_from)
        return refused, await self._connection.fetchval(_SQL["changed_checkup_records"])

    async def _tell_troubles(self) -> int:
        # A record of two check-ups (documents may repeat one) is told of once for each.
        told = await self._execute(
            "tell_checkup_troubles",
            self._filed.submission.submission_id,
            self._feedback.told,
            [code.value for code in _TROUBLES],
            [self._layout.column(field).name for field in _TROUBLES.values()],
            [code.expected for code in _TROUBLES],
        )
        self._feedback.told += told
        return int(await self._connection.fetchval(_SQL["take_out_troubles"]))

    def _checked(self, today: date) -> Generator[memoryview]:
        for checked in read_checked(self._path, self._layout, self._filed.insurer, today):
            self.read += checked.read
            self.refused += checked.refused
            self._feedback.keep(checked.faults)
            yield copy_bytes(checked.staged)

    async def _execute(self, statement: str, *arguments: object) -> int:
        done: str = await self._connection.execute(_SQL[statement], *arguments)
        count = done.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0
