"""The page for people: whole in itself, closed to everything else, and never a carrier of markup."""

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from eligibility.wire.submissions import FeedbackLine, Severity
from payer_sync.feedback_page import ROWS_SHOWN, render

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&</td></table>"


def _lines(number: int, text: str = "値") -> list[FeedbackLine]:
    line = FeedbackLine(record=1, field=text, code=text, severity=Severity.WARNING, value_shape=text, expected=text)
    return [line] * number


def _page(number: int = 3, text: str = "値", name: str = "file.csv") -> str:
    lines = _lines(number, text)
    return render(name, Counter((line.code, line.severity) for line in lines), lines[:ROWS_SHOWN])


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser.found


def test_nothing_is_fetched_from_anywhere() -> None:
    elements = _elements(_page())

    assert [e for e in elements if {"src", "href", "action"} & e[1].keys()] == []
    assert "http:" not in _page()
    assert "https:" not in _page()
    assert "url(" not in _page()


def test_the_policy_allows_this_script_and_this_style_alone() -> None:
    page = _page()
    (policy,) = (attributes["content"] for tag, attributes in _elements(page) if "http-equiv" in attributes)
    assert policy

    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (source,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert [e for e in _elements(page) if any(name.startswith("on") or name == "style" for name in e[1])] == []


@pytest.mark.parametrize("where", ["text", "name"])
def test_markup_in_feedback_or_file_name_stays_text(where: str) -> None:
    hostile, plain = _page(**{where: HOSTILE}), _page(**{where: "値"})  # type: ignore[arg-type]

    assert [tag for tag, _ in _elements(hostile)] == [tag for tag, _ in _elements(plain)]
    assert "<img" not in hostile


def test_counts_are_of_every_fault_and_the_table_says_where_it_ends() -> None:
    page = _page(ROWS_SHOWN + 5)

    assert page.count('<tr class="warning" data-code') == ROWS_SHOWN
    assert f"{ROWS_SHOWN + 5:,}" in page
    assert f"the first {ROWS_SHOWN:,} only" in page
    assert "only" not in _page(3).split("<table id=")[0].split("<h2>指摘")[1]


def test_both_languages_are_there() -> None:
    page = _page()

    assert '<html lang="ja">' in page
    for ja, en in (("検索", "search"), ("重さ", "severity"), ("件数", "counts"), ("ファイル不受理", "file refused")):
        assert ja in page
        assert en in page


def test_every_input_has_a_label() -> None:
    elements = _elements(_page())
    inputs = {attributes["id"] for tag, attributes in elements if tag in ("input", "select")}

    assert inputs == {attributes["for"] for tag, attributes in elements if tag == "label"}
