import pickle
import traceback

import pytest

from terminal_agent.card.errors import MalformedNumberB, MalformedPin
from terminal_agent.card.pins import NumberB, Pin


@pytest.mark.parametrize("text", ["2741", " 2741\n", "２７４１"])
def test_four_digits_are_a_pin_however_they_are_typed(text: str) -> None:
    assert Pin.parse(text).secret == b"2741"


@pytest.mark.parametrize(
    "text", ["", "274", "27410", "274a", "27 41", "２７４", "二七四一", "²741", "٢٧٤١", "-274", "2741\x00"]
)
def test_anything_else_is_refused_before_it_reaches_the_card(text: str) -> None:
    with pytest.raises(MalformedPin):
        Pin.parse(text)


@pytest.mark.parametrize("text", ["", "6004122034812", "600412203481234", "6004122034812x", "2741"])
def test_a_number_b_has_fourteen_digits(text: str) -> None:
    with pytest.raises(MalformedNumberB):
        NumberB.parse(text)


def test_neither_shows_itself() -> None:
    pin, number = Pin.parse("2741"), NumberB.parse("60041220348123")
    shown = f"{pin} {pin!r} {number} {number!r} {(pin, number)}"
    assert "2741" not in shown
    assert "60041220348123" not in shown


def test_a_refused_entry_is_not_in_the_error() -> None:
    with pytest.raises(MalformedPin) as raised:
        Pin.parse("98765")
    assert "98765" not in str(raised.value)
    assert "98765" not in repr(raised.value.args)
    assert "98765" not in "".join(traceback.format_exception_only(raised.value))
    assert b"98765" not in pickle.dumps(raised.value)
