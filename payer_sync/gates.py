"""Gates: what must not be merged before an operator has looked, how a file is held, and what approval lets happen.

Figures are compared with what is known of the insurer. Of its first file there is nothing to compare with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.dates import day_in_japan
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.statements import statements
from eligibility.wire.submissions import SubmissionKind, SubmissionState
from payer_sync.faults import Fault, FaultCode, both
from payer_sync.layouts.layout import Layout
from payer_sync.submission import Filed, step

_SQL = statements("payer_sync.queries")
COUNT_DROP_PERCENT: Final = 5
ENDED_FEWEST: Final = 30  # of a small insurer a few dozen are many percent, and leave in any month
EMPTIED_PERCENT: Final = 1
EMPTIED_FEWEST: Final = 3  # of one column: in a file of a few corrections every single one is more than a percent


class Decision(StrEnum):
    """What an operator decides about a held file."""

    APPROVED = "approved"
    REJECTED = "rejected"


class Held(Exception):
    """A file waits for an operator; its faults name the gates, with their figures."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(", ".join(fault.code for fault in faults))
        self.faults = faults


class DecisionRefused(Exception):
    """What an operator asks for cannot be done; both sentences say why."""

    def __init__(self, ja: str, en: str) -> None:
        super().__init__(en)
        self.ja = ja
        self.en = en


@dataclass(frozen=True, slots=True)
class InForce:
    """How many coverages are in force: known, stated by a full file, and known but not stated by it."""

    known: int
    stated: int
    missing: int


async def pass_gates(connection: Any, filed: Filed, layout: Layout, *, complete: bool) -> None:
    """Let a planned merge go on, or hold it; plan the retirements of a full file, if its check left nothing out.

    Raises:
        Held: a gate is closed, and no operator has approved the file.
    """
    insurer = filed.insurer.digits
    await connection.execute(_SQL["begin_retirement"])
    if not await connection.fetchval(_SQL["insurer_has_register"], insurer):
        return
    today = day_in_japan(datetime.now(UTC))
    emptied: dict[str, int] = dict(await connection.fetch(_SQL["count_emptied"]))
    emptied |= dict(await connection.fetchrow(_SQL["count_emptied_keys"], insurer))
    emptied |= dict(await connection.fetchrow(_SQL["count_emptied_certificates"], today))
    coverages = await connection.fetchval(_SQL["count_stated"])
    found = list(_emptied_columns(emptied, coverages, layout))
    if filed.submission.manifest.kind is SubmissionKind.FULL:
        if complete:
            await connection.execute(_SQL["plan_retirement"], insurer, today)
        counted = await connection.fetchrow(_SQL["count_in_force"], insurer, today)
        found += _counts(InForce(**counted))
    found += await _endings(connection, insurer, today)
    if found and await decision_of(connection, filed.submission.submission_id) is not Decision.APPROVED:
        raise Held(*found)


async def pass_checkup_gates(connection: Any, filed: Filed, layout: Layout) -> None:
    """Let the planned merge of check-ups go on, or hold it: known ones that are stated again may lose little.

    Raises:
        Held: a gate is closed, and no operator has approved the file.
    """
    emptied: dict[str, int] = dict(await connection.fetchrow(_SQL["count_emptied_results"]))
    known, stated = emptied.pop("known"), emptied.pop("stated")
    found = list(_emptied_columns(emptied, known, layout))
    if known - stated >= EMPTIED_FEWEST and (known - stated) * 100 > known * COUNT_DROP_PERCENT:
        ja = f"再送された健診の登録済み結果の減少は{COUNT_DROP_PERCENT}%以下(登録済み{known}件、記載{stated}件)"
        en = f"at most {COUNT_DROP_PERCENT} % of a known check-up's results left out ({known} known, {stated} stated)"
        found.append(Fault(FaultCode.HELD_COUNT_DROP, expected=both(ja, en)))
    if found and await decision_of(connection, filed.submission.submission_id) is not Decision.APPROVED:
        raise Held(*found)


async def retire(connection: Any, known_from: datetime, submission_id: UUID) -> int:
    """End the coverages that an approved full file leaves out, as lost today in Japan; return how many."""
    done: str = await connection.execute(_SQL["close_retired"], known_from)
    retired = int(done.rpartition(" ")[2])
    if retired:
        today = day_in_japan(known_from)
        await connection.execute(_SQL["add_retired"], known_from, submission_id, today)
    return retired


