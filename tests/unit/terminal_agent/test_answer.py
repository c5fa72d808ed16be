import io

import pytest
from rich.console import Console as RichConsole

from eligibility.domain.codes import Outcome
from eligibility.wire.verifications import Verification
from terminal_agent.answer import answer_panel
from terminal_agent.language import Language


def _shown(verification: Verification, language: Language) -> str:
    output = io.StringIO()
    RichConsole(file=output, width=200).print(answer_panel(verification, language))
    return output.getvalue()


def test_an_answer_shows_all_that_staff_need(valid: Verification) -> None:
    shown = _shown(valid, Language.BOTH)
    for expected in (
        "有効 / valid", "髙橋 花子 [b] (タカハシ ハナコ)", "06139463 架空健康保険組合", "１２３・4567 (01)",
        "3割 / 30%", "2割 2026-08-01〜2027-07-31", "ウ 2026-08-01〜", "慢性腎不全(人工透析)",
        "10,000 円/月", "10,000 yen a month",
        "06139471", "薬剤情報(同意なし)", "a_reason_of_tomorrow", "証明書の更新が近づいています。", "2027-04-01",
    ):  # fmt: skip
        assert expected in shown


@pytest.mark.parametrize(
    ("language", "word", "other"), [(Language.JA, "保険者", "insurer"), (Language.EN, "insurer", "保険者")]
)
def test_an_answer_in_one_language_has_nothing_of_the_other(
    valid: Verification, language: Language, word: str, other: str
) -> None:
    shown = _shown(valid, language)
    assert word in shown
    assert other not in shown


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_shown_also_without_a_coverage(valid: Verification, outcome: Outcome) -> None:
    bare = valid.model_copy(update={"outcome": outcome, "coverage": None, "data_as_of": None})
    assert f"{outcome.ja} / {outcome.en}" in _shown(bare, Language.BOTH)
