"""The table of faults, and that the tests meet every code of it."""

from pathlib import Path

import pytest

from eligibility.wire.submissions import Severity
from payer_sync.faults import Fault, FaultCode

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize("code", FaultCode)
def test_every_fault_says_what_was_expected_in_both_languages(code: FaultCode) -> None:
    assert code.ja
    assert code.en.isascii()
    assert Fault(code).said == f"{code.ja} / {code.en}"


@pytest.mark.parametrize("code", FaultCode)
def test_every_fault_has_a_test_that_meets_it(code: FaultCode) -> None:
    met = [*(TESTS / "samples").rglob("*.jsonl"), *(TESTS / "integration" / "payer_sync").glob("*.py")]
    met += [path for path in Path(__file__).parent.rglob("test_*.py") if path != Path(__file__)]
    texts = [path.read_text("utf-8") for path in met]

    assert any(f'"{code.value}"' in text or f"FaultCode.{code.name}" in text for text in texts)


def test_what_a_fault_costs_is_fixed_by_its_code() -> None:
    assert {code.severity for code in FaultCode} == set(Severity)
