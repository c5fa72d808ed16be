import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from eligibility.domain.codes import ConsentClass
from eligibility.wire.verifications import Verification
from terminal_agent.card.errors import (
    MalformedNumberB,
    MalformedPin,
    NotAMyNumberCard,
    PinBlocked,
    PinNotEntered,
    PinWrong,
    TextPinBlocked,
)
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.card.sessions import JpkiSession, TextSession
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.check import CheckRequest, Registering, check_card
from terminal_agent.client import CentreAway, Refused

RIGHT, TEXT, WRONG, NUMBER_B = "2741", "5906", "0000", "60041220348123"


@dataclass
class Person:
    """Someone at the desk who enters what the test says, in order."""

    pins: list[str] = field(default_factory=list)
    text_secrets: list[str] = field(default_factory=list)
    agrees: bool = False
    may_ask_again: bool = True
    heard: list[object] = field(default_factory=list)

    def ask_pin(self, tries_left: int) -> Pin:
        self.heard.append(("pin", tries_left))
        return Pin.parse(self._next(self.pins))

    def ask_text_secret(self, tries_left: int) -> Pin | NumberB:
        self.heard.append(("text", tries_left))
        entered = self._next(self.text_secrets)
        return Pin.parse(entered) if len(entered) == 4 else NumberB.parse(entered)

    def may_register(self) -> bool:
        return self.agrees

    def tell_wrong(self, tries_left: int) -> None:
        self.heard.append(("wrong", tries_left))

    def tell_malformed(self, error: MalformedPin | MalformedNumberB) -> None:
        self.heard.append(error.code)

    def _next(self, entries: list[str]) -> str:
        if not entries:
            raise PinNotEntered
        return entries.pop(0)


def _check(card: VirtualCard, centre: Any, person: Person, **wanted: Any) -> Verification:
    with centre.line() as line:
        return check_card(card, line, person, CheckRequest(**wanted))


def test_a_known_card_is_verified(card: VirtualCard, centre: Any, valid: Verification) -> None:
    assert _check(card, centre, Person([RIGHT]), consents=(ConsentClass.MEDICATION,)) == valid
    assert [path for path, _ in centre.seen] == ["/v1/challenges", "/v1/verifications"]
    assert centre.seen[1][1]["consents"] == ["medication"]
    assert centre.seen[1][1]["method"] == "pin"


def test_a_malformed_and_a_wrong_pin_can_be_put_right(card: VirtualCard, centre: Any, valid: Verification) -> None:
    person = Person(["274", WRONG, RIGHT])
    assert _check(card, centre, person) == valid
    assert person.heard == [("pin", 3), "pin_malformed", ("pin", 3), ("wrong", 2), ("pin", 2)]


def test_a_person_who_gives_up_loses_no_try(card: VirtualCard, centre: Any) -> None:
    with pytest.raises(PinNotEntered):
        _check(card, centre, Person([]))
    assert JpkiSession.open(card).tries_left() == 3


