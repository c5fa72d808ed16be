"""The terminal's own way to a card in a PC/SC reader, and each way in which it can fail."""

import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from terminal_agent.card.errors import (
    ApduError,
    CardInUse,
    CardMissing,
    CardRemoved,
    PinBlocked,
    PinWrong,
    ReaderMissing,
)
from terminal_agent.card.pcscd import READER_NAME
from terminal_agent.card.pins import Pin
from terminal_agent.card.reader import card_in_reader, reader_names
from terminal_agent.card.sessions import JpkiSession, TextSession
from terminal_agent.card.virtual_content import CardContent
from terminal_agent.card.vpcd import CardInVpcd
from tests.integration.terminal_agent.conftest import NOTICE_S

pytestmark = [pytest.mark.pcsc, pytest.mark.usefixtures("pcscd")]


def test_the_reader_is_listed() -> None:
    assert any(READER_NAME in name for name in reader_names())


def test_a_card_in_the_reader_authenticates_and_tells_its_holder(inserted: CardInVpcd, content: CardContent) -> None:
    with card_in_reader(READER_NAME.lower()) as connection:
        session = JpkiSession.open(connection)
        certificate = x509.load_der_x509_certificate(session.auth_certificate())
        assert certificate == x509.load_der_x509_certificate(content.auth.certificate)
        assert session.tries_left() == 3
        session.verify_pin(Pin.parse("2741"))
        signature = session.sign(b"message")
        text = TextSession.open(connection)
        text.verify_pin(Pin.parse("5906"))
        assert text.attributes().name == content.holder.name
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, b"message", padding.PKCS1v15(), SHA256())


def test_wrong_pins_are_counted_over_several_visits_and_block_at_last(inserted: CardInVpcd) -> None:
    for left in (2, 1):
        with card_in_reader() as connection, pytest.raises(PinWrong) as wrong:
            JpkiSession.open(connection).verify_pin(Pin.parse("0000"))
        assert wrong.value.tries_left == left
    for pin in ("0000", "2741"):
        with card_in_reader() as connection, pytest.raises(PinBlocked):
            JpkiSession.open(connection).verify_pin(Pin.parse(pin))


def test_the_pin_is_forgotten_when_the_visit_ends(inserted: CardInVpcd) -> None:
    with card_in_reader() as connection:
        JpkiSession.open(connection).verify_pin(Pin.parse("2741"))
    with card_in_reader() as connection, pytest.raises(ApduError, match="6982"):
        JpkiSession.open(connection).sign(b"message")


def test_a_card_taken_out_half_way_is_noticed(inserted: CardInVpcd) -> None:
    with card_in_reader() as connection:
        session = JpkiSession.open(connection)
        inserted.remove()
        with pytest.raises(CardRemoved):
            session.auth_certificate()


def test_an_empty_reader_is_waited_for_no_longer_than_said() -> None:
    with pytest.raises(CardMissing), card_in_reader(wait_s=0.2):
        pass


def test_a_card_put_in_while_waiting_is_found(slot: CardInVpcd) -> None:
    later = threading.Timer(0.3, slot.insert)
    later.start()
    try:
        with card_in_reader(wait_s=NOTICE_S) as connection:
            assert JpkiSession.open(connection).token_label() == "JPKIAPICCTOKEN2"
    finally:
        later.join()


def test_a_reader_with_another_name_is_missing() -> None:
    with pytest.raises(ReaderMissing), card_in_reader("no such reader", wait_s=0):
        pass


def test_a_card_that_another_program_holds_is_in_use(inserted: CardInVpcd) -> None:
    with card_in_reader(), pytest.raises(CardInUse), card_in_reader(wait_s=0):
        pass
