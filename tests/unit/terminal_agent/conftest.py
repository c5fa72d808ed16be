"""A virtual card for the unit tests of the terminal, with a holder and certificates of its own."""

from datetime import UTC, date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from eligibility.domain.codes import Sex
from loadtest.pki import Authority, Jpki, KeyPair
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent, CardCredentials, CardHolder, CardPins

NOW = datetime.now(UTC)


@pytest.fixture(scope="session")
def jpki() -> Jpki:
    """A hierarchy of the JPKI profile for this test run."""
    return Jpki.create(NOW, generations=2)


@pytest.fixture(scope="session")
def content(jpki: Jpki) -> CardContent:
    """What is on the card of the tests."""
    auth, sign = jpki.issue_auth("0001", NOW), jpki.issue_signature("0001", NOW)
    return CardContent(
        holder=CardHolder(
            name="髙橋 花子",
            address="東京都千代田区霞が関１丁目２番２号",
            birth_date=date(1985, 4, 12),
            sex=Sex.FEMALE,
            expires_on=date(2034, 4, 12),
            security_code="8123",
        ),
        auth=_credentials(auth, jpki.auth[-1]),
        sign=_credentials(sign, jpki.sign[-1]),
        pins=CardPins(auth="2741", sign="KARUTA77", text="5906"),
    )


@pytest.fixture
def card(content: CardContent) -> VirtualCard:
    """A fresh card, out of any reader."""
    return VirtualCard(content)


def _credentials(issued: KeyPair, authority: Authority) -> CardCredentials:
    assert isinstance(issued.key, rsa.RSAPrivateKey)
    return CardCredentials(issued.der, issued.key, authority.certificate.public_bytes(Encoding.DER))
