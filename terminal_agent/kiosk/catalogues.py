"""The words of the screens in each language: the catalogues under `locale`, read when the program starts."""

import gettext
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from terminal_agent.language import Language

LOCALE: Final = Path(__file__).parent / "locale"
LANGUAGES: Final = (Language.JA, Language.EN)


def mark(text: str) -> str:
    """Mark a text for the catalogues; it is translated where it is shown."""
    return text


def catalogue_file(language: Language) -> Path:
    """Return where a language's catalogue is."""
    return LOCALE / language.value / "LC_MESSAGES" / "kiosk.po"


def load_catalogue(language: Language) -> gettext.GNUTranslations:
    """Read a language's catalogue; no compiled file is needed."""
    with catalogue_file(language).open("rb") as file:
        catalogue = read_po(file, locale=language.value)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
