import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from eligibility.domain.codes import Outcome
from eligibility.wire.problems import Problem, Sentence
from eligibility.wire.verifications import NumberVerificationRequest, Verification
from terminal_agent.client import CentreAnswerUnreadable, CentreAway, CentreHungUp, Refused
from terminal_agent.outbox.clock import Uptime
from terminal_agent.outbox.draining import (
    HOLDERS_KEPT,
    IN_HAND,
    LONGEST_PAUSE_S,
    MOST_TRIES,
    SETTLED_KEPT,
    Budget,
    Drain,
    LiveChecks,
    TerminalRefused,
)
from terminal_agent.outbox.journal import CLOCK_WRONG, BeingSettled, InsuredPerson, Journal, State
from terminal_agent.outbox.sealing import Seal

NOW = datetime(2026, 11, 21, 1, tzinfo=UTC)
DAY = date(2026, 11, 20)
PERSON = InsuredPerson("06130512", "12", "345", "01", date(1980, 1, 1))


class _Line:
    """A line that says what the test prepares, then answers; it keeps what was asked under which key."""

    def __init__(self, answer: Verification) -> None:
        self.answer = answer
        self.prepared: list[BaseException | Verification] = []
        self.asked: list[tuple[UUID | None, NumberVerificationRequest]] = []
        self.on_ask: Callable[[], None] = lambda: None
        self.on_time: Callable[[], None] = lambda: None
        self.offset_s: float | BaseException | None = 0.0

    def clock_offset_s(self) -> float | None:
        self.on_time()
        if isinstance(self.offset_s, BaseException):
            raise self.offset_s
        return self.offset_s

    def verify_number(self, request: NumberVerificationRequest, idempotency_key: UUID | None = None) -> Verification:
        self.asked.append((idempotency_key, request))
        self.on_ask()
        said = self.prepared.pop(0) if self.prepared else self.answer
        if isinstance(said, BaseException):
            raise said
        return said


@pytest.fixture
def line(valid: Verification) -> _Line:
    return _Line(valid)


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Journal(tmp_path / "outbox.db", Seal.from_file(tmp_path / "key"))
    yield made
    made.close()


def _drain(journal: Journal, line: _Line, waited: list[float], live: LiveChecks | None = None) -> Drain:
    """A drain whose waits only pass on its own clock."""
    clock = [NOW]
    made = Drain(
        journal, line, budget=Budget(1e9, 1), live=live or LiveChecks(), now=lambda: clock[0],
        uptime=lambda: Uptime("this boot", (clock[0] - NOW).total_seconds()), chance=lambda low, high: high,
    )  # fmt: skip

    def wait(seconds: float) -> None:
        if seconds > 0:
            waited.append(seconds)
            clock[0] += timedelta(seconds=seconds)

    made._wait = wait  # type: ignore[method-assign]
    return made


def _refused(code: str, status: int, retry_after_s: int | None = None) -> Refused:
    said = Sentence(ja="受付の方へ。", en="For reception.")
    return Refused(
        Problem(type=code, title=code, status=status, code=code, staff=said, vendor=said, retry_after_s=retry_after_s)
    )


@pytest.mark.parametrize("trouble", [sqlite3.OperationalError("database or disk is full"), RuntimeError(), "refused"])
def test_a_drain_that_was_interrupted_goes_on_after_a_while(
    journal: Journal, line: _Line, trouble: BaseException | str
) -> None:
    (visit_id,) = journal.add_all([(PERSON, DAY)], NOW)
    waited: list[float] = []
    drain = _drain(journal, line, waited)
    line.prepared = [_refused("caller_unknown", 401) if isinstance(trouble, str) else trouble, line.answer]
    line.on_ask = lambda: drain.stop() if len(line.asked) == 2 else None
    drain.keep_settling()
    assert waited[0] == LONGEST_PAUSE_S
    assert [key for key, _ in line.asked] == [visit_id, visit_id]
    assert journal.counts()[State.SETTLED] == 1


