"""The merge: turns what is staged into facts, by set-based statements in the caller's transaction.

It refuses what only the whole file or the known facts can show to be wrong, then closes in known time what is stated
differently now and adds what is new. What is stated as it is known is left alone.
"""

from datetime import UTC, datetime
from typing import Any, Final

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.dates import day_in_japan
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.statements import statements
from eligibility.wire.submissions import SubmissionKind
from payer_sync.faults import Fault, FaultCode, both
from payer_sync.feedback import FeedbackWriter
from payer_sync.following import follow_coverages
from payer_sync.gates import pass_gates, retire, retired_fault
from payer_sync.guard import Guard
from payer_sync.layouts.layout import Layout
from payer_sync.side_by_side import SideBySide
from payer_sync.submission import Filed

_SQL = statements("payer_sync.queries")
_CLOSED_CERTIFICATES: Final = (
    "close_limit_certificates",
    "close_specific_disease_certificates",
    "close_elderly_certificates",
)
_ADDED_CERTIFICATES: Final = (
    "add_limit_certificates",
    "add_specific_disease_certificates",
    "add_elderly_certificates",
)
# PostgreSQL's format() puts the number of the other record into both languages.
_AGREEMENT: Final = both("記録 %1$s と一致すること", "agreement with record %1$s")
_APART: Final = both("記録 %1$s の資格と重ならない期間", "days that the coverage of record %1$s does not have")
_APART_FROM_KNOWN: Final = both("登録済みの資格と重ならない期間", "days that a coverage already known does not have")


async def begin_merge(connection: Any) -> None:
    """Make the session's own tables of a merge, beside the one that records are staged in."""
    for statement in ("begin_plan", "begin_repeats", "begin_followers"):
        await connection.execute(_SQL[statement])


async def merge_time(connection: Any, filed: Filed) -> datetime:
    """Return the one moment at which what a merge states becomes known."""
    known_from: datetime = await connection.fetchval(_SQL["merge_time"], filed.insurer.digits)
    return known_from


async def merge(
    connection: Any,
    filed: Filed,
    layout: Layout,
    feedback: FeedbackWriter,
    beside: SideBySide,
    known_from: datetime,
    *,
    complete: bool,
) -> tuple[int, int]:
    """Merge the session's staging table; return how many records were refused and how many changed something.

    The caller holds the insurer's lock in an open transaction, and `beside` was begun before anything was compared.
    `complete` says that the check left no record out. Nothing but the commit should follow: others wait for it.

    Raises:
        Held: a gate is closed; nothing was changed.
        StatedMeanwhile: what others' merges have stated meanwhile has to be compared; this one has to be undone.
    """
    return await _Merge(connection, filed, layout, feedback, beside, known_from).run(complete=complete)


async def merge_released(connection: Any, filed: Filed, layout: Layout, feedback: FeedbackWriter) -> tuple[int, int]:
    """Merge records that a case had kept, which an operator has looked at instead of the gates and the guard.

    Raises:
        StatedMeanwhile: another insurer's merge has ended meanwhile that the operator could not have looked at.
    """
    beside = SideBySide(connection, filed)
    await beside.begin()
    known_from = await merge_time(connection, filed)
    return await _Merge(connection, filed, layout, feedback, beside, known_from).run_released()


