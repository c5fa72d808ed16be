"""The languages the terminal speaks, and how a sentence is chosen from them."""

from enum import StrEnum

from eligibility.wire.problems import Sentence


class Language(StrEnum):
    """The languages of what is shown."""

    JA = "ja"
    EN = "en"
    BOTH = "both"


def in_language(sentence: Sentence, language: Language) -> str:
    """Return a sentence in one language, or in both joined by a slash."""
    if language is Language.BOTH:
        return f"{sentence.ja} / {sentence.en}"
    return sentence.ja if language is Language.JA else sentence.en
