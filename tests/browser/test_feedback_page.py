"""The page of an insurer's feedback as its office opens it: counts, search, and hostile texts that stay texts."""

from collections import Counter
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from eligibility.wire.submissions import FeedbackLine, Severity
from payer_sync.feedback_page import render

HOSTILE = "<img src=x onerror=alert(1)>"
LINES = (
    FeedbackLine(record=1, field="氏名", code="too_long", severity=Severity.RECORD_REFUSED, value_shape="あああ…",
        expected="100文字以内 / at most 100 characters"),
    FeedbackLine(record=2, field="生年月日", code="malformed_date", severity=Severity.RECORD_REFUSED,
        value_shape="9999", expected="実在する日付 / a day that exists"),
    FeedbackLine(record=3, field="保険者番号", code="check_digit", severity=Severity.WARNING, value_shape=HOSTILE,
        expected="検証番号 / the check digit"),
)  # fmt: skip


async def _open(page: Page, folder: Path) -> None:
    counts = Counter((line.code, line.severity) for line in LINES)
    file = folder / "feedback.html"
    file.write_text(render(f"06130512{HOSTILE}.csv", counts, LINES), encoding="utf-8")
    await page.goto(file.as_uri())


async def _rows(page: Page) -> list[str]:
    rows = page.locator("#faults tbody tr:visible")
    return [await row.locator("td").first.inner_text() for row in await rows.all()]


async def test_the_table_is_searched_by_words_severity_and_code(page: Page, tmp_path: Path) -> None:
    await _open(page, tmp_path)
    assert await _rows(page) == ["1", "2", "3"]

    await page.get_by_label("検索").fill("生年月日 ９９９９")
    await expect(page.locator("#shown")).to_have_text("1")
    assert await _rows(page) == ["2"]

    await page.get_by_label("検索").fill("")
    await page.get_by_label("重さ").select_option("warning")
    await expect(page.locator("#shown")).to_have_text("1")
    assert await _rows(page) == ["3"]

    await page.get_by_label("コード").select_option("too_long")
    assert await _rows(page) == []


async def test_what_a_file_holds_is_never_taken_for_markup(page: Page, tmp_path: Path) -> None:
    await _open(page, tmp_path)
    assert await page.locator("img").count() == 0
    assert HOSTILE in await page.locator("#faults").inner_text()
    assert HOSTILE in await page.title()


async def test_nothing_stands_in_the_way_of_a_screen_reader(page: Page, tmp_path: Path) -> None:
    await _open(page, tmp_path)
    found = await Axe().run(page)
    assert [violation["id"] for violation in found.response["violations"]] == []