def test_each_visit_is_settled_with_its_own_key_and_day(journal: Journal, line: _Line) -> None:
    ids = journal.add_all([(PERSON, DAY), (PERSON, DAY + timedelta(days=1))], NOW)
    done = _drain(journal, line, []).run(until_empty=True)
    assert (done.settled, journal.counts()[State.SETTLED]) == (2, 2)
    assert [key for key, _ in line.asked] == sorted(ids)
    assert {request.asked_for for _, request in line.asked} == {DAY, DAY + timedelta(days=1)}


@pytest.mark.parametrize("away", [CentreAway(), CentreHungUp(), CentreAnswerUnreadable()])
def test_a_line_that_is_cut_is_tried_again_with_the_same_key_and_growing_pauses(
    journal: Journal, line: _Line, away: Exception
) -> None:
    journal.add(PERSON, DAY, NOW)
    line.prepared = [away, away, away]
    waited: list[float] = []
    assert _drain(journal, line, waited).run(until_empty=True).settled == 1
    assert len({(key, request.model_dump_json()) for key, request in line.asked}) == 1
    assert waited == [2.0, 4.0, 8.0]


def test_pauses_are_drawn_from_the_whole_range(journal: Journal, line: _Line) -> None:
    ranges: list[tuple[float, float]] = []

    def chance(low: float, high: float) -> float:
        ranges.append((low, high))
        return 0.0

    journal.add(PERSON, DAY, NOW)
    line.prepared = [CentreAway()] * 12
    Drain(journal, line, budget=Budget(1e9, 1), live=LiveChecks(), chance=chance).run(until_empty=True)
    assert [low for low, _ in ranges] == [0.0] * 12
    assert max(high for _, high in ranges) == 300.0


def test_the_rest_in_hand_is_not_tried_while_the_centre_is_away(journal: Journal, line: _Line) -> None:
    journal.add_all([(PERSON, DAY)] * 20, NOW)
    line.prepared = [CentreAway()]
    done = _drain(journal, line, []).run(until_empty=True)
    assert (len(line.asked), done.settled, done.put_back) == (21, 20, 20)


@pytest.mark.parametrize(("code", "status"), [("rate_limited", 429), ("busy", 503)])
def test_the_centres_retry_after_is_obeyed_and_costs_no_try(
    journal: Journal, line: _Line, code: str, status: int
) -> None:
    journal.add_all([(PERSON, DAY)] * 3, NOW)
    line.prepared = [_refused(code, status, 60)] * (MOST_TRIES + 1)
    waited: list[float] = []
    assert _drain(journal, line, waited).run(until_empty=True).settled == 3
    assert len(waited) == MOST_TRIES + 1
    assert min(waited) >= 60


@pytest.mark.parametrize("code", ["malformed", "my_number_refused", "idempotency_key_reused"])
def test_what_no_repeat_can_settle_goes_to_staff(journal: Journal, line: _Line, code: str) -> None:
    journal.add_all([(PERSON, DAY)] * 2, NOW)
    line.prepared = [_refused(code, 422)]
    done = _drain(journal, line, []).run(until_empty=True)
    assert (done.settled, done.needs_staff) == (1, 1)
    assert [v.problem for v in journal.latest(state=State.NEEDS_STAFF)] == [code]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.VALID, State.SETTLED),
        (Outcome.LAPSED, State.SETTLED),
        (Outcome.LAPSED_NEWER_EXISTS, State.SETTLED),
        (Outcome.SUSPENDED, State.SETTLED),
        (Outcome.NONE, State.NEEDS_STAFF),
        (Outcome.SEVERAL, State.NEEDS_STAFF),
    ],
)
def test_a_number_that_names_not_one_person_goes_to_staff(
    journal: Journal, line: _Line, valid: Verification, outcome: Outcome, state: State
) -> None:
    visit_id = journal.add(PERSON, DAY, NOW)
    line.answer = valid.model_copy(update={"outcome": outcome})
    _drain(journal, line, []).run(until_empty=True)
    visit = journal.visit(visit_id)
    assert visit is not None
    assert (visit.state, visit.answer) == (state, line.answer)


