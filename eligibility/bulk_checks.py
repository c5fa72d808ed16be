"""Bulk checks: many insured numbers taken in at once, answered by the worker in a lane of their own."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import zip_longest
from typing import Any, Final

import structlog

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.consent.grants import Grants, decide_grants
from eligibility.disclosure import show_coverage
from eligibility.domain.codes import Outcome
from eligibility.domain.coverage import Standing, standing_of_number
from eligibility.domain.dates import day_in_japan, parse_date
from eligibility.domain.errors import MalformedValue, Refused
from eligibility.domain.identifiers import InsuredNumber, MyNumberRefused, refuse_my_number
from eligibility.domain.ids import uuid7
from eligibility.given_again import Shown
from eligibility.serving.callers import Terminal
from eligibility.storage.audit import insert_event
from eligibility.storage.bulk_checks import (
    BulkCheck,
    BulkItem,
    ItemMatches,
    ItemRecord,
    KeptResult,
    PersonTold,
    Question,
    ResultRecord,
    advance_bulk,
    bulk_items,
    bulk_results,
    claim_bulk,
    count_failed_try,
    find_bulk,
    insert_bulk,
    insert_bulk_results,
    matches_by_item,
    matches_of_items,
    misses_since,
    record_bulk_verifications,
)
from eligibility.storage.kept_answers import AnswerKey, keep_answer
from eligibility.storage.lookups import matches_of, rows_of_numbers
from eligibility.verification import only_person
from eligibility.wire import bulk as wire
from eligibility.wire.problems import Sentence

CHUNK_ITEMS: Final = 2_500  # one transaction: what a kill can cost, and the grain of the progress shown
PART_ITEMS: Final = 500  # of a chunk: what is looked up while the part before is judged
FAILED_TRIES: Final = 5  # of one chunk: after them it is not looked up any more
RESULTS_A_PAGE: Final = 1_000
MISSES_WINDOW: Final = timedelta(hours=24)
MISSES: Final = frozenset({Outcome.NONE, Outcome.SEVERAL})
OUT_OF_MISSES: Final = "too_many_misses"
UNREADABLE: Final = "unreadable"
_log = structlog.get_logger(__name__)

PROBLEMS: Final[Mapping[str, Sentence]] = {
    "malformed": Sentence(
        ja="この項目の形式が正しくありません。保険証などと照らし合わせてください。",
        en="This value is malformed. Please compare it with the insurance document.",
    ),
    "my_number_refused": Sentence(
        ja="個人番号(マイナンバー)は入力しないでください。", en="Please do not enter a My Number."
    ),
    "item_id_repeated": Sentence(ja="同じ項目番号が二度使われています。", en="The same item id is used twice."),
    OUT_OF_MISSES: Sentence(
        ja="該当者のいない番号が多いため、残りは照会していません。入力を確かめ、1件ずつ確認してください。",
        en="Too many numbers named nobody, so the rest was not looked up. Check the entries, or check them singly.",
    ),
    UNREADABLE: Sentence(
        ja="センター側の問題で、この項目には回答できません。しばらくしてもう一度お試しください。",
        en="The centre could not answer this item. Please try it again in a while.",
    ),
}


class BulkNotFound(Refused):
    """The institution has no bulk check of this id."""

    code = "not_found"


class BulkNotDone(Refused):
    """The bulk check is not done yet."""

    code = "bulk_not_done"
    retry_after_s = 1


class BulkResultsCleared(Refused):
    """The results of the bulk check have been cleared after their time."""

    code = "bulk_results_cleared"


class TooManyBulks(Refused):
    """The institution has as many open bulk checks as it may."""

    code = "too_many_bulks"
    retry_after_s = 10


# ── Taking in, and giving out: in the API ───────────────────────────────────────────────────────────────────────


def read_questions(items: Iterable[wire.BulkItem]) -> Iterator[Question]:
    """Parse the items, one by one; one that is malformed keeps its problem and nothing of its values.

    Raises:
        MyNumberRefused: an item's id is a My Number, which could not even be named in an answer.
    """
    seen = set()
    for item in items:
        item_id = refuse_my_number(item.item_id, "item_id")
        yield _problem(item_id, "item_id_repeated", "item_id") if item_id in seen else _question(item)
        seen.add(item_id)


async def accept_bulk(
    pool: Any,
    terminal: Terminal,
    asked_for: date | None,
    questions: Sequence[Question],
    open_at_once: int,
    now: datetime,
    keep: AnswerKey | None,
) -> wire.BulkReceipt:
    """Make a bulk check durable, with its audit event.

    Raises:
        TooManyBulks: as many of the institution's are open as may be.
        AnsweredBefore: a receipt is kept under the key already.
    """
    receipt = wire.BulkReceipt(bulk_id=uuid7(now), accepted_at=now, items=len(questions))
    malformed = sum(question.problem_code is not None for question in questions)
    async with pool.acquire() as connection, connection.transaction():
        if keep is not None:
            await keep_answer(connection, keep, receipt.bulk_id, receipt.model_dump_json(), now)
        if not await insert_bulk(
            connection, receipt.bulk_id, terminal.institution, terminal.terminal_id, asked_for or day_in_japan(now),
            questions, open_at_once, now,
        ):  # fmt: skip
            raise TooManyBulks
        await insert_event(
            connection,
            AuditEvent(
                uuid7(now), now, EventKind.BULK, "accepted", ActorKind.TERMINAL, str(terminal.terminal_id),
                institution_code=terminal.institution.code,
                detail={"bulk": str(receipt.bulk_id), "items": receipt.items, "malformed": malformed},
            ),
        )  # fmt: skip
    return receipt


async def bulk_status(pool: Any, terminal: Terminal, bulk_id: Any, kept_for: timedelta) -> wire.BulkStatus:
    """Return how far an institution's bulk check is.

    Raises:
        BulkNotFound: it has none of this id.
    """
    bulk = await _own(pool, terminal, bulk_id)
    return wire.BulkStatus(
        bulk_id=bulk.bulk_id,
        state=bulk.state,
        total=bulk.items,
        done=bulk.done,
        results_until=bulk.finished_at and bulk.finished_at + kept_for,
    )


async def page_of_results(pool: Any, terminal: Terminal, bulk_id: Any, before: int, now: datetime) -> str:
    """Return a page of results as JSON; each page leaves an event that names it.

    Nothing is shown of a coverage that was suspended since the bulk check: its result is `suspended`.

    Raises:
        BulkNotFound, BulkNotDone, BulkResultsCleared: there is nothing to give out.
    """
    bulk = await _own(pool, terminal, bulk_id)
    if bulk.cleared_at is not None:
        raise BulkResultsCleared
    if bulk.finished_at is None:
        raise BulkNotDone
    kept = await bulk_results(pool, bulk.bulk_id, before, RESULTS_A_PAGE)
    results = await _shown_now(pool, bulk, kept)
    event = AuditEvent(
        uuid7(now), now, EventKind.BULK, "fetched", ActorKind.TERMINAL, str(terminal.terminal_id),
        institution_code=terminal.institution.code,
        detail={"bulk": str(bulk.bulk_id), "after": before, "results": len(results)},
    )  # fmt: skip
    await insert_event(pool, event)
    head = wire.BulkResults(
        bulk_id=bulk.bulk_id,
        asked_for=bulk.asked_for,
        finished_at=bulk.finished_at,
        total=bulk.items,
        changed=bulk.changed,
        after=before + len(results) if before + len(results) < bulk.items else None,
        results=(),
    )
    # The results are already in the form in which they travel.
    return head.model_dump_json(exclude={"results"})[:-1] + f',"results":[{",".join(results)}]}}'


async def _shown_now(pool: Any, bulk: BulkCheck, kept: Sequence[KeptResult]) -> list[str]:
    results = [one.result for one in kept]
    doubtful: list[tuple[int, wire.BulkResult, Shown]] = []
    for place, one in enumerate(kept):
        if one.doubtful_coverage_id is not None:
            told = wire.BulkResult.model_validate_json(one.result)
            if told.coverage is not None:
                shown = Shown.by_answer(one.doubtful_coverage_id, told.coverage, bulk.asked_for, bulk.accepted_at)
                doubtful.append((place, told, shown))
    if doubtful:
        rows = await rows_of_numbers(pool, [shown.question(bulk.institution) for _, _, shown in doubtful])
        for (place, told, shown), present in zip(doubtful, rows, strict=True):
            if shown.is_suspended(matches_of(present)):
                hidden = told.model_copy(update={"outcome": Outcome.SUSPENDED, "coverage": None})
                results[place] = hidden.model_dump_json()
    return results


async def _own(pool: Any, terminal: Terminal, bulk_id: Any) -> BulkCheck:
    bulk = await find_bulk(pool, bulk_id, terminal.institution)
    if bulk is None:
        raise BulkNotFound
    return bulk


def _question(item: wire.BulkItem) -> Question:
    try:
        insured = InsuredNumber.parse(item.insurer_number, item.symbol, item.number, item.branch_number)
        return Question(item.item_id, insured, _birth_date(item.birth_date))
    except MyNumberRefused as error:
        return _problem(item.item_id, "my_number_refused", error.field)
    except MalformedValue as error:
        return _problem(item.item_id, "malformed", error.field)


def _birth_date(text: str) -> date:
    stripped = refuse_my_number(text.strip(), "birth_date")
    dashed = len(stripped) == 10 and stripped[4] == stripped[7] == "-"
    try:
        return parse_date(stripped.replace("-", "") if dashed else stripped)
    except MalformedValue as error:
        raise MalformedValue(field="birth_date") from error


def _problem(item_id: str, code: str, field: str) -> Question:
    return Question(item_id, None, None, code, field)


# ── Answering: in the worker ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Judged:
    """What one item came to: the result as it travels, and the record of the look-up, if there was one."""

    item_number: int
    result: wire.BulkResult
    record: ItemRecord | None

    @property
    def missed(self) -> bool:
        """Whether the look-up named nobody, or several."""
        return self.record is not None and self.record.outcome in MISSES

    @property
    def kept(self) -> ResultRecord:
        """The result as it is kept."""
        person, coverage = (self.record.person_id, self.record.coverage_id) if self.record else (None, None)
        return ResultRecord(self.item_number, self.result.changed, self.result.model_dump_json(), person, coverage)


async def work_on_bulk(pool: Any, misses_a_day: int, now: datetime) -> bool:
    """Do the next chunk of the bulk check that is next of those nobody works on; return False if there is none.

    One transaction holds the look-ups, their records and events, the results and the progress: a kill leaves the chunk
    undone, and whoever comes next does it again from its first item. A chunk that fails is counted, so that the others'
    come first, and is answered without a look-up after `FAILED_TRIES`: what failed it is raised here each time.
    """
    failed = None
    async with pool.acquire() as connection, connection.transaction():
        bulk = await claim_bulk(connection)
        if bulk is None:
            return False
        misses_left = misses_a_day - await misses_since(connection, bulk.institution, now - MISSES_WINDOW)
        try:
            async with connection.transaction():  # a savepoint: the claim holds until the failure is counted
                await _do_chunk(connection, bulk, misses_left, now)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is counted first)
            failed = error
            await count_failed_try(connection, bulk)
    if failed is not None:
        raise failed
    return True


async def _do_chunk(connection: Any, bulk: BulkCheck, misses_left: int, now: datetime) -> None:
    last = min(bulk.done + CHUNK_ITEMS, bulk.items)
    items = await bulk_items(connection, bulk, last)
    if bulk.failed_tries < FAILED_TRIES:
        judged = await _judge_in_parts(connection, bulk, items, misses_left, now)
    else:
        judged = judge_items(items, dict.fromkeys(item.item_number for item in items), bulk.asked_for, misses_left, now)
    records = [j.record for j in judged if j.record is not None]
    await record_bulk_verifications(connection, bulk, records, now)
    await insert_bulk_results(connection, bulk, [j.kept for j in judged])
    misses = sum(j.missed for j in judged)
    changed = sum(j.result.changed for j in judged)
    await advance_bulk(connection, bulk, items=len(items), misses=misses, changed=changed, now=now)
    problems = Counter(j.result.problem.code for j in judged if j.result.problem)
    if problems[UNREADABLE]:
        _log.error("items_unreadable", bulk_id=str(bulk.bulk_id), items=problems[UNREADABLE])
    if last == bulk.items:
        await insert_event(
            connection,
            AuditEvent(
                uuid7(now), now, EventKind.BULK, "done", ActorKind.PROCESS, "worker",
                institution_code=bulk.institution.code,
                detail={"bulk": str(bulk.bulk_id), "misses": bulk.misses + misses, "last_problems": dict(problems)},
            ),
        )  # fmt: skip


async def _judge_in_parts(
    connection: Any, bulk: BulkCheck, items: Sequence[BulkItem], misses_left: int, now: datetime
) -> list[Judged]:
    """Judge part after part; while one is judged, the database looks the next one up."""
    parts = [items[at : at + PART_ITEMS] for at in range(0, len(items), PART_ITEMS)]

    def look_up(part: Sequence[BulkItem]) -> asyncio.Task[list[Any]]:
        numbers = part[0].item_number, part[-1].item_number
        return asyncio.create_task(matches_of_items(connection, bulk, *numbers, now))

    judged: list[Judged] = []
    looking = look_up(parts[0])
    try:
        for part, following in zip_longest(parts, parts[1:]):
            rows = await looking
            if following is not None:
                looking = look_up(following)
            made = await asyncio.to_thread(_judge_rows, part, rows, bulk.asked_for, misses_left, now)
            misses_left -= sum(one.missed for one in made)
            judged += made
    finally:
        looking.cancel()
        await asyncio.wait([looking])
    return judged


def _judge_rows(
    items: Sequence[BulkItem], rows: Sequence[Any], day: date, misses_left: int, now: datetime
) -> list[Judged]:
    return judge_items(items, matches_by_item(rows), day, misses_left, now)


def judge_items(
    items: Sequence[BulkItem],
    matches: Mapping[int, ItemMatches | None],
    day: date,
    misses_left: int,
    now: datetime,
) -> list[Judged]:
    """Decide each item in the order asked.

    When the misses left are used up, no further item is answered, be it a hit or a miss: a file of guesses must not
    tell more than a day's budget of them.
    """
    grants = {
        outcome: decide_grants(
            (), outcome=outcome, by_card=False, covered_now=False, certificate_in_grace=False, now=now
        )
        for outcome in Outcome
    }
    judged = []
    for item in items:
        if item.problem_code is not None:
            judged.append(Judged(item.item_number, _without_outcome(item, item.problem_code, item.problem_field), None))
        elif misses_left <= 0:
            judged.append(Judged(item.item_number, _without_outcome(item, OUT_OF_MISSES, ""), None))
        elif (found := matches.get(item.item_number, ItemMatches())) is None:
            judged.append(Judged(item.item_number, _without_outcome(item, UNREADABLE, ""), None))
        else:
            judged.append(_judge(item, found, day, grants, now))
            misses_left -= judged[-1].missed
    return judged


def _judge(item: BulkItem, found: ItemMatches, day: date, grants: Mapping[Outcome, Grants], now: datetime) -> Judged:
    standing = standing_of_number(found.asked, found.others, day, crowded=found.crowded)
    person = only_person(standing, found.asked)
    coverage_id = standing.coverage.coverage_id if standing.coverage else None
    told = (found.told or {}).get(person, _NOTHING_TOLD) if person is not None else _NOTHING_TOLD
    result = wire.BulkResult(
        item_id=item.item_id,
        outcome=standing.outcome,
        coverage=standing.coverage and show_coverage(standing.coverage, grants[standing.outcome], day),
        changed=has_changed(standing, told, found.restated_at or {}),
        last_checked_at=told.last and told.last.checked_at,
        reference_number=told.reference_number,
        problem=None,
    )
    return Judged(item.item_number, result, ItemRecord(uuid7(now), standing.outcome, person, coverage_id))


def has_changed(standing: Standing, told: PersonTold, restated_at: Mapping[int, datetime]) -> bool:
    """Tell whether an answer differs from what the institution was last told of the person.

    Another outcome, another coverage, or the same coverage stated anew since: a corrected name or share, an elderly
    certificate that came or went. Who was never asked about has not changed.
    """
    if told.last is None:
        return False
    if standing.outcome is not told.last.outcome:
        return True
    if standing.coverage is None:
        return False
    coverage_id = standing.coverage.coverage_id
    return coverage_id != told.last.coverage_id or restated_at[coverage_id] > told.last.checked_at


def _without_outcome(item: BulkItem, code: str, field: str | None) -> wire.BulkResult:
    return wire.BulkResult(
        item_id=item.item_id,
        outcome=None,
        coverage=None,
        changed=False,
        last_checked_at=None,
        reference_number=None,
        problem=wire.ItemProblem(code=code, field=field or "", staff=PROBLEMS[code]),
    )


_NOTHING_TOLD: Final = PersonTold(None, None)
