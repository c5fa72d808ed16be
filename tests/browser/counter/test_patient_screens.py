"""Every screen of the patient: axe finds nothing, nothing is cut off, what is to be touched is large; with pictures."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page

from eligibility.domain.codes import ConsentClass, Method, Outcome
from eligibility.wire.problems import Sentence
from terminal_agent.kiosk.visit import (
    Asking,
    CheckingPin,
    Choosing,
    Consenting,
    EnteringNumberB,
    EnteringPin,
    EnteringTextSecret,
    EntryNotice,
    FaceUnsure,
    Farewell,
    Looking,
    OfferingRegistration,
    Person,
    ReaderOut,
    Reading,
    Ready,
    Registering,
    StaffCalled,
    Stage,
    StillThere,
    Stopped,
    TakingCard,
    Told,
    Unverified,
)
from terminal_agent.language import Language
from tests.browser.counter.conftest import Gallery, picture, violations

SOME = (ConsentClass.LIMIT_CERTIFICATE, ConsentClass.MEDICATION)
PERSON, KNOWN = Person(3, may_use_face=True), Person(3, may_use_face=True, agreed_before=SOME)
TOMORROW = datetime.now(UTC) + timedelta(hours=24)
RENEW = Sentence(
    ja="マイナンバーカードの電子証明書の有効期限が3か月以内に切れます。市区町村の窓口で更新してください。",
    en="The card's certificate expires within three months. It can be renewed at the municipal office.",
)
STAGES: dict[str, Stage] = {
    "01-ready": Ready(),
    "02-reading": Reading(),
    "03-choosing": Choosing(PERSON),
    "04-pin": EnteringPin(Person(3)),
    "05-pin-wrong": EnteringPin(Person(2, may_use_face=True), EntryNotice.WRONG),
    "06-pin-last": EnteringPin(Person(1), EntryNotice.WRONG),
    "07-pin-malformed": EnteringPin(Person(3), EntryNotice.MALFORMED),
    "08-pin-after-face": EnteringPin(Person(3, method=Method.FACE)),
    "09-checking": CheckingPin(PERSON),
    "10-number-b": EnteringNumberB(PERSON, EntryNotice.WRONG, 9),
    "11-looking": Looking(PERSON),
    "12-face-unsure": FaceUnsure(PERSON, may_try_again=True),
    "13-staff-called": StaffCalled(PERSON),
    "14-consent": Consenting(PERSON),
    "15-consent-as-before": Consenting(KNOWN),
    "16-asking": Asking(PERSON, SOME),
    "17-registration": OfferingRegistration(PERSON, SOME),
    "18-text-pin": EnteringTextSecret(PERSON, SOME, 1, EntryNotice.WRONG),
    "19-number-on-card": EnteringTextSecret(PERSON, SOME, 0, EntryNotice.MALFORMED),
    "20-registering": Registering(PERSON, SOME),
    "21-confirmed": Told(UUID(int=1), Outcome.VALID, SOME, TOMORROW),
    "22-confirmed-renew": Told(UUID(int=1), Outcome.VALID, SOME, TOMORROW, (RENEW,)),
    "23-lapsed": Told(UUID(int=1), Outcome.LAPSED),
    "24-none": Told(UUID(int=1), Outcome.NONE),
    "25-suspended": Told(UUID(int=1), Outcome.SUSPENDED),
    "26-take-card": TakingCard(),
    "27-farewell": Farewell(),
    "28-still-there": StillThere(Consenting(PERSON)),
    "29-centre-away": Unverified("centre_away"),
    "30-pin-blocked": Stopped("pin_blocked"),
    "31-card-removed": Stopped("card_removed", card_in=False),
    "32-other-card": Stopped("not_a_my_number_card"),
    "33-unreadable": Stopped("card_unresponsive"),
    "34-expired": Stopped("certificate_expired"),
    "35-not-found": Stopped("holder_not_found"),
    "36-code-of-tomorrow": Stopped("a_code_of_tomorrow"),
    "37-reader-out": ReaderOut("reader_service_down"),
}
SMALL_TARGETS = """() => [...document.querySelectorAll('button, label:has(input[type=radio])')]
    .map(e => [e.textContent.trim(), e.getBoundingClientRect()])
    .filter(([, r]) => r.width > 0 && (r.width < 64 || r.height < 64)).map(([text]) => text)"""
SMALL_TEXT = """() => [...document.querySelectorAll('#screen *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .filter(e => parseFloat(getComputedStyle(e).fontSize) < 24).map(e => e.textContent.trim())"""
OVERFLOW = "() => document.documentElement.scrollWidth - innerWidth"


@pytest.mark.parametrize("language", [Language.JA, Language.EN])
@pytest.mark.parametrize("name", STAGES)
def test_each_screen(gallery: Gallery, gallery_page: Page, name: str, language: Language) -> None:
    gallery.show(STAGES[name], language)
    gallery.arrive(gallery_page)
    assert gallery_page.title().strip() == gallery_page.get_by_role("heading", level=1).inner_text().strip() != ""
    picture(gallery_page, f"patient-{name}-{language.value}")
    assert gallery_page.evaluate(SMALL_TARGETS) == []
    assert gallery_page.evaluate(SMALL_TEXT) == []
    assert gallery_page.evaluate(OVERFLOW) <= 0
    assert violations(gallery_page) == []


def test_an_upright_tablet_has_all_of_the_consents_without_sideways_scrolling(
    gallery: Gallery, gallery_page: Page
) -> None:
    gallery.show(Consenting(PERSON), Language.EN)
    gallery_page.set_viewport_size({"width": 800, "height": 1280})
    gallery.arrive(gallery_page)
    picture(gallery_page, "patient-14-consent-upright-en")
    assert gallery_page.evaluate(OVERFLOW) <= 0
    assert gallery_page.get_by_role("radio").count() == 8
