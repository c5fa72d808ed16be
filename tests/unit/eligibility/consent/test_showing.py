"""What may be shown at a moment, and why not the rest."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eligibility.consent.grants import MEDICAL_CLASSES, WhyNot
from eligibility.consent.roles import MAY_SEE
from eligibility.consent.showing import Basis, CardStanding, Disclosure, GivenConsent, decide_disclosure
from eligibility.domain.codes import ConsentClass, Outcome, Role
from eligibility.domain.identifiers import InstitutionCode

HERE, ELSEWHERE = InstitutionCode("1312345679"), InstitutionCode("2712345673")
GIVEN = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
PAGE = Path(__file__).parents[4] / "docs" / "disclosure.md"


def consent(wanted: ConsentClass, given: datetime = GIVEN, **facts: Any) -> GivenConsent:
    return GivenConsent(wanted, **({"given_at": given, "expires_at": given + DAY, "withdrawn_at": None} | facts))


def judge(
    *consents: GivenConsent,
    role: Role = Role.DOCTOR,
    now: datetime = GIVEN + timedelta(minutes=5),
    caller: InstitutionCode = HERE,
    **facts: Any,
) -> Disclosure:
    usual = {"institution": HERE, "found": Outcome.VALID, "stands": Outcome.VALID, "card": CardStanding.GOOD}
    given = consents or tuple(consent(wanted) for wanted in ConsentClass)
    return decide_disclosure(Basis(**(usual | facts), consents=given), institution=caller, role=role, now=now)


def test_a_doctor_sees_every_class_the_patient_agreed_to() -> None:
    assert judge() == Disclosure(frozenset(ConsentClass), {})


@pytest.mark.parametrize("role", Role)
def test_every_role_sees_what_its_row_says_and_nothing_else(role: Role) -> None:
    found = judge(role=role)
    assert found.shown == MAY_SEE[role]
    assert found.withheld == dict.fromkeys(set(ConsentClass) - MAY_SEE[role], WhyNot.ROLE)


def test_the_table_has_every_role_and_gives_a_clerk_nothing_medical() -> None:
    assert MAY_SEE.keys() == set(Role)
    assert not MAY_SEE[Role.CLERK] & MEDICAL_CLASSES


def test_the_page_shows_the_table() -> None:
    rows = [
        f"| {role.ja} `{role}` | " + " | ".join("yes" if c in MAY_SEE[role] else "–" for c in ConsentClass) + " |"
        for role in Role
    ]
    assert "\n".join(rows) in PAGE.read_text(encoding="utf-8")


def test_the_page_names_every_reason() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [why for why in WhyNot if f"`{why}`" not in page] == []


@pytest.mark.parametrize("given", list(ConsentClass))
@pytest.mark.parametrize("wanted", list(ConsentClass))
def test_a_consent_opens_its_own_class_alone(given: ConsentClass, wanted: ConsentClass) -> None:
    found = judge(consent(given))
    assert (wanted in found.shown) is (given is wanted)
    assert found.withheld.get(wanted) is (None if given is wanted else WhyNot.NO_CONSENT)


@pytest.mark.parametrize(
    "given",
    [
        GIVEN,
        datetime(2026, 11, 20, 15, 0, tzinfo=UTC),  # midnight in Japan
        datetime(2026, 10, 31, 14, 59, 59, tzinfo=UTC),  # the month's last second there
        datetime(2028, 2, 28, 12, 0, tzinfo=UTC),  # into a leap day
        datetime(2027, 12, 31, 15, 0, tzinfo=UTC),
    ],
)
@pytest.mark.parametrize(
    ("age", "shown"),
    [
        (timedelta(0), True),
        (DAY - timedelta(seconds=1), True),
        (DAY - timedelta(microseconds=1), True),
        (DAY, False),
        (DAY + timedelta(seconds=1), False),
        (DAY * 365, False),
    ],
)
def test_a_consent_holds_for_exactly_24_hours(given: datetime, age: timedelta, shown: bool) -> None:
    found = judge(consent(ConsentClass.MEDICATION, given), now=given + age)
    assert (ConsentClass.MEDICATION in found.shown) is shown
    assert shown or found.withheld[ConsentClass.MEDICATION] is WhyNot.CONSENT_EXPIRED


def test_a_consent_that_claims_to_last_longer_does_not() -> None:
    long = consent(ConsentClass.MEDICATION, expires_at=GIVEN + DAY * 30)
    assert judge(long, now=GIVEN + DAY).withheld[ConsentClass.MEDICATION] is WhyNot.CONSENT_EXPIRED


def test_a_consent_that_ends_earlier_ends() -> None:
    short = consent(ConsentClass.MEDICATION, expires_at=GIVEN + timedelta(hours=1))
    now = GIVEN + timedelta(hours=1)
    assert judge(short, now=now).withheld[ConsentClass.MEDICATION] is WhyNot.CONSENT_EXPIRED


@pytest.mark.parametrize("withdrawn", [GIVEN, GIVEN + timedelta(minutes=5), GIVEN + timedelta(days=1)])
def test_a_withdrawn_consent_is_over_whenever_it_was(withdrawn: datetime) -> None:
    found = judge(consent(ConsentClass.CHECKUP, withdrawn_at=withdrawn))
    assert found.withheld[ConsentClass.CHECKUP] is WhyNot.WITHDRAWN


@pytest.mark.parametrize("role", Role)
def test_another_institution_sees_nothing(role: Role) -> None:
    assert judge(role=role, caller=ELSEWHERE).withheld == dict.fromkeys(ConsentClass, WhyNot.OTHER_INSTITUTION)


@pytest.mark.parametrize(
    ("found", "stands"), [pair for pair in itertools.product(Outcome, Outcome) if pair != (Outcome.VALID,) * 2]
)
def test_who_is_not_covered_then_and_today_is_not_shown(found: Outcome, stands: Outcome) -> None:
    why = WhyNot.SUSPENDED if Outcome.SUSPENDED in (found, stands) else WhyNot.NOT_COVERED
    assert judge(found=found, stands=stands).withheld == dict.fromkeys(ConsentClass, why)


@pytest.mark.parametrize(
    ("card", "why"),
    [
        (CardStanding.NONE, WhyNot.NEEDS_CARD),
        (CardStanding.REVOKED, WhyNot.CERTIFICATE_REVOKED),
        (CardStanding.UNKNOWN, WhyNot.REVOCATION_UNKNOWN),
    ],
)
def test_without_a_card_that_holds_nothing_is_shown(card: CardStanding, why: WhyNot) -> None:
    assert judge(card=card).withheld == dict.fromkeys(ConsentClass, why)


def test_a_certificate_in_its_grace_shows_nothing_medical() -> None:
    found = judge(card=CardStanding.IN_GRACE)
    assert found.shown == set(ConsentClass) - MEDICAL_CLASSES
    assert found.withheld == dict.fromkeys(MEDICAL_CLASSES, WhyNot.CERTIFICATE_EXPIRED)


def test_every_class_is_either_shown_or_withheld_whatever_comes_together() -> None:
    for role, card, stands in itertools.product(Role, CardStanding, Outcome):
        found = judge(consent(ConsentClass.MEDICATION), role=role, card=card, stands=stands)
        assert found.shown | found.withheld.keys() == set(ConsentClass)
        assert not found.shown & found.withheld.keys()
        assert found.shown <= {ConsentClass.MEDICATION} & MAY_SEE[role]
