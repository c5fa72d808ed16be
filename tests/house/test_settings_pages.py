"""Every setting stands in the pages with its default, and the pages name none that no process reads."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic_settings import BaseSettings

from eligibility.settings import ApiSettings, StaffSettings, WorkerSettings
from payer_sync.settings import IntakeSettings, OperatorSettings
from terminal_agent.face.settings import FaceSettings
from terminal_agent.settings import TerminalSettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ALL: Final = (
    ApiSettings,
    StaffSettings,
    WorkerSettings,
    IntakeSettings,
    OperatorSettings,
    TerminalSettings,
    FaceSettings,
)
OF_TESTS: Final = {"ELIGIBILITY_TEST_DATA", "ELIGIBILITY_SCREENS"}
PLACEHOLDERS: Final = {"TERMINAL_NAME"}  # as in TERMINAL_NAME=value


def _section(page: str, heading: str) -> str:
    return (DOCS / page).read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def _table(section: str) -> dict[str, str]:
    """Return each row's name with the cell beside it."""
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE))


def _variables(kind: type[BaseSettings]) -> dict[str, str]:
    prefix = kind.model_config["env_prefix"]
    return {name: f"{prefix}{name.upper()}" for name in kind.model_fields}


def _default(kind: type[BaseSettings], name: str) -> str:
    field = kind.model_fields[name]
    value: Any = field.default
    if field.is_required():
        return "required"
    if value is None:
        return "none"
    return f"`{value:g}`" if isinstance(value, float) else f"`{str(value).lower() if value is False else value}`"


@pytest.mark.parametrize(
    ("heading", "kind"), [("The API", ApiSettings), ("The worker", WorkerSettings), ("The intake", IntakeSettings)]
)
def test_a_process_has_a_row_for_each_of_its_settings(heading: str, kind: type[BaseSettings]) -> None:
    expected = {variable: _default(kind, name) for name, variable in _variables(kind).items()}

    assert _table(_section("operating.md", heading)) == expected


def test_a_terminal_has_a_row_for_each_of_its_settings() -> None:
    bridges = {name for name in TerminalSettings.model_fields if name.startswith("bridge_")}
    expected = {name: _default(TerminalSettings, name) for name in TerminalSettings.model_fields if name not in bridges}
    expected["consents_asked"] = "all but `treatment`"

    assert _table(_section("counter.md", "Settings")) == expected
    # What is there without them is told in words.
    beside = (DOCS / "bridge.md").read_text("utf-8").split("\n## ")[0]
    assert {name.lower() for name in _table(beside)} == bridges


def test_the_face_match_tells_each_of_its_settings() -> None:
    told = re.findall(r"^(\w+) = |`(\w+)` \(`", _section("face.md", "Installing"), re.MULTILINE)

    assert {name for pair in told for name in pair if name} == set(FaceSettings.model_fields)


def test_the_samples_of_settings_files_have_no_other_names() -> None:
    samples = re.findall(
        r"^```toml\n(.*?)^```", "".join(p.read_text("utf-8") for p in DOCS.glob("*.md")), re.DOTALL | re.MULTILINE
    )
    stated = [tomllib.loads(sample) for sample in samples]

    assert len(stated) == 2
    assert {name for one in stated for name in one} <= TerminalSettings.model_fields.keys() | {"face"}
    assert {name for one in stated for name in one["face"]} <= FaceSettings.model_fields.keys()


def test_no_page_names_a_variable_that_nobody_reads() -> None:
    known = OF_TESTS | PLACEHOLDERS | {variable for kind in ALL for variable in _variables(kind).values()}
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    named = {
        name
        for p in pages
        for name in re.findall(r"\b(?:ELIGIBILITY|INTAKE|TERMINAL)_[A-Z_]*[A-Z]\b", p.read_text("utf-8"))
    }

    assert named - known == set()
