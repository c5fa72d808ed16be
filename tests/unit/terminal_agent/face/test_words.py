import pytest

from eligibility.wire.problems import Sentence
from terminal_agent.face.words import BEFORE_CAMERA, HINTS, REASONS, STEPS, TAKE_OFF, Hint, Reason, Step

ALL = {
    **{f"hint {hint}": hint.words for hint in Hint},
    **{f"step {step}": step.words for step in Step},
    **{f"reason {reason}": reason.words for reason in Reason},
    "take off": TAKE_OFF,
    "before the camera": BEFORE_CAMERA,
}


@pytest.mark.parametrize("name", ALL)
def test_every_sentence_is_there_in_both_languages(name: str) -> None:
    sentence: Sentence = ALL[name]
    assert any(character > "぀" for character in sentence.ja)
    assert sentence.ja.endswith("。")
    assert sentence.en.isascii()
    assert sentence.en.endswith(".")


def test_every_word_has_a_sentence_and_none_is_left_over() -> None:
    assert (set(HINTS), set(STEPS), set(REASONS)) == (set(Hint), set(Step), set(Reason))
