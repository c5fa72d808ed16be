"""The staff's screen: two factors, visits as they happen, the answer in full, and what each role may see."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from eligibility.domain.codes import ConsentClass, Role, Sex
from eligibility.domain.dates import day_in_japan
from loadtest.medical_record import Patient as RecordOf
from loadtest.medical_record import give_medical_record
from terminal_agent.settings import TerminalSettings
from tests.browser.counter.conftest import (
    PASSCODE,
    PIN,
    Counter,
    HandSlot,
    Line,
    Patient,
    Town,
    picture,
    running_counter,
    violations,
)
from tests.browser.counter.test_visit import AWAY, CONFIRMED, CONSENT, PIN_PAGE, READY, begin, enter_by_pad, shows
from tests.integration.eligibility.world import INSURER, Member

STAFF_CALLED = "受付の職員が確認します"


def sign_in(counter: Counter, page: Page, member: Member, **wrong: str) -> None:
    page.goto(counter.screens.staff_url)
    page.get_by_label("氏名").fill(wrong.get("name", member.name))
    page.get_by_label("パスワード").fill(wrong.get("password", member.password))
    page.get_by_label("認証アプリの6桁の数字").fill(wrong.get("passcode", member.passcode()))
    page.get_by_role("button", name="サインイン").click()


def come(counter: Counter, page: Page, answer: str = "すべて はい") -> None:
    begin(counter, page)
    enter_by_pad(page, PIN)
    shows(page, CONSENT)
    page.get_by_role("button", name=answer).click()
    shows(page, CONFIRMED)


def checked(page: Page, name: str) -> None:
    picture(page, f"staff-{name}")
    assert violations(page) == []


@pytest.fixture
def doctor(town: Town) -> Member:
    member: Member = town.wait(town.world.staff(Role.DOCTOR))
    return member


@pytest.fixture
def clerk(town: Town) -> Member:
    member: Member = town.wait(town.world.staff(Role.CLERK))
    return member


@pytest.fixture
def record(town: Town, patient: Patient, known: int, tmp_path: Path) -> None:
    """Medicines and check-ups of the patient, by the insurers' own way."""
    facts = patient.facts
    whose = RecordOf(INSURER, "12", facts["number"], "01", facts["birth_date"], Sex(facts["sex"]))
    (tmp_path / "sent").mkdir()
    town.wait(give_medical_record(town.database, whose, tmp_path / "sent"))


def test_a_visit_appears_by_itself_and_one_click_shows_the_answer(
    counter: Counter, page: Page, staff_page: Page, town: Town, patient: Patient, known: int, clerk: Member
) -> None:
    staff_page.goto(counter.screens.staff_url)
    checked(staff_page, "01-sign-in")
    sign_in(counter, staff_page, clerk)
    expect(staff_page.get_by_role("heading", level=1)).to_contain_text("本日の受付")
    expect(staff_page.locator(".list")).to_contain_text("まだ受付はありません")
    come(counter, page)
    line = staff_page.get_by_role("link", name="髙橋　花子")
    expect(line).to_contain_text("有効")
    line.click()
    expect(staff_page.locator(".answer")).to_contain_text(INSURER)
    expect(staff_page.locator(".answer")).to_contain_text("3割")
    staff_page.get_by_role("button", name=f"{patient.facts['number']} をコピー").click()
    expect(staff_page.locator("#said")).to_have_text("コピーしました。")
    assert staff_page.evaluate("navigator.clipboard.readText()") == patient.facts["number"]
    checked(staff_page, "02-answer")
    staff_page.get_by_role("button", name="薬剤情報 を取り消す").click()
    expect(staff_page.locator(".consents .no").last).to_contain_text("薬剤情報")
    expect(staff_page.get_by_role("link", name="薬剤情報")).to_have_count(0)
    withdrawn = "select count(*) from consent where person_id = $1 and withdrawn_at is not null"
    assert town.wait(town.world.owner.fetchval(withdrawn, known)) == 1
    staff_page.get_by_role("button", name="English").click()
    expect(staff_page.locator(".answer")).to_contain_text("Share to pay")
    checked(staff_page, "03-answer-en")


@pytest.mark.usefixtures("brief_farewells")
def test_what_is_new_since_the_last_visit_is_marked(
    counter: Counter, page: Page, staff_page: Page, town: Town, known: int, clerk: Member
) -> None:
    sign_in(counter, staff_page, clerk)
    come(counter, page)
    counter.slot.remove()
    shows(page, READY)
    town.wait(town.world.owner.execute("update coverage set branch_number = '07' where person_id = $1", known))
    counter.slot.insert()
    shows(page, PIN_PAGE)
    enter_by_pad(page, PIN)
    shows(page, CONSENT)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, CONFIRMED)
    newest = staff_page.locator(".list li").first
    expect(newest).to_contain_text("変更")
    newest.get_by_role("link").click()
    expect(staff_page.locator(".answer .notice")).to_contain_text("枝番")
    expect(staff_page.locator(".answer .notice")).not_to_contain_text("保険者")
    checked(staff_page, "04-changed")


