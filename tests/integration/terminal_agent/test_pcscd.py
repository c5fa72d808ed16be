import os
import subprocess
from pathlib import Path

import pytest

from terminal_agent.card.errors import ReaderServiceDown
from terminal_agent.card.pcscd import OwnPcscd, PcscdUnavailable, own_pcscd
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.vpcd import CardInVpcd

pytestmark = pytest.mark.pcsc


def test_several_run_side_by_side_and_leave_nothing_behind(pcscd: OwnPcscd, card: VirtualCard) -> None:
    with own_pcscd() as other:
        assert other.vpcd_port != pcscd.vpcd_port
        assert other.socket != pcscd.socket
        assert other.socket.is_socket()
        with CardInVpcd(card, other.vpcd_port):
            pass
    assert not other.socket.parent.exists()
    with pytest.raises(ReaderServiceDown):
        CardInVpcd(card, other.vpcd_port).insert()
    assert pcscd.socket.is_socket()


def test_a_card_can_be_taken_out_and_put_back_at_once(slot: CardInVpcd) -> None:
    for _ in range(2):
        slot.insert()
        slot.insert()  # already in: nothing to do
        slot.remove()
        slot.remove()


def test_a_machine_without_the_driver_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("terminal_agent.card.pcscd._DRIVERS", (tmp_path / "none",))
    with pytest.raises(PcscdUnavailable, match="vsmartcard-vpcd"), own_pcscd():
        pass


def test_a_block_that_fails_stops_its_pcscd(pcscd: OwnPcscd) -> None:
    with pytest.raises(RuntimeError), own_pcscd() as other:
        raise RuntimeError
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True, env=os.environ)
    assert str(other.socket.parent) not in listing.stdout
