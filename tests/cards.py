"""The card of the tests: fixtures for the folders whose tests hold one."""

from datetime import UTC, date, datetime

import cv2
import numpy as np
import pytest

from eligibility.domain.codes import Sex
from loadtest.cards import issue_card, with_photo
from loadtest.pki import Jpki
from terminal_agent.card import surface, tlv
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent, CardHolder, CardPins, with_offsets
from terminal_agent.card.virtual_surface import VisualIssuer

NOW = datetime.now(UTC)
HOLDER = CardHolder(
    name="髙橋 花子",
    address="東京都千代田区霞が関１丁目２番２号",
    birth_date=date(1985, 4, 12),
    sex=Sex.FEMALE,
    expires_on=date(2034, 4, 12),
    security_code="8123",
)


@pytest.fixture(scope="session")
def jpki() -> Jpki:
    """A hierarchy of the JPKI profile for this test run."""
    return Jpki.create(NOW, generations=2)


@pytest.fixture(scope="session")
def content(jpki: Jpki) -> CardContent:
    """What is on the card of the tests."""
    return issue_card(jpki, "0001", HOLDER, CardPins(auth="2741", sign="KARUTA77", text="5906"), NOW)


@pytest.fixture
def card(content: CardContent) -> VirtualCard:
    """A fresh card, out of any reader."""
    return VirtualCard(content)


@pytest.fixture(scope="session")
def issuer() -> VisualIssuer:
    """The authority whose key terminals pin, and the issuer of the photos of this test run's cards."""
    return VisualIssuer.create()


@pytest.fixture(scope="session")
def visual_content(content: CardContent, issuer: VisualIssuer) -> CardContent:
    """The card of the tests with a visual application; its photo is a pattern, nobody's face."""
    rows, columns = np.mgrid[0:400, 0:300]
    encoded = cv2.imencode(".png", ((rows * 3 + columns * 2) % 256).astype(np.uint8))[1]
    return with_photo(content, issuer, bytes(encoded))


def fields_of(record: bytes) -> dict[int, bytes]:
    """Return a visual record's fields, without the offsets."""
    fields = tlv.decode(tlv.decode(record)[surface.RECORD_TAG])
    return {tag: value for tag, value in fields.items() if tag != surface.OFFSETS_TAG}


def record_of(fields: dict[int, bytes]) -> bytes:
    """Return the visual record of fields; whoever changes one does not sign anew."""
    return with_offsets(tuple(fields.items()))
