"""Today's visits: newest first, gone tomorrow, never more than the list can hold."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from eligibility.domain.codes import ConsentClass
from eligibility.wire.verifications import Verification
from terminal_agent.kiosk.daybook import MAX_VISITS, Daybook


@dataclass
class Clock:
    moment: datetime = datetime(2026, 11, 21, 14, 59, tzinfo=UTC)  # a minute before midnight in Japan

    def now(self) -> datetime:
        return self.moment


def test_the_newest_visit_stands_first_and_is_found_by_its_verification(valid: Verification) -> None:
    daybook, told = Daybook(Clock().now), []
    daybook.on_change(lambda: told.append(daybook.last))
    daybook.add_trouble("pin_blocked")
    daybook.add_answer(valid)
    assert [visit.number for visit in daybook.visits()] == [2, 1]
    assert told == [1, 2]
    found = daybook.find(valid.verification_id)
    assert found is not None
    assert found.verification == valid
    assert daybook.find(UUID(int=0)) is None


def test_midnight_in_japan_begins_a_new_page(valid: Verification) -> None:
    clock = Clock()
    daybook = Daybook(clock.now)
    daybook.add_answer(valid)
    clock.moment += timedelta(minutes=1)
    assert daybook.visits() == []
    assert daybook.add_trouble("card_removed").number == 2


def test_the_list_is_bounded() -> None:
    daybook = Daybook(Clock().now)
    for _ in range(MAX_VISITS + 5):
        daybook.add_trouble("card_removed")
    assert len(daybook.visits()) == MAX_VISITS
    assert daybook.visits()[0].number == MAX_VISITS + 5


def test_a_consent_that_is_withdrawn_is_gone_from_each_visit_of_the_patient_and_no_others(valid: Verification) -> None:
    assert valid.coverage is not None
    other = valid.coverage.model_copy(update={"branch_number": "02"})
    earlier, later, sibling = (
        valid.model_copy(update={"verification_id": UUID(int=number), "coverage": coverage})
        for number, coverage in ((1, valid.coverage), (2, valid.coverage), (3, other))
    )
    daybook, told = Daybook(Clock().now), []
    daybook.on_withdrawal(lambda *withdrawn: told.append(withdrawn))
    for answer in (earlier, later, sibling):
        daybook.add_answer(answer)
    visit = daybook.withdraw(later.verification_id, ConsentClass.LIMIT_CERTIFICATE)
    assert visit is not None
    assert visit.number == 2
    shown = {v.verification.verification_id.int: v.verification for v in daybook.visits() if v.verification}
    for number in (1, 2):
        assert shown[number].coverage == valid.coverage.model_copy(update={"limit_certificates": ()})
        assert shown[number].consents == ()
        assert ("limit_certificate", "withdrawn") in {(w.consent_class, w.reason) for w in shown[number].withheld}
    assert shown[3] == sibling
    assert daybook.withdraw(UUID(int=9), ConsentClass.MEDICATION) is None
    assert told == [(UUID(int=2), ConsentClass.LIMIT_CERTIFICATE), (UUID(int=9), ConsentClass.MEDICATION)]


def test_a_visit_does_not_show_whose_it_was(valid: Verification) -> None:
    visit = Daybook(Clock().now).add_answer(valid)
    assert valid.coverage is not None
    assert valid.coverage.name not in repr(visit) + str(visit)
