"""Virtual My Number cards whose certificates the test PKI has issued."""

from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from loadtest.pki import Authority, Jpki, KeyPair
from terminal_agent.card.virtual_content import CardContent, CardCredentials, CardHolder, CardPins
from terminal_agent.card.virtual_photo import Box, blank_images, card_photo
from terminal_agent.card.virtual_surface import VisualIssuer


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


def with_photo(content: CardContent, issuer: VisualIssuer, picture: bytes, head: Box | None = None) -> CardContent:
    """Add a visual application whose photo is made from a picture, cut around the head where that is known."""
    return replace(content, visual=issuer.issue(content.holder, card_photo(picture, head), blank_images()))
