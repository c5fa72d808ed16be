"""What may be shown of a patient, judged at the moment of reading, and for the rest why not."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from eligibility.consent.grants import CONSENT_LIFE, MEDICAL_CLASSES, WhyNot
from eligibility.consent.roles import MAY_SEE
from eligibility.domain.codes import ConsentClass, Outcome, Role
from eligibility.domain.identifiers import InstitutionCode


class CardStanding(StrEnum):
    """What is known of the certificate by which a patient was verified."""

    NONE = "none"  # verified without a card
    GOOD = "good"
    IN_GRACE = "in_grace"  # it had expired when the card was read
    REVOKED = "revoked"  # then, or since
    UNKNOWN = "unknown"  # no fresh revocation list tells


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """One consent as it was recorded."""

    consent_class: ConsentClass
    given_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None

    def in_force_at(self, now: datetime) -> bool:
        """Tell whether it holds: from one card authentication for 24 hours at most, and not once withdrawn."""
        return self.withdrawn_at is None and now < min(self.expires_at, self.given_at + CONSENT_LIFE)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a reading rests on: the verification, its card and consents, and the person's standing today."""

    institution: InstitutionCode
    found: Outcome  # when the card was read
    stands: Outcome  # today
    card: CardStanding
    consents: tuple[GivenConsent, ...]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The classes that may be shown, and for every other why not."""

    shown: frozenset[ConsentClass]
    withheld: dict[ConsentClass, WhyNot]


def decide_disclosure(basis: Basis, *, institution: InstitutionCode, role: Role, now: datetime) -> Disclosure:
    """Judge what a member of staff of the institution may see at a moment.

    A class is shown for: the institution that verified the patient, a role that may see it, a person who is covered
    and not suspended, a card that proved itself with a certificate neither expired (for medical classes) nor revoked,
    and a consent of that class in force. What comes first in this order is the reason given.
    """

    def why_not(wanted: ConsentClass) -> WhyNot | None:
        if institution != basis.institution:
            return WhyNot.OTHER_INSTITUTION
        if wanted not in MAY_SEE[role]:
            return WhyNot.ROLE
        return _person(basis) or _card(basis.card, wanted) or _consent(basis.consents, wanted, now)

    reasons = {wanted: why_not(wanted) for wanted in ConsentClass}
    return Disclosure(
        shown=frozenset(wanted for wanted, reason in reasons.items() if reason is None),
        withheld={wanted: reason for wanted, reason in reasons.items() if reason is not None},
    )


def _person(basis: Basis) -> WhyNot | None:
    if Outcome.SUSPENDED in (basis.found, basis.stands):
        return WhyNot.SUSPENDED
    return None if basis.found is Outcome.VALID and basis.stands is Outcome.VALID else WhyNot.NOT_COVERED


def _card(card: CardStanding, wanted: ConsentClass) -> WhyNot | None:
    match card:
        case CardStanding.NONE:
            return WhyNot.NEEDS_CARD
        case CardStanding.GOOD:
            return None
        case CardStanding.IN_GRACE:
            return WhyNot.CERTIFICATE_EXPIRED if wanted in MEDICAL_CLASSES else None
        case CardStanding.REVOKED:
            return WhyNot.CERTIFICATE_REVOKED
        case CardStanding.UNKNOWN:
            return WhyNot.REVOCATION_UNKNOWN
    assert_never(card)


def _consent(consents: Iterable[GivenConsent], wanted: ConsentClass, now: datetime) -> WhyNot | None:
    given = [c for c in consents if c.consent_class is wanted]
    if any(c.in_force_at(now) for c in given):
        return None
    if not given:
        return WhyNot.NO_CONSENT
    return WhyNot.WITHDRAWN if any(c.withdrawn_at is not None for c in given) else WhyNot.CONSENT_EXPIRED
