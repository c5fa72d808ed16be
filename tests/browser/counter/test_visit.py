"""Whole visits on the patient's screen: the real centre, a virtual card, and Chromium."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from terminal_agent.card.sessions import JpkiSession, TextSession
from terminal_agent.outbox.journal import State
from terminal_agent.settings import TerminalSettings
from tests.browser.counter.conftest import (
    PIN,
    TEXT_PIN,
    VIEWPORT,
    Counter,
    HandSlot,
    Line,
    Patient,
    Town,
    picture,
    running_counter,
)

READY = "マイナンバーカードを置いてください"
PIN_PAGE = "暗証番号を入力してください"
CONSENT = "次の情報を見てもよいですか"
CONFIRMED = "保険の資格を確認できました"
REMOVED = "カードが途中で取られました"
BLOCKED = "暗証番号がロックされています"
FIRST = "このカードは初めてです"
SECOND_PIN = "登録のための、もう一つの暗証番号"
AWAY = "ただいま資格確認センターにつながりません"
TAKE = "カードをお取りください"
# Four digits that are a part of them are no PIN.
IDS_AND_TIMES = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?")


def shows(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def enter_by_pad(page: Page, digits: str) -> None:
    for digit in digits:
        page.get_by_role("button", name=digit, exact=True).click()


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait for what no page tells; the longest is a drain's pause after failures."""
    deadline = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)


def begin(counter: Counter, page: Page, heading: str = PIN_PAGE) -> None:
    page.goto(counter.screens.patient_url)
    shows(page, READY)
    counter.slot.insert()
    shows(page, heading)


def goes_on_once(page: Page, town: Town, person: int) -> None:
    """The line is back: the patient tries again and is answered, with one record."""
    page.get_by_role("button", name="もう一度").click()
    shows(page, PIN_PAGE)
    enter_by_pad(page, PIN)
    shows(page, CONSENT)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, CONFIRMED)
    count = town.world.owner.fetchval("select count(*) from verification where person_id = $1", person)
    assert town.wait(count) == 1


def come_to_consents(counter: Counter, page: Page) -> None:
    begin(counter, page)
    enter_by_pad(page, PIN)
    shows(page, CONSENT)


async def consents(town: Town, person: int) -> set[str]:
    rows = await town.world.owner.fetch("select class from consent where person_id = $1", person)
    return {row["class"] for row in rows}


@pytest.mark.pcsc
@pytest.mark.usefixtures("brief_farewells")
def test_the_usual_visit_with_a_card_in_a_real_reader_is_a_pin_and_one_tap(
    pcsc_counter: Counter, page: Page, town: Town, known: int
) -> None:
    come_to_consents(pcsc_counter, page)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, CONFIRMED)
    assert town.wait(consents(town, known)) == {"limit_certificate", "specific_disease", "medication", "checkup"}
    pcsc_counter.slot.remove()
    shows(page, READY)


@pytest.mark.pcsc
def test_a_card_taken_out_of_a_real_reader_ends_the_visit_and_may_come_back(
    pcsc_counter: Counter, page: Page, known: int
) -> None:
    begin(pcsc_counter, page)
    pcsc_counter.slot.remove()
    shows(page, REMOVED)


def test_saying_no_to_all_is_one_tap_and_grants_nothing(counter: Counter, page: Page, town: Town, known: int) -> None:
    come_to_consents(counter, page)
    no, yes = (page.get_by_role("button", name=name) for name in ("すべて いいえ", "すべて はい"))
    assert no.bounding_box()["height"] == yes.bounding_box()["height"]  # type: ignore[index]
    assert no.bounding_box()["width"] == yes.bounding_box()["width"]  # type: ignore[index]
    no.click()
    shows(page, CONFIRMED)
    assert town.wait(consents(town, known)) == set()
    expect(page.locator(".granted")).to_have_count(0)


def test_each_class_is_answered_apart_and_the_next_visit_begins_with_the_same(
    counter: Counter, page: Page, town: Town, known: int
) -> None:
    come_to_consents(counter, page)
    page.get_by_role("group", name="お薬の情報").get_by_label("はい").check()
    page.get_by_role("group", name="健診の結果").get_by_label("いいえ").check()
    page.get_by_role("button", name="選んだとおり").click()
    shows(page, CONFIRMED)
    assert town.wait(consents(town, known)) == {"medication"}
    counter.slot.remove()
    shows(page, "ありがとうございました")
    counter.slot.insert()
    shows(page, PIN_PAGE)
    enter_by_pad(page, PIN)
    shows(page, CONSENT)
    expect(page.get_by_role("radio", checked=True)).to_have_count(4)
    expect(page.get_by_role("group", name="お薬の情報").get_by_label("はい")).to_be_checked()
    page.get_by_role("button", name="前回と同じ").click()
    shows(page, CONFIRMED)