def test_a_doctor_sees_medicines_and_checkups_and_may_print_them(
    counter: Counter, page: Page, staff_page: Page, known: int, record: None, doctor: Member
) -> None:
    sign_in(counter, staff_page, doctor)
    come(counter, page)
    staff_page.locator(".list li a").first.click()
    staff_page.get_by_role("link", name="薬剤情報").click()
    expect(staff_page.get_by_role("row")).to_have_count(5)  # a head and four drugs
    expect(staff_page.locator("figure.chart svg")).to_be_visible()
    checked(staff_page, "05-medicines")
    for_print = staff_page.get_by_role("link", name="印刷 (PDF)").get_attribute("href")
    answer = staff_page.request.get(f"{counter.address}{for_print}")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body().startswith(b"%PDF")
    staff_page.get_by_role("link", name="資格の画面に戻る").click()
    staff_page.get_by_role("link", name="健診結果").click()
    expect(staff_page.locator("td.out").first).to_be_visible()
    expect(staff_page.locator(".charts svg").first).to_be_visible()
    checked(staff_page, "06-checkups")


def test_a_doctor_sees_what_was_done_where_the_patient_agreed_to_that(
    settings: TerminalSettings,
    page: Page,
    staff_page: Page,
    town: Town,
    patient: Patient,
    line: Line,
    known: int,
    doctor: Member,
) -> None:
    day = day_in_japan(datetime.now(UTC)).replace(day=1)
    town.wait(town.world.treatment(known, days=[day], institution_name="見本病院"))
    device = {"record_type": "TO", "code": "710010001", "name": "検査器材", "quantity": Decimal("1.50"), "unit": "4"}
    town.wait(town.world.treatment(known, institution_name="別の医院", institution_code="2712345673", **device))
    asked = settings.model_copy(update={"consents_asked": (ConsentClass.MEDICATION, ConsentClass.TREATMENT)})
    with running_counter(asked, HandSlot(patient.card), patient.card, line) as counter:
        sign_in(counter, staff_page, doctor)
        come(counter, page)
        staff_page.locator(".list li a").first.click()
        staff_page.get_by_role("link", name="診療情報").click()
        expect(staff_page.get_by_role("heading", level=2)).to_have_count(2)
        expect(staff_page.get_by_role("row", name="160008010")).to_contain_text("検査")
        expect(staff_page.get_by_role("row", name="検査器材")).to_contain_text("1.5(単位コード 4)")
        checked(staff_page, "15-treatments")
        staff_page.get_by_role("link", name="資格の画面に戻る").click()
        staff_page.get_by_role("button", name="診療情報 を取り消す").click()
        expect(staff_page.get_by_role("link", name="診療情報")).to_have_count(0)


def test_the_same_ingredient_from_two_institutions_is_marked(
    counter: Counter, page: Page, staff_page: Page, town: Town, known: int, doctor: Member
) -> None:
    for code, name, ingredient in (
        ("629990001", "ヒルガオ錠１０ｍｇ", "9990001"),
        ("629990002", "ヒルガオ錠「別社」１０ｍｇ", "9990001"),
        ("629990003", "ユウガオ錠５ｍｇ", "9990002"),
    ):
        town.wait(town.world.drug(drug_code=code, name=name, yj_code=f"{ingredient}F1011", ingredient=ingredient))
    for code, name, institution, where in (
        ("629990001", "ヒルガオ錠１０ｍｇ", "1340000015", "東薬局"),
        ("629990002", "ヒルガオ錠「別社」１０ｍｇ", "1340000023", "西薬局"),
        ("629990003", "ユウガオ錠５ｍｇ", "1340000023", "西薬局"),
    ):
        given = {"drug_code": code, "drug_name": name, "institution_code": institution, "institution_name": where}
        town.wait(town.world.medicine(known, **given))
    sign_in(counter, staff_page, doctor)
    come(counter, page)
    staff_page.locator(".list li a").first.click()
    staff_page.get_by_role("link", name="薬剤情報").click()
    notice = staff_page.locator(".notice.alert")
    expect(notice).to_have_count(1)
    for said in ("同じ成分が2つの医療機関から出ています", "ヒルガオ錠１０ｍｇ", "東薬局", "別社", "西薬局"):
        expect(notice).to_contain_text(said)
    expect(notice).not_to_contain_text("ユウガオ")
    expect(staff_page.locator("td .double")).to_have_count(2)
    expect(staff_page.get_by_role("row", name="ユウガオ").locator(".double")).to_have_count(0)
    checked(staff_page, "14-duplicate-medicine")


