from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from eligibility.domain.codes import Sex
from terminal_agent.card.errors import (
    ApduError,
    AuthCertificateMissing,
    CardDataMalformed,
    CardError,
    NotAMyNumberCard,
    PinBlocked,
    PinWrong,
    TextPinBlocked,
)
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.card.sessions import JpkiSession, TextSession
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent

RIGHT, WRONG, TEXT = Pin.parse("2741"), Pin.parse("0000"), Pin.parse("5906")
NUMBER_B = NumberB.parse("60041220348123")
SELECT, READ, VERIFY = 0xA4, 0xB0, 0x20


class Odd:
    """The virtual card, but for one answer of its."""

    def __init__(self, card: VirtualCard, instruction: int, answer: Callable[[bytes], bytes]) -> None:
        self.card = card
        self.instruction = instruction
        self.answer = answer

    def transmit(self, apdu: bytes) -> bytes:
        answered = self.card.transmit(apdu)
        return self.answer(answered) if apdu[1] == self.instruction else answered


def test_the_certificates_are_read_whole(card: VirtualCard, content: CardContent) -> None:
    session = JpkiSession.open(card)
    assert session.token_label() == "JPKIAPICCTOKEN2"
    assert session.auth_certificate() == content.auth.certificate
    assert session.auth_ca_certificate() == content.auth.authority


def test_a_padded_file_is_read_to_the_certificates_end(content: CardContent) -> None:
    padded = replace(content, auth=replace(content.auth, certificate=content.auth.certificate + b"\xff" * 500))
    assert JpkiSession.open(VirtualCard(padded)).auth_certificate() == content.auth.certificate


def test_a_signature_verifies_with_the_certificate(card: VirtualCard, content: CardContent) -> None:
    session = JpkiSession.open(card)
    session.verify_pin(RIGHT)
    key = x509.load_der_x509_certificate(content.auth.certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(session.sign(b"message"), b"message", padding.PKCS1v15(), SHA256())


def test_nothing_is_signed_without_the_pin(card: VirtualCard) -> None:
    with pytest.raises(ApduError, match="6982"):
        JpkiSession.open(card).sign(b"message")


def test_wrong_pins_count_down_and_block(card: VirtualCard) -> None:
    session = JpkiSession.open(card)
    for left in (2, 1):
        with pytest.raises(PinWrong) as wrong:
            session.verify_pin(WRONG)
        assert wrong.value.tries_left == left
        assert session.tries_left() == left
    for pin in (WRONG, RIGHT):
        with pytest.raises(PinBlocked):
            session.verify_pin(pin)
    assert session.tries_left() == 0


def test_the_holder_is_read_with_the_text_pin_or_the_number_b(content: CardContent) -> None:
    for unlock in (lambda s: s.verify_pin(TEXT), lambda s: s.verify_number_b(NUMBER_B)):
        session = TextSession.open(VirtualCard(content))
        unlock(session)
        holder = session.attributes()
        assert (holder.name, holder.address) == ("髙橋 花子", "東京都千代田区霞が関１丁目２番２号")
        assert (holder.birth_date, holder.sex) == (date(1985, 4, 12), Sex.FEMALE)
        assert "花子" not in f"{holder}{holder!r}"


def test_the_holder_is_not_read_with_the_other_applications_pin(card: VirtualCard) -> None:
    JpkiSession.open(card).verify_pin(RIGHT)
    session = TextSession.open(card)
    with pytest.raises(ApduError, match="6982"):
        session.attributes()
    with pytest.raises(PinWrong):
        session.verify_pin(RIGHT)


def test_the_text_pin_blocks_under_its_own_name_and_the_number_b_still_opens(card: VirtualCard) -> None:
    session = TextSession.open(card)
    for error in (PinWrong, PinWrong, TextPinBlocked, TextPinBlocked):
        with pytest.raises(error):
            session.verify_pin(WRONG)
    assert session.tries_left() == 0
    session.verify_number_b(NUMBER_B)
    assert session.attributes().sex is Sex.FEMALE


def test_a_wrong_number_b_counts_down(card: VirtualCard) -> None:
    with pytest.raises(PinWrong) as wrong:
        TextSession.open(card).verify_number_b(NumberB.parse("0" * 14))
    assert wrong.value.tries_left == 9


@pytest.mark.parametrize(
    ("instruction", "answer", "error"),
    [
        (SELECT, "6a82", NotAMyNumberCard),
        (SELECT, "6d00", NotAMyNumberCard),
        (SELECT, "6e00", NotAMyNumberCard),
        (READ, "6a82", AuthCertificateMissing),
        (READ, "6982", AuthCertificateMissing),
        (READ, "9000", CardDataMalformed),
        (READ, "ffffffffff9000", CardDataMalformed),
        (READ, "3084ffffff9000", CardDataMalformed),
        (READ, "3082ffff009000", CardDataMalformed),  # 64 KiB is no certificate
        (READ, "308201", CardError),
    ],
)
def test_a_card_that_answers_strangely_ends_in_a_named_error(
    card: VirtualCard, instruction: int, answer: str, error: type[CardError]
) -> None:
    odd = Odd(card, instruction, lambda _: bytes.fromhex(answer))
    with pytest.raises(error):
        JpkiSession.open(odd).auth_certificate()


def test_a_file_that_ends_before_its_certificate_does_is_malformed(content: CardContent) -> None:
    cut = replace(content, auth=replace(content.auth, certificate=content.auth.certificate[:300]))
    with pytest.raises(CardError):
        JpkiSession.open(VirtualCard(cut)).auth_certificate()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("6983", PinBlocked),
        ("6984", PinBlocked),
        ("63c0", PinBlocked),
        ("63c1", PinWrong),
        ("6700", ApduError),
        ("6a86", ApduError),
    ],
)
def test_each_answer_to_a_pin_has_its_error(card: VirtualCard, answer: str, error: type[CardError]) -> None:
    session = JpkiSession.open(Odd(card, VERIFY, lambda _: bytes.fromhex(answer)))
    with pytest.raises(error):
        session.verify_pin(WRONG)


