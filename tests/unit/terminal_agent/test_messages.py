import string

import pytest

from terminal_agent.bridge.errors import BridgeError
from terminal_agent.card import errors
from terminal_agent.client import CentreError
from terminal_agent.face.camera import CameraMissing
from terminal_agent.kiosk.passcode import PasscodeTrouble
from terminal_agent.loopback import PortTaken
from terminal_agent.messages import ADVICE, PROMPTS
from terminal_agent.outbox.draining import MAYBE_SETTLED
from terminal_agent.outbox.journal import CLOCK_WRONG, JournalUnusable
from terminal_agent.outbox.opening import OutboxNotOpen
from terminal_agent.outbox.sealing import OutboxTrouble

# Imported, so that they are among the kinds.
assert issubclass(JournalUnusable, OutboxTrouble)
assert issubclass(OutboxNotOpen, OutboxTrouble)


def _kinds(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(kind for child in root.__subclasses__() for kind in _kinds(child))]


ROOTS = (errors.CardError, CentreError, CameraMissing, BridgeError, OutboxTrouble, PasscodeTrouble, PortTaken)
KINDS = [kind for root in ROOTS for kind in _kinds(root)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_trouble_has_its_advice(kind: type[errors.CardError]) -> None:
    assert kind.code in ADVICE
    assert (kind.__doc__ or "").strip()


def test_every_advice_belongs_to_a_trouble() -> None:
    ours = {"settings_incomplete", "settings_file_missing", "entry_malformed", "stopped", "unexpected"}
    ours |= {"bulk_file_unreadable", "bulk_file_empty", "bulk_column_missing", "bulk_value_too_long"}
    ours |= {"bulk_result_unwritable", CLOCK_WRONG, MAYBE_SETTLED}
    ours |= {"enrolment_folder_in_use", "enrolment_file_unusable", "enrolment_answer_wrong"}
    assert set(ADVICE) == {kind.code for kind in KINDS} | ours  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", ADVICE)
def test_every_advice_is_complete_in_both_languages(code: str) -> None:
    advice = ADVICE[code]
    for sentence in (advice.happened, advice.next_step):
        assert any(character > "぀" for character in sentence.ja)
        assert sentence.en.isascii()
        assert sentence.ja.endswith("。")
        assert sentence.en.endswith(".")
        assert _places(sentence.ja) == _places(sentence.en)


@pytest.mark.parametrize("name", PROMPTS)
def test_every_prompt_is_there_in_both_languages(name: str) -> None:
    prompt = PROMPTS[name]
    assert any(character > "぀" for character in prompt.ja)
    assert prompt.en.isascii()
    assert _places(prompt.ja) == _places(prompt.en)


def test_every_advice_is_filled_by_the_facts_of_its_trouble() -> None:
    for trouble in (errors.PinWrong(2), errors.ApduError(0x6F00)):
        filled = ADVICE[trouble.code].filled(trouble.facts)
        assert "{" not in filled.happened.ja + filled.happened.en
    assert "2" in ADVICE["pin_wrong"].filled(errors.PinWrong(2).facts).happened.en


def _places(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}
