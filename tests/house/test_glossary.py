"""Every name and place that the glossary tells is there, but for what its row calls not built yet."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("eligibility", "payer_sync", "terminal_agent", "loadtest")


def test_each_name_of_the_glossary_is_one_of_the_code() -> None:
    files = [path for package in PACKAGES for kind in ("*.py", "*.sql") for path in (ROOT / package).rglob(kind)]
    source = "\n".join(path.read_text("utf-8") for path in files)
    types = set(re.findall(r"^(?:class )?(\w+)(?:[(:]| = NewType\()", source, re.MULTILINE))
    words = set(re.findall(r"\w+", source))
    rows = [line for line in (ROOT / "docs" / "glossary.md").read_text("utf-8").splitlines() if line.startswith("|")]

    names = [name for row in rows if "not built yet" not in row for name in re.findall(r"`([^`]+)`", row)]
    places = {name for name in names if "/" in name}
    parts = {part for name in names if name not in places for part in re.findall(r"\w+", name)}
    capitalised = {part for part in parts if re.match(r"[A-Z]\w*[a-z]", part)}

    assert sorted(name for name in places if not (ROOT / name).exists()) == []
    assert sorted(capitalised - types) == []
    assert sorted(parts - words) == []
