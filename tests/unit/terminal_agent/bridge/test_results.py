import re
from pathlib import Path

import pytest

from eligibility.api.problems import PROBLEMS
from terminal_agent.bridge.results import NOTICES, OF_CENTRE, OF_LINE, SAID, Result
from terminal_agent.client import CentreError

DOCS = Path(__file__).parents[4] / "docs" / "bridge.md"


@pytest.mark.parametrize("result", Result, ids=lambda result: result.name)
def test_every_result_is_said_in_both_languages_and_in_the_docs(result: Result) -> None:
    said = SAID[result]
    assert any(character > "぀" for character in said.ja)
    assert said.en
    assert said.ja.encode("cp932").decode("cp932") == said.ja  # an answer in Shift_JIS has room for it
    assert f"| `{result.value}` | {said.ja} | {said.en} |" in DOCS.read_text()


def test_codes_have_one_form_and_the_docs_name_no_other() -> None:
    assert all(re.fullmatch(r"[IE][0-9]{4}", result.value) for result in Result)
    assert set(re.findall(r"`([IE][0-9]{4})`", DOCS.read_text())) == {result.value for result in Result}


def test_what_is_mapped_is_what_the_centre_says() -> None:
    assert set(OF_CENTRE) <= set(PROBLEMS)
    lines = {kind.code for kind in CentreError.__subclasses__()}
    assert set(OF_LINE) <= lines
    assert set(NOTICES) == {"certificate_expiring", "certificate_in_grace"}
