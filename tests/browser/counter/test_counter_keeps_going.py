"""What may break inside a terminal while a patient stands before it, and what the visit must not lose by it."""

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from eligibility.domain.codes import ConsentClass, Outcome
from terminal_agent.card.pins import Pin
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.kiosk import runner
from terminal_agent.kiosk.runner import View
from terminal_agent.kiosk.visit import (
    Cancelled,
    Consenting,
    ConsentsGiven,
    EnteringPin,
    Farewell,
    PinEntered,
    ReaderOut,
    Ready,
    Retried,
    Stage,
    Stopped,
    TakingCard,
    Told,
    Unverified,
)
from terminal_agent.language import Language
from terminal_agent.outbox.journal import State
from terminal_agent.settings import TerminalSettings
from tests.browser.counter.conftest import PATIENCE_S, PIN, Counter, HandSlot, Line, Town, running_counter


@pytest.fixture
def keeping(settings: TerminalSettings, card: VirtualCard, line: Line, tmp_path: Path) -> Iterator[Counter]:
    """A counter with an outbox."""
    with _keeping(settings, card, line, tmp_path) as counter:
        yield counter


@contextmanager
def _keeping(settings: TerminalSettings, card: VirtualCard, line: Line, folder: Path) -> Iterator[Counter]:
    kept = {"outbox_file": folder / "outbox", "outbox_key_file": folder / "key", "challenges": 1}
    with running_counter(settings.model_copy(update=kept), HandSlot(card), card, line) as running:
        yield running


def _until(counter: Counter, holds: Callable[[], bool]) -> None:
    changed = threading.Event()
    counter.screens.runner.on_change(changed.set)
    while not holds():
        changed.clear()
        if not holds():
            assert changed.wait(PATIENCE_S), counter.screens.runner.view.stage


def comes_to(counter: Counter, stage: type[Stage]) -> Stage:
    """Wait until the patient's screen shows a stage."""
    _until(counter, lambda: isinstance(counter.screens.runner.view.stage, stage | Stopped))
    found = counter.screens.runner.view.stage
    assert isinstance(found, stage), found
    return found


def comes_without_a_line(counter: Counter, line: Line) -> None:
    line.cut()
    counter.slot.insert()
    comes_to(counter, Unverified)


def tries_again_with_a_line(counter: Counter, line: Line) -> None:
    line.mend()
    counter.screens.runner.post(Retried())
    comes_to(counter, EnteringPin)


def come_to_consents(counter: Counter) -> Consenting:
    counter.slot.insert()
    comes_to(counter, EnteringPin)
    counter.screens.runner.post(PinEntered(Pin.parse(PIN)))
    asked = comes_to(counter, Consenting)
    assert isinstance(asked, Consenting)
    return asked


def visit(counter: Counter, *agreed: ConsentClass) -> Told:
    """Make the usual visit, up to the answer."""
    come_to_consents(counter)
    counter.screens.runner.post(ConsentsGiven(agreed))
    told = comes_to(counter, Told)
    assert isinstance(told, Told)
    return told


def _waiting(counter: Counter) -> int:
    journal = counter.screens.journal
    assert journal is not None
    counts = journal.counts()
    return counts[State.JOURNALLED] + counts[State.SETTLING] + counts[State.NEEDS_STAFF]


def _take_card_and_put_it_again(counter: Counter) -> None:
    """End a visit of a line that is down; with the next one's first screen all of it is done."""
    counter.slot.remove()
    comes_to(counter, Ready)
    counter.slot.insert()
    comes_to(counter, Unverified)


def test_a_full_disk_takes_no_answer_from_the_patient_nor_from_the_clinics_software(
    keeping: Counter, known: int
) -> None:
    told_others: list[object] = []
    keeping.screens.runner.on_answer(told_others.append)
    journal, memory = keeping.screens.journal, keeping.screens.memory
    assert journal is not None
    for database in (journal._base, memory._database):
        database.execute("pragma query_only = on")  # what SQLite says of a disk that takes nothing more
    assert visit(keeping).outcome is Outcome.VALID
    assert len(told_others) == 1
    memory._database.execute("pragma query_only = off")
    memory._database.execute("drop table last_visit")  # and of one that is damaged
    keeping.slot.remove()
    comes_to(keeping, Farewell)
    assert visit(keeping).outcome is Outcome.VALID


def test_a_visit_that_cannot_be_journalled_is_told_to_the_staff(keeping: Counter, line: Line, known: int) -> None:
    journal = keeping.screens.journal
    assert journal is not None
    journal._base.execute("pragma query_only = on")
    comes_without_a_line(keeping, line)
    _take_card_and_put_it_again(keeping)
    assert keeping.screens.daybook.visits()[1].trouble == "outbox_unusable"


