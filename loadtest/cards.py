"""Virtual My Number cards whose certificates the test PKI has issued."""

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from loadtest.pki import Authority, Jpki, KeyPair
from terminal_agent.card.virtual_content import CardContent, CardCredentials, CardHolder, CardPins


def issue_card(jpki: Jpki, serial: str, holder: CardHolder, pins: CardPins, now: datetime) -> CardContent:
    """Issue both of a card's certificates, by the newest generation of each hierarchy, and lay out its content."""
    return CardContent(
        holder=holder,
        auth=_credentials(jpki.issue_auth(serial, now), jpki.auth[-1]),
        sign=_credentials(jpki.issue_signature(serial, now), jpki.sign[-1]),
        pins=pins,
    )


def _credentials(issued: KeyPair, authority: Authority) -> CardCredentials:
    if not isinstance(issued.key, rsa.RSAPrivateKey):
        raise TypeError("a card's key is RSA")
    return CardCredentials(issued.der, issued.key, authority.certificate.public_bytes(Encoding.DER))
