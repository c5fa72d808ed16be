"""Whose session a staff's browser has: it ends with who sat there before, and a page alone does not keep it alive."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from eligibility.domain.codes import Role
from tests.browser.counter.conftest import Counter, Town
from tests.browser.counter.test_staff import sign_in
from tests.integration.eligibility.world import Member


@pytest.fixture
def staff_browser(counter: Counter) -> Iterator[httpx.Client]:
    """A browser that was opened with the staff's address of this start."""
    with httpx.Client(base_url=counter.address, headers={"Origin": counter.address}, trust_env=False) as client:
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
    cookie = staff_browser.cookies["counter_session"]
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