class _Merge:
    """One merge: its connection, whose file it is, and where its faults go."""

    def __init__(
        self,
        connection: Any,
        filed: Filed,
        layout: Layout,
        feedback: FeedbackWriter,
        beside: SideBySide,
        known_from: datetime,
    ) -> None:
        self._connection = connection
        self._filed = filed
        self._insurer = filed.insurer
        self._submission = filed.submission
        self._layout = layout
        self._feedback = feedback
        self._beside = beside
        self._known_from = known_from

    async def run(self, *, complete: bool) -> tuple[int, int]:
        await self._plan()
        await pass_gates(self._connection, self._filed, self._layout, complete=complete)
        full = self._submission.manifest.kind is SubmissionKind.FULL
        guard = Guard(self._connection, self._filed, self._layout, self._feedback, self._known_from)
        # What is refused here states nothing: it puts no case out of date, and none keeps it.
        refused = await self._refuse_contradictions()
        await self._execute("admit_split_off")
        await guard.keep_losses()
        refused += await self._tell("refuse_other_persons", FaultCode.ANOTHER_PERSON, FaultCode.ANOTHER_PERSON.expected)
        await guard.supersede_cases(whole=full and complete)
        refused += await guard.quarantine_mislinked()
        told = self._feedback.told
        refused += await self._refuse_overlaps()
        if self._feedback.told > told:
            await guard.quarantine_claimed_twice(told)
        await self._tell("tell_nothing_known", FaultCode.NOTHING_KNOWN, FaultCode.NOTHING_KNOWN.expected)
        await guard.tell_overlaps()
        left = await self._apply()
        retired = 0
        if full:
            retired = await retire(self._connection, self._known_from, self._submission.submission_id)
        await guard.tell_notices()
        await self._tell_of_file(retired, complete=complete)
        return refused, await self._end(left)

    async def run_released(self) -> tuple[int, int]:
        await self._plan()
        guard = Guard(self._connection, self._filed, self._layout, self._feedback, self._known_from)
        await guard.find_links()
        refused = await self._refuse_contradictions() + await self._refuse_overlaps()
        await guard.notify_overlaps()
        return refused, await self._end(await self._apply())

    async def _plan(self) -> None:
        await self._execute("begin_planning_merge")
        await self._execute("index_staging")
        await self._execute("analyze_staging")
        await self._execute("find_followers")
        await self._execute("plan_merge", self._insurer.digits)
        await self._execute("analyze_plan")

    async def _apply(self) -> list[tuple[int, int, int | None]]:
        """Write the facts; return the coverages that have left their person, as `follow_coverages` takes them."""
        known_from = self._known_from
        await self._execute("mark_changed_certificates")
        await self._add_persons()
        await self._execute("close_coverages", known_from)
        for statement in _CLOSED_CERTIFICATES:
            await self._execute(statement, known_from)
        await self._execute("add_coverages", known_from, self._submission.submission_id)
        await self._execute("add_holders")
        for statement in _ADDED_CERTIFICATES:
            await self._execute(statement, known_from)
        await self._execute("add_losses", known_from, self._submission.submission_id)
        left = [tuple(row) for row in await self._connection.fetch(_SQL["moved_coverages"])]
        await follow_coverages(self._connection, left, known_from)
        await self._execute("set_data_as_of", self._insurer.digits, known_from)
        return left

    async def _end(self, left: list[tuple[int, int, int | None]]) -> int:
        """End beside the others' merges; return how many records changed something."""
        changed: int = await self._connection.fetchval(_SQL["changed_records"])
        await self._beside.end(self._known_from)
        # After the turn, for which a merge may wait long: from here on no counter can register anything.
        await self._take_back(left)
        return changed

    async def _take_back(self, left: list[tuple[int, int, int | None]]) -> None:
        """Take back what counters kept of persons whom coverages have left."""
        if not left:
            return
        await self._connection.execute(_SQL["hold_registrations"])
        columns = (list(column) for column in zip(*left, strict=True))
        taken = await self._connection.fetch(_SQL["take_back_from_persons_left"], *columns, self._known_from)
        if not taken:
            return
        now, insurer = datetime.now(UTC), self._insurer.digits
        event = AuditEvent(
            event_id=uuid7(now),
            occurred_at=now,
            kind=EventKind.TAKEN_BACK,
            code="coverage_left",
            actor_kind=ActorKind.INSURER,
            actor=insurer,
            insurer_number=insurer,
            submission_id=self._submission.submission_id,
            detail={"persons": [dict(row) for row in taken]},
        )
        await insert_event(self._connection, event)

    async def _add_persons(self) -> None:
        planned = await self._connection.fetchval(_SQL["count_new_persons"])
        others_added = await self._execute("add_persons") < planned
        if others_added or await self._connection.fetchval(_SQL["records_may_repeat"]):
            await self._execute("name_new_persons", others_added)

    async def _refuse_contradictions(self) -> int:
        if not await self._connection.fetchval(_SQL["repeated_coverages"]):
            return 0
        return await self._tell("refuse_contradictions", FaultCode.CONTRADICTS, _AGREEMENT)

    async def _refuse_overlaps(self) -> int:
        refused = 0
        overlaps = (FaultCode.OVERLAPS, _APART, _APART_FROM_KNOWN, self._insurer.digits)
        while found := await self._tell("refuse_overlaps", *overlaps):
            refused += found
        return refused

    async def _tell_of_file(self, retired: int, *, complete: bool) -> None:
        if retired:
            await self._feedback.tell(retired_fault(retired, day_in_japan(datetime.now(UTC))))
        if self._submission.manifest.kind is SubmissionKind.FULL and not complete:
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
