"""The face path with the measured models and real pictures: the card's photo, a camera of files, staff beside it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Page, expect

from loadtest.cards import with_photo
from terminal_agent.card.pinless import PinlessSigner, VirtualPinlessSigner
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_surface import AUTHORITY_ID, VisualIssuer, new_key
from terminal_agent.face import card_photo, matching
from terminal_agent.face.matching import FaceMatcher
from terminal_agent.face.mode import FaceMode, open_face
from terminal_agent.face.opencv import decode
from terminal_agent.face.settings import FaceSettings
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
)
from tests.browser.counter.test_staff import checked, clerk, sign_in
from tests.browser.counter.test_visit import CONFIRMED, CONSENT, PIN_PAGE, begin, enter_by_pad, shows
from tests.integration.eligibility.world import Member
from tests.unit.terminal_agent.face.conftest import real_settings

__all__ = ["clerk", "real_settings"]
HOW = "ご本人の確認方法を選んでください"
NUMBER = "顔で確認します"
UNSURE = "お顔では確認できませんでした"
STAFF = "受付の職員が確認します"
SECRET = b"a secret that only the test's cards share"
LIFETIME_S = 600.0  # of a face, on a machine of any speed
Begin = Callable[..., Counter]


@pytest.fixture(scope="module")
def issuer() -> VisualIssuer:
    return VisualIssuer(new_key(), new_key())


@pytest.fixture
def mode(
    real_settings: FaceSettings, issuer: VisualIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FaceMode:
    """Face mode as if its models had been calibrated, with the authority of the cards' photos pinned, and with time."""
    monkeypatch.setattr(matching, "ATTEMPT_S", 120.0)
    monkeypatch.setattr(card_photo, "_CELL_TIMEOUT_S", 120.0)
    keys = tmp_path / "keys"
    keys.mkdir()
    public = issuer.authority.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (keys / f"{AUTHORITY_ID.hex()}.pem").write_bytes(public)
    settings = real_settings.model_copy(update={"card_authorities": keys, "camera": f"folder:{tmp_path / 'camera'}"})
    opened = open_face(settings)
    assert opened.matcher is not None
    matcher = opened.matcher
    rules = replace(matcher.rules, calibrated=True)
    calibrated = FaceMatcher(matcher.detector, matcher.embedder, rules, lifetime_s=LIFETIME_S)
    return replace(opened, matcher=calibrated)


@pytest.fixture
def face_counter(
    settings: TerminalSettings,
    line: Line,
    mode: FaceMode,
    issuer: VisualIssuer,
    patient: Patient,
    shared_data: Path,
    tmp_path: Path,
) -> Iterator[Begin]:
    """Give a function that opens a counter: whose photo is on the card, and who stands before the camera."""
    with ExitStack() as stack:

        def open_counter(before_the_camera: str, *, pinless: PinlessSigner | None = None, **changes: bool) -> Counter:
            photo = (shared_data / "faces" / "a_2.jpg").read_bytes()
            decoded = decode(photo)
            assert decoded is not None
            assert mode.matcher is not None
            (found,) = mode.matcher.detector.detect(decoded)
            head = found.x, found.y, found.width, found.height
            card = VirtualCard(with_photo(patient.content, issuer, photo, head), SECRET if pinless else None)
            _stand_before(tmp_path / "camera", shared_data / "faces" / f"{before_the_camera}.jpg")
            used = mode
            if changes:
                matcher = mode.matcher
                rules = replace(matcher.rules, **changes)
                other = FaceMatcher(matcher.detector, matcher.embedder, rules, lifetime_s=LIFETIME_S)
                used = replace(mode, matcher=other)
            slot = HandSlot(card)
            return stack.enter_context(running_counter(settings, slot, card, line, face=used, pinless=pinless))

        yield open_counter


def _stand_before(folder: Path, person: Path) -> None:
    """Fill a camera's folder with somebody who moves a little."""
    folder.mkdir()
    seen = cv2.imread(str(person))
    assert seen is not None
    for number, shift in enumerate((0, 3, 6)):
        cv2.imwrite(str(folder / f"{number}.png"), np.roll(seen, shift, axis=1))


def show_face(counter: Counter, page: Page, patient: Patient) -> None:
    begin(counter, page, HOW)
    page.get_by_role("button", name="顔で確認").click()
    shows(page, NUMBER)
    page.keyboard.type(patient.content.holder.number_b)


