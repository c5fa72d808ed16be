"""A line that goes down: what staff do about its visits, and a centre that is killed while a patient stands there."""

import os
import signal
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from loadtest.embedded import Stores
from loadtest.processes import server
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.outbox.clock import Uptime
from terminal_agent.outbox.command import open_journal
from terminal_agent.outbox.draining import MAYBE_SETTLED
from terminal_agent.outbox.journal import Conclusion, InsuredPerson, Journal, State
from terminal_agent.outbox.sealing import Seal
from terminal_agent.settings import TerminalSettings
from tests.browser.counter.conftest import Counter, HandSlot, Line, Patient, Town, running_counter
from tests.browser.counter.line import bound
from tests.browser.counter.test_staff import checked, clerk, sign_in
from tests.browser.counter.test_visit import (
    AWAY,
    CONSENT,
    PIN,
    PIN_PAGE,
    READY,
    enter_by_pad,
    goes_on_once,
    shows,
    until,
)
from tests.integration.eligibility.world import INSURER, Member

__all__ = ["clerk"]
OUTBOX = "回線の不通時の受付"


@pytest.fixture
def kept(settings: TerminalSettings, tmp_path: Path) -> TerminalSettings:
    """The settings of a terminal with an outbox."""
    return settings.model_copy(update={"outbox_file": tmp_path / "outbox", "outbox_key_file": tmp_path / "key"})


def test_staff_enter_the_number_of_a_card_that_nobody_knew_and_it_is_checked_by_itself(
    kept: TerminalSettings, patient: Patient, line: Line, page: Page, staff_page: Page, known: int, clerk: Member
) -> None:
    with running_counter(kept, HandSlot(patient.card), patient.card, line) as counter:
        sign_in(counter, staff_page, clerk)
        staff_page.get_by_role("link", name="回線の不通時").click()
        shows(staff_page, OUTBOX)
        expect(staff_page.locator(".notice")).to_contain_text("ありません")
        line.cut()
        page.goto(counter.screens.patient_url)
        shows(page, READY)
        counter.slot.insert()
        shows(page, AWAY)
        counter.slot.remove()
        shows(page, READY)
        journal = counter.screens.journal
        assert journal is not None
        until(page, lambda: journal.counts()[State.NEEDS_STAFF] == 1)
        staff_page.reload()
        expect(staff_page.locator(".checks li")).to_contain_text("番号の入力待ち")
        checked(staff_page, "12-outbox")
        facts = patient.facts
        enter_number(staff_page, insurer="1", number=facts["number"], born=facts["birth_date"])
        expect(staff_page.get_by_role("alert")).to_be_visible()
        expect(staff_page.locator(".checks li")).to_contain_text("番号の入力待ち")
        enter_number(staff_page, insurer=INSURER, number=facts["number"], born=facts["birth_date"])
        expect(staff_page.get_by_role("button", name="番号を登録")).to_have_count(0)

        def waits_for_the_line() -> bool:
            staff_page.reload()  # it may have come in the middle of a try
            return "回線待ち" in staff_page.locator(".checks li").inner_text()

        until(page, waits_for_the_line)
        line.mend()
        until(page, lambda: journal.counts()[State.SETTLED] == 1)
        staff_page.reload()
        settled = staff_page.locator(".checks li")
        expect(settled).to_have_count(1)
        expect(settled).to_contain_text("有効")
        expect(settled).to_contain_text("髙橋　花子")
        checked(staff_page, "12-outbox-settled")


def test_staff_say_the_day_of_a_visit_that_was_journalled_by_a_wrong_clock(
    kept: TerminalSettings, patient: Patient, line: Line, staff_page: Page, known: int, clerk: Member
) -> None:
    with running_counter(kept, HandSlot(patient.card), patient.card, line) as counter:
        journal = counter.screens.journal
        assert journal is not None
        person = InsuredPerson(INSURER, "12", patient.facts["number"], "01", patient.facts["birth_date"])
        long_ago = datetime(2000, 1, 1, tzinfo=UTC)
        journal.add(person, long_ago.date(), long_ago, Uptime.now())
        until(staff_page, lambda: journal.counts()[State.NEEDS_STAFF] == 1)
        sign_in(counter, staff_page, clerk)
        staff_page.get_by_role("link", name="回線の不通時").click()
        shows(staff_page, OUTBOX)
        expect(staff_page.locator(".checks li")).to_contain_text("日付の入力待ち")
        expect(staff_page.locator(".checks li")).to_contain_text("端末の時計")
        checked(staff_page, "12-outbox-day")
        staff_page.get_by_label("来院した日", exact=True).fill("2026-11-20")
        staff_page.get_by_role("button", name="日付を登録").click()
        until(staff_page, lambda: journal.counts()[State.SETTLED] == 1)
        (settled,) = journal.latest()
        assert settled.answer is not None
        assert (settled.answer.asked_for, settled.answer.outcome) == (date(2026, 11, 20), "valid")


