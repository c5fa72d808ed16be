"""Whose session a staff's browser has: it ends with who sat there before, and a page alone does not keep it alive."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from eligibility.domain.codes import Role
from eligibility.wire.staff import SESSION_IDLE_LIFE
from terminal_agent.settings import TerminalSettings
from tests.browser.counter.conftest import Counter, HandSlot, Town, running_counter
from tests.browser.counter.test_staff import come, sign_in
from tests.integration.eligibility.world import Member

PATIENT = "髙橋　花子"


@pytest.fixture
def staff_browser(counter: Counter) -> Iterator[httpx.Client]:
    """A browser that was opened with the staff's address of this start."""
    with httpx.Client(
        base_url=counter.address, headers={"Origin": counter.address}, timeout=60, trust_env=False
    ) as client:
        assert client.get(counter.screens.staff_url).status_code == 303
        yield client


def _sign_in(browser: httpx.Client, town: Town, role: Role) -> Member:
    member: Member = town.wait(town.world.staff(role))
    said = {"name": member.name, "password": member.password, "passcode": member.passcode()}
    answer = browser.post("/staff/sign-in", data=said)
    assert answer.headers["location"] == "/staff"
    return member


def test_who_signs_in_after_somebody_ends_the_others_session_everywhere(
    counter: Counter, town: Town, staff_browser: httpx.Client
) -> None:
    doctor = _sign_in(staff_browser, town, Role.DOCTOR)
    cookie = staff_browser.cookies[f"counter_session_{counter.screens.port}"]
    _sign_in(staff_browser, town, Role.CLERK)
    desks = counter.screens.desks
    assert desks.who(cookie) is None
    latest = desks.latest()
    assert latest is not None
    assert latest.role is Role.CLERK
    ended = "select count(*) from staff_session where staff_id = $1 and ended_at is not null"
    assert town.wait(town.world.owner.fetchval(ended, doctor.staff_id)) == 1
    assert staff_browser.post("/staff/sign-out").headers["location"] == "/staff/sign-in"
    # The clinic's software asks with the session of who used the screen last: that is nobody now.
    assert desks.latest() is None


def test_a_page_that_looks_again_by_itself_says_so(counter: Counter, staff_page: Page, town: Town) -> None:
    sign_in(counter, staff_page, town.wait(town.world.staff(Role.DOCTOR)))
    expect(staff_page.get_by_role("heading", level=1)).to_contain_text("本日の受付")
    (seat,) = counter.screens.desks._seats.values()
    used_at = seat.used_at
    counter.screens.daybook.add_trouble("pin_blocked")
    expect(staff_page.locator(".list li")).to_have_count(1)
    assert seat.used_at == used_at
    staff_page.get_by_role("link", name="番号で確認").first.click()
    expect(staff_page.locator("form.fields, form.sheet").first).to_be_visible()
    assert seat.used_at > used_at


@pytest.fixture
def at_an_answer(counter: Counter, page: Page, staff_page: Page, town: Town, known: int) -> Page:
    """The staff's browser with a patient's answer open."""
    sign_in(counter, staff_page, town.wait(town.world.staff(Role.DOCTOR)))
    come(counter, page)
    staff_page.get_by_role("link", name=PATIENT).click()
    expect(staff_page.locator(".answer")).to_contain_text(PATIENT)
    return staff_page


def nothing_of_the_patient(page: Page) -> None:
    expect(page).to_have_url(re.compile("/staff/sign-in$"))
    expect(page.locator("body")).not_to_contain_text(PATIENT)


def test_when_half_an_hour_is_over_the_page_leaves_by_itself(counter: Counter, at_an_answer: Page) -> None:
    desks, began = counter.screens.desks, datetime.now(UTC)
    (seat,) = desks._seats.values()
    almost = seat.used_at + SESSION_IDLE_LIFE - timedelta(seconds=1)
    desks.now = lambda: almost + (datetime.now(UTC) - began)
    counter.screens.daybook.add_trouble("pin_blocked")  # an event just before; none after it
    nothing_of_the_patient(at_an_answer)
    assert desks.latest() is None
    at_an_answer.go_back()
    expect(at_an_answer.locator("body")).not_to_contain_text(PATIENT)


def test_a_page_that_no_event_concerns_leaves_too(counter: Counter, staff_page: Page, town: Town) -> None:
    sign_in(counter, staff_page, town.wait(town.world.staff(Role.CLERK)))
    staff_page.get_by_role("link", name="番号で確認").first.click()
    staff_page.get_by_label("番号", exact=True).fill("7070707")
    (seat,) = counter.screens.desks._seats.values()
    over = seat.used_at + SESSION_IDLE_LIFE
    counter.screens.desks.now = lambda: over
    counter.screens.daybook.add_trouble("pin_blocked")
    expect(staff_page).to_have_url(re.compile("/staff/sign-in$"))


def test_who_signs_out_in_one_window_leaves_the_others(counter: Counter, at_an_answer: Page) -> None:
    other = at_an_answer.context.new_page()
    other.goto(f"{counter.address}/staff")
    other.get_by_role("button", name="サインアウト").click()
    nothing_of_the_patient(at_an_answer)


def test_with_the_program_the_data_leave_the_screen(counter: Counter, at_an_answer: Page) -> None:
    counter.screens.stop()
    expect(at_an_answer.locator("#screen")).to_have_count(0)
    expect(at_an_answer.locator("body")).not_to_contain_text(PATIENT)


def test_without_scripts_the_page_says_when_it_leaves(
    counter: Counter, town: Town, staff_browser: httpx.Client
) -> None:
    assert 'http-equiv="refresh"' not in staff_browser.get("/staff/sign-in").text
    _sign_in(staff_browser, town, Role.CLERK)
    said = re.search(r'http-equiv="refresh" content="(\d+);url=/staff/sign-in"', staff_browser.get("/staff").text)
    assert said is not None
    assert int(said[1]) <= SESSION_IDLE_LIFE.total_seconds() + 1


def test_two_counters_on_one_machine_leave_each_others_browser_alone(
    counter: Counter, settings: TerminalSettings, staff_page: Page, town: Town
) -> None:
    with running_counter(settings, HandSlot(counter.card), counter.card, counter.line) as second:
        for each in (counter, second):
            sign_in(each, staff_page, town.wait(town.world.staff(Role.CLERK)))
            expect(staff_page.get_by_role("heading", level=1)).to_contain_text("本日の受付")
        staff_page.goto(f"{counter.address}/staff/number")
        expect(staff_page.get_by_role("heading", level=1)).to_contain_text("番号で確認")
        assert counter.screens.desks.latest() is not None