def test_a_wrong_pin_is_counted_down_to_blocked_with_a_next_step(counter: Counter, page: Page, known: int) -> None:
    begin(counter, page)
    for left in (2, 1):
        enter_by_pad(page, "0000")
        expect(page.locator("#notice")).to_contain_text(f"あと {left} 回")
    expect(page.locator("#notice")).to_contain_text("これが最後の1回です")
    enter_by_pad(page, "0000")
    shows(page, BLOCKED)
    expect(page.locator("main")).to_contain_text("市区町村の窓口")
    page.get_by_role("button", name="終わる").click()
    shows(page, TAKE)
    counter.slot.remove()
    shows(page, READY)
    counter.slot.insert()
    shows(page, BLOCKED)


def test_a_malformed_pin_uses_no_try(counter: Counter, page: Page, known: int) -> None:
    begin(counter, page)
    enter_by_pad(page, "27")
    page.get_by_role("button", name="確定").click()
    expect(page.locator("#notice")).to_contain_text("暗証番号は数字4桁です")
    counter.slot.remove()
    shows(page, REMOVED)
    assert JpkiSession.open(counter.card).tries_left() == 3


def test_keyboard_alone_is_enough_and_the_focus_is_where_it_is_needed(counter: Counter, page: Page, known: int) -> None:
    begin(counter, page)
    expect(page.locator("#secret")).to_be_focused()
    page.keyboard.type(PIN)
    shows(page, CONSENT)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio").nth(1)).to_be_checked()
    button = page.get_by_role("button", name="すべて いいえ")
    for _ in range(8):
        page.keyboard.press("Tab")
        if button.evaluate("e => e === document.activeElement"):
            break
    page.keyboard.press("Enter")
    shows(page, CONFIRMED)
    expect(page.get_by_role("status").first).to_contain_text(CONFIRMED)


def test_in_english_until_the_visit_ends(counter: Counter, page: Page, known: int) -> None:
    begin(counter, page)
    page.get_by_role("button", name="English").click()
    shows(page, "Please enter your PIN")
    assert page.evaluate("document.documentElement.lang") == "en"
    enter_by_pad(page, "0000")
    expect(page.locator("#notice")).to_contain_text("2 tries are left.")
    enter_by_pad(page, PIN)
    shows(page, "May we look at this information?")
    page.get_by_role("button", name="Yes to all").click()
    shows(page, "Your insurance is confirmed")
    counter.slot.remove()
    shows(page, "Thank you")


def test_the_line_is_cut_before_a_card_comes_and_is_mended(counter: Counter, page: Page, known: int) -> None:
    counter.line.cut()
    begin(counter, page, AWAY)
    picture(page, "patient-visit-line-cut")
    counter.line.mend()
    page.get_by_role("button", name="もう一度").click()
    shows(page, PIN_PAGE)


def test_the_line_is_cut_in_the_middle_of_a_visit_and_the_visit_goes_on_when_it_is_back(
    counter: Counter, page: Page, town: Town, known: int
) -> None:
    come_to_consents(counter, page)
    counter.line.cut()
    page.get_by_role("button", name="すべて はい").click()
    shows(page, AWAY)
    counter.line.mend()
    goes_on_once(page, town, known)


def test_a_card_of_the_first_time_is_registered_with_the_second_pin(
    counter: Counter, page: Page, town: Town, insured: int
) -> None:
    come_to_consents(counter, page)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, FIRST)
    page.get_by_role("button", name="登録する").click()
    shows(page, SECOND_PIN)
    page.keyboard.type("0000")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("番号が違います")
    page.keyboard.type(TEXT_PIN)
    page.keyboard.press("Enter")
    shows(page, CONFIRMED)
    assert town.wait(town.world.owner.fetchval("select count(*) from card where person_id = $1", insured)) == 1


def test_the_number_on_the_card_registers_it_where_the_second_pin_is_blocked(
    counter: Counter, page: Page, patient: Patient, insured: int
) -> None:
    for left in (2, 1, 0):
        counter.card.transmit(bytes.fromhex("00A4040C0AD3921000310001010408"))
        counter.card.transmit(bytes.fromhex("00A4020C020011"))
        counter.card.transmit(bytes.fromhex("0020008004") + b"0000")
        counter.card.reset()
        assert TextSession.open(counter.card).tries_left() == left
    come_to_consents(counter, page)
    page.get_by_role("button", name="すべて いいえ").click()
    shows(page, FIRST)
    page.get_by_role("button", name="登録する").click()
    shows(page, "登録のための、カードの番号")
    page.keyboard.type(patient.content.holder.number_b)
    shows(page, CONFIRMED)


def test_a_card_of_the_first_time_need_not_be_registered(
    counter: Counter, page: Page, town: Town, insured: int
) -> None:
    come_to_consents(counter, page)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, FIRST)
    page.get_by_role("button", name="登録しない").click()
    shows(page, TAKE)
    assert town.wait(town.world.owner.fetchval("select count(*) from card where person_id = $1", insured)) == 0