def test_a_check_the_centre_always_fails_at_holds_up_no_other_and_ends_with_staff(
    journal: Journal, line: _Line
) -> None:
    bad, good = journal.add_all([(PERSON, DAY), (PERSON, DAY)], NOW)
    fails = _refused("internal", 500)
    line.prepared = [fails, line.answer, *[fails] * (MOST_TRIES - 1)]
    _drain(journal, line, []).run(until_empty=True)
    states = {v.visit_id: (v.state, v.problem) for v in journal.latest()}
    assert states == {min(bad, good): (State.NEEDS_STAFF, "internal"), max(bad, good): (State.SETTLED, None)}
    assert len(line.asked) == MOST_TRIES + 1


def test_a_terminal_the_centre_does_not_know_keeps_its_visits(journal: Journal, line: _Line) -> None:
    journal.add_all([(PERSON, DAY)] * 3, NOW)
    line.prepared = [_refused("caller_unknown", 401)]
    with pytest.raises(TerminalRefused):
        _drain(journal, line, []).run(until_empty=True)
    assert (len(line.asked), journal.counts()[State.JOURNALLED]) == (1, 3)


def test_a_check_sent_so_long_ago_that_its_key_may_be_forgotten_is_not_sent_again(
    journal: Journal, line: _Line
) -> None:
    visit_id = journal.add(PERSON, DAY, NOW - timedelta(days=8))
    journal.take(1, NOW - timedelta(days=7))  # and the terminal was off from then on
    _drain(journal, line, []).run(until_empty=True)
    visit = journal.visit(visit_id)
    assert visit is not None
    assert (visit.state, visit.problem, line.asked) == (State.NEEDS_STAFF, "maybe_settled", [])


def test_one_never_sent_is_settled_however_old(journal: Journal, line: _Line) -> None:
    journal.add(PERSON, DAY, NOW - timedelta(days=60))
    assert _drain(journal, line, []).run(until_empty=True).settled == 1


def test_no_visit_counts_as_sent_while_nobody_answers_for_the_time(journal: Journal, line: _Line) -> None:
    journal.add_all([(PERSON, DAY)] * 3, NOW)
    line.offset_s = CentreAway()
    with pytest.raises(CentreAway):
        _drain(journal, line, []).settle_now(lambda error, pause_s: None)
    assert line.asked == []
    assert {v.first_sent_at for v in journal.latest()} == {None}


def test_only_what_was_begun_when_the_line_broke_is_put_down_as_sent(journal: Journal, line: _Line) -> None:
    ids = sorted(journal.add_all([(PERSON, DAY)] * 3, NOW))
    line.prepared = [CentreAway()]
    drain = _drain(journal, line, [])
    line.on_ask = drain.stop
    drain.run(until_empty=True)
    assert {v.visit_id: v.first_sent_at for v in journal.latest()} == {ids[0]: NOW, ids[1]: None, ids[2]: None}
    again = _drain(journal, line, [])
    line.on_time = again.stop
    again.run(until_empty=True)
    assert {v.visit_id: v.first_sent_at for v in journal.latest()} == {ids[0]: NOW, ids[1]: None, ids[2]: None}


def test_a_line_that_broke_is_asked_for_the_time_before_another_visit_is_taken_in_hand(
    journal: Journal, line: _Line
) -> None:
    journal.add_all([(PERSON, DAY)] * 3, NOW)
    line.prepared = [CentreAway()]
    line.on_ask = lambda: setattr(line, "offset_s", CentreAway())
    with pytest.raises(CentreAway):
        _drain(journal, line, []).settle_now(lambda error, pause_s: None)
    assert len(line.asked) == 1


def test_the_time_is_asked_once_for_many_visits_and_again_after_a_minute(journal: Journal, line: _Line) -> None:
    journal.add_all([(PERSON, DAY)] * IN_HAND * 3, NOW)
    times: list[int] = []
    line.on_time = lambda: times.append(len(line.asked))
    line.prepared = [line.answer] * (IN_HAND * 2 - 1) + [_refused("rate_limited", 429, 61)]
    _drain(journal, line, []).run(until_empty=True)
    assert times == [0, IN_HAND * 2]


