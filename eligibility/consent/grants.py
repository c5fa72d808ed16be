"""Which of the consents asked for a verification may grant, and why not the rest."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from eligibility.domain.codes import ConsentClass, Outcome

CONSENT_LIFE = timedelta(hours=24)  # field: from one fresh card authentication
MEDICAL_CLASSES = frozenset({ConsentClass.MEDICATION, ConsentClass.CHECKUP, ConsentClass.TREATMENT})
_CLASSES = tuple(ConsentClass)


class WhyNot(StrEnum):
    """Why a class of information is not shown."""

    NO_CONSENT = "no_consent"
    NEEDS_CARD = "needs_card"
    CERTIFICATE_EXPIRED = "certificate_expired"
    NOT_COVERED = "not_covered"
    SUSPENDED = "suspended"
    # Judged when something is read later:
    ROLE = "role"
    WITHDRAWN = "withdrawn"
    CONSENT_EXPIRED = "consent_expired"
    CERTIFICATE_REVOKED = "certificate_revoked"
    REVOCATION_UNKNOWN = "revocation_unknown"
    OTHER_INSTITUTION = "other_institution"


@dataclass(frozen=True, slots=True)
class Grants:
    """The classes granted until a time, and for every other class why it is not."""

    granted: frozenset[ConsentClass]
    withheld: dict[ConsentClass, WhyNot]
    expires_at: datetime


def decide_grants(
    asked: Collection[ConsentClass],
    *,
    outcome: Outcome,
    by_card: bool,
    covered_now: bool,
    certificate_in_grace: bool,
    now: datetime,
) -> Grants:
    """Judge the consents of one verification.

    They need a fresh card authentication and a person who is covered on the day asked for and today, and is not
    suspended; an expired certificate in its grace grants eligibility's own classes and no medical data.
    """

    expires_at = now + CONSENT_LIFE
    if nothing := _why_nothing(outcome, by_card=by_card, covered_now=covered_now):
        return Grants(frozenset(), dict.fromkeys(_CLASSES, nothing), expires_at)
    expired: Collection[ConsentClass] = MEDICAL_CLASSES if certificate_in_grace else ()
    withheld = {
        wanted: WhyNot.CERTIFICATE_EXPIRED if wanted in expired else WhyNot.NO_CONSENT
        for wanted in _CLASSES
        if wanted in expired or wanted not in asked
    }
    return Grants(frozenset(c for c in _CLASSES if c not in withheld), withheld, expires_at)


def _why_nothing(outcome: Outcome, *, by_card: bool, covered_now: bool) -> WhyNot | None:
    if outcome is Outcome.SUSPENDED:
        return WhyNot.SUSPENDED
    if outcome is not Outcome.VALID:
        return WhyNot.NOT_COVERED
    if not by_card:
        return WhyNot.NEEDS_CARD
    return None if covered_now else WhyNot.NOT_COVERED
