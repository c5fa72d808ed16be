from datetime import UTC, datetime, timedelta

import pytest

from eligibility.consent.grants import MEDICAL_CLASSES, WhyNot, decide_grants
from eligibility.domain.codes import ConsentClass, Outcome

NOW = datetime(2026, 11, 21, tzinfo=UTC)
EVERY = tuple(ConsentClass)


def test_what_was_agreed_to_is_granted_for_a_day_and_nothing_else() -> None:
    grants = decide_grants(
        [ConsentClass.MEDICATION],
        outcome=Outcome.VALID,
        by_card=True,
        covered_now=True,
        certificate_in_grace=False,
        now=NOW,
    )
    assert grants.granted == {ConsentClass.MEDICATION}
    assert set(grants.withheld.values()) == {WhyNot.NO_CONSENT}
    assert grants.expires_at == NOW + timedelta(hours=24)


def test_without_a_card_nothing_is_granted() -> None:
    grants = decide_grants(
        EVERY, outcome=Outcome.VALID, by_card=False, covered_now=False, certificate_in_grace=False, now=NOW
    )
    assert not grants.granted
    assert set(grants.withheld.values()) == {WhyNot.NEEDS_CARD}


def test_an_expired_certificate_in_its_grace_gives_no_medical_data() -> None:
    grants = decide_grants(
        EVERY, outcome=Outcome.VALID, by_card=True, covered_now=True, certificate_in_grace=True, now=NOW
    )
    assert grants.granted == set(EVERY) - MEDICAL_CLASSES
    assert {grants.withheld[c] for c in MEDICAL_CLASSES} == {WhyNot.CERTIFICATE_EXPIRED}


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.VALID])
def test_nobody_who_is_not_covered_shows_anything(outcome: Outcome) -> None:
    grants = decide_grants(EVERY, outcome=outcome, by_card=True, covered_now=True, certificate_in_grace=False, now=NOW)
    assert not grants.granted
    expected = WhyNot.SUSPENDED if outcome is Outcome.SUSPENDED else WhyNot.NOT_COVERED
    assert set(grants.withheld.values()) == {expected}


def test_a_past_day_in_force_grants_nothing_to_one_who_is_no_longer_covered() -> None:
    grants = decide_grants(
        EVERY, outcome=Outcome.VALID, by_card=True, covered_now=False, certificate_in_grace=False, now=NOW
    )
    assert set(grants.withheld.values()) == {WhyNot.NOT_COVERED}
