"""Cases of suspected wrong links: an operator releases, rejects or reverses them, and each decision is audited."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.audit import insert_event
from eligibility.storage.statements import statements
from payer_sync.faults import FaultCode, both
from payer_sync.feedback import FeedbackWriter
from payer_sync.following import follow_coverages
from payer_sync.gates import DecisionRefused
from payer_sync.layouts.register import find_layout
from payer_sync.merging import begin_merge, merge_released
from payer_sync.side_by_side import StatedMeanwhile
from payer_sync.submission import Filed, find_submission

_SQL = statements("payer_sync.queries")


class CaseState(StrEnum):
    """How a case stands."""

    OPEN = "open"
    RELEASED = "released"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"  # the insurer has stated the coverage anew, or left it out of a full file
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Decided:
    """Who decides, why and when."""

    by: str
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What had shown coverages of a person that were another's, until they left it."""

    person_id: int
    coverages: tuple[int, ...]
    verifications: tuple[Mapping[str, Any], ...]
    disclosures: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Reversal:
    """A person split: who was split off, what had shown what was not this person's, and what was taken back."""

    person_id: int
    split_off: int
    coverages: tuple[int, ...]
    verifications: tuple[Mapping[str, Any], ...]
    disclosures: tuple[Mapping[str, Any], ...]
    consents: tuple[Mapping[str, Any], ...]
    cards: tuple[Mapping[str, Any], ...]
    reference_numbers: tuple[Mapping[str, Any], ...]


_SAID: Final = {
    CaseState.RELEASED: ("取込済み", "merged"),
    CaseState.REJECTED: ("取り込まない", "not merged"),
    CaseState.REVERSED: ("別人として分離", "split from the other person"),
}


async def release(connection: Any, case_id: int, decided: Decided) -> int:
    """Merge the records that a case keeps; return how many changed something.

    Raises:
        DecisionRefused: the case is not open, or its records do not fit what is known by now.
    """
    async with connection.transaction():
        case = await _take(connection, case_id, CaseState.OPEN)
        insurer = InsurerNumber(case["insurer_number"])
        submission = await find_submission(connection, case["submission_id"], insurer)
        if submission is None:
            raise _unknown()
        await connection.execute(_SQL["begin_staging"])
        await begin_merge(connection)
        await connection.execute(_SQL["stage_case"], case_id)
        await connection.execute(_SQL["all_may_repeat"])
        feedback = FeedbackWriter(connection, submission.submission_id)
        with feedback.spool:
            feedback.told = await connection.fetchval(_SQL["last_fault"], submission.submission_id)
            layout = find_layout(submission.manifest.layout, submission.manifest.edition)
            try:
                refused, merged = await merge_released(connection, Filed(insurer, submission), layout, feedback)
            except StatedMeanwhile as meanwhile:
                raise DecisionRefused(
                    "この間に別の保険者が同じ人の資格を登録しました。案件を見直して、もう一度実行してください。",
                    "Another insurer has stated the same person meanwhile. Look at the case again, then repeat.",
                ) from meanwhile
        if refused:
            raise DecisionRefused(
                "記録どうし、または登録済みの資格と、期間が重なるか内容が食い違うため取り込めません。"
                "保険者が先の資格を喪失・取消とするか、正しい記録を送る必要があります。",
                "The records overlap or contradict each other or what is known. The insurer has to end or cancel the"
                " earlier coverage, or to send right records.",
            )
        await _close(connection, case_id, case, CaseState.RELEASED, decided, {"merged": merged})
    return merged


async def reject(connection: Any, case_id: int, decided: Decided) -> None:
    """Keep a case's records from the register for good.

    Raises:
        DecisionRefused: the case is not open.
    """
    async with connection.transaction():
        case = await _take(connection, case_id, CaseState.OPEN)
        await _close(connection, case_id, case, CaseState.REJECTED, decided, {})


