import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from pydantic import ValidationError

from eligibility.wire.verifications import Verification
from terminal_agent.outbox.clock import Uptime
from terminal_agent.outbox.journal import (
    CLOCK_WRONG,
    NUMBER_MISSING,
    BeingSettled,
    Conclusion,
    Content,
    InsuredPerson,
    Journal,
    JournalUnusable,
    State,
    person_from,
)
from terminal_agent.outbox.sealing import KeyUnusable, KeyWrong, Seal, SealBroken

NOW = datetime(2026, 11, 21, 1, tzinfo=UTC)
DAY = date(2026, 11, 21)
CANARY = "７０７０７０７"
PERSON = InsuredPerson("06130512", "カナリア", CANARY, "01", date(1977, 7, 7))


@pytest.fixture
def seal(tmp_path: Path) -> Seal:
    return Seal.from_file(tmp_path / "key")


@pytest.fixture
def journal(tmp_path: Path, seal: Seal) -> Any:
    made = Journal(tmp_path / "outbox.db", seal)
    yield made
    made.close()


def _take(journal: Journal, now: datetime = NOW) -> list[Any]:
    return journal.take(100, now)


def test_a_visit_is_unverified_until_it_is_settled(journal: Journal, valid: Verification) -> None:
    visit_id = journal.add(PERSON, DAY, NOW)
    (visit,) = journal.latest()
    assert (visit.visit_id, visit.state, visit.person, visit.answer) == (visit_id, State.JOURNALLED, PERSON, None)
    assert [v.visit_id for v in _take(journal)] == [visit_id]
    journal.conclude([Conclusion(visit_id, State.SETTLED, valid)], NOW)
    settled = journal.visit(visit_id)
    assert settled is not None
    assert (settled.state, settled.answer, settled.settled_at) == (State.SETTLED, valid, NOW)
    assert _take(journal) == []


def test_whoever_needs_staff_is_shown_before_any_that_does_not(journal: Journal) -> None:
    old = journal.add(None, DAY, NOW)
    waiting = [journal.add(PERSON, DAY, NOW + timedelta(minutes=minute)) for minute in (1, 2, 3)]
    assert [v.visit_id for v in journal.latest(limit=3)] == [old, waiting[2], waiting[1]]


def test_a_visit_without_number_waits_for_staff(journal: Journal) -> None:
    visit_id = journal.add(None, DAY, NOW)
    (visit,) = journal.latest(state=State.NEEDS_STAFF)
    assert (visit.problem, visit.person) == (NUMBER_MISSING, None)
    assert _take(journal) == []
    assert journal.enter_number(visit_id, PERSON)
    (taken,) = _take(journal)
    assert (taken.person, taken.asked_for, taken.journalled_at) == (PERSON, DAY, NOW)
    assert taken.visit_id != visit_id  # another content never goes under an old key
    assert not journal.enter_number(taken.visit_id, PERSON)
    assert not journal.enter_number(visit_id, PERSON)


def test_what_a_killed_drain_had_in_hand_is_taken_up_again(journal: Journal, tmp_path: Path, seal: Seal) -> None:
    visit_id = journal.add(PERSON, DAY, NOW)
    _take(journal)
    other = Journal(tmp_path / "outbox.db", seal)
    assert other.counts()[State.SETTLING] == 1
    assert other.take_up_again() == 1
    assert [v.visit_id for v in _take(other)] == [visit_id]
    other.close()


def test_visits_are_taken_oldest_first_and_not_before_their_time(journal: Journal) -> None:
    first, second = (journal.add(PERSON, DAY, NOW + timedelta(seconds=n)) for n in range(2))
    assert [v.visit_id for v in journal.take(1, NOW)] == [first]
    journal.conclude([Conclusion(first, State.JOURNALLED, not_before=NOW + timedelta(minutes=1), tries=1)], NOW)
    assert [v.visit_id for v in _take(journal)] == [second]
    assert journal.next_at() == NOW + timedelta(minutes=1)
    (again,) = _take(journal, NOW + timedelta(minutes=1))
    assert (again.visit_id, again.tries) == (first, 1)


def test_what_was_tried_before_waits_behind_what_was_not(journal: Journal) -> None:
    first, second = (journal.add(PERSON, DAY, NOW + timedelta(seconds=n)) for n in range(2))
    journal.take(1, NOW)
    journal.conclude([Conclusion(first, State.JOURNALLED, not_before=NOW - timedelta(minutes=1), tries=1)], NOW)
    assert [v.visit_id for v in _take(journal)] == [second, first]


