import pytest

from terminal_agent.card.apdu import Command
from terminal_agent.card.connection import exchange, expect_ok
from terminal_agent.card.errors import ApduError, CardUnresponsive


class Script:
    """A card of a few prepared answers, by the command they answer."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def transmit(self, apdu: bytes) -> bytes:
        self.asked.append(apdu.hex())
        return bytes.fromhex(self.answers[apdu.hex()])


READ = Command(0xB0, 0, 0, expected=256)


def test_a_long_answer_is_fetched_to_its_end() -> None:
    card = Script({"00b0000000": "aabb6103", "00c0000003": "ccddee6101", "00c0000001": "ff9000"})
    assert exchange(card, READ).data == bytes.fromhex("aabbccddeeff")


def test_a_wrong_expected_length_is_put_right_once() -> None:
    card = Script({"00b0000000": "6c02", "00b0000002": "aabb9000"})
    assert exchange(card, READ).data == bytes.fromhex("aabb")


def test_a_card_that_is_never_content_is_not_asked_for_ever() -> None:
    card = Script({"00b0000000": "6c02", "00b0000002": "6c03"})
    assert str(exchange(card, READ).status_word) == "6C03"
    assert len(card.asked) == 2


def test_a_card_that_announces_data_without_end_is_given_up() -> None:
    card = Script({"00b0000000": "6100", "00c0000000": "aa6100"})
    with pytest.raises(CardUnresponsive):
        exchange(card, READ)


@pytest.mark.parametrize("answer", ["", "90"])
def test_an_answer_without_a_status_word_is_none(answer: str) -> None:
    with pytest.raises(CardUnresponsive):
        exchange(Script({"00b0000000": answer}), READ)


def test_an_unexpected_status_word_is_told() -> None:
    with pytest.raises(ApduError, match="6A82") as raised:
        expect_ok(exchange(Script({"00b0000000": "6a82"}), READ))
    assert raised.value.status_word == 0x6A82
