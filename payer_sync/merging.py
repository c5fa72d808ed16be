"""The merge: turns what is staged into facts, by set-based statements in the caller's transaction.

It refuses what only the whole file or the known facts can show to be wrong, then closes in known time what is stated
differently now and adds what is new. What is stated as it is known is left alone.
"""

from typing import Any, Final

from eligibility.storage.statements import statements
from eligibility.wire.submissions import SubmissionKind
from payer_sync.faults import Fault, FaultCode, both
from payer_sync.feedback import FeedbackWriter
from payer_sync.layouts.layout import Layout
from payer_sync.submission import Filed

_SQL = statements("payer_sync.queries")
_CERTIFICATE_STATEMENTS: Final = (
    "close_limit_certificates",
    "add_limit_certificates",
    "close_specific_disease_certificates",
    "add_specific_disease_certificates",
    "close_elderly_certificates",
    "add_elderly_certificates",
)
# PostgreSQL's format() puts the number of the other record into both languages.
_AGREEMENT: Final = both("記録 %1$s と一致すること", "agreement with record %1$s")
_APART: Final = both("記録 %1$s の資格と重ならない期間", "days that the coverage of record %1$s does not have")
_APART_FROM_KNOWN: Final = both("登録済みの資格と重ならない期間", "days that a coverage already known does not have")


async def merge(connection: Any, filed: Filed, layout: Layout, feedback: FeedbackWriter) -> tuple[int, int]:
    """Merge the session's staging table; return how many records were refused and how many changed something.

    The caller holds the insurer's lock in an open transaction.
    """
    return await _Merge(connection, filed, layout, feedback).run()


class _Merge:
    """One merge: its connection, whose file it is, and where its faults go."""

    def __init__(self, connection: Any, filed: Filed, layout: Layout, feedback: FeedbackWriter) -> None:
        self._connection = connection
        self._insurer = filed.insurer
        self._submission = filed.submission
        self._layout = layout
        self._feedback = feedback

    async def run(self) -> tuple[int, int]:
        known_from = await self._connection.fetchval(_SQL["merge_time"], self._insurer.digits)
        await self._execute("give_merge_memory")
        await self._execute("analyze_staging")
        await self._execute("plan_merge", self._insurer.digits)
        await self._execute("analyze_plan")
        refused = await self._refuse_records()
        await self._execute("mark_changed_certificates")
        await self._execute("add_persons")
        await self._execute("close_coverages", known_from)
        await self._execute("add_coverages", known_from, self._submission.submission_id)
        await self._execute("add_losses", known_from, self._submission.submission_id)
        for statement in _CERTIFICATE_STATEMENTS:
            await self._execute(statement, known_from)
        await self._execute("set_data_as_of", self._insurer.digits, known_from)
        await self._tell_of_file()
        return refused, await self._connection.fetchval(_SQL["changed_records"])

    async def _refuse_records(self) -> int:
        refused = 0
        if await self._connection.fetchval(_SQL["repeated_coverages"]):
            refused += await self._tell("refuse_contradictions", FaultCode.CONTRADICTS, _AGREEMENT)
        overlaps = (FaultCode.OVERLAPS, _APART, _APART_FROM_KNOWN, self._insurer.digits)
        while found := await self._tell("refuse_overlaps", *overlaps):
            refused += found
        await self._tell("tell_nothing_known", FaultCode.NOTHING_KNOWN, FaultCode.NOTHING_KNOWN.expected)
        return refused

    async def _tell_of_file(self) -> None:
        if self._submission.manifest.kind is SubmissionKind.FULL:
            await self._feedback.tell(Fault(FaultCode.RETIREMENT_NOT_DONE))
        if not self._insurer.check_digit_holds:
            column = self._layout.column("insurer_number").name
            await self._feedback.tell(Fault(FaultCode.CHECK_DIGIT, field=column))

    async def _tell(self, statement: str, code: FaultCode, *texts: str) -> int:
        # Reported at the acquisition, the last part of what names a coverage.
        field = self._layout.column("acquired_on").name
        told = await self._execute(
            statement, self._submission.submission_id, self._feedback.told, code.value, field, *texts
        )
        self._feedback.told += told
        return told

    async def _execute(self, statement: str, *arguments: object) -> int:
        done: str = await self._connection.execute(_SQL[statement], *arguments)
        count = done.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0
