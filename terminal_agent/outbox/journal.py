"""Journals visits in SQLite, each sealed; a visit is in one of four states, and moves between them durably."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog

from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InsuredNumber
from eligibility.domain.ids import uuid7
from eligibility.wire.verifications import CoverageAnswer, NumberVerificationRequest, Verification
from terminal_agent.outbox.clock import Uptime
from terminal_agent.outbox.sealing import KeyWrong, OutboxTrouble, Seal, SealBroken

_log = structlog.get_logger(__name__)
NUMBER_MISSING: Final = "number_missing"
CLOCK_WRONG: Final = "outbox_clock_wrong"  # so that the day it asks for may not be the visit's
KEY_HONOURED: Final = timedelta(days=6)  # the centre honours a key for seven days
LONGEST_PUT_OFF: Final = timedelta(hours=1)  # longer than any pause of a drain
_KEY_CHECK: Final = b"the outbox's key"
_ROUNDED: Final = timedelta(milliseconds=2)  # to which an id names when it was made
_SCHEMA: Final = """
create table if not exists seal_check (name blob not null);
create table if not exists visit (
    visit_id      text primary key,           -- also the idempotency key of its check
    journalled_at text not null,
    state         text not null check (state in ('journalled', 'settling', 'settled', 'needs_staff')),
    sealed        blob not null,              -- the number that is asked, or nothing yet
    answer        blob,                       -- sealed, once settled
    problem       text,                       -- why staff are needed
    first_sent_at text,                       -- from then on the centre may have answered
    not_before    real not null default 0,
    tries         integer not null default 0,
    settled_at    text
) without rowid;
create index if not exists visit_by_state on visit (state, not_before);  -- and then by visit_id, as every index here
create index if not exists visit_settled on visit (settled_at) where settled_at is not null;
create table if not exists holder (
    name    blob primary key,                 -- of the card, telling nothing without the key
    sealed  blob not null,
    seen_on text not null
) without rowid;
"""


class JournalUnusable(OutboxTrouble):
    """The outbox's file cannot be opened, or it is no outbox."""

    code = "outbox_unusable"


class JournalDamaged(JournalUnusable):
    """The outbox's file was damaged: SQLite cannot read it, or not to its end."""

    code = "outbox_damaged"


class BeingSettled(OutboxTrouble):
    """Another program settles the outbox's visits, most likely the counter that runs."""

    code = "outbox_being_settled"


class State(StrEnum):
    """Where a visit is on its way."""

    JOURNALLED = "journalled"
    SETTLING = "settling"
    SETTLED = "settled"
    NEEDS_STAFF = "needs_staff"