def test_a_long_queue_is_neither_sorted_nor_read_through_for_each_go(journal: Journal, tmp_path: Path) -> None:
    said: list[str] = []
    journal._base.set_trace_callback(said.append)
    _take(journal)
    journal.next_at()
    journal.take_up_again()
    journal.forget_settled(NOW)
    journal._base.set_trace_callback(None)
    asked = [statement for statement in said if statement.startswith(("select", "update", "delete"))]
    assert len(asked) == 5
    for statement in asked:
        plan = " ".join(row[3] for row in journal._base.execute(f"explain query plan {statement}"))
        assert "SEARCH" in plan
        assert "INDEX" in plan
        assert "TEMP B-TREE" not in plan


def test_a_clock_that_is_set_back_puts_no_visit_off_for_as_long(journal: Journal) -> None:
    visit_id = journal.add(PERSON, DAY, NOW)
    for ahead in (timedelta(0), timedelta(days=400)):
        (taken,) = _take(journal, NOW + ahead)
        later = NOW + ahead + timedelta(minutes=5)
        journal.conclude([Conclusion(taken.visit_id, State.JOURNALLED, not_before=later, tries=1)], NOW + ahead)
        if not ahead:
            assert _take(journal, NOW) == []
    assert [v.visit_id for v in _take(journal, NOW)] == [visit_id]


def test_nothing_of_a_patient_is_readable_in_the_files(journal: Journal, tmp_path: Path, valid: Verification) -> None:
    visit_id = journal.add(PERSON, DAY, NOW)
    _take(journal)
    journal.conclude([Conclusion(visit_id, State.SETTLED, valid)], NOW)
    assert valid.coverage is not None
    journal.remember(b"certificate", valid.coverage, DAY)
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("outbox.db*"))
    for text in (CANARY, "カナリア", "1977-07-07", "髙橋", "06130512", "certificate", f'{valid.coverage.number}"'):
        assert text.encode("utf-8") not in raw
    assert (tmp_path / "outbox.db").stat().st_mode & 0o077 == 0


def _change(tmp_path: Path, change: str, before: str = "") -> None:
    with sqlite3.connect(tmp_path / "outbox.db") as base:
        base.execute(before)
        base.execute(f"update visit set {change}")  # noqa: S608
    base.close()


@pytest.mark.parametrize(
    "change",
    [
        "sealed = substr(sealed, 2)",
        "sealed = zeroblob(40)",
        "sealed = x''",
        "sealed = 7",
        "sealed = 'text'",
        "answer = 'text'",
        "journalled_at = 'yesterday'",
        "journalled_at = 7",
        "journalled_at = '2025' || substr(journalled_at, 5)",
        "journalled_at = '2026-11-21T01:00:00'",
        "journalled_at = cast(x'ff' as text)",
        "tries = 'many'",
        "first_sent_at = 'long ago'",
        "settled_at = x'ff'",
        "sealed = (select sealed from visit where problem is not null)",
    ],
)
def test_a_changed_row_is_left_to_staff_and_keeps_no_other_waiting(
    journal: Journal, tmp_path: Path, change: str
) -> None:
    broken = journal.add(PERSON, DAY, NOW)
    journal.add(None, DAY, NOW)
    _change(tmp_path, f"{change} where problem is null")
    whole = journal.add(PERSON, DAY, NOW)
    found = journal.visit(broken)
    assert found is not None
    assert (found.state, found.problem, found.person) == (State.NEEDS_STAFF, SealBroken.code, None)
    assert [v.visit_id for v in _take(journal)] == [whole]
    assert journal.counts() == {State.JOURNALLED: 0, State.SETTLING: 1, State.SETTLED: 0, State.NEEDS_STAFF: 2}
    assert {v.visit_id for v in journal.latest()} > {broken, whole}
    assert journal.enter_number(broken, PERSON)
    (again,) = _take(journal)
    assert (again.person, again.asked_for) == (PERSON, DAY)


def test_a_row_put_in_anothers_place_is_noticed(journal: Journal, tmp_path: Path) -> None:
    known, unknown = journal.add_all([(PERSON, DAY), (None, DAY)], NOW)
    _change(tmp_path, "sealed = (select sealed from visit where problem is null)")
    assert {v.visit_id: v.problem for v in journal.latest()} == {known: None, unknown: SealBroken.code}


@pytest.mark.parametrize(
    "wrong_id", ["'nobody'", "upper(visit_id)", "x'ff'", "cast(x'ff' as text)", "cast(visit_id as blob)"]
)
def test_a_row_whose_id_is_none_is_counted_and_keeps_no_other_waiting(
    journal: Journal, tmp_path: Path, wrong_id: str
) -> None:
    journal.add(PERSON, DAY, NOW)
    _change(tmp_path, f"visit_id = {wrong_id}")
    whole = journal.add(PERSON, DAY, NOW)
    assert [v.visit_id for v in journal.latest()] == [whole]
    assert [v.visit_id for v in _take(journal)] == [whole]
    assert journal.counts() == {State.JOURNALLED: 0, State.SETTLING: 1, State.SETTLED: 0, State.NEEDS_STAFF: 1}


