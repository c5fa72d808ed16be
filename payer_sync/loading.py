"""Takes one received file to its end: check, staging, one set-based merge, feedback; all or nothing, in order.

Everything a file changes is one transaction under its insurer's lock, so a process that is killed at any point leaves
the data as they were and the submission to be checked again.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.database import connect
from eligibility.storage.statements import statements
from eligibility.wire.submissions import SubmissionState
from payer_sync.batches import CountersAsk, nobody_asks
from payer_sync.contents import Content, open_content
from payer_sync.faults import Fault, FaultCode, FileRefused, both
from payer_sync.feedback import FeedbackWriter
from payer_sync.gates import Decision, Held, decision_of, overtaken
from payer_sync.manifest import measure
from payer_sync.submission import Counts, Filed, finish, note_unended_loads, set_state, state_of
from payer_sync.table_content import LOAD_TIMEOUT_S

_SQL = statements("payer_sync.queries")
ROLE: Final = "eligibility_payer"
# What another process may have brought a submission to, while this one waited for its turn.
_ENDS: Final = (SubmissionState.MERGED, SubmissionState.REFUSED, SubmissionState.HELD)


def _nobody_follows(_: Content) -> None:
    pass


async def load(
    database_url: str,
    filed: Filed,
    spool: Path,
    counters_ask: CountersAsk = nobody_asks,
    follow: Callable[[Content], None] = _nobody_follows,
) -> SubmissionState:
    """Take a submission whose file is complete to `merged`, `refused` or `held`; return which.

    `follow` is given the content before it is read, to see by its counts how far the check is.
    """
    connection = await connect(database_url, role=ROLE, command_timeout_s=LOAD_TIMEOUT_S, bulk=True)
    try:
        # By this one others see the steps of the open transaction; a first file names its persons by it.
        watch = await connect(database_url, role=ROLE, bulk=True)
        try:
            if counters_ask():
                for session in (connection, watch):
                    await session.execute(_SQL["write_back_early"])
            async with connection.transaction():
                feedback = FeedbackWriter(connection, filed.submission.submission_id)
                running = _Load(connection, watch, filed, spool, feedback, counters_ask)
                follow(running.content)
                with feedback.spool:
                    state = await running.run()
            await connection.execute(_SQL["refresh_statistics"], running.merged)
            return state
        finally:
            await watch.close()
    finally:
        await connection.close()


async def give_up(database_url: str, filed: Filed, spool: Path) -> SubmissionState:
    """Refuse a submission on which the centre itself has failed, so that its insurer's next file has its turn.

    One that another process has meanwhile merged, refused or held stays so; its state is returned either way.
    """
    connection = await connect(database_url, role=ROLE)
    try:
        async with connection.transaction():
            feedback = FeedbackWriter(connection, filed.submission.submission_id)
            with feedback.spool:
                return await _Load(connection, connection, filed, spool, feedback).refuse_whole(FaultCode.CENTRE_FAILED)
    finally:
        await connection.close()


class _Load:
    """One load: its connections, its submission and what its check has come to so far."""

    def __init__(
        self,
        connection: Any,
        watch: Any,
        filed: Filed,
        spool: Path,
        feedback: FeedbackWriter,
        counters_ask: CountersAsk = nobody_asks,
    ) -> None:
        self._connection = connection
        self._watch = watch
        self._filed = filed
        self._spool = spool
        self.content: Content = open_content(connection, filed, spool, feedback, counters_ask)
        self._feedback = feedback
        self._damaged = False
        self.merged = 0  # records that changed something

    async def run(self) -> SubmissionState:
        submission_id = self._filed.submission.submission_id
        state = await self._take_turn()
        if state in _ENDS:
            return state
        decision = await decision_of(self._connection, submission_id)
        if decision is Decision.REJECTED:
            await self._end(SubmissionState.REFUSED, EventKind.SUBMISSION_REFUSED, decision.value, None)
            return SubmissionState.REFUSED
        await note_unended_loads(self._watch, submission_id, self._filed.unended_loads + 1)
        await set_state(self._watch, submission_id, SubmissionState.CHECKING)
        await self._connection.execute(_SQL["forget_feedback"], submission_id)
        if await overtaken(self._connection, submission_id):
            # By a file that was on its way at the approval, or that did not wait for an upload that had stopped.
            code = FaultCode.OVERTAKEN if decision is Decision.APPROVED else FaultCode.UPLOAD_OVERTAKEN
            return await self._refuse((Fault(code),))
        refusals = await self._stage()
        await self._feedback.send_spooled()
        if refusals:
            return await self._refuse(refusals)
        await set_state(self._watch, submission_id, SubmissionState.MERGING)
        try:
            refused, merged = await self._merge(approved=decision is Decision.APPROVED)
        except Held as held:
            return await self._hold(held.faults)
        read, left_out = self.content.read, self.content.refused + refused
        return await self._finish(Counts(read, left_out, merged, read - left_out - merged))

    async def refuse_whole(self, code: FaultCode) -> SubmissionState:
        """Refuse the file without having read it, unless it has come to an end already; return its state."""
        state = await self._take_turn()
        if state in _ENDS:
            return state
        # What it was held for before an operator approved it; there may be millions.
        submission_id = self._filed.submission.submission_id
        await self._connection.execute(_SQL["forget_feedback"], submission_id, timeout=LOAD_TIMEOUT_S)
        return await self._refuse((Fault(code),))

    async def _take_turn(self) -> SubmissionState:
        await self._connection.execute(_SQL["lock_insurer"], self._filed.insurer.digits)
        return await state_of(self._connection, self._filed.submission.submission_id)

    async def _stage(self) -> tuple[Fault, ...]:
        manifest = self._filed.submission.manifest
        try:
            measured = await asyncio.to_thread(measure, self._spool)
        except FileNotFoundError:  # the disk lost it: the insurer is told to send it again, like any damaged upload
            return (Fault(FaultCode.DIGEST_WRONG),)
        self._damaged = measured.content_digest != manifest.content_digest
        try:
            async with self._connection.transaction():  # what was staged goes, what was found in it stays
                await self.content.stage(None if self._damaged else self._watch)
                self._refuse_other_count()
        except FileRefused as refused:
            return refused.faults
        return ()

    def _refuse_other_count(self) -> None:
        read, stated = self.content.read, self._filed.submission.manifest.records
        if read != stated:
            ja = f"目録の{stated}件(ファイルは{read}件)"
            en = f"the manifest's {stated} records (the file has {read})"
            raise FileRefused(Fault(FaultCode.COUNT_WRONG, expected=both(ja, en)))

    async def _merge(self, *, approved: bool) -> tuple[int, int]:
        if approved or not self._damaged:
            return await self.content.merge()
        told = self._feedback.told
        try:
            async with self._connection.transaction():  # only to see whether other gates are closed too
                await self.content.merge()
                raise Held
        except Held as held:
            self._feedback.told = told
            raise Held(Fault(FaultCode.HELD_DIGEST), *held.faults) from held

    async def _hold(self, gates: tuple[Fault, ...]) -> SubmissionState:
        for gate in gates:
            await self._feedback.tell(gate)
        await self._end(SubmissionState.HELD, EventKind.SUBMISSION_HELD, gates[0].code.value, None)
        return SubmissionState.HELD

    async def _refuse(self, refusals: tuple[Fault, ...]) -> SubmissionState:
        for fault in refusals:
            await self._feedback.tell(fault)
        await self._end(SubmissionState.REFUSED, EventKind.SUBMISSION_REFUSED, refusals[0].code.value, None)
        return SubmissionState.REFUSED

    async def _finish(self, counts: Counts) -> SubmissionState:
        self.merged = counts.merged
        code = "merged_in_part" if counts.refused else "merged"
        await self._end(SubmissionState.MERGED, EventKind.SUBMISSION_MERGED, code, counts)
        return SubmissionState.MERGED

    async def _end(self, state: SubmissionState, kind: EventKind, code: str, counts: Counts | None) -> None:
        now = datetime.now(UTC)
        submission_id, insurer = self._filed.submission.submission_id, self._filed.insurer.digits
        await finish(self._connection, submission_id, state, now, counts)
        detail: dict[str, object] = {"faults": self._feedback.told}
        if counts:
            detail |= {"records": counts.records, "refused": counts.refused, "merged": counts.merged}
        event = AuditEvent(
            event_id=uuid7(now),
            occurred_at=now,
            kind=kind,
            code=code,
            actor_kind=ActorKind.INSURER,
            actor=insurer,
            insurer_number=insurer,
            submission_id=submission_id,
            detail=detail,
        )
        await insert_event(self._connection, event)
