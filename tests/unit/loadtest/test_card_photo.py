from pathlib import Path

import cv2
import numpy as np
import pytest

from loadtest.__main__ import main
from terminal_agent.card.cv_certificate import load_authorities
from terminal_agent.card.pins import NumberB
from terminal_agent.card.virtual_content import CardContent
from terminal_agent.card.virtual_files import card_in_folder, save_card
from terminal_agent.card.visual import VisualSession, read_surface
from tests.cards import HOLDER, content, jpki

__all__ = ["content", "jpki"]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "portrait.png"
    cv2.imwrite(str(file), np.full((400, 300), 90, dtype=np.uint8))
    return file


def test_a_card_gets_a_photo_that_a_terminal_with_the_key_believes(
    content: CardContent, tmp_path: Path, picture: Path
) -> None:
    folder, keys = tmp_path / "card", tmp_path / "keys"
    save_card(folder, content)
    for _ in range(2):  # a second photo takes the first one's place
        assert main(["card-photo", str(folder), str(picture), "--authorities", str(keys)]) == 0
    authorities = load_authorities({path.stem: path.read_bytes() for path in keys.iterdir()})
    with card_in_folder(folder) as card:
        session = VisualSession.open(card)
        assert read_surface(session, NumberB.parse(HOLDER.number_b), authorities, bytes(32)).verified


@pytest.mark.parametrize("spoilt", ["card", "picture", "picture missing"])
def test_what_cannot_be_read_leaves_the_card_as_it_was(
    content: CardContent, tmp_path: Path, picture: Path, spoilt: str
) -> None:
    folder = tmp_path / "card"
    save_card(folder, content)
    if spoilt == "card":
        (folder / "card.json").write_text("{}")
    elif spoilt == "picture":
        picture.write_bytes(b"no picture")
    else:
        picture.unlink()
    assert main(["card-photo", str(folder), str(picture), "--authorities", str(tmp_path / "keys")]) == 1
    assert not (folder / "visual.record").exists()
    assert not (tmp_path / "keys").exists()
