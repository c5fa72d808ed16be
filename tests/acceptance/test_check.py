"""What a check does between a card, a person and the real centre; the person enters what the test says."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from eligibility.domain.codes import ConsentClass, Method, Outcome
from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.enrolment import enrol_terminal
from eligibility.wire.verifications import Verification
from loadtest.cards import issue_card
from loadtest.pki import Jpki
from terminal_agent.card.connection import Connection
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
from terminal_agent.card.virtual_content import CardContent
from terminal_agent.check import CheckRequest, Registering, check_card
from terminal_agent.client import Centre, CentreAway, Refused
from tests.integration.eligibility.world import INSTITUTION, World

RIGHT, TEXT, WRONG, NUMBER_B = "2741", "5906", "0000", "60041220348123"
HOLDER = {"name": "髙橋　花子", "birth_date": date(1985, 4, 12), "sex": "2"}


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


@dataclass(slots=True)
class Counter:
    """A terminal's line to the centre, which keeps what went over it."""

    http: httpx.Client
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def check(self, card: Connection, person: Person, **wanted: Any) -> Verification:
        return await asyncio.to_thread(check_card, card, Centre(self.http), person, CheckRequest(**wanted))

    def keep(self, request: httpx.Request) -> None:
        self.seen.append((request.url.path, json.loads(request.content)))

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]


@pytest.fixture
async def counter(world: World) -> AsyncIterator[Counter]:
    """A counter whose patient is insured, with a card the centre does not know yet."""
    await world.coverage(await world.person(), **HOLDER)
    terminal_id, now = uuid4(), datetime.now(UTC)
    await enrol_terminal(world.owner, terminal_id, InstitutionCode(INSTITUTION), "受付", now)
    pair = world.authorities.enrolment.terminal(INSTITUTION, terminal_id, now)
    certificate, key = pair.write(world.folder, "terminal")
    tls = ssl.create_default_context(cafile=world.folder / "server_authority.crt")
    tls.load_cert_chain(certificate, key)
    with httpx.Client(base_url=world.url, verify=tls, timeout=60, trust_env=False) as http:
        made = Counter(http)
        http.event_hooks = {"request": [made.keep]}
        yield made


@pytest.fixture
async def known(counter: Counter, card: VirtualCard) -> VirtualCard:
    """The patient's card, which the centre has come to know."""
    await counter.check(card, Person([RIGHT], [TEXT]), registering=Registering.YES)
    counter.seen.clear()
    return card


async def test_a_known_card_is_verified(known: VirtualCard, counter: Counter) -> None:
    answer = await counter.check(known, Person([RIGHT]), consents=(ConsentClass.MEDICATION,))
    assert (answer.outcome, answer.method) == (Outcome.VALID, Method.PIN)
    assert [consent.consent_class for consent in answer.consents] == [ConsentClass.MEDICATION]
    assert counter.paths == ["/v1/challenges", "/v1/verifications"]


async def test_a_malformed_and_a_wrong_pin_can_be_put_right(known: VirtualCard, counter: Counter) -> None:
    person = Person(["274", WRONG, RIGHT])
    assert (await counter.check(known, person)).outcome is Outcome.VALID
    assert person.heard == [("pin", 3), "pin_malformed", ("pin", 3), ("wrong", 2), ("pin", 2)]


async def test_a_person_who_gives_up_loses_no_try(card: VirtualCard, counter: Counter) -> None:
    with pytest.raises(PinNotEntered):
        await counter.check(card, Person([]))
    assert JpkiSession.open(card).tries_left() == 3