def test_staff_may_have_a_visit_asked_about_again_whose_answer_never_came(
    kept: TerminalSettings, patient: Patient, line: Line, staff_page: Page, known: int, clerk: Member
) -> None:
    person = InsuredPerson(INSURER, "12", patient.facts["number"], "01", patient.facts["birth_date"])
    now = datetime.now(UTC)
    before = open_journal(kept)
    visit_id = before.add(person, now.date(), now)
    before.take(1, now)
    before.conclude([Conclusion(visit_id, State.NEEDS_STAFF, problem=MAYBE_SETTLED)], now)
    before.close()
    with running_counter(kept, HandSlot(patient.card), patient.card, line) as counter:
        sign_in(counter, staff_page, clerk)
        staff_page.get_by_role("link", name="回線の不通時").click()
        expect(staff_page.locator(".checks li")).to_contain_text("6日以上前に照会しました")
        checked(staff_page, "12-outbox-again")
        staff_page.get_by_role("button", name="番号を登録").click()
        journal = counter.screens.journal
        assert journal is not None
        until(staff_page, lambda: journal.counts()[State.SETTLED] == 1)


def test_a_visit_that_is_unverified_when_the_program_stops_is_journalled(
    kept: TerminalSettings, patient: Patient, line: Line, page: Page, known: int, tmp_path: Path
) -> None:
    with running_counter(kept, HandSlot(patient.card), patient.card, line) as counter:
        line.cut()
        page.goto(counter.screens.patient_url)
        counter.slot.insert()
        shows(page, AWAY)
        assert counter.screens.journal is not None
        assert sum(counter.screens.journal.counts().values()) == 0
    journal = Journal(tmp_path / "outbox", Seal.from_file(tmp_path / "key"))
    assert sum(journal.counts().values()) == journal.counts()[State.NEEDS_STAFF] == 1
    journal.close()


def test_an_outbox_that_breaks_while_the_counter_runs_is_said_and_the_rest_goes_on(
    kept: TerminalSettings, patient: Patient, line: Line, staff_page: Page, clerk: Member, tmp_path: Path
) -> None:
    with running_counter(kept, HandSlot(patient.card), patient.card, line) as counter:
        sign_in(counter, staff_page, clerk)
        expect(staff_page.get_by_role("heading", level=1)).to_contain_text("本日の受付")
        assert counter.screens.journal is not None
        counter.screens.journal.close()  # as for one whose disk is gone
        staff_page.get_by_role("link", name="回線の不通時").click()
        shows(staff_page, "表示できません")
        expect(staff_page.locator(".notice")).to_contain_text("回線断の来院記録のファイルを使えません")
        staff_page.get_by_role("link", name="番号で確認").first.click()
        shows(staff_page, "番号で確認")


def enter_number(page: Page, *, insurer: str, number: str, born: date) -> None:
    entered = (
        ("保険者番号", insurer),
        ("記号", "12"),
        ("番号", number),
        ("枝番", "01"),
        ("生年月日", born.isoformat()),
    )
    for label, value in entered:
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="番号を登録").click()


@pytest.fixture
def api_environment(town: Town, running_stores: Stores) -> dict[str, str]:
    """What another process of the same centre is told."""
    folder = town.world.folder
    return {
        "ELIGIBILITY_DATABASE_URL": town.database,
        "ELIGIBILITY_REDIS_URL": running_stores.redis_url,
        "ELIGIBILITY_WORKERS": "1",
        "ELIGIBILITY_TLS_CERTIFICATE": str(folder / "server.crt"),
        "ELIGIBILITY_TLS_KEY": str(folder / "server.key"),
        "ELIGIBILITY_TERMINAL_AUTHORITIES": str(folder / "terminal_authority.crt"),
        "ELIGIBILITY_CARD_AUTHORITIES": str(folder / "cards"),
        "ELIGIBILITY_REVOCATION_FOLDER": str(folder / "crl"),
        "ELIGIBILITY_CHALLENGE_KEY_FILE": str(folder / "keys" / "challenge.key"),
        "ELIGIBILITY_RECEIPT_KEY_FILE": str(folder / "keys" / "receipt.key"),
        "ELIGIBILITY_STAFF_KEY_FILE": str(folder / "keys" / "staff.key"),
    }


def test_the_server_is_killed_in_the_middle_of_a_visit_and_the_visit_goes_on_when_it_is_back(
    settings: TerminalSettings,
    card: VirtualCard,
    line: Line,
    page: Page,
    town: Town,
    known: int,
    api_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        # Keeps the port from others while nobody listens there.
        holding = stack.enter_context(bound(0))
        at_it = api_environment | {"ELIGIBILITY_PORT": str(holding.getsockname()[1])}
        api = stack.enter_context(server("eligibility", ["api"], at_it, tmp_path / "api.log"))
        asks_it = settings.model_copy(update={"centre_url": f"https://127.0.0.1:{api.port}"})
        counter: Counter = stack.enter_context(running_counter(asks_it, HandSlot(card), card, line))
        page.goto(counter.screens.patient_url)
        counter.slot.insert()
        shows(page, PIN_PAGE)
        enter_by_pad(page, PIN)
        shows(page, CONSENT)
        os.kill(api.pid, signal.SIGKILL)
        page.get_by_role("button", name="すべて はい").click()
        shows(page, AWAY)
        stack.enter_context(server("eligibility", ["api"], at_it, tmp_path / "again.log"))
        goes_on_once(page, town, known)