@pytest.mark.parametrize(("entered", "error"), [("274", MalformedPin), (WRONG, PinWrong)])
def test_a_program_that_feeds_the_pin_gets_one_try(
    card: VirtualCard, centre: Any, entered: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        _check(card, centre, Person([entered, RIGHT], may_ask_again=False))


def test_three_wrong_pins_block_the_card_and_nothing_was_asked_of_the_centre(card: VirtualCard, centre: Any) -> None:
    person = Person([WRONG, WRONG, WRONG])
    with pytest.raises(PinBlocked):
        _check(card, centre, person)
    assert person.heard == [("pin", 3), ("wrong", 2), ("pin", 2), ("wrong", 1), ("pin", 1)]
    assert [path for path, _ in centre.seen] == ["/v1/challenges"]
    later = Person([RIGHT])
    with pytest.raises(PinBlocked):
        _check(card, centre, later)
    assert later.heard == []


def test_the_centre_never_sees_a_pin(card: VirtualCard, centre: Any) -> None:
    centre.registered = False
    _check(card, centre, Person([WRONG, RIGHT], [TEXT]), registering=Registering.YES)
    sent = json.dumps([body for _, body in centre.seen])
    assert all(f'"{pin}"' not in sent for pin in (RIGHT, TEXT, WRONG))


def test_nobody_enters_a_pin_while_the_centre_is_away(card: VirtualCard, centre: Any) -> None:
    centre.prepared = [httpx.ConnectError("down")]
    person = Person([RIGHT])
    with pytest.raises(CentreAway):
        _check(card, centre, person)
    assert person.heard == []


@pytest.mark.parametrize(
    ("registering", "agrees", "registered"),
    [
        (Registering.NO, True, False),
        (Registering.ASK, False, False),
        (Registering.ASK, True, True),
        (Registering.YES, False, True),
    ],
)
def test_an_unknown_card_is_registered_only_when_that_is_wanted(
    card: VirtualCard, centre: Any, valid: Verification, registering: Registering, agrees: bool, registered: bool
) -> None:
    centre.registered = False
    person = Person([RIGHT], [TEXT], agrees)
    if not registered:
        with pytest.raises(Refused, match="card_not_registered"):
            _check(card, centre, person, registering=registering)
        assert centre.registered is False
        assert TextSession.open(card).tries_left() == 3
        return
    assert _check(card, centre, person, registering=registering) == valid
    sent = dict(centre.seen)["/v1/card-registrations"]
    assert (sent["name"], sent["birth_date"], sent["sex"]) == ("髙橋 花子", "1985-04-12", "2")


def test_another_refusal_registers_nothing(card: VirtualCard, centre: Any, make_problem: Any) -> None:
    with centre.line() as line:
        line.fetch_challenges()
        centre.prepared = [make_problem("certificate_revoked", 401)]
        with pytest.raises(Refused, match="certificate_revoked"):
            check_card(card, line, Person([RIGHT], agrees=True), CheckRequest(registering=Registering.YES))
    assert "/v1/card-registrations" not in [path for path, _ in centre.seen]


def test_the_auth_pin_is_tried_on_the_text_application_only_while_all_its_tries_are_there(
    card: VirtualCard, centre: Any
) -> None:
    centre.registered = False
    person = Person([RIGHT])
    with pytest.raises(PinNotEntered):
        _check(card, centre, person, registering=Registering.YES)
    assert person.heard[-1] == ("text", 2)
    for _ in range(3):
        with pytest.raises(PinNotEntered):
            _check(card, centre, Person([RIGHT]), registering=Registering.YES)
    assert TextSession.open(card).tries_left() == 2


def test_wrong_text_pins_are_told_and_at_last_the_number_b_is_asked_for(
    card: VirtualCard, centre: Any, valid: Verification
) -> None:
    centre.registered = False
    person = Person([RIGHT], ["59060", WRONG, WRONG])
    with pytest.raises(TextPinBlocked):
        _check(card, centre, person, registering=Registering.YES)
    assert person.heard[1:] == [("text", 2), "number_b_malformed", ("text", 2), ("wrong", 1), ("text", 1)]
    with pytest.raises(TextPinBlocked):
        _check(card, centre, Person([RIGHT], [TEXT]), registering=Registering.YES)
    person = Person([RIGHT], ["0" * 14, NUMBER_B])
    assert _check(card, centre, person, registering=Registering.YES) == valid
    assert person.heard[1:] == [("text", 0), ("wrong", 9), ("text", 0)]


def test_another_card_is_not_taken_for_one(centre: Any) -> None:
    class Other:
        def transmit(self, apdu: bytes) -> bytes:
            return b"\x6a\x82"

    with centre.line() as line, pytest.raises(NotAMyNumberCard):
        check_card(Other(), line, Person([RIGHT]), CheckRequest())
