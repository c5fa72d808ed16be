import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from terminal_agent.card.errors import ApduError
from terminal_agent.card.pinless import VirtualPinlessSigner
from terminal_agent.card.sessions import JpkiSession
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent

SECRET = b"shared by the test's terminal and its card"


def test_an_accredited_terminal_signs_without_a_pin(content: CardContent) -> None:
    signature = VirtualPinlessSigner(SECRET).sign(VirtualCard(content, SECRET), b"message")
    key = x509.load_der_x509_certificate(content.auth.certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, b"message", padding.PKCS1v15(), SHA256())


def test_it_is_off_by_default(content: CardContent) -> None:
    with pytest.raises(ApduError, match="6D00"):
        VirtualPinlessSigner(SECRET).sign(VirtualCard(content), b"message")


def test_another_terminal_is_not_let_in(content: CardContent) -> None:
    card = VirtualCard(content, SECRET)
    with pytest.raises(ApduError, match="6982"):
        VirtualPinlessSigner(b"another secret").sign(card, b"message")
    with pytest.raises(ApduError, match="6982"):
        JpkiSession.open(card).sign(b"message")


def test_a_proof_is_good_for_one_challenge_and_one_session(content: CardContent) -> None:
    seen: list[bytes] = []

    class Listening:
        def __init__(self, card: VirtualCard) -> None:
            self.card = card

        def transmit(self, apdu: bytes) -> bytes:
            seen.append(apdu)
            return self.card.transmit(apdu)

    card = VirtualCard(content, SECRET)
    VirtualPinlessSigner(SECRET).sign(Listening(card), b"message")
    (proof,) = (apdu for apdu in seen if apdu[:2] == b"\x80\xa2")
    assert card.transmit(proof) == b"\x69\x82"
    card.reset()
    JpkiSession.open(card)
    assert card.transmit(proof) == b"\x69\x82"
    with pytest.raises(ApduError, match="6982"):
        JpkiSession.open(card).sign(b"message")
