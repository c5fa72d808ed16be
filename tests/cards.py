"""The card of the tests: fixtures for the folders whose tests hold one."""

from datetime import UTC, date, datetime

import pytest

from eligibility.domain.codes import Sex
from loadtest.cards import issue_card
from loadtest.pki import Jpki
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent, CardHolder, CardPins

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
