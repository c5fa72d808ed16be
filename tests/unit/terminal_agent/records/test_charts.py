import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from xml.etree import ElementTree

import pytest

from terminal_agent.language import Language
from terminal_agent.records import checkup, medication
from terminal_agent.records.charts import checkup_lines, period_bars
from tests.unit.terminal_agent.records.histories import (
    SBP,
    checkup_history,
    long_checkups,
    long_medication,
    medication_history,
    medicine,
    result,
)
from tests.unit.terminal_agent.records.histories import (
    checkup as one_checkup,
)

SVG = "{http://www.w3.org/2000/svg}"
MEDICATION, CHECKUPS = medication.lay_out(long_medication()), checkup.lay_out(long_checkups())


def _charts(language: Language = Language.JA) -> list[str]:
    return [period_bars(MEDICATION, language), *(chart for _, chart in checkup_lines(CHECKUPS, language))]


def test_a_chart_holds_nothing_that_a_strict_policy_forbids() -> None:
    for chart in _charts():
        assert not re.search(r"<script|<style|\bstyle=|\bon\w+=|<!|<\?|javascript:|<image|<foreignObject", chart)
        assert set(re.findall(r'href="([^"]?)', chart)) <= {"#"}
        assert set(re.findall(r"https?://[^\"' ]+", chart)) <= {
            "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
        }  # fmt: skip


def test_a_screen_reader_finds_title_and_description() -> None:
    for chart in _charts():
        root = ElementTree.fromstring(chart)  # noqa: S314 - our own
        title, description = root[0], root[1]
        assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
        assert title.text
        assert description.text
    pressure = next(chart for row, chart in checkup_lines(CHECKUPS, Language.EN) if row.name.en.startswith("systolic"))
    assert "2025-06: 142 mm[Hg] (above the range)" in pressure


@pytest.mark.parametrize(
    "name", ["a\x0bb", "a\x1b[0m", "\ufffe", "\uffff", "<script>", "</svg>", "]]>", "&#0;", "$\\frac{$"]
)
def test_a_name_of_any_characters_is_drawn(name: str) -> None:
    days = [date(2025, 10, 1), date(2026, 10, 1)]
    table = checkup.lay_out(checkup_history(*(one_checkup(day, result(SBP, "120", unit=name)) for day in days)))
    ((_, lines),) = checkup_lines(table, Language.EN)
    bars = period_bars(medication.lay_out(medication_history(medicine(days[0], name))), Language.EN)
    for chart in (lines, bars):
        assert "<script" not in chart
        assert chart.count("</svg>") == 1


def test_text_stays_text_and_is_not_markup() -> None:
    chart = period_bars(MEDICATION, Language.JA)
    texts = "".join(ElementTree.fromstring(chart).itertext())  # noqa: S314 - our own
    assert "アレルゲンエキス <b>&$x$" in texts
    assert "架空総合病院" in texts
    assert "<b>" not in chart


def test_ids_are_apart_so_that_charts_can_stand_on_one_page() -> None:
    ids = [found for chart in _charts() for found in re.findall(r'\bid="([^"]+)"', chart)]
    assert len(ids) == len(set(ids))
    for chart in _charts():
        used = set(re.findall(r'href="#([^"]+)"', chart)) | set(re.findall(r"url\(#([^)]+)\)", chart))
        assert used <= set(re.findall(r'\bid="([^"]+)"', chart))


def test_the_same_record_gives_the_same_chart_also_from_several_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(lambda _: tuple(_charts()), range(4)))
    assert set(drawn) == {tuple(_charts())}


def test_duplicates_are_told_in_the_legend_and_in_words() -> None:
    chart = period_bars(MEDICATION, Language.EN)
    assert "same ingredient from two institutions: 3" in chart
    assert "days not stated: shown for the month" in chart
    alone = period_bars(medication.lay_out(medication_history(medicine(date(2026, 10, 1)))), Language.EN)
    assert "days not stated" not in alone
    assert "from two institutions: 0" in alone


def test_out_of_range_tests_come_first() -> None:
    flags = [row.out_of_range for row, _ in checkup_lines(CHECKUPS, Language.JA)]
    assert flags == sorted(flags, reverse=True)


@pytest.mark.parametrize("values", [("120", "120"), ("0", "0"), ("-1", "1e3")])
def test_any_numbers_can_be_drawn(values: tuple[str, str]) -> None:
    days = (date(2025, 6, 1), date(2025, 6, 1))
    table = checkup.lay_out(
        checkup_history(
            *(one_checkup(day, result(SBP, v, low=None, high=None)) for day, v in zip(days, values, strict=True))
        )
    )
    assert len(checkup_lines(table, Language.JA)) == 1


def test_no_medicines_no_chart() -> None:
    assert period_bars(medication.lay_out(medication_history()), Language.JA) == ""