def test_a_counter_without_visits_asks_for_the_time_four_times_a_day(journal: Journal, line: _Line) -> None:
    times: list[float] = []
    waited: list[float] = []
    drain = _drain(journal, line, waited)

    def on_time() -> None:
        times.append(sum(waited))
        if len(times) == 3:
            drain.stop()

    line.on_time = on_time
    drain.run(until_empty=False)
    assert times == [0.0, 6 * 3600.0, 12 * 3600.0]


def test_somebody_who_waits_is_told_that_the_line_is_away_and_it_ends(journal: Journal, line: _Line) -> None:
    journal.add_all([(PERSON, DAY)] * 3, NOW)
    line.offset_s = CentreHungUp()
    told: list[tuple[BaseException, float]] = []
    waited: list[float] = []
    with pytest.raises(CentreHungUp):
        _drain(journal, line, waited).settle_now(lambda error, pause_s: told.append((error, pause_s)))
    assert told == [(line.offset_s, pause_s) for pause_s in (2.0, 4.0, 8.0, 16.0)]
    assert waited == [2.0, 4.0, 8.0, 16.0]
    assert journal.counts()[State.JOURNALLED] == 3


def test_for_somebody_who_waits_what_the_centre_fails_at_is_left_for_later(journal: Journal, line: _Line) -> None:
    journal.add_all([(PERSON, DAY)] * 3, NOW)
    line.prepared = [_refused("internal", 500)]
    done = _drain(journal, line, []).settle_now(lambda error, pause_s: None)
    assert (done.settled, done.put_back, len(line.asked)) == (2, 1, 3)


@pytest.mark.parametrize("busy", [_refused("rate_limited", 429, 60), _refused("overloaded", 503, 60)])
def test_the_centre_that_is_too_busy_to_say_the_time_is_asked_after_the_time_it_names(
    journal: Journal, line: _Line, busy: Refused
) -> None:
    journal.add(PERSON, DAY, NOW)
    line.offset_s = busy
    waited: list[float] = []
    drain = _drain(journal, line, waited)

    def tell(error: object, pause_s: float) -> None:
        line.offset_s = 0.0

    assert drain.settle_now(tell).settled == 1
    assert waited == [60.0]


def test_a_terminal_that_the_centre_does_not_know_is_told_by_the_time_it_asks(journal: Journal, line: _Line) -> None:
    journal.add(PERSON, DAY, NOW)
    line.offset_s = _refused("caller_unknown", 401)
    with pytest.raises(TerminalRefused):
        _drain(journal, line, []).run(until_empty=True)
    assert line.asked == []


def test_garbled_rows_however_many_keep_no_other_waiting(journal: Journal, line: _Line, tmp_path: Path) -> None:
    journal.add_all([(PERSON, DAY)] * (IN_HAND + 1), NOW)
    with sqlite3.connect(tmp_path / "outbox.db") as base:
        base.execute("update visit set journalled_at = 'yesterday'")
        base.execute("update visit set visit_id = 'nobody' where visit_id = (select min(visit_id) from visit)")
    base.close()
    journal.add_all([(PERSON, DAY)] * 3, NOW + timedelta(hours=1))
    done = _drain(journal, line, []).settle_now(lambda error, pause_s: None)
    assert (done.settled, len(line.asked)) == (3, 3)
    assert journal.counts() == {
        State.JOURNALLED: 0, State.SETTLING: 0, State.SETTLED: 3, State.NEEDS_STAFF: IN_HAND + 1,
    }  # fmt: skip


def test_no_day_is_asked_that_a_wrong_clock_made_until_staff_say_which_it_was(journal: Journal, line: _Line) -> None:
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    wrong = journal.add(PERSON, long_ago.date(), long_ago, Uptime("this boot", -3600.0))
    right = journal.add(PERSON, DAY, NOW - timedelta(hours=1), Uptime("this boot", -3600.0))
    done = _drain(journal, line, []).run(until_empty=True)
    assert (done.settled, done.needs_staff, [key for key, _ in line.asked]) == (1, 1, [right])
    visit = journal.visit(wrong)
    assert visit is not None
    assert (visit.state, visit.problem, visit.person) == (State.NEEDS_STAFF, CLOCK_WRONG, PERSON)
    assert journal.enter_day(wrong, DAY)
    assert _drain(journal, line, []).run(until_empty=True).settled == 1
    assert line.asked[-1][1].asked_for == DAY


