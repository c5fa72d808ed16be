"""One check at the counter: the card proves itself, the centre answers, an unknown card is registered if wanted."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Protocol

from eligibility.domain.codes import ConsentClass, Method
from eligibility.wire.verifications import (
    SIGNATURE_CONTEXT,
    CardProof,
    CardRegistrationRequest,
    Verification,
    VerificationRequest,
)
from terminal_agent.card.connection import Connection
from terminal_agent.card.errors import MalformedNumberB, MalformedPin, PinBlocked, PinWrong, TextPinBlocked
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.card.sessions import HolderAttributes, JpkiSession, TextSession
from terminal_agent.client import Centre, Refused

CARD_NOT_REGISTERED: Final = "card_not_registered"
ALL_TRIES: Final = 3


class Registering(StrEnum):
    """What to do with a card the centre does not know."""

    ASK = "ask"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is asked of the centre, and what to do with a card it does not know."""

    consents: tuple[ConsentClass, ...] = ()
    asked_for: date | None = None
    registering: Registering = Registering.ASK


class Desk(Protocol):
    """The person at the terminal: `console.Console` on a command line, a kiosk's screen, a test's answers."""

    @property
    def may_ask_again(self) -> bool:
        """Whether a wrong entry can be put right."""

    def ask_pin(self, tries_left: int) -> Pin:
        """Return the user-authentication PIN the person enters."""

    def ask_text_secret(self, tries_left: int) -> Pin | NumberB:
        """Return the text application's PIN or the verification number B; with no tries left, the latter."""

    def may_register(self) -> bool:
        """Return whether the person agrees to register the card."""

    def tell_wrong(self, tries_left: int) -> None:
        """Say that the entry was wrong and how many tries remain."""

    def tell_malformed(self, error: MalformedPin | MalformedNumberB) -> None:
        """Say that the entry does not have the right form and used no try."""


def check_card(connection: Connection, centre: Centre, desk: Desk, wanted: CheckRequest) -> Verification:
    """Verify the card's holder, registering the card first if the centre does not know it and that is wanted.

    The centre is asked for challenges before the person is asked for anything, so nobody enters a PIN for nothing.

    Raises:
        CardError: the card, the PIN or the reader.
        Refused: the centre said no.
        CentreError: the centre is away.
    """
    centre.fetch_challenges()
    session = JpkiSession.open(connection)
    certificate = session.auth_certificate()
    pin = _authenticate(session, desk)
    try:
        return centre.verify(_question(prove(session, certificate, centre), wanted))
    except Refused as refused:
        if refused.problem.code != CARD_NOT_REGISTERED or not _is_to_be_registered(wanted.registering, desk):
            raise
    attributes = _holder(connection, desk, pin)
    # Reading the holder selected another application; the PIN, known to be right, uses no try.
    session = JpkiSession.open(connection)
    session.verify_pin(pin)
    centre.register_card(
        CardRegistrationRequest(
            proof=prove(session, certificate, centre),
            method=Method.PIN,
            name=attributes.name,
            address=attributes.address,
            birth_date=attributes.birth_date,
            sex=attributes.sex,
        )
    )
    return centre.verify(_question(prove(session, certificate, centre), wanted))


def _authenticate(session: JpkiSession, desk: Desk) -> Pin:
    """Ask for the PIN until it is right, or the person or the card gives up."""
    tries_left = session.tries_left()
    if tries_left == 0:
        raise PinBlocked
    while True:
        try:
            pin = desk.ask_pin(tries_left)
            session.verify_pin(pin)
        except MalformedPin as malformed:
            if not desk.may_ask_again:
                raise
            desk.tell_malformed(malformed)
        except PinWrong as wrong:
            if not desk.may_ask_again:
                raise
            tries_left = wrong.tries_left
            desk.tell_wrong(tries_left)
        else:
            return pin


def prove(session: JpkiSession, certificate: bytes, centre: Centre) -> CardProof:
    """Have the card, whose PIN is verified, sign a challenge.

    Raises:
        CardError, Refused, CentreError: as `check_card`.
    """
    challenge = centre.take_challenge()
    return CardProof(
        challenge=challenge, certificate=certificate, signature=session.sign(SIGNATURE_CONTEXT + challenge)
    )


def _question(proof: CardProof, wanted: CheckRequest) -> VerificationRequest:
    return VerificationRequest(
        proof=proof, method=Method.PIN, consents=wanted.consents, asked_for=wanted.asked_for, known_at=None
    )


def _is_to_be_registered(registering: Registering, desk: Desk) -> bool:
    return registering is Registering.YES or (registering is Registering.ASK and desk.may_register())


def _holder(connection: Connection, desk: Desk, auth_pin: Pin) -> HolderAttributes:
    """Read the holder from the text application.

    Most people chose one PIN for both applications, so the one just entered is tried unasked: but only while all
    three tries are there, so that this terminal never brings anybody to their last.
    """
    session = TextSession.open(connection)
    tries_left = session.tries_left()
    if tries_left == ALL_TRIES:
        try:
            session.verify_pin(auth_pin)
            return session.attributes()
        except PinWrong as wrong:
            tries_left = wrong.tries_left
    while True:
        try:
            secret = desk.ask_text_secret(tries_left)
            if isinstance(secret, NumberB):
                session.verify_number_b(secret)
            elif tries_left == 0:
                raise TextPinBlocked
            else:
                session.verify_pin(secret)
        except (MalformedPin, MalformedNumberB) as malformed:
            if not desk.may_ask_again:
                raise
            desk.tell_malformed(malformed)
        except PinWrong as wrong:
            if not desk.may_ask_again:
                raise
            desk.tell_wrong(wrong.tries_left)
            tries_left = session.tries_left()
        else:
            return session.attributes()
