"""Turns what is to be shown into HTML: templates, in one of the languages, with everything escaped."""

from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from babel.dates import format_date, format_time
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eligibility.domain.checkup_items import Flag
from eligibility.domain.codes import FieldCode
from eligibility.domain.dates import JAPAN
from eligibility.wire.medications import Medicine
from eligibility.wire.problems import Sentence
from terminal_agent.answer import WHY_NOT, share
from terminal_agent.kiosk.catalogues import LANGUAGES, load_catalogue
from terminal_agent.kiosk.trouble import trouble
from terminal_agent.kiosk.visit import CENTRE_TROUBLE
from terminal_agent.language import Language
from terminal_agent.messages import ADVICE
from terminal_agent.records.medication import amount_given, drug_name

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
    catalogue = load_catalogue(language)
    environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
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

    def translated(text: str) -> str:
        """Translate a text that was marked where it stands."""
        return catalogue.gettext(text)

    def why_not(reason: str) -> str:
        # A reason newer than this terminal is shown as it came.
        return words(WHY_NOT[reason]) if reason in WHY_NOT else reason

    environment.filters |= {"words": words, "day": day, "clock": clock, "moment": moment, "translated": translated}
    environment.globals |= {
        "why_not": why_not,
        "share": lambda percent: "—" if percent is None else words(share(percent)),
        "yen": lambda amount: f"{amount:,} 円" if language is Language.JA else f"{amount:,} yen",
        "period": lambda first, last: f"{day(first) if first else ''} – {day(last) if last else ''}",
        "trouble_words": trouble,
        "advice_words": lambda code: ADVICE[code].filled(_NO_FACTS) if code in ADVICE else None,
        "drug_name": drug_name,
        "amount": _amount,
        "LOW": Flag.LOW.value,
        "CENTRE_TROUBLE": CENTRE_TROUBLE,
    }
    return environment


def _amount(medicine: Medicine, unit: str) -> str:
    given = amount_given(medicine)
    return "" if given is None else f"{given.normalize():f} {unit}"


class _Blanks(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "—"


_NO_FACTS: Final = _Blanks()