@pytest.mark.parametrize("offset_s", [-86_400.0 * 400, 86_400.0 * 400])
def test_a_terminal_whose_clock_is_wrong_leaves_the_days_it_journalled_to_staff(
    journal: Journal, line: _Line, offset_s: float
) -> None:
    journal.add(PERSON, DAY, NOW)
    line.offset_s = offset_s
    assert _drain(journal, line, []).run(until_empty=True).needs_staff == 1
    assert line.asked == []


def test_where_the_centre_names_no_time_visits_are_settled_by_the_clock_there_is(journal: Journal, line: _Line) -> None:
    journal.add(PERSON, DAY, NOW)
    line.offset_s = None
    assert _drain(journal, line, []).run(until_empty=True).settled == 1


@pytest.mark.parametrize(
    ("ahead_d", "offset_s", "kept"),
    [
        (0, 0.0, True),
        (31, 0.0, False),
        (800, 86_400.0 * 800, True),
        (31 - 800, 86_400.0 * -800, True),
        (31, 240.0, False),
        (31, -360.0, True),
        (800, None, True),
        (800, CentreAway(), True),
        (800, _refused("busy", 503, 60), True),
    ],
)
def test_what_is_kept_for_its_time_is_forgotten_only_where_both_clocks_agree(
    journal: Journal, line: _Line, valid: Verification, ahead_d: int, offset_s: float | Exception | None, kept: bool
) -> None:
    journal.add(PERSON, DAY, NOW)
    _drain(journal, line, []).run(until_empty=True)
    assert valid.coverage is not None
    journal.remember(b"certificate", valid.coverage, DAY - (HOLDERS_KEPT - SETTLED_KEPT))
    line.offset_s = offset_s
    drain = Drain(journal, line, budget=Budget(1e9, 1), live=LiveChecks(), now=lambda: NOW + timedelta(days=ahead_d))
    drain._wait = lambda seconds: drain.stop()  # type: ignore[method-assign]
    drain.run(until_empty=False)
    assert journal.counts()[State.SETTLED] == kept
    assert (journal.recall(b"certificate") is not None) == kept


def test_a_drain_beside_another_takes_nothing_out_of_its_hand(journal: Journal, line: _Line) -> None:
    journal.add_all([(PERSON, DAY)] * 2, NOW)
    refused: list[type[BaseException]] = []

    def beside() -> None:
        with pytest.raises(BeingSettled) as caught:
            _drain(journal, line, []).run(until_empty=True)
        refused.append(caught.type)

    line.on_ask = beside
    assert _drain(journal, line, []).run(until_empty=True).settled == 2
    assert refused == [BeingSettled, BeingSettled]


def test_a_live_check_goes_first(journal: Journal, line: _Line) -> None:
    journal.add_all([(PERSON, DAY)] * 3, NOW)
    live, asked = LiveChecks(), threading.Event()
    line.on_ask = asked.set
    drain = Drain(journal, line, budget=Budget(1e9, 1), live=live)
    with live.check(), live.check():
        draining = threading.Thread(target=drain.run, kwargs={"until_empty": True})
        draining.start()
        with live.check():
            pass
        assert not asked.wait(0.3)
    draining.join(120)
    assert len(line.asked) == 3


def test_a_drain_told_to_stop_concludes_what_it_has_in_hand(journal: Journal, line: _Line) -> None:
    journal.add_all([(PERSON, DAY)] * 5, NOW)
    drain = Drain(journal, line, budget=Budget(1e9, 1), live=LiveChecks())
    line.on_ask = drain.stop
    drain.run(until_empty=False)
    assert journal.counts() == {
        State.JOURNALLED: 4, State.SETTLING: 0, State.SETTLED: 1, State.NEEDS_STAFF: 0,
    }  # fmt: skip


def test_the_budget_lets_a_few_through_and_then_so_many_a_second() -> None:
    clock = [0.0]
    budget = Budget(2.0, 3, lambda: clock[0])
    assert [budget.take() for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]
    clock[0] = 100.0
    assert [budget.take() for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
