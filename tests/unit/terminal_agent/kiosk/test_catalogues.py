"""Every word of the screens stands in both catalogues, and no catalogue holds a word that nobody says."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from terminal_agent import kiosk
from terminal_agent.card.errors import CardError
from terminal_agent.client import CentreError
from terminal_agent.kiosk.catalogues import LANGUAGES, catalogue_file, load_catalogue
from terminal_agent.kiosk.trouble import TROUBLES, trouble
from terminal_agent.kiosk.visit import CENTRE_TROUBLE
from terminal_agent.language import Language

HERE = Path(kiosk.__path__[0])
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "mark": None}
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


def said() -> set[str | tuple[str, ...]]:
    found = extract_from_dir(
        HERE,
        method_map=[("**.py", "python"), ("pages/**.html", "jinja2")],
        options_map={"pages/**.html": {"trimmed": "true"}},
        keywords=KEYWORDS,  # type: ignore[arg-type]
    )
    return {message for _, _, message, _, _ in found if message}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_holds_what_is_said_and_nothing_else(language: Language) -> None:
    with catalogue_file(language).open("rb") as file:
        catalogue = read_po(file)
    assert {message.id for message in catalogue if message.id} == said()
    for message in catalogue:
        assert not message.fuzzy or not message.id
        wanted = {name for text in _texts(message.id) for name in PLACEHOLDER.findall(text)}
        for text in _texts(message.string):
            assert text.strip(), message.id
            assert not message.id or set(PLACEHOLDER.findall(text)) == wanted, message.id


def _texts(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def test_numbers_have_their_forms() -> None:
    english, japanese = load_catalogue(Language.EN), load_catalogue(Language.JA)
    forms = "%(num)d try is left.", "%(num)d tries are left."
    assert english.ngettext(*forms, 1) % {"num": 1} == "1 try is left."
    assert english.ngettext(*forms, 2) % {"num": 2} == "2 tries are left."
    assert japanese.ngettext(*forms, 1) % {"num": 1} == "あと 1 回入力できます。"


def _codes(error: type[Exception]) -> set[str]:
    return {getattr(error, "code", "")} | {code for kind in error.__subclasses__() for code in _codes(kind)}


# These are asked about again, on the page where they were entered.
ENTRIES = {"pin_malformed", "pin_wrong", "pin_not_entered", "number_b_malformed", "number_b_wrong"}
# A photo that is of no use leads to the PIN or to staff.
PHOTO = {"number_b_blocked", "card_photo_missing", "card_data_forged", "card_copied"}


def test_every_trouble_of_card_and_centre_has_words_of_its_own() -> None:
    wanted = (_codes(CardError) | _codes(CentreError)) - ENTRIES - PHOTO - {"credentials_unreadable"}
    assert wanted - TROUBLES.keys() == set()
    assert TROUBLES.keys() >= CENTRE_TROUBLE


def test_a_code_of_tomorrow_gets_the_general_words() -> None:
    assert trouble("a_code_of_tomorrow").may_retry