async def reverse(connection: Any, case_id: int, coverages: Sequence[int], decided: Decided) -> tuple[Reversal, ...]:
    """Split a person again: move coverages of the case's persons to new persons of their own.

    Without any named, the coverages are those that the case's release had merged. Consents, cards and institutions' own
    numbers that a person was given since these were put to it are taken back: nobody can tell whose they are.

    An open case stays open: what it keeps may be right now, and can be released.

    Raises:
        DecisionRefused: the case is rejected or reversed, or has no such coverages.
    """
    async with connection.transaction():
        named = await connection.fetch(_SQL["coverages_to_split"], case_id, list(coverages))
        others = {row["insurer_number"] for row in named}  # whose a coverage is never changes
        case = await _take(connection, case_id, CaseState.OPEN, CaseState.RELEASED, CaseState.SUPERSEDED, others=others)
        if not coverages and case["state"] == CaseState.RELEASED:
            coverages = [row["coverage_id"] for row in await connection.fetch(_SQL["released_coverages"], case_id)]
        rows = await connection.fetch(_SQL["coverages_to_split"], case_id, list(coverages))
        locked = others | {case["insurer_number"]}
        if not rows or len(rows) != len(set(coverages)) or any(row["insurer_number"] not in locked for row in rows):
            raise DecisionRefused(
                "分離する資格をこの事案の人の資格から指定してください。",
                "Name the coverages to split off, out of those of this case's persons.",
            )
        persons = sorted({row["person_id"] for row in rows})
        known_from = await connection.fetchval(_SQL["split_time"], persons)
        made = [
            await _split(
                connection, case_id, person, [r["coverage_id"] for r in rows if r["person_id"] == person], known_from
            )
            for person in persons
        ]
        detail: dict[str, object] = {
            "split": [
                {**_listed(one), "split_off": one.split_off,
                 "consents_withdrawn": len(one.consents), "cards_taken_back": len(one.cards),
                 "reference_numbers_taken_back": len(one.reference_numbers)}
                for one in made
            ]
        }  # fmt: skip
        told = FaultCode.SPLIT_OFF
        text = both(f"{told.ja}(事案番号 {case_id})", f"{told.en} (case {case_id})")
        for one in made:
            await connection.execute(_SQL["tell_split_off"], one.split_off, decided.now, told.value, text)
        if case["state"] == CaseState.OPEN:
            kind, code = EventKind.CASE_DECIDED, CaseState.REVERSED.value
            await _audit(connection, kind, code, case_id, case, decided, detail)
        else:
            await _close(connection, case_id, case, CaseState.REVERSED, decided, detail)
    return tuple(made)


async def list_shown(connection: Any, case_id: int, coverages: Sequence[int], decided: Decided) -> tuple[Shown, ...]:
    """List what had shown coverages that have left the case's persons, as by their insurer's correction, and audit it.

    Without any named, the coverages are those that the case's release had merged.

    Raises:
        DecisionRefused: there is no such case, or one of the coverages, or each, has not left a person of the case.
    """
    async with connection.transaction():
        case = await connection.fetchrow(_SQL["find_case"], case_id)
        if case is None:
            raise _unknown()
        if coverages:
            rows = await connection.fetch(_SQL["coverages_that_left"], case_id, list(coverages))
        else:
            rows = await connection.fetch(_SQL["released_coverages_that_left"], case_id)
        if not rows or not {row["coverage_id"] for row in rows}.issuperset(coverages):
            raise DecisionRefused(
                "この事案の人から離れた資格を指定してください。まだその人の資格は reverse で分離してください。",
                "Name coverages that have left this case's persons. One that is still theirs is split off by reverse.",
            )
        found = []
        for person in dict.fromkeys(row["person_id"] for row in rows):
            left = [row["coverage_id"] for row in rows if row["person_id"] == person]
            since = await connection.fetchval(_SQL["mistaken_since"], person, left)
            found.append(Shown(person, tuple(left), *await _find_shown(connection, person, left, since)))
        detail = {"shown": [_listed(one) for one in found]}
        await _audit(connection, EventKind.CASE_LISTED, "shown", case_id, case, decided, detail)
    return tuple(found)