def test_a_card_that_does_not_say_how_many_tries_are_left_is_asked(card: VirtualCard) -> None:
    answers = iter([b"\x63\x00"])
    session = JpkiSession.open(Odd(card, VERIFY, lambda said: next(answers, said)))
    with pytest.raises(PinWrong) as wrong:
        session.verify_pin(WRONG)
    assert wrong.value.tries_left == 2


def test_a_signature_of_another_length_is_refused(card: VirtualCard) -> None:
    session = JpkiSession.open(Odd(card, 0x2A, lambda said: said[1:]))
    session.verify_pin(RIGHT)
    with pytest.raises(CardDataMalformed):
        session.sign(b"message")


@pytest.mark.parametrize(
    "fields",
    [
        "ff2000",
        "ff2004df220141",
        "ff2019df220141df230141df24083139383530343132df250132"[:-2] + "39",  # no such sex
        "ff2019df220141df230141df24083139383530323330df250132",  # 30 February
        "ff2019df2201ffdf230141df24083139383530343132df250132",  # no UTF-8
        "ff3000",
    ],
)
def test_attributes_of_another_form_are_refused_without_showing_them(card: VirtualCard, fields: str) -> None:
    content = bytes.fromhex(fields)

    class Other:
        def transmit(self, apdu: bytes) -> bytes:
            if apdu[1] == READ:
                offset = apdu[2] << 8 | apdu[3]
                return content[offset : offset + (apdu[4] or 256)] + b"\x90\x00"
            return card.transmit(apdu)

    session = TextSession.open(Other())
    session.verify_pin(TEXT)
    with pytest.raises(CardDataMalformed) as raised:
        session.attributes()
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
