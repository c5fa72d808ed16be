"""Every refusal of the domain has a problem, with both sentences in both languages."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

import pytest

import eligibility
import payer_sync
from eligibility.api.problems import PROBLEMS
from eligibility.domain.errors import Refused
from eligibility.serving.problems import COMMON_PROBLEMS, ProblemText
from payer_sync.intake.problems import PROBLEMS as INTAKE_PROBLEMS

TABLES: list[Mapping[str, ProblemText]] = [PROBLEMS, COMMON_PROBLEMS, INTAKE_PROBLEMS]


def _refusals(root: type[Refused]) -> Iterator[type[Refused]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _refusals(kind)


@pytest.fixture(scope="module", autouse=True)
def everything_imported() -> None:
    for package in (eligibility, payer_sync):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def test_every_refusal_with_a_code_is_in_the_table() -> None:
    codes = {kind.code for kind in _refusals(Refused) if "code" in vars(kind)}
    assert codes - PROBLEMS.keys() == set()
    assert len(codes) > 5


def test_every_refusal_says_what_is_wrong_in_its_docstring() -> None:
    assert [kind.__name__ for kind in _refusals(Refused) if not kind.__doc__] == []


@pytest.mark.parametrize("table", TABLES)
def test_every_problem_speaks_both_languages_to_both_readers(table: Mapping[str, ProblemText]) -> None:
    for code, text in table.items():
        for sentence in (text.staff, text.vendor):
            assert sentence.ja.endswith("。"), code
            assert sentence.en.endswith("."), code
            assert sentence.en.isascii() or "…" in sentence.en or "個人番号" in sentence.en, code
