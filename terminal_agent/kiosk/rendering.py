"""Turns what is to be shown into HTML: templates, in one of the languages, with everything escaped."""

from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from babel.dates import format_date, format_time
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eligibility.domain.codes import FieldCode
from eligibility.domain.dates import JAPAN
from eligibility.wire.problems import Sentence
from terminal_agent.kiosk.catalogues import LANGUAGES, load_catalogue
from terminal_agent.language import Language

PAGES: Final = Path(__file__).parent / "pages"


class Renderer:
    """The templates in each language."""

    def __init__(self) -> None:
        self._environments = {language: _environment(language) for language in LANGUAGES}

    def page(self, template: str, language: Language, **facts: Any) -> str:
        """Return a whole page."""
        return self._environments[language].get_template(template).render(language=language.value, **facts)


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # newstyle: placeholders are filled in by name, and escaped
    environment.install_gettext_translations(load_catalogue(language), newstyle=True)  # type: ignore[attr-defined]
    locale = language.value

    def words(value: FieldCode | Sentence) -> str:
        return value.ja if language is Language.JA else value.en

    def day(value: date) -> str:
        return format_date(value, "yyyy年M月d日" if language is Language.JA else "d MMM yyyy", locale)

    def clock(moment: datetime) -> str:
        return format_time(moment.astimezone(JAPAN), "H:mm", locale=locale)

    def moment(value: datetime) -> str:
        local = value.astimezone(JAPAN)
        return f"{format_date(local, 'M月d日' if language is Language.JA else 'd MMM', locale)} {clock(value)}"

    environment.filters |= {"words": words, "day": day, "clock": clock, "moment": moment}
    return environment
