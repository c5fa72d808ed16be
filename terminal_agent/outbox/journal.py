"""Journals visits in SQLite, each sealed; a visit is in one of four states, and moves between them durably."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InsuredNumber
from eligibility.domain.ids import uuid7
from eligibility.wire.verifications import CoverageAnswer, NumberVerificationRequest, Verification
from terminal_agent.outbox.sealing import KeyWrong, OutboxTrouble, Seal, SealBroken

NUMBER_MISSING: Final = "number_missing"
KEY_HONOURED: Final = timedelta(days=6)  # the centre honours a key for seven days
LONGEST_PUT_OFF: Final = timedelta(hours=1)  # longer than any pause of a drain
_KEY_CHECK: Final = b"the outbox's key"
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
    asked_for: date
    person: InsuredPerson | None
    problem: str | None
    tries: int
    settled_at: datetime | None
    answer: Verification | None = field(repr=False)

    def request(self) -> NumberVerificationRequest:
        """Return the check that settles it, the same each time; `person` must be known."""
        assert self.person is not None  # noqa: S101 (only such visits are journalled for settling)
        return request_of(self.person, self.asked_for)


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
        self._lock = threading.RLock()
        try:
            path.touch(mode=0o600, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise JournalUnusable from error
        self._base.row_factory = sqlite3.Row
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

    def add(self, person: InsuredPerson | None, asked_for: date, now: datetime) -> UUID:
        """Journal a visit; it is on disk when this returns. Without a number it waits for staff to enter one.

        Raises:
            pydantic.ValidationError: a part of the number has not the form of one.
        """
        return self.add_all([(person, asked_for)], now)[0]

    def add_all(self, visits: Sequence[tuple[InsuredPerson | None, date]], now: datetime) -> list[UUID]:
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
            rows.append((str(visit_id), _text(now), state, self._sealed(visit_id, person, asked_for), problem))
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
            visit = self.visit(visit_id)
            if visit is None or visit.state is not State.NEEDS_STAFF:
                return False
            request_of(person, visit.asked_for)
            new_id = uuid7(visit.journalled_at)
            self._base.execute(
                "insert into visit (visit_id, journalled_at, state, sealed) values (?, ?, ?, ?)",
                (
                    str(new_id), _text(visit.journalled_at), State.JOURNALLED,
                    self._sealed(new_id, person, visit.asked_for),
                ),
            )  # fmt: skip
            self._base.execute("delete from visit where visit_id = ?", (str(visit_id),))
        return True

    def visit(self, visit_id: UUID) -> Visit | None:
        """Return one visit."""
        with self._lock:
            row = self._base.execute(f"{_SELECT} where visit_id = ?", (str(visit_id),)).fetchone()
        return row and self._visit(row)

    def latest(self, limit: int = 200, state: State | None = None) -> list[Visit]:
        """Return the latest visits, of one state or of all, newest first."""
        where, arguments = ("where state = ?", [state]) if state else ("", [])
        with self._lock:
            rows = self._base.execute(
                f"{_SELECT} {where} order by visit_id desc limit ?", [*arguments, limit]
            ).fetchall()
        return [self._visit(row) for row in rows]

    def counts(self) -> Mapping[State, int]:
        """Return how many visits are in each state."""
        with self._lock:
            found = dict(self._base.execute("select state, count(*) from visit group by state").fetchall())
        return {state: found.get(state.value, 0) for state in State}

    def take_over(self, visits: Iterable[sqlite3.Row], holders: Iterable[sqlite3.Row]) -> int:
        """Take over what was read from a damaged outbox; return how many visits it was.

        Only rows whose seal opens, under the ids they had: a check that was sent before is sent under the same key.
        """
        taken = 0
        with self._write():
            for row in visits:
                with suppress(*_GARBLED):
                    if self._visit(row).problem != SealBroken.code:
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

    def take_up_again(self) -> int:
        """Put back what a killed drain had in hand; its keys make sure that each check still has one effect."""
        with self._write():
            return self._base.execute("update visit set state = 'journalled' where state = 'settling'").rowcount

    def take(self, limit: int, now: datetime) -> list[Visit]:
        """Take some visits in hand, oldest first, on disk before any is sent; those tried before come after them.

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
            visits = [self._visit(row) for row in rows]
            # One that nobody can read any more must not keep the others waiting.
            taken = [visit for visit in visits if visit.state is State.JOURNALLED]
            self._base.executemany(
                "update visit set state = 'settling', first_sent_at = coalesce(first_sent_at, ?) where visit_id = ?",
                [(_text(now), str(visit.visit_id)) for visit in taken],
            )
            self._base.executemany(
                "update visit set state = ?, problem = ? where visit_id = ?",
                [(v.state, v.problem, str(v.visit_id)) for v in visits if v.state is not State.JOURNALLED],
            )
        return taken

    def next_at(self) -> datetime | None:
        """Return when the next journalled visit may be tried, or None if there is none."""
        with self._lock:
            (found,) = self._base.execute("select min(not_before) from visit where state = 'journalled'").fetchone()
        return None if found is None else datetime.fromtimestamp(found, UTC)

    def sent_before(self, visit_id: UUID, moment: datetime) -> bool:
        """Tell whether a visit's check was first sent before a moment, so that its key may no longer be honoured."""
        with self._lock:
            row = self._base.execute("select first_sent_at from visit where visit_id = ?", (str(visit_id),)).fetchone()
        return row is not None and row[0] is not None and datetime.fromisoformat(row[0]) < moment

    def conclude(self, conclusions: Sequence["Conclusion"], now: datetime) -> None:
        """Put down what became of the visits in hand, in one go."""
        with self._write():
            for conclusion in conclusions:
                answer = conclusion.answer and self._seal.close(
                    conclusion.answer.model_dump(mode="json"), f"answer {conclusion.visit_id}"
                )
                settled_at = _text(now) if conclusion.state is State.SETTLED else None
                self._base.execute(
                    "update visit set state = ?, problem = ?, answer = ?, settled_at = ?, not_before = ?, tries = ? "
                    "where visit_id = ? and state = 'settling'",
                    (
                        conclusion.state, conclusion.problem, answer, settled_at,
                        conclusion.not_before.timestamp() if conclusion.not_before else 0, conclusion.tries,
                        str(conclusion.visit_id),
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
        """Return by which number the holder of a card was last insured here, if they have been here."""
        name = self._seal.name_of(certificate)
        with self._lock:
            row = self._base.execute("select sealed from holder where name = ?", (name,)).fetchone()
        return row and _read(self._seal.open(row[0], f"holder {name.hex()}"))

    def forget_holders(self, before: date) -> int:
        """Remove those who were last seen before a day."""
        with self._write():
            return self._base.execute("delete from holder where seen_on < ?", (before.isoformat(),)).rowcount

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

    def _sealed(self, visit_id: UUID, person: InsuredPerson | None, asked_for: date) -> bytes:
        payload = {"asked_for": asked_for.isoformat(), "person": person and _written(person)}
        return self._seal.close(payload, f"visit {visit_id}")

    def _visit(self, row: sqlite3.Row) -> Visit:
        """Return a visit; of one that was changed only when it was is left, and staff are needed."""
        visit_id, journalled_at = UUID(row["visit_id"]), datetime.fromisoformat(row["journalled_at"])
        state, asked_for, person, answer = State(row["state"]), day_in_japan(journalled_at), None, None
        problem = row["problem"]
        try:
            payload = self._seal.open(row["sealed"], f"visit {visit_id}")
            if row["answer"] is not None:
                answer = Verification.model_validate(self._seal.open(row["answer"], f"answer {visit_id}"))
            elif state is State.SETTLED:
                raise SealBroken  # the state lies open, but what settled it does not
            asked_for = date.fromisoformat(payload["asked_for"])
            person = payload["person"] and _read(payload["person"])
        except SealBroken as broken:
            state, problem, answer = State.NEEDS_STAFF, broken.code, None
        return Visit(
            visit_id=visit_id,
            journalled_at=journalled_at,
            state=state,
            asked_for=asked_for,
            person=person,
            problem=problem,
            tries=row["tries"],
            settled_at=row["settled_at"] and datetime.fromisoformat(row["settled_at"]),
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


_SELECT: Final = "select visit_id, journalled_at, state, sealed, answer, problem, tries, settled_at from visit"


_KEPT: Final = ("visit_id", "journalled_at", "state", "sealed", "answer", "problem", "first_sent_at", "settled_at")
_GARBLED: Final = (ValueError, TypeError, AttributeError)  # what a row gives rise to that holds anything
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


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