def test_a_state_that_is_none_needs_staff(journal: Journal, tmp_path: Path) -> None:
    broken = journal.add(PERSON, DAY, NOW)
    _change(tmp_path, "state = 'journaled'", "pragma ignore_check_constraints = on")
    assert [(v.visit_id, v.state, v.problem) for v in journal.latest()] == [
        (broken, State.NEEDS_STAFF, SealBroken.code)
    ]
    assert journal.counts()[State.NEEDS_STAFF] == 1
    assert journal.enter_number(broken, PERSON)
    assert [v.person for v in _take(journal)] == [PERSON]


def test_a_visit_without_number_that_is_said_to_wait_for_the_line_is_left_to_staff(
    journal: Journal, tmp_path: Path
) -> None:
    journal.add(None, DAY, NOW)
    _change(tmp_path, "state = 'journalled'")
    assert _take(journal) == []
    assert [v.problem for v in journal.latest(state=State.NEEDS_STAFF)] == [SealBroken.code]


@pytest.mark.parametrize("sealed", ["7", "'text'", "zeroblob(60)"])
def test_a_holder_whose_row_is_garbled_is_told_until_they_come_again(
    journal: Journal, tmp_path: Path, valid: Verification, sealed: str
) -> None:
    assert valid.coverage is not None
    journal.remember(b"certificate", valid.coverage, DAY)
    with sqlite3.connect(tmp_path / "outbox.db") as base:
        base.execute(f"update holder set sealed = {sealed}")  # noqa: S608
    base.close()
    with pytest.raises(SealBroken):
        journal.recall(b"certificate")
    journal.remember(b"certificate", valid.coverage, DAY)
    assert journal.recall(b"certificate") == InsuredPerson.of(valid.coverage)


def test_what_was_not_sent_is_put_back_as_it_was(journal: Journal) -> None:
    sent, unsent = journal.add_all([(PERSON, DAY), (PERSON, DAY)], NOW)
    assert [v.first_sent_at for v in _take(journal)] == [None, None]
    journal.conclude([Conclusion(sent, State.JOURNALLED), Conclusion(unsent, State.JOURNALLED, unsent=True)], NOW)
    later = NOW + timedelta(days=1)
    assert {v.visit_id: v.first_sent_at for v in _take(journal, later)} == {sent: NOW, unsent: None}
    assert {v.visit_id: v.first_sent_at for v in journal.latest()} == {sent: NOW, unsent: later}


def test_staff_say_the_day_of_a_visit_whose_day_is_doubtful_and_of_no_other(journal: Journal) -> None:
    up = Uptime("a boot", 7.5)
    first, second = (journal.add(PERSON, DAY, NOW, up) for _ in range(2))
    _take(journal)
    said = [Conclusion(first, State.NEEDS_STAFF, problem=CLOCK_WRONG), Conclusion(second, State.NEEDS_STAFF)]
    journal.conclude(said, NOW)
    day = DAY + timedelta(days=400)
    assert not journal.enter_day(second, day)
    assert journal.enter_day(first, day)
    assert not journal.enter_day(first, day)
    (anew,) = _take(journal)
    assert (anew.content, anew.journalled_at) == (Content(day, PERSON, up, stated=True), NOW)
    assert anew.visit_id != first


def test_a_number_that_staff_enter_leaves_the_day_as_the_clock_had_it(journal: Journal) -> None:
    up = Uptime("a boot", 7.5)
    assert journal.enter_number(journal.add(None, DAY, NOW, up), PERSON)
    assert [v.content for v in _take(journal)] == [Content(DAY, PERSON, up)]


def test_one_drain_at_a_time_has_visits_in_hand(journal: Journal, tmp_path: Path, seal: Seal) -> None:
    with closing(Journal(tmp_path / "outbox.db", seal)) as other:
        with journal.settled_by_one(), pytest.raises(BeingSettled), other.settled_by_one():
            pass
        with other.settled_by_one():
            pass


