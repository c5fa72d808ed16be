"""The reader of the integration tests: a pcscd of their own with a virtual card in it."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from eligibility.domain.codes import Sex
from loadtest.pki import Authority, Jpki, KeyPair
from terminal_agent.card.errors import CardMissing
from terminal_agent.card.pcscd import OwnPcscd
from terminal_agent.card.reader import card_in_reader, reader_with_card
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent, CardCredentials, CardHolder, CardPins
from terminal_agent.card.vpcd import CardInVpcd

NOTICE_S = 20.0
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


@pytest.fixture
def opensc(pcscd: OwnPcscd) -> None:
    """Skip, saying why, where OpenSC is not installed."""
    for program in ("pkcs15-tool", "pkcs11-tool"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: apt-get install opensc)")


@pytest.fixture
def inserted(card: VirtualCard, pcscd: OwnPcscd) -> Iterator[CardInVpcd]:
    """Put the test's card into the reader; pcscd has noticed when the test begins, and that it is out when it ended."""
    with CardInVpcd(card, pcscd.vpcd_port) as slot:
        with card_in_reader(wait_s=NOTICE_S):
            pass
        yield slot
    wait_until_empty()


@pytest.fixture
def slot(card: VirtualCard, pcscd: OwnPcscd) -> Iterator[CardInVpcd]:
    """Give the test's card beside the empty reader."""
    slot = CardInVpcd(card, pcscd.vpcd_port)
    yield slot
    slot.remove()
    wait_until_empty()


def wait_until_empty() -> None:
    """Wait until pcscd, which looks a few times a second, has noticed that the card is gone."""
    deadline = time.monotonic() + NOTICE_S
    while time.monotonic() < deadline:
        try:
            reader_with_card(wait_s=0)
        except CardMissing:
            return
        time.sleep(0.02)
    pytest.fail("pcscd still sees a card that was taken out")