async def decision_of(connection: Any, submission_id: UUID) -> Decision | None:
    """Return what an operator decided about a submission."""
    decision = await connection.fetchval(_SQL["decision_of_submission"], submission_id)
    return None if decision is None else Decision(decision)


async def overtaken(connection: Any, submission_id: UUID) -> bool:
    """Tell whether a later file of the same insurer and layout was merged, so that this one would put old data back."""
    return bool(await connection.fetchval(_SQL["overtaken"], submission_id))


async def decide(connection: Any, submission_id: UUID, decision: Decision, by: str, reason: str, now: datetime) -> None:
    """Approve or reject a held file; the intake carries it out.

    Raises:
        DecisionRefused: the file is not held, or an approval would put old data over those of a later file.
    """
    async with connection.transaction():
        row = await connection.fetchrow(_SQL["held_submission"], submission_id)
        if row is None or SubmissionState(row["state"]) is not SubmissionState.HELD:
            raise DecisionRefused("この提出は承認待ちではありません。", "This submission is not held.")
        if decision is Decision.APPROVED and await overtaken(connection, submission_id):
            raise DecisionRefused(
                "この保険者の後のファイルが取込済みのため承認できません。却下してください。",
                "A later file of this insurer was merged, so that this one cannot be approved any more. Reject it.",
            )
        step(SubmissionState.HELD, SubmissionState.RECEIVED)
        await connection.execute(_SQL["insert_decision"], submission_id, decision.value, by, reason, now)
        await connection.execute(_SQL["requeue_submission"], submission_id)
        event = AuditEvent(
            event_id=uuid7(now),
            occurred_at=now,
            kind=EventKind.SUBMISSION_DECIDED,
            code=decision.value,
            actor_kind=ActorKind.OPERATOR,
            actor=by,
            insurer_number=row["insurer_number"],
            submission_id=submission_id,
            detail={"reason": reason},
        )
        await insert_event(connection, event)


def retired_fault(retired: int, day: date) -> Fault:
    """Return the line that says how many were retired."""
    ja = f"全件ファイルに記載のない資格{retired}件を{day:%Y-%m-%d}付けで終了した"
    return Fault(FaultCode.RETIRED, expected=both(ja, f"{retired} coverages it does not state ended on {day}"))


def _emptied_columns(emptied: dict[str, int], rows: int, layout: Layout) -> Iterator[Fault]:
    for column in layout.columns:  # that an edition lacks a column is no fault of its file
        count = emptied.get(column.field, 0)
        if count >= EMPTIED_FEWEST and count * 100 > rows * EMPTIED_PERCENT:
            ja = f"登録済みの値が空になる記録は{EMPTIED_PERCENT}%以下(このファイルは{rows}件中{count}件)"
            en = f"at most {EMPTIED_PERCENT} % of records that empty a filled value (here {count} of {rows})"
            yield Fault(FaultCode.HELD_COLUMN_EMPTY, field=column.name, expected=both(ja, en))


async def _endings(connection: Any, insurer: str, today: date) -> list[Fault]:
    ended: int = await connection.fetchval(_SQL["count_ended"], today)
    if ended < ENDED_FEWEST:
        return []
    enough = ended * 100 // COUNT_DROP_PERCENT  # of so many in force they are just that part
    known = await connection.fetchval(_SQL["count_known_in_force"], insurer, today, enough)
    if known == enough:
        return []
    ja = f"有効な資格の喪失・取消は{COUNT_DROP_PERCENT}%以下(登録済み{known}件、このファイルで終了{ended}件)"
    en = f"at most {COUNT_DROP_PERCENT} % of the coverages in force ended or cancelled (here {ended} of {known})"
    return [Fault(FaultCode.HELD_COUNT_DROP, expected=both(ja, en))]


def _counts(in_force: InForce) -> Iterator[Fault]:
    drop = in_force.known - in_force.stated
    if drop * 100 > in_force.known * COUNT_DROP_PERCENT:
        ja = f"件数の減少は{COUNT_DROP_PERCENT}%以下(登録済み{in_force.known}件、このファイル{in_force.stated}件)"
        en = f"a count at most {COUNT_DROP_PERCENT} % lower ({in_force.known} are known, {in_force.stated} stated)"
        yield Fault(FaultCode.HELD_COUNT_DROP, expected=both(ja, en))
    if in_force.missing:
        ja = f"登録済みの全員の記載(承認すると、記載のない{in_force.missing}件の資格を終了する)"
        en = f"everyone known (approval would end {in_force.missing} coverages that are not stated)"
        yield Fault(FaultCode.HELD_RETIREMENT, expected=both(ja, en))