@pytest.mark.parametrize(
    "change",
    [
        "state = 'settled'",
        "state = 'settled', settled_at = journalled_at",
        "state = 'settled', answer = (select answer from visit where answer is not null)",
        "state = 'settled', answer = x''",
    ],
)
def test_no_visit_is_shown_as_settled_that_no_answer_settled(
    journal: Journal, tmp_path: Path, valid: Verification, change: str
) -> None:
    done = journal.add(PERSON, DAY, NOW)
    _take(journal)
    journal.conclude([Conclusion(done, State.SETTLED, valid)], NOW)
    waiting = journal.add(PERSON, DAY, NOW)
    _change(tmp_path, f"{change} where state = 'journalled'")
    assert {v.visit_id: (v.state, v.answer) for v in journal.latest()} == {
        done: (State.SETTLED, valid),
        waiting: (State.NEEDS_STAFF, None),
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": ""},
        {"number": "1" * 21},
        {"insurer_number": "0613051299"},
        {"branch_number": "001"},
        {"symbol": "\x00"},
    ],
)
def test_a_number_of_another_form_is_not_journalled(journal: Journal, wrong: dict[str, str]) -> None:
    person = replace(PERSON, **wrong)
    with pytest.raises(ValidationError):
        journal.add_all([(PERSON, DAY), (person, DAY)], NOW)
    assert sum(journal.counts().values()) == 0


@pytest.mark.parametrize(
    "entries",
    [
        {"insurer_number": "06130512", "number": "1", "birth_date": "1977-02-30"},
        {"insurer_number": "06130512", "number": "", "birth_date": "1977-02-03"},
        {"insurer_number": "0" * 9, "number": "1", "birth_date": "1977-02-03"},
        {"insurer_number": "1", "number": "1", "birth_date": "1977-02-03"},
        {"insurer_number": "06130512", "number": "1", "branch_number": "1", "birth_date": "1977-02-03"},
        {"insurer_number": "06130512", "number": "123456789018", "birth_date": "1977-02-03"},  # a My Number
        {"insurer_number": "06130512", "symbol": "1234 5678 9018", "number": "1", "birth_date": "1977-02-03"},
    ],
)
def test_what_staff_enter_is_read_strictly(entries: dict[str, str]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the kinds differ)
        person_from(entries)
    assert "9018" not in str(caught.value)


def test_the_holder_of_a_card_is_recalled_by_the_card_alone(journal: Journal, valid: Verification) -> None:
    assert valid.coverage is not None
    assert journal.recall(b"certificate") is None
    journal.remember(b"certificate", valid.coverage, DAY)
    assert journal.recall(b"certificate") == InsuredPerson.of(valid.coverage)
    assert journal.recall(b"another") is None
    assert journal.forget_holders(DAY + timedelta(days=1)) == 1
    assert journal.recall(b"certificate") is None


def test_settled_visits_are_forgotten_after_their_time_and_no_others(journal: Journal, valid: Verification) -> None:
    done, waiting = journal.add_all([(PERSON, DAY), (PERSON, DAY)], NOW)
    _take(journal)
    journal.conclude([Conclusion(done, State.SETTLED, valid), Conclusion(waiting, State.JOURNALLED)], NOW)
    assert journal.forget_settled(NOW) == 0
    assert journal.forget_settled(NOW + timedelta(days=1)) == 1
    assert [v.visit_id for v in journal.latest()] == [waiting]


def test_another_key_does_not_open_an_outbox(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(KeyWrong):
        Journal(tmp_path / "outbox.db", Seal.from_file(tmp_path / "other"))


def test_a_file_that_is_no_outbox_is_told(tmp_path: Path, seal: Seal) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be read as one" * 100)
    for path in (tmp_path / "text", tmp_path / "missing" / "outbox.db", tmp_path):
        with pytest.raises(JournalUnusable):
            Journal(path, seal)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_key_file_of_another_length_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(KeyUnusable):
        Seal.from_file(tmp_path / "key")


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    Seal.from_file(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(KeyUnusable):
        Seal.from_file(tmp_path / "key")


class _Keyring(KeyringBackend):
    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


@pytest.fixture
def keyring_in_use() -> Any:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_the_keyring_keeps_the_key(keyring_in_use: Any) -> None:
    keyring_in_use(_Keyring())
    first = Seal.from_keyring("a")
    assert Seal.from_keyring("a").key == first.key != Seal.from_keyring("b").key


def test_without_a_keyring_there_is_no_key(keyring_in_use: Any) -> None:
    keyring_in_use(NoKeyring())
    with pytest.raises(KeyUnusable):
        Seal.from_keyring("a")


@pytest.mark.parametrize("held", ["", "zz", "00" * 31])
def test_a_keyring_that_holds_no_key_is_told(keyring_in_use: Any, held: str) -> None:
    ring = _Keyring()
    ring.set_password("eligibility-terminal", "a", held)
    keyring_in_use(ring)
    with pytest.raises(KeyUnusable):
        Seal.from_keyring("a")
