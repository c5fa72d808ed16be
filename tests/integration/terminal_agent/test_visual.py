"""The photo's way through the PC/SC stack: the visual application read, checked and challenged in a real reader."""

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from terminal_agent.card.errors import CardCopied, CardRemoved, NumberBWrong
from terminal_agent.card.pcscd import OwnPcscd
from terminal_agent.card.pinless import VirtualPinlessSigner
from terminal_agent.card.pins import NumberB
from terminal_agent.card.reader import card_in_reader
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent
from terminal_agent.card.virtual_surface import VisualIssuer, new_key
from terminal_agent.card.visual import VisualSession, read_surface
from terminal_agent.card.vpcd import CardInVpcd
from tests.cards import issuer, visual_content
from tests.integration.terminal_agent.conftest import NOTICE_S, wait_until_empty

__all__ = ["issuer", "visual_content"]
pytestmark = [pytest.mark.pcsc, pytest.mark.usefixtures("pcscd")]
NUMBER_B = NumberB.parse("60041220348123")
SECRET = b"of a terminal that virtual cards open for"


@pytest.fixture
def slot(visual_content: CardContent, pcscd: OwnPcscd, request: pytest.FixtureRequest) -> Iterator[CardInVpcd]:
    """Put the card into the reader, or, where a test asks for it, a copy of its files without its key."""
    content = visual_content
    if getattr(request, "param", "") == "copied" and content.visual is not None:
        content = replace(content, visual=replace(content.visual, key=new_key()))
    with CardInVpcd(VirtualCard(content, SECRET), pcscd.vpcd_port) as slot:
        yield slot
    wait_until_empty()


@pytest.mark.usefixtures("slot")
def test_photo_and_signatures_survive_the_reader(visual_content: CardContent, issuer: VisualIssuer) -> None:
    with card_in_reader(wait_s=NOTICE_S) as connection:
        session = VisualSession.open(connection)
        with pytest.raises(NumberBWrong) as wrong:
            session.verify_number_b(NumberB.parse("0" * 14))
        assert wrong.value.tries_left == 9
        checked = read_surface(session, NUMBER_B, issuer.authorities, secrets.token_bytes(32))
    assert checked.verified
    assert visual_content.visual is not None
    assert checked.surface.photo in visual_content.visual.record


@pytest.mark.parametrize("slot", ["copied"], indirect=True)
@pytest.mark.usefixtures("slot")
def test_a_copied_card_is_found_out_in_the_reader(issuer: VisualIssuer) -> None:
    with card_in_reader(wait_s=NOTICE_S) as connection, pytest.raises(CardCopied):
        read_surface(VisualSession.open(connection), NUMBER_B, issuer.authorities, secrets.token_bytes(32))


def test_a_card_that_leaves_while_its_photo_is_read_is_removed(slot: CardInVpcd, issuer: VisualIssuer) -> None:
    with card_in_reader(wait_s=NOTICE_S) as connection:
        session = VisualSession.open(connection)
        session.verify_number_b(NUMBER_B)
        slot.remove()
        with pytest.raises(CardRemoved):
            session.record()


@pytest.mark.usefixtures("slot")
def test_an_accredited_terminal_signs_without_a_pin_in_the_reader() -> None:
    with card_in_reader(wait_s=NOTICE_S) as connection:
        assert len(VirtualPinlessSigner(SECRET).sign(connection, b"message")) == 256