async def face_record(town: Town, person: int) -> tuple[str, ...]:
    row = await town.world.owner.fetchrow("select method from verification where person_id = $1", person)
    assert row is not None
    return (row["method"],)


def test_a_face_is_confirmed_and_the_pin_still_signs(
    face_counter: Begin, page: Page, town: Town, patient: Patient, known: int
) -> None:
    counter = face_counter("a_1")
    show_face(counter, page, patient)
    shows(page, PIN_PAGE)
    expect(page.locator("main")).to_contain_text("お顔を確認しました")
    picture(page, "patient-visit-pin-after-face")
    enter_by_pad(page, PIN)
    shows(page, CONSENT)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, CONFIRMED)
    assert town.wait(face_record(town, known)) == ("face",)


def test_an_accredited_verifiers_card_signs_without_a_pin(
    face_counter: Begin, page: Page, town: Town, patient: Patient, known: int
) -> None:
    counter = face_counter("a_1", pinless=VirtualPinlessSigner(SECRET))
    show_face(counter, page, patient)
    shows(page, CONSENT)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, CONFIRMED)
    assert town.wait(face_record(town, known)) == ("face",)


def test_a_stranger_is_never_refused_but_offered_another_way(
    face_counter: Begin, page: Page, patient: Patient, known: int
) -> None:
    counter = face_counter("b_1")
    show_face(counter, page, patient)
    shows(page, UNSURE)
    page.get_by_role("button", name="もう一度、顔で").click()
    expect(page.get_by_role("button", name="もう一度、顔で")).to_have_count(0)
    shows(page, UNSURE)
    expect(page.locator("body")).not_to_contain_text("0.")  # no score: it would tell a stranger how near he is
    page.get_by_role("button", name="暗証番号").click()
    shows(page, PIN_PAGE)


def test_without_a_calibration_staff_confirm(face_counter: Begin, page: Page, patient: Patient, known: int) -> None:
    counter = face_counter("a_1", calibrated=False)
    show_face(counter, page, patient)
    shows(page, STAFF)
    page.get_by_role("button", name="暗証番号にする").click()
    shows(page, PIN_PAGE)
    enter_by_pad(page, PIN)
    shows(page, CONSENT)


def test_staff_see_card_and_camera_side_by_side_and_the_record_says_visual(
    face_counter: Begin, page: Page, staff_page: Page, town: Town, patient: Patient, known: int, clerk: Member
) -> None:
    counter = face_counter("a_1", calibrated=False)
    sign_in(counter, staff_page, clerk)
    show_face(counter, page, patient)
    shows(page, STAFF)
    pictures = staff_page.locator(".call figure img")
    expect(pictures).to_have_count(2)
    for place in range(2):
        # Loaded and decoded by the browser, not only named.
        expect(pictures.nth(place)).to_have_js_property("complete", True)
        assert pictures.nth(place).evaluate("e => e.naturalWidth") > 50
    checked(staff_page, "13-side-by-side")
    staff_page.get_by_label("パスコード").fill(PASSCODE)
    staff_page.get_by_role("button", name="ご本人と確認した").click()
    shows(page, PIN_PAGE)
    expect(page.locator("main")).to_contain_text("職員が確認しました")
    expect(staff_page.locator(".call")).to_have_count(0)
    enter_by_pad(page, PIN)
    shows(page, CONSENT)
    page.get_by_role("button", name="すべて はい").click()
    shows(page, CONFIRMED)
    assert town.wait(face_record(town, known)) == ("visual",)
    gone = staff_page.request.get(f"{counter.address}/staff/pictures/card.jpg")
    assert gone.status == 404


def test_a_wrong_number_is_counted_and_a_card_without_photo_has_another_way(
    face_counter: Begin, page: Page, patient: Patient, known: int
) -> None:
    counter = face_counter("a_1")
    begin(counter, page, HOW)
    page.get_by_role("button", name="顔で確認").click()
    shows(page, NUMBER)
    page.keyboard.type("0" * 14)
    expect(page.locator("#notice")).to_contain_text("あと 9 回")
    counter.slot.remove()
    counter.slot.insert_another()
    shows(page, "マイナンバーカードではありません")


def test_where_face_mode_is_off_nobody_is_asked(counter: Counter, page: Page, known: int) -> None:
    begin(counter, page, PIN_PAGE)
    expect(page.get_by_role("button", name="顔で確認する")).to_have_count(0)
