"""Whole visits on the patient's screen: the real centre, a virtual card, and Chromium."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.counter.conftest import PIN, Counter

READY = "マイナンバーカードを置いてください"
PIN_PAGE = "暗証番号を入力してください"
CONSENT = "次の情報を見てもよいですか"
CONFIRMED = "保険の資格を確認できました"


def shows(page: Page, heading: str, timeout: float = 10_000) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(heading, timeout=timeout)


def enter_by_pad(page: Page, digits: str) -> None:
    for digit in digits:
        page.get_by_role("button", name=digit, exact=True).click()


@pytest.mark.pcsc
def test_the_usual_visit_is_a_pin_and_one_tap(pcsc_counter: Counter, page: Page, known: int) -> None:
    page.goto(pcsc_counter.screens.patient_url)
    shows(page, READY)
    pcsc_counter.slot.insert()
    shows(page, PIN_PAGE)
    enter_by_pad(page, PIN)
    shows(page, CONSENT)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, CONFIRMED)
    pcsc_counter.slot.remove()
    shows(page, READY)