def test_a_card_of_nobody_insured_is_told_so(counter: Counter, page: Page) -> None:
    come_to_consents(counter, page)
    page.get_by_role("button", name="すべて いいえ").click()
    shows(page, FIRST)
    page.get_by_role("button", name="登録する").click()
    shows(page, SECOND_PIN)
    page.keyboard.type(TEXT_PIN)
    page.keyboard.press("Enter")
    shows(page, "このカードの方の保険が見つかりません")


@pytest.mark.parametrize(
    ("patient", "heading", "said"),
    [
        (60, CONFIRMED, "有効期限が3か月以内に切れます"),
        (-20, CONFIRMED, "電子証明書の有効期限が切れています"),
        (-200, "カードの電子証明書の期限が切れています", "市区町村の窓口で更新できます"),
    ],
    indirect=["patient"],
)
def test_a_certificate_that_ends_is_told_and_has_a_next_step(
    counter: Counter, page: Page, known: int, heading: str, said: str
) -> None:
    come_to_consents(counter, page)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, heading)
    expect(page.locator("main")).to_contain_text(said)


@pytest.mark.parametrize(
    ("facts", "heading"),
    [
        ("lost_on = '2026-01-01'", "登録の保険は終わっています"),
        ("viewing_suspended = true", "受付の職員にお声がけください"),
    ],
)
def test_another_outcome_has_its_own_screen(
    counter: Counter, page: Page, town: Town, known: int, facts: str, heading: str
) -> None:
    town.wait(town.world.owner.execute(f"update coverage set {facts} where person_id = $1", known))  # noqa: S608
    come_to_consents(counter, page)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, heading)
    expect(page.locator("main")).to_contain_text("診察は受けられます")


def test_another_card_and_a_reader_that_is_gone(counter: Counter, page: Page, known: int) -> None:
    page.goto(counter.screens.patient_url)
    counter.slot.break_down()
    shows(page, "カードリーダーの準備ができていません")
    counter.slot.mend()
    shows(page, READY)
    counter.slot.insert_another()
    shows(page, "マイナンバーカードではありません")


def test_a_second_tap_and_an_old_page_do_no_harm(counter: Counter, page: Page, known: int) -> None:
    come_to_consents(counter, page)
    turn = int(page.locator("#screen").get_attribute("data-turn") or "")
    old = f"turn={turn - 2}&action=cancel"
    send = """body => fetch('/act', {method: 'POST', body, redirect: 'manual',
        headers: {'Content-Type': 'application/x-www-form-urlencoded'}}).then(r => r.type)"""
    assert page.evaluate(send, old) == "opaqueredirect"
    page.evaluate(send, f"turn={turn}&action=agree_none")
    page.evaluate(send, f"turn={turn}&action=agree_all")
    shows(page, CONFIRMED)
    expect(page.locator(".granted")).to_have_count(0)


@pytest.fixture
def plain_page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=VIEWPORT, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_without_scripts_every_step_is_a_form(counter: Counter, plain_page: Page, known: int) -> None:
    page = plain_page
    page.goto(counter.screens.patient_url)
    counter.slot.insert()
    shows(page, PIN_PAGE)  # the page looks again by itself
    page.get_by_label("暗証番号").fill(PIN)
    page.get_by_role("button", name="確定").click()
    shows(page, CONSENT)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, CONFIRMED)


def test_a_visit_while_the_line_is_down_is_journalled_and_settled_once_when_it_is_back(
    settings: TerminalSettings,
    patient: Patient,
    line: Line,
    page: Page,
    town: Town,
    known: int,
    tmp_path: Path,
) -> None:
    # One challenge at a time, so that the second visit has to ask for another at once.
    kept = {"outbox_file": tmp_path / "outbox", "outbox_key_file": tmp_path / "key", "challenges": 1}
    slot = HandSlot(patient.card)
    with running_counter(settings.model_copy(update=kept), slot, patient.card, line) as counter:
        come_to_consents(counter, page)
        page.get_by_role("button", name="すべて はい").click()
        shows(page, CONFIRMED)
        slot.remove()
        line.cut()
        slot.insert()
        shows(page, AWAY)
        slot.remove()
        shows(page, READY)
        journal = counter.screens.journal
        assert journal is not None
        until(page, lambda: sum(journal.counts().values()) == 1)
        counts = journal.counts()
        assert counts[State.JOURNALLED] + counts[State.SETTLING] == 1
        line.mend()
        until(page, lambda: journal.counts()[State.SETTLED] == 1)
        methods = town.wait(
            town.world.owner.fetch(
                "select method, outcome from verification where person_id = $1 order by verification_id", known
            )
        )
    assert [tuple(row) for row in methods] == [("pin", "valid"), ("number", "valid")]
    held = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.name.startswith("outbox"))
    held = IDS_AND_TIMES.sub(b"", held)
    for plain in ("髙橋", patient.facts["number"], patient.facts["birth_date"].isoformat(), PIN):
        assert str(plain).encode() not in held