@dataclass(frozen=True, slots=True)
class InsuredPerson:
    """The number and birth date by which a visit is settled."""

    insurer_number: str
    symbol: str = field(repr=False)
    number: str = field(repr=False)
    branch_number: str
    birth_date: date = field(repr=False)

    @classmethod
    def of(cls, coverage: CoverageAnswer) -> "InsuredPerson":
        """Return what an answer says of the person it is about."""
        return cls(
            coverage.insurer_number, coverage.symbol, coverage.number, coverage.branch_number, coverage.birth_date
        )


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit as the journal has it. Until it is settled it is unverified, whatever the patient showed."""

    visit_id: UUID
    journalled_at: datetime
    state: State
    content: "Content"
    problem: str | None = None
    tries: int = 0
    first_sent_at: datetime | None = None
    settled_at: datetime | None = None
    answer: Verification | None = field(default=None, repr=False)

    @property
    def asked_for(self) -> date:
        """The day it is checked for."""
        return self.content.asked_for

    @property
    def person(self) -> InsuredPerson | None:
        """Whose visit it is, as far as a number says so."""
        return self.content.person

    def request(self) -> NumberVerificationRequest:
        """Return the check that settles it, the same each time; `person` must be known."""
        assert self.person is not None  # noqa: S101 (only such visits are journalled for settling)
        return request_of(self.person, self.asked_for)


@dataclass(frozen=True, slots=True)
class Content:
    """What is sealed of a visit: whose it is, and its day, by whom that was told."""

    asked_for: date
    person: InsuredPerson | None = None
    up: Uptime | None = None  # when it was journalled, by the machine's own count
    stated: bool = False  # staff said which day it was; else the terminal's clock did


def request_of(person: InsuredPerson, asked_for: date) -> NumberVerificationRequest:
    """Return the check by number.

    Raises:
        pydantic.ValidationError: a part has not the form of a number.
    """
    return NumberVerificationRequest(
        insurer_number=person.insurer_number,
        symbol=person.symbol,
        number=person.number,
        branch_number=person.branch_number,
        birth_date=person.birth_date,
        asked_for=asked_for,
        known_at=None,
    )


class Journal:
    """The file of one counter's visits; one process drains it, several may read and add."""

    def __init__(self, path: Path, seal: Seal) -> None:
        """Open or make the file.

        Raises:
            JournalUnusable: it cannot be opened, or is no outbox.
            JournalDamaged: it is no whole database any more.
            KeyWrong: it was sealed with another key.
        """
        self._seal = seal
        self._path = path
        self._lock = threading.RLock()
        try:
            path.touch(mode=0o600, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise JournalUnusable from error
        self._base.row_factory = sqlite3.Row
        # A text that a damaged disk left is garbled as others are: it must not end the reading.
        self._base.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            self._base.execute("pragma journal_mode = wal")
            # Not NORMAL: a visit that staff were told is journalled survives a power cut.
            self._base.execute("pragma synchronous = full")
            with self._write():
                for statement in _SCHEMA.split(";"):
                    self._base.execute(statement)
                self._check_key()
        except sqlite3.Error as error:
            self._base.close()
            raise trouble_of(error) from error
        except KeyWrong:
            self._base.close()
            raise

    def check(self) -> None:
        """Read the whole file once.

        Raises:
            JournalDamaged: some of it cannot be read.
        """
        try:
            with self._lock:
                (found,) = self._base.execute("pragma quick_check(1)").fetchone()
        except sqlite3.Error as error:
            raise trouble_of(error) from error
        if found != "ok":
            raise JournalDamaged

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def add(self, person: InsuredPerson | None, asked_for: date, now: datetime, up: Uptime | None = None) -> UUID:
        """Journal a visit; it is on disk when this returns. Without a number it waits for staff to enter one.

        With `up`, the same moment as `now`, its day can be told later although the terminal's clock was wrong.

        Raises:
            pydantic.ValidationError: a part of the number has not the form of one.
        """
        return self.add_all([(person, asked_for)], now, up)[0]

    def add_all(
        self, visits: Sequence[tuple[InsuredPerson | None, date]], now: datetime, up: Uptime | None = None
    ) -> list[UUID]:
        """Journal several visits in one go.

        Raises:
            pydantic.ValidationError: as `add`; then none is journalled.
        """
        rows = []
        for person, asked_for in visits:
            if person is not None:
                request_of(person, asked_for)
            visit_id = uuid7(now)
            state, problem = (State.NEEDS_STAFF, NUMBER_MISSING) if person is None else (State.JOURNALLED, None)
            sealed = self._sealed(visit_id, Content(asked_for, person, up))
            rows.append((str(visit_id), _text(now), state, sealed, problem))
        with self._write():
            self._base.executemany(
                "insert into visit (visit_id, journalled_at, state, sealed, problem) values (?, ?, ?, ?, ?)", rows
            )
        return [UUID(row[0]) for row in rows]

    def enter_number(self, visit_id: UUID, person: InsuredPerson) -> bool:
        """Give a visit that needs staff the number they entered; return False if it does not need them.

        What the centre may have answered under the old key stays; the corrected check is a new visit's.

        Raises:
            pydantic.ValidationError: a part of the number has not the form of one.
        """
        with self._write():
            visit = self._needing_staff(visit_id)
            if visit is None:
                return False
            request_of(person, visit.asked_for)
            self._begin_anew(visit, replace(visit.content, person=person))
        return True

    def enter_day(self, visit_id: UUID, day: date) -> bool:
        """Give a visit whose day is doubtful the day that staff say it was; return False if none is doubtful of it.

        As with a number, the check for that day is a new visit's.
        """
        with self._write():
            visit = self._needing_staff(visit_id)
            if visit is None or visit.problem != CLOCK_WRONG:
                return False
            self._begin_anew(visit, replace(visit.content, asked_for=day, stated=True))
        return True

    def visit(self, visit_id: UUID) -> Visit | None:
        """Return one visit."""
        with self._lock:
            row = self._base.execute(f"{_SELECT} where visit_id = ?", (str(visit_id),)).fetchone()
        return row and self._visit(row)

    def latest(self, limit: int = 200, state: State | None = None) -> list[Visit]:
        """Return visits of one state or of all, newest first, but before all others those that need staff."""
        where, arguments = ("where state = ?", [state]) if state else ("", [])
        with self._lock:
            rows = self._base.execute(
                f"{_SELECT} {where} order by state <> 'needs_staff', visit_id desc limit ?", [*arguments, limit]
            ).fetchall()
        return [visit for row in rows if (visit := self._visit(row)) is not None]

    def counts(self) -> Mapping[State, int]:
        """Return how many visits are in each state; one whose state nobody can read needs staff."""
        counts = dict.fromkeys(State, 0)
        with self._lock:
            found = self._base.execute("select state, count(*) from visit group by state").fetchall()
        for state, count in found:
            counts[State(state) if state in _STATES else State.NEEDS_STAFF] += count
        return counts

    def take_over(self, visits: Iterable[sqlite3.Row], holders: Iterable[sqlite3.Row]) -> int:
        """Take over what was read from a damaged outbox; return how many visits it was.

        Only rows whose seal opens, under the ids they had: a check that was sent before is sent under the same key.
        """
        taken = 0
        with self._write():
            for row in visits:
                visit = self._visit(row)
                if visit is not None and visit.problem != SealBroken.code:
                    taken += self._base.execute(
                        "insert or ignore into visit (visit_id, journalled_at, state, sealed, answer, problem,"
                        " first_sent_at, settled_at) values (?, ?, ?, ?, ?, ?, ?, ?)",
                        tuple(row[column] for column in _KEPT),
                    ).rowcount
            for row in holders:
                with suppress(SealBroken, *_GARBLED):
                    self._seal.open(row["sealed"], f"holder {row['name'].hex()}")
                    self._base.execute(
                        "insert or ignore into holder (name, sealed, seen_on) values (?, ?, ?)", tuple(row)
                    )
        return taken

    # ── For whoever drains ──────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def settled_by_one(self) -> Iterator[None]:
        """Hold for one drain what a second must not take up again; a killed one lets go of it by that.

        Raises:
            BeingSettled: another drain holds it.
            JournalUnusable: the file for it cannot be made beside the outbox.
        """
        try:
            lock = os.open(f"{self._path}.drain", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise JournalUnusable from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BeingSettled from error
            yield
        finally:
            os.close(lock)

    def take_up_again(self) -> int:
        """Put back what a killed drain had in hand; its keys make sure that each check still has one effect."""
        with self._write():
            return self._base.execute("update visit set state = 'journalled' where state = 'settling'").rowcount

    def take(self, limit: int, now: datetime) -> list[Visit]:
        """Take some visits in hand, oldest first, on disk before any is sent; those tried before come after them.

        Each is put down as sent from now on, which `Conclusion.unsent` takes back, and returned as it was before.
        The order is the index's own, so that a go costs the same however many wait.
        """
        with self._write():
            # Put off by a clock that was ahead and has been set back since.
            self._base.execute(
                "update visit set not_before = 0 where state = 'journalled' and not_before > ?",
                ((now + LONGEST_PUT_OFF).timestamp(),),
            )
            rows = self._base.execute(
                f"{_SELECT} where state = 'journalled' and not_before <= ? order by not_before, visit_id limit ?",
                (now.timestamp(), limit),
            ).fetchall()
            found = [(row["raw_id"], self._visit(row)) for row in rows]
            # One that nobody can read any more must not keep the others waiting.
            taken = [visit for _, visit in found if visit is not None and visit.state is State.JOURNALLED]
            garbled = [raw_id for raw_id, visit in found if visit is None or visit.state is not State.JOURNALLED]
            self._base.executemany(
                "update visit set state = 'settling', first_sent_at = coalesce(first_sent_at, ?) where visit_id = ?",
                [(_text(now), str(visit.visit_id)) for visit in taken],
            )
            if garbled:
                _log.error("outbox_rows_unreadable", count=len(garbled))
            # By the bytes of its id, which need be neither an id nor a text.
            self._base.executemany(
                "update visit set state = 'needs_staff', problem = ?1 where visit_id in (?2, cast(?2 as text))",
                [(SealBroken.code, raw_id) for raw_id in garbled],
            )
        return taken

    def next_at(self) -> datetime | None:
        """Return when the next journalled visit may be tried, or None if there is none."""
        with self._lock:
            (found,) = self._base.execute("select min(not_before) from visit where state = 'journalled'").fetchone()
        return None if found is None else datetime.fromtimestamp(found, UTC)

    def conclude(self, conclusions: Sequence["Conclusion"], now: datetime) -> None:
        """Put down what became of the visits in hand, in one go."""
        with self._write():
            for conclusion in conclusions:
                answer = conclusion.answer and self._seal.close(
                    conclusion.answer.model_dump(mode="json"), f"answer {conclusion.visit_id}"
                )
                settled_at = _text(now) if conclusion.state is State.SETTLED else None
                self._base.execute(
                    "update visit set state = ?, problem = ?, answer = ?, settled_at = ?, not_before = ?, tries = ?, "
                    "first_sent_at = iif(?, null, first_sent_at) where visit_id = ? and state = 'settling'",
                    (
                        conclusion.state, conclusion.problem, answer, settled_at,
                        conclusion.not_before.timestamp() if conclusion.not_before else 0, conclusion.tries,
                        conclusion.unsent, str(conclusion.visit_id),
                    ),
                )  # fmt: skip

    def forget_settled(self, before: datetime) -> int:
        """Remove visits that were settled before a moment."""
        with self._write():
            return self._base.execute("delete from visit where settled_at < ?", (_text(before),)).rowcount

    # ── What this counter knows of a card's holder ──────────────────────────────────────────────────────────────

    def remember(self, certificate: bytes, coverage: CoverageAnswer, today: date) -> None:
        """Keep, sealed, by which number the holder of a card was last insured here."""
        name = self._seal.name_of(certificate)
        sealed = self._seal.close(_written(InsuredPerson.of(coverage)), f"holder {name.hex()}")
        with self._write():
            self._base.execute(
                "insert into holder (name, sealed, seen_on) values (?, ?, ?) "
                "on conflict (name) do update set sealed = excluded.sealed, seen_on = excluded.seen_on",
                (name, sealed, today.isoformat()),
            )

    def recall(self, certificate: bytes) -> InsuredPerson | None:
        """Return by which number the holder of a card was last insured here, if they have been here.

        Raises:
            SealBroken: what was kept of them was changed, or is damaged.
        """
        name = self._seal.name_of(certificate)
        with self._lock:
            row = self._base.execute("select sealed from holder where name = ?", (name,)).fetchone()
        try:
            return row and _read(self._seal.open(row[0], f"holder {name.hex()}"))
        except _GARBLED as error:
            raise SealBroken from error

    def forget_holders(self, before: date) -> int:
        """Remove those who were last seen before a day."""
        with self._write():
            return self._base.execute("delete from holder where seen_on < ?", (before.isoformat(),)).rowcount

    def _needing_staff(self, visit_id: UUID) -> Visit | None:
        visit = self.visit(visit_id)
        return visit if visit is not None and visit.state is State.NEEDS_STAFF else None

    def _begin_anew(self, visit: Visit, content: Content) -> None:
        new_id = uuid7(visit.journalled_at)
        self._base.execute(
            "insert into visit (visit_id, journalled_at, state, sealed) values (?, ?, ?, ?)",
            (str(new_id), _text(visit.journalled_at), State.JOURNALLED, self._sealed(new_id, content)),
        )
        self._base.execute("delete from visit where visit_id = ?", (str(visit.visit_id),))

    @contextmanager
    def _write(self) -> Iterator[None]:
        with self._lock:
            if self._base.in_transaction:
                yield
                return
            self._base.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._base.execute("rollback")
                raise
            self._base.execute("commit")

    def _check_key(self) -> None:
        name = self._seal.name_of(_KEY_CHECK)
        row = self._base.execute("select name from seal_check").fetchone()
        if row is None:
            self._base.execute("insert into seal_check (name) values (?)", (name,))
        elif row[0] != name:
            raise KeyWrong

    def _sealed(self, visit_id: UUID, content: Content) -> bytes:
        payload = {
            "asked_for": content.asked_for.isoformat(),
            "person": content.person and _written(content.person),
            "up": content.up and [content.up.boot, content.up.seconds],
            "stated": content.stated,
        }
        return self._seal.close(payload, f"visit {visit_id}")

    def _opened(self, sealed: bytes, visit_id: UUID) -> Content:
        payload = self._seal.open(sealed, f"visit {visit_id}")
        return Content(
            asked_for=date.fromisoformat(payload["asked_for"]),
            person=payload["person"] and _read(payload["person"]),
            up=Uptime(*payload["up"]) if payload.get("up") else None,
            stated=payload.get("stated", False),
        )

    def _visit(self, row: sqlite3.Row) -> Visit | None:
        """Return a visit; of one that was changed only when it was is left, and staff are needed.

        None of one whose id is none of ours: nothing could be put down of it.
        """
        try:
            visit_id = UUID(row["visit_id"])
            made_at = datetime.fromtimestamp((visit_id.int >> 80) / 1000, UTC)
            left = Content(day_in_japan(made_at))
        except _GARBLED:
            return None
        if str(visit_id) != row["visit_id"]:
            return None
        try:
            return self._whole_visit(row, visit_id, made_at)
        except (SealBroken, *_GARBLED):
            return Visit(visit_id, made_at, State.NEEDS_STAFF, left, SealBroken.code)

    def _whole_visit(self, row: sqlite3.Row, visit_id: UUID, made_at: datetime) -> Visit:
        journalled_at, state, answer = datetime.fromisoformat(row["journalled_at"]), State(row["state"]), None
        if abs(journalled_at - made_at) > _ROUNDED:
            raise SealBroken  # the time lies open, but the id that names it too is sealed in
        content = self._opened(row["sealed"], visit_id)
        if row["answer"] is not None:
            answer = Verification.model_validate(self._seal.open(row["answer"], f"answer {visit_id}"))
        elif state is State.SETTLED:
            raise SealBroken  # the state lies open, but what settled it does not
        elif content.person is None and state is not State.NEEDS_STAFF:
            raise SealBroken  # nor does what it could be settled by
        return Visit(
            visit_id=visit_id,
            journalled_at=journalled_at,
            state=state,
            content=content,
            problem=row["problem"],
            tries=int(row["tries"]),
            first_sent_at=_moment(row["first_sent_at"]),
            settled_at=_moment(row["settled_at"]),
            answer=answer,
        )


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What became of one visit in hand."""

    visit_id: UUID
    state: State
    answer: Verification | None = None
    problem: str | None = None
    not_before: datetime | None = None
    tries: int = 0
    unsent: bool = False  # its check was not begun, now or ever before


def person_from(entries: Mapping[str, str]) -> InsuredPerson:
    """Read what staff entered.

    Raises:
        ValueError: the birth date is no day, a part has not the form of a number, or it has that of a My Number.
    """
    person = InsuredPerson(
        entries["insurer_number"], entries.get("symbol", ""), entries["number"], entries.get("branch_number", ""),
        date.fromisoformat(entries["birth_date"]),
    )  # fmt: skip
    # By the centre's own rule: what it would refuse days later is put right while the patient may still be there.
    InsuredNumber.parse(person.insurer_number, person.symbol, person.number, person.branch_number)
    return person


_SELECT: Final = (
    "select visit_id, journalled_at, state, sealed, answer, problem, tries, first_sent_at, settled_at,"
    " cast(visit_id as blob) as raw_id from visit"
)

_KEPT: Final = ("visit_id", "journalled_at", "state", "sealed", "answer", "problem", "first_sent_at", "settled_at")
_STATES: Final = frozenset(state.value for state in State)
_GARBLED: Final = (
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    OverflowError,
)  # what a row gives rise to that holds anything
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY_CODE: Final = 0xFF  # of an extended result code, its last byte


def trouble_of(error: sqlite3.Error) -> JournalUnusable:
    """Return what SQLite's error means for the outbox."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    return JournalDamaged() if code in _DAMAGE else JournalUnusable()


def _written(person: InsuredPerson) -> dict[str, Any]:
    return {
        "insurer_number": person.insurer_number,
        "symbol": person.symbol,
        "number": person.number,
        "branch_number": person.branch_number,
        "birth_date": person.birth_date.isoformat(),
    }


def _read(written: Mapping[str, Any]) -> InsuredPerson:
    return InsuredPerson(**dict(written) | {"birth_date": date.fromisoformat(written["birth_date"])})


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