def test_a_holder_who_cannot_be_read_is_journalled_for_staff(keeping: Counter, line: Line, known: int) -> None:
    visit(keeping)
    keeping.slot.remove()
    comes_to(keeping, Farewell)
    journal = keeping.screens.journal
    assert journal is not None
    journal._base.execute("update holder set sealed = zeroblob(60)")
    comes_without_a_line(keeping, line)
    _take_card_and_put_it_again(keeping)
    assert journal.counts()[State.NEEDS_STAFF] == 1


def test_a_reader_that_goes_while_the_line_is_down_loses_no_visit(keeping: Counter, line: Line, known: int) -> None:
    comes_without_a_line(keeping, line)
    keeping.slot.break_down()
    comes_to(keeping, ReaderOut)
    keeping.slot.mend()
    comes_to(keeping, Ready)
    assert _waiting(keeping) == 1


def test_a_card_error_after_try_again_loses_no_visit(keeping: Counter, line: Line, known: int) -> None:
    comes_without_a_line(keeping, line)
    keeping.slot.misreads(True)
    keeping.screens.runner.post(Retried())
    _until(keeping, lambda: isinstance(keeping.screens.runner.view.stage, Stopped))
    assert _waiting(keeping) == 0
    keeping.slot.misreads(False)
    keeping.slot.remove()
    _until(keeping, lambda: isinstance(keeping.screens.runner.view.stage, Ready))
    keeping.slot.insert()
    comes_to(keeping, Unverified)
    assert _waiting(keeping) == 1


def test_a_visit_that_is_given_up_after_try_again_is_journalled_once(keeping: Counter, line: Line, known: int) -> None:
    comes_without_a_line(keeping, line)
    tries_again_with_a_line(keeping, line)
    keeping.screens.runner.post(Cancelled())
    comes_to(keeping, TakingCard)
    keeping.slot.remove()
    comes_to(keeping, Ready)
    assert _waiting(keeping) == 1


def test_a_visit_that_is_answered_after_try_again_is_not_journalled(keeping: Counter, line: Line, known: int) -> None:
    comes_without_a_line(keeping, line)
    tries_again_with_a_line(keeping, line)
    keeping.screens.runner.post(PinEntered(Pin.parse(PIN)))
    comes_to(keeping, Consenting)
    keeping.screens.runner.post(ConsentsGiven(()))
    comes_to(keeping, Told)
    keeping.slot.remove()
    comes_to(keeping, Farewell)
    assert _waiting(keeping) == 0


def test_a_terminal_that_ends_after_try_again_loses_no_visit(
    settings: TerminalSettings, card: VirtualCard, line: Line, tmp_path: Path, known: int
) -> None:
    with _keeping(settings, card, line, tmp_path) as counter:
        comes_without_a_line(counter, line)
        tries_again_with_a_line(counter, line)
    with _keeping(settings, card, line, tmp_path) as again:
        assert _waiting(again) == 1


def test_a_terminal_that_ends_while_the_line_is_down_loses_no_visit(
    settings: TerminalSettings, card: VirtualCard, line: Line, tmp_path: Path, known: int
) -> None:
    with _keeping(settings, card, line, tmp_path) as counter:
        comes_without_a_line(counter, line)
    with _keeping(settings, card, line, tmp_path) as again:
        assert _waiting(again) == 1


def test_a_centre_that_does_not_know_the_terminal_any_more_loses_no_visit(
    keeping: Counter, town: Town, known: int
) -> None:
    latest = "(select terminal_id from terminal order by enrolled_at desc limit 1)"
    town.wait(town.world.owner.execute(f"update terminal set revoked_at = now() where terminal_id = {latest}"))  # noqa: S608
    keeping.slot.insert()
    assert comes_to(keeping, Unverified) == Unverified("caller_unknown")
    _take_card_and_put_it_again(keeping)
    assert _waiting(keeping) == 1


def test_a_consent_that_was_taken_back_is_not_marked_at_the_next_visit(counter: Counter, known: int) -> None:
    told = visit(counter, ConsentClass.MEDICATION, ConsentClass.CHECKUP)
    counter.screens.daybook.withdraw(told.verification_id, ConsentClass.MEDICATION)
    counter.screens.daybook.withdraw(UUID(int=0), ConsentClass.CHECKUP)
    counter.slot.remove()
    comes_to(counter, Farewell)
    assert come_to_consents(counter).person.agreed_before == (ConsentClass.CHECKUP,)


def test_a_language_that_is_chosen_meanwhile_does_not_bring_an_earlier_stage_back(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    screens = counter.screens.runner
    going_on = threading.Thread(target=screens._show, args=(Farewell(),))

    def replace_slowly(view: View, **changes: object) -> View:
        going_on.start()
        going_on.join(0.2)  # as long as it takes, or until it is clear that it waits
        return dataclasses.replace(view, **changes)  # type: ignore[arg-type]

    monkeypatch.setattr(runner, "replace", replace_slowly)
    screens.speak(Language.EN)
    going_on.join()
    assert (screens.view.stage, screens.view.language) == (Farewell(), Language.EN)
