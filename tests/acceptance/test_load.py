"""The load test as CI runs it, tiny: whether its tools work on a real centre. Nothing here asserts a time."""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest import run
from loadtest.__main__ import main


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="eligibility-load-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_a_small_morning_is_measured_judged_and_reported(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(run.SIZES, "small", replace(run.SIZES["small"], persons=300, cards=20))
    ended = main(["run", "--size", "small", "--site", str(folder / "site"), "--out", str(folder / "out")])
    said = capsys.readouterr().out
    assert ended == 0, said[-3000:]  # the end says which limit did not hold
    assert "every limit holds" in said
    report, page = (folder / "out" / name for name in ("report.md", "report.html"))
    text = report.read_text(encoding="utf-8")
    assert re.search(r"\| limit \| verification \| error_ratio \| ≤ 0 \| 0 \| holds \|", text)
    assert re.search(r"\| parallel \| merge \| error_ratio \| ≤ 0 \| 0 \| holds \|", text)
    for judged in ("verification", "number_verification", "recovery"):
        assert re.search(rf"\| overload \| {judged} \| error_ratio \| ≤ 0 \| 0 \| holds \|", text)
    assert "persons: 300" in text
    assert "synchronous_commit=on" in text
    published = [file.stat().st_mtime_ns for file in (folder / "site" / "crl").glob("*.crl")]
    filled = (folder / "site" / "deck-20.json").stat().st_mtime_ns
    assert published
    assert min(published) > filled, "revocation lists are no older than the windows, however long filling takes"
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") >= 10
    assert not re.search(r"(src|href)=.https?:", html)