@pytest.mark.usefixtures("brief_farewells")
def test_a_clerk_sees_neither_and_a_patient_who_said_no_is_not_asked_about(
    counter: Counter, page: Page, staff_page: Page, known: int, record: None, clerk: Member
) -> None:
    sign_in(counter, staff_page, clerk)
    come(counter, page)
    staff_page.locator(".list li a").first.click()
    staff_page.get_by_role("link", name="薬剤情報").click()
    expect(staff_page.get_by_role("heading", level=1)).to_have_text("表示できません")
    expect(staff_page.locator("main")).not_to_contain_text("mg")
    checked(staff_page, "07-not-shown")
    counter.slot.remove()
    shows(page, READY)
    come(counter, page, "すべて いいえ")
    staff_page.goto(f"{counter.address}/staff")
    staff_page.locator(".list li a").first.click()
    expect(staff_page.locator(".consents")).to_contain_text("同意なし")
    expect(staff_page.get_by_role("link", name="薬剤情報")).to_have_count(0)


@pytest.mark.parametrize("wrong", [{"password": "wrong horse"}, {"passcode": "000000"}, {"name": "誰か"}])
def test_whoever_is_wrong_in_one_factor_stays_out(
    counter: Counter, staff_page: Page, clerk: Member, wrong: dict[str, str]
) -> None:
    sign_in(counter, staff_page, clerk, **wrong)
    expect(staff_page.get_by_role("alert")).to_be_visible()
    staff_page.goto(f"{counter.address}/staff")
    expect(staff_page.get_by_role("heading", level=1)).to_have_text("サインイン")


def test_signing_out_ends_it(counter: Counter, staff_page: Page, clerk: Member) -> None:
    sign_in(counter, staff_page, clerk)
    expect(staff_page.get_by_role("heading", level=1)).to_contain_text("本日の受付")
    staff_page.get_by_role("button", name="サインアウト").click()
    expect(staff_page.get_by_role("heading", level=1)).to_have_text("サインイン")
    staff_page.goto(f"{counter.address}/staff")
    expect(staff_page.get_by_role("heading", level=1)).to_have_text("サインイン")


def test_staff_confirm_a_face_by_eye_and_the_record_says_visual(
    counter: Counter, page: Page, staff_page: Page, town: Town, known: int, clerk: Member
) -> None:
    sign_in(counter, staff_page, clerk)
    begin(counter, page)
    page.get_by_role("button", name="職員に頼む").click()
    shows(page, STAFF_CALLED)
    expect(staff_page.locator(".call")).to_contain_text("職員の確認を待っています")
    checked(staff_page, "08-called")
    staff_page.get_by_label("パスコード").fill("wrong one")
    staff_page.get_by_role("button", name="ご本人と確認した").click()
    expect(staff_page.get_by_role("alert")).to_contain_text("パスコードが違います")
    shows(page, STAFF_CALLED)
    staff_page.get_by_label("パスコード").fill(PASSCODE)
    staff_page.get_by_role("button", name="ご本人と確認した").click()
    shows(page, PIN_PAGE)
    enter_by_pad(page, PIN)
    shows(page, CONSENT)
    page.get_by_role("button", name="すべて いいえ").click()
    shows(page, CONFIRMED)
    method = town.world.owner.fetchval("select method from verification where person_id = $1", known)
    assert town.wait(method) == "visual"


def test_who_has_no_card_is_checked_by_number(
    counter: Counter, staff_page: Page, patient: Patient, known: int, clerk: Member
) -> None:
    sign_in(counter, staff_page, clerk)
    staff_page.get_by_role("link", name="番号で確認").click()
    checked(staff_page, "09-number")
    for label, value in (
        ("保険者番号", INSURER),
        ("記号", "12"),
        ("番号", patient.facts["number"]),
        ("枝番", "01"),
        ("生年月日", patient.facts["birth_date"].isoformat()),
    ):
        staff_page.get_by_label(label, exact=True).fill(value)
    staff_page.get_by_role("button", name="確認する").click()
    expect(staff_page.locator(".outcome")).to_contain_text("有効")
    expect(staff_page.locator(".consents")).to_contain_text("カードでの本人確認が必要")


def test_trouble_has_its_advice_and_the_health_page_needs_no_sign_in(
    counter: Counter, page: Page, staff_page: Page, known: int, clerk: Member
) -> None:
    sign_in(counter, staff_page, clerk)
    counter.line.cut()
    begin(counter, page, AWAY)
    line = staff_page.locator(".list li a").first
    expect(line).to_contain_text("未確認")
    line.click()
    expect(staff_page.get_by_role("link", name="被保険者資格申立書を印刷")).to_be_visible()
    checked(staff_page, "10-line-down")
    staff_page.get_by_role("button", name="サインアウト").click()
    staff_page.goto(f"{counter.address}/staff/health")
    expect(staff_page.locator(".checks .stop").first).to_be_visible()
    expect(staff_page.locator(".checks")).to_contain_text("資格確認センター")
    checked(staff_page, "11-health")
