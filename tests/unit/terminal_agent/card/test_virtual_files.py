import json
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal_agent.card.errors import PinBlocked, PinWrong, VirtualCardUnreadable
from terminal_agent.card.pins import Pin
from terminal_agent.card.sessions import JpkiSession, TextSession
from terminal_agent.card.virtual_content import CardContent
from terminal_agent.card.virtual_files import card_in_folder, load_content, save_card


def test_a_saved_card_is_the_same_card(tmp_path: Path, content: CardContent) -> None:
    save_card(tmp_path / "card", content)
    loaded = load_content(tmp_path / "card")
    assert loaded.auth.certificate == content.auth.certificate
    assert loaded.sign.authority == content.sign.authority
    assert loaded.holder == content.holder
    with card_in_folder(tmp_path / "card") as card:
        session = JpkiSession.open(card)
        session.verify_pin(Pin.parse("2741"))
        text = TextSession.open(card)
        text.verify_pin(Pin.parse("5906"))
        assert text.attributes().name == content.holder.name


def test_only_the_owner_may_read_a_card(tmp_path: Path, content: CardContent) -> None:
    save_card(tmp_path, content)
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_tries_stay_used_between_one_use_and_the_next(tmp_path: Path, content: CardContent) -> None:
    save_card(tmp_path, content)
    for error in (PinWrong, PinWrong, PinBlocked, PinBlocked):
        with card_in_folder(tmp_path) as card, pytest.raises(error):
            JpkiSession.open(card).verify_pin(Pin.parse("0000"))
    save_card(tmp_path, content)
    with card_in_folder(tmp_path) as card:
        assert JpkiSession.open(card).tries_left() == 3


def _without(name: str) -> Callable[[dict[str, object]], object]:
    return lambda card: {key: value for key, value in card.items() if key != name}


@pytest.mark.parametrize(
    "spoil",
    [
        _without("name"),
        _without("pins"),
        lambda card: card | {"more": 1},
        lambda card: card | {"sex": "4"},
        lambda card: card | {"birth_date": "1985-02-30"},
        lambda card: card | {"pins": {"auth": "12345", "sign": "KARUTA77", "text": "5906"}},
        lambda card: card | {"pins": {"auth": "1234", "sign": "karuta77", "text": "5906"}},
        lambda card: card | {"security_code": "1"},
        lambda card: [card],
    ],
)
def test_a_card_with_another_description_is_refused(
    tmp_path: Path, content: CardContent, spoil: Callable[[dict[str, object]], object]
) -> None:
    save_card(tmp_path, content)
    described = tmp_path / "card.json"
    described.write_text(json.dumps(spoil(json.loads(described.read_text()))))
    with pytest.raises(VirtualCardUnreadable):
        load_content(tmp_path)


@pytest.mark.parametrize("name", ["card.json", "auth.crt", "auth.key", "auth_ca.crt", "sign.crt", "sign.key"])
@pytest.mark.parametrize("spoiled", [None, b"", b"-----BEGIN CERTIFICATE-----\n", b"\xff\x00"])
def test_a_card_with_a_missing_or_spoiled_file_is_refused(
    tmp_path: Path, content: CardContent, name: str, spoiled: bytes | None
) -> None:
    save_card(tmp_path, content)
    (tmp_path / name).unlink()
    if spoiled is not None:
        (tmp_path / name).write_bytes(spoiled)
    with pytest.raises(VirtualCardUnreadable):
        load_content(tmp_path)


@pytest.mark.parametrize("tries", ["", "[]", '{"a": "b"}', '{"a": null}'])
def test_spoiled_tries_are_refused_rather_than_given_back(tmp_path: Path, content: CardContent, tries: str) -> None:
    save_card(tmp_path, content)
    (tmp_path / "tries.json").write_text(tries)
    with pytest.raises(VirtualCardUnreadable), card_in_folder(tmp_path):
        pass


def test_a_folder_that_is_not_there_holds_no_card(tmp_path: Path) -> None:
    with pytest.raises(VirtualCardUnreadable):
        load_content(tmp_path / "none")
