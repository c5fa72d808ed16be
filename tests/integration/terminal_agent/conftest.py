"""The reader of the integration tests: a pcscd of their own with a virtual card in it."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from terminal_agent.card.errors import CardMissing
from terminal_agent.card.pcscd import OwnPcscd
from terminal_agent.card.reader import card_in_reader, reader_with_card
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.vpcd import CardInVpcd
from tests.cards import card, content, jpki

NOTICE_S = 120.0
NOW = datetime.now(UTC)
__all__ = ["card", "content", "jpki"]


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
