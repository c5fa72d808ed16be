import io

import pytest
from rich.console import Console as RichConsole

from eligibility.wire.problems import Fault, Problem, Sentence
from terminal_agent.card.errors import MalformedNumberB, MalformedPin, PinNotEntered
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.console import Console
from terminal_agent.language import Language


class Terminal(io.StringIO):
    """Standard input of a person, line by line."""

    def isatty(self) -> bool:
        return True


def _console(source: io.StringIO, language: Language = Language.BOTH) -> tuple[Console, io.StringIO]:
    notes = io.StringIO()
    return Console(language, RichConsole(file=notes, width=200), source), notes


def test_the_pin_is_one_line_of_what_a_program_feeds_and_is_never_shown() -> None:
    console, notes = _console(io.StringIO("2741\n5906\n"))
    assert console.ask_pin(3).secret == b"2741"
    text = console.ask_text_secret(2)
    assert isinstance(text, Pin)
    assert text.secret == b"5906"
    shown = notes.getvalue()
    assert "あと 3 回" in shown
    assert "tries left: 2" in shown
    assert "2741" not in shown
    assert "5906" not in shown
    assert not console.may_ask_again


def test_the_number_b_may_stand_in_for_the_text_pin() -> None:
    console, _ = _console(io.StringIO("60041220348123\n"))
    assert isinstance(console.ask_text_secret(3), NumberB)


def test_with_no_tries_left_only_the_number_b_is_taken() -> None:
    console, notes = _console(io.StringIO("5906\n"))
    with pytest.raises(MalformedNumberB):
        console.ask_text_secret(0)
    assert "14 digits" in notes.getvalue()


@pytest.mark.parametrize("fed", ["", "\n", "  \n"])
def test_an_empty_line_enters_nothing(fed: str) -> None:
    console, _ = _console(io.StringIO(fed))
    with pytest.raises(PinNotEntered):
        console.ask_pin(3)


@pytest.mark.parametrize("fed", ["274\n", "abcd\n", "27 41\n"])
def test_a_malformed_pin_is_refused_here(fed: str) -> None:
    console, _ = _console(io.StringIO(fed))
    with pytest.raises(MalformedPin):
        console.ask_pin(3)


def test_the_last_try_is_announced() -> None:
    console, notes = _console(io.StringIO("2741\n"), Language.EN)
    console.ask_pin(1)
    assert "last try" in notes.getvalue()
    assert "最後" not in notes.getvalue()


@pytest.mark.parametrize(
    ("said", "agreed"), [("y\n", True), ("はい\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_a_person_is_asked_before_a_card_is_registered(said: str, agreed: bool) -> None:
    console, _ = _console(Terminal(said))
    assert console.may_register() is agreed


def test_without_a_person_no_card_is_registered() -> None:
    console, _ = _console(io.StringIO("y\n"))
    assert console.may_register() is False


def test_a_problem_is_told_with_its_faults() -> None:
    said = Sentence(ja="受付", en="reception")
    console, notes = _console(io.StringIO())
    console.tell_problem(
        Problem(
            type="urn:x", title="x", status=422, code="malformed", staff=said, vendor=said,
            faults=(Fault(pointer="/number", expected="digits [0-9]"),),
        )
    )  # fmt: skip
    console.tell_wrong(2)
    console.tell_malformed(MalformedPin())
    assert "/number: digits [0-9]" in notes.getvalue()
    assert "受付 / reception" in notes.getvalue()
