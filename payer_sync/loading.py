"""Takes one received file to its end: check, staging, one set-based merge, feedback; all or nothing, in order.

Everything a file changes is one transaction under its insurer's lock, so a process that is killed at any point leaves
the data as they were and the submission to be checked again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.dates import day_in_japan
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.database import connect
from eligibility.storage.statements import statements
from eligibility.wire.submissions import SubmissionState
from payer_sync.contract import Checked, check
from payer_sync.faults import Fault, FaultCode, FileRefused, both
from payer_sync.feedback import FeedbackWriter, copy_bytes, copy_rows
from payer_sync.layouts.layout import Layout
from payer_sync.layouts.register import find_layout
from payer_sync.manifest import measure
from payer_sync.merging import merge
from payer_sync.reading import read_batches
from payer_sync.submission import Counts, Filed, finish, set_state, state_of

_SQL = statements("payer_sync.queries")
ROLE: Final = "eligibility_payer"
LOAD_TIMEOUT_S: Final = 4 * 3600.0  # of one statement; a merge of a nation's register takes minutes
_SEND_BYTES: Final = 1024 * 1024


async def load(database_url: str, filed: Filed, spool: Path) -> SubmissionState:
    """Take a submission whose file is complete to `merged` or `refused`; return which."""
    connection = await connect(database_url, role=ROLE, command_timeout_s=LOAD_TIMEOUT_S)
    try:
        watch = await connect(database_url, role=ROLE)  # by this one others see the steps of the open transaction
        try:
            async with connection.transaction():
                feedback = FeedbackWriter(connection, filed.submission.submission_id)
                with feedback.spool:
                    return await _Load(connection, watch, filed, spool, feedback).run()
        finally:
            await watch.close()
    finally:
        await connection.close()


async def give_up(database_url: str, filed: Filed, spool: Path) -> SubmissionState:
    """Refuse a submission on which the centre itself has failed, so that its insurer's next file has its turn."""
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

    def __init__(self, connection: Any, watch: Any, filed: Filed, spool: Path, feedback: FeedbackWriter) -> None:
        manifest = filed.submission.manifest
        self._connection = connection
        self._watch = watch
        self._filed = filed
        self._spool = spool
        self._layout: Layout = find_layout(manifest.layout, manifest.edition)
        self._feedback = feedback
        self._read = 0
        self._refused = 0

    async def run(self) -> SubmissionState:
        submission_id = self._filed.submission.submission_id
        await self._connection.execute(_SQL["lock_insurer"], self._filed.insurer.digits)
        state = await state_of(self._connection, submission_id)
        if state in (SubmissionState.MERGED, SubmissionState.REFUSED):
            return state  # another process was faster
        await set_state(self._watch, submission_id, SubmissionState.CHECKING)
        refusals = await self._stage()
        await self._feedback.send_spooled()
        if refusals:
            return await self._refuse(refusals)
        await set_state(self._watch, submission_id, SubmissionState.MERGING)
        refused, merged = await merge(self._connection, self._filed, self._layout, self._feedback)
        left_out = self._refused + refused
        return await self._finish(Counts(self._read, left_out, merged, self._read - left_out - merged))

    async def refuse_whole(self, code: FaultCode) -> SubmissionState:
        """Refuse the file without having read it."""
        await self._connection.execute(_SQL["lock_insurer"], self._filed.insurer.digits)
        return await self._refuse((Fault(code),))

    async def _stage(self) -> tuple[Fault, ...]:
        manifest = self._filed.submission.manifest
        try:
            measured = await asyncio.to_thread(measure, self._spool)
        except FileNotFoundError:  # the disk lost it: the insurer is told to send it again, like any damaged upload
            return (Fault(FaultCode.DIGEST_WRONG),)
        if measured.content_digest != manifest.content_digest:
            return (Fault(FaultCode.DIGEST_WRONG),)
        await self._connection.execute(_SQL["begin_staging"])
        await self._connection.execute(_SQL["begin_plan"])
        try:
            async with self._connection.transaction():  # what was staged goes, what was found in it stays
                await copy_rows(
                    self._connection, self._layout.staging, self._layout.staged_fields, self._rows(), LOAD_TIMEOUT_S
                )
        except FileRefused as refused:
            return refused.faults
        if self._read != manifest.records:
            ja = f"目録の{manifest.records}件(ファイルは{self._read}件)"
            en = f"the manifest's {manifest.records} records (the file has {self._read})"
            return (Fault(FaultCode.COUNT_WRONG, expected=both(ja, en)),)
        return ()

    async def _rows(self) -> AsyncIterator[bytes]:
        checked = self._checked(day_in_japan(datetime.now(UTC)))
        # The next batch is read and checked in a thread, while the server takes in the one before.
        while (rows := await asyncio.to_thread(next, checked, None)) is not None:
            for start in range(0, len(rows), _SEND_BYTES):
                yield rows[start : start + _SEND_BYTES]

    def _checked(self, today: date) -> Iterator[bytes]:
        for batch in read_batches(self._spool, self._layout):
            checked: Checked = check(batch, self._layout, self._filed.insurer, today)
            self._read += checked.read
            self._refused += checked.refused
            self._feedback.keep(checked.faults)
            yield copy_bytes(checked.staged)

    async def _refuse(self, refusals: tuple[Fault, ...]) -> SubmissionState:
        for fault in refusals:
            await self._feedback.tell(fault)
        await self._end(SubmissionState.REFUSED, EventKind.SUBMISSION_REFUSED, refusals[0].code.value, None)
        return SubmissionState.REFUSED

    async def _finish(self, counts: Counts) -> SubmissionState:
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