async def _find_shown(
    connection: Any, person_id: int, coverages: list[int], since: datetime
) -> tuple[tuple[Mapping[str, Any], ...], tuple[Mapping[str, Any], ...]]:
    verifications = await connection.fetch(_SQL["shown_by_mistake"], person_id, coverages)
    looks = await connection.fetch(_SQL["disclosed_by_mistake"], person_id, since, coverages)
    return tuple(map(dict, verifications)), tuple(map(dict, looks))


def _listed(one: Shown | Reversal) -> dict[str, object]:
    return {
        "person": one.person_id,
        "coverages": list(one.coverages),
        "verifications": [str(shown["verification_id"]) for shown in one.verifications],
        "disclosures": [{name: str(value) for name, value in look.items()} for look in one.disclosures],
    }


async def _split(connection: Any, case_id: int, person_id: int, coverages: list[int], known_from: datetime) -> Reversal:
    split_off = await connection.fetchval(_SQL["add_split_person"], case_id, person_id, known_from)
    for statement in (
        _SQL["split_coverages"],
        _SQL["split_limit_certificates"],
        _SQL["split_specific_disease_certificates"],
        _SQL["split_elderly_certificates"],
    ):
        await connection.execute(statement, person_id, coverages, known_from, split_off)
    await connection.execute(_SQL["split_holders"], split_off)
    await follow_coverages(connection, [(person_id, coverage, split_off) for coverage in coverages], known_from)
    # Last, because counters go on showing what is not this person's until the split commits.
    since = await connection.fetchval(_SQL["mistaken_since"], person_id, coverages)
    await connection.execute(_SQL["hold_registrations"])
    shown = await _find_shown(connection, person_id, coverages, since)
    taken = (
        await connection.fetch(_SQL["withdraw_consents"], person_id, since, known_from),
        await connection.fetch(_SQL["take_back_cards"], person_id, since),
        await connection.fetch(_SQL["take_back_reference_numbers"], person_id, since),
    )
    return Reversal(person_id, split_off, tuple(coverages), *shown, *(tuple(map(dict, rows)) for rows in taken))


async def _take(connection: Any, case_id: int, *states: CaseState, others: Set[str] = frozenset()) -> Any:
    case = await connection.fetchrow(_SQL["find_case"], case_id)
    if case is None:
        raise _unknown()
    # A merge of this insurer may be closing the case; its lock comes before the case's row, as in a merge. Several
    # insurers' locks are taken at once and in one order, so that no two decisions wait for each other.
    for insurer in sorted({case["insurer_number"], *others}):
        await connection.execute(_SQL["lock_insurer"], insurer)
    taken = await connection.fetchrow(_SQL["lock_case"], case_id)
    if taken["state"] not in states:
        raise DecisionRefused(
            f"この事案は {taken['state']} のため、この操作はできません。",
            f"This case is {taken['state']}; that cannot be done with it.",
        )
    return taken


async def _close(
    connection: Any, case_id: int, case: Any, state: CaseState, decided: Decided, detail: dict[str, object]
) -> None:
    await connection.execute(_SQL["close_case"], case_id, state.value, decided.now, decided.by, decided.reason)
    ja, en = _SAID[state]
    text = both(f"紐付けの疑い(事案番号 {case_id})の確認が終了: {ja}", f"case {case_id} was closed: {en}")
    await connection.execute(_SQL["tell_case_closed"], case_id, decided.now, FaultCode.CASE_CLOSED.value, text)
    await _audit(connection, EventKind.CASE_DECIDED, state.value, case_id, case, decided, detail)


async def _audit(
    connection: Any, kind: EventKind, code: str, case_id: int, case: Any, decided: Decided, detail: Mapping[str, object]
) -> None:
    event = AuditEvent(
        event_id=uuid7(decided.now),
        occurred_at=decided.now,
        kind=kind,
        code=code,
        actor_kind=ActorKind.OPERATOR,
        actor=decided.by,
        insurer_number=case["insurer_number"],
        submission_id=UUID(str(case["submission_id"])),
        detail={"case": case_id, "reason": decided.reason, **detail},
    )
    await insert_event(connection, event)


def _unknown() -> DecisionRefused:
    return DecisionRefused("この番号の事案はありません。", "There is no such case.")