@pytest.mark.parametrize(("entered", "error"), [("274", MalformedPin), (WRONG, PinWrong)])
async def test_a_program_that_feeds_the_pin_gets_one_try(
    card: VirtualCard, counter: Counter, entered: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await counter.check(card, Person([entered, RIGHT], may_ask_again=False))


async def test_three_wrong_pins_block_the_card_and_nothing_was_asked_of_the_centre(
    card: VirtualCard, counter: Counter
) -> None:
    person = Person([WRONG, WRONG, WRONG])
    with pytest.raises(PinBlocked):
        await counter.check(card, person)
    assert person.heard == [("pin", 3), ("wrong", 2), ("pin", 2), ("wrong", 1), ("pin", 1)]
    assert counter.paths == ["/v1/challenges"]
    later = Person([RIGHT])
    with pytest.raises(PinBlocked):
        await counter.check(card, later)
    assert later.heard == []


async def test_the_centre_never_sees_a_pin(card: VirtualCard, counter: Counter) -> None:
    await counter.check(card, Person([WRONG, RIGHT], [TEXT]), registering=Registering.YES)
    sent = json.dumps([body for _, body in counter.seen])
    assert "/v1/card-registrations" in counter.paths
    assert all(f'"{pin}"' not in sent for pin in (RIGHT, TEXT, WRONG))


async def test_nobody_enters_a_pin_while_the_centre_is_away(card: VirtualCard, counter: Counter) -> None:
    counter.http.base_url = "https://127.0.0.1:9"  # nobody listens there
    person = Person([RIGHT])
    with pytest.raises(CentreAway):
        await counter.check(card, person)
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
async def test_an_unknown_card_is_registered_only_when_that_is_wanted(
    card: VirtualCard, counter: Counter, world: World, registering: Registering, agrees: bool, registered: bool
) -> None:
    person = Person([RIGHT], [TEXT], agrees)
    if not registered:
        with pytest.raises(Refused, match="card_not_registered"):
            await counter.check(card, person, registering=registering)
        assert await world.owner.fetchval("select count(*) from card") == 0
        assert TextSession.open(card).tries_left() == 3
        return
    assert (await counter.check(card, person, registering=registering)).outcome is Outcome.VALID
    sent = dict(counter.seen)["/v1/card-registrations"]
    assert (sent["name"], sent["birth_date"], sent["sex"]) == ("髙橋 花子", "1985-04-12", "2")


async def test_another_refusal_registers_nothing(counter: Counter, content: CardContent) -> None:
    now = datetime.now(UTC)
    foreign = issue_card(Jpki.create(now, generations=1), "0001", content.holder, content.pins, now)
    with pytest.raises(Refused) as refused:
        await counter.check(VirtualCard(foreign), Person([RIGHT], agrees=True), registering=Registering.YES)
    assert refused.value.problem.code != "card_not_registered"
    assert counter.paths == ["/v1/challenges", "/v1/verifications"]


async def test_the_auth_pin_is_tried_on_the_text_application_only_while_all_its_tries_are_there(
    card: VirtualCard, counter: Counter
) -> None:
    person = Person([RIGHT])
    with pytest.raises(PinNotEntered):
        await counter.check(card, person, registering=Registering.YES)
    assert person.heard[-1] == ("text", 2)
    for _ in range(3):
        with pytest.raises(PinNotEntered):
            await counter.check(card, Person([RIGHT]), registering=Registering.YES)
    assert TextSession.open(card).tries_left() == 2


async def test_wrong_text_pins_are_told_and_at_last_the_number_b_is_asked_for(
    card: VirtualCard, counter: Counter
) -> None:
    person = Person([RIGHT], ["59060", WRONG, WRONG])
    with pytest.raises(TextPinBlocked):
        await counter.check(card, person, registering=Registering.YES)
    assert person.heard[1:] == [("text", 2), "number_b_malformed", ("text", 2), ("wrong", 1), ("text", 1)]
    with pytest.raises(TextPinBlocked):
        await counter.check(card, Person([RIGHT], [TEXT]), registering=Registering.YES)
    person = Person([RIGHT], ["0" * 14, NUMBER_B])
    assert (await counter.check(card, person, registering=Registering.YES)).outcome is Outcome.VALID
    assert person.heard[1:] == [("text", 0), ("wrong", 9), ("text", 0)]


async def test_another_card_is_not_taken_for_one(counter: Counter) -> None:
    class Other:
        def transmit(self, apdu: bytes) -> bytes:
            return b"\x6a\x82"

    with pytest.raises(NotAMyNumberCard):
        await counter.check(Other(), Person([RIGHT]))
