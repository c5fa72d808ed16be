"""A card or number verification: what a terminal asks and what the centre answers."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from annotated_types import MultipleOf
from pydantic import FailFast, Field, model_validator

from eligibility.domain.codes import (
    CardClass,
    ConsentClass,
    Disease,
    LimitCategory,
    LimitClass,
    LossReason,
    Method,
    Outcome,
    Relation,
    Sex,
)
from eligibility.wire.encoding import Bytes, Incoming, Moment, Wire

# What the card signs (SHA-256, PKCS #1 v1.5) is this context followed by the challenge's bytes, so that a signature
# made here is of no use to any other service the card signs for.
SIGNATURE_CONTEXT = b"eligibility-verification/v1"

MAX_CHALLENGES = 100
MAX_CERTIFICATE_BYTES = 8192  # the real ones have about 1,700
CHALLENGE_BYTES = 96


class ChallengesRequest(Incoming):
    """POST /v1/challenges: how many to hand out."""

    count: int = Field(ge=1, le=MAX_CHALLENGES)


class Challenges(Wire):
    """Challenges bound to the calling terminal, each good for one signature until it expires."""

    challenges: tuple[Bytes, ...]
    expires_at: Moment


class CardProof(Incoming):
    """A fresh signature of a card: the challenge, the user-authentication certificate (DER) and the signature."""

    challenge: Annotated[Bytes, Field(min_length=1, max_length=CHALLENGE_BYTES)]
    certificate: Annotated[Bytes, Field(min_length=1, max_length=MAX_CERTIFICATE_BYTES)]
    signature: Annotated[Bytes, Field(min_length=1, max_length=1024)]


class FaceEvidence(Incoming):
    """What a face match rests on: nothing of the face itself, and the score no finer than an audit needs it."""

    score: Annotated[Decimal, MultipleOf(Decimal("0.05"))] = Field(ge=-1, le=1, description="Rounded to 0.05.")
    threshold: Decimal = Field(ge=-1, le=1, decimal_places=6)
    model_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the recogniser's file.")
    calibrated: bool = Field(description="Whether the threshold stands in a calibration of this file.")


class VerificationRequest(Incoming):
    """POST /v1/verifications: is the holder of this card insured on the day?

    `asked_for` is today in Japan when left out; `known_at` asks what was known then, and is now when left out.
    `face` belongs to the method of that name and to no other. The method `visual` needs the session of a member of
    staff (`Authorization: Bearer …`).
    """

    proof: CardProof
    method: Method
    face: FaceEvidence | None = None
    consents: Annotated[tuple[ConsentClass, ...], FailFast()] = Field(default=(), max_length=len(ConsentClass))
    asked_for: date | None = None
    known_at: Moment | None = None

    @model_validator(mode="after")
    def _face_goes_with_its_method(self) -> Self:
        if (self.face is not None) != (self.method is Method.FACE):
            raise ValueError("face with the method face, and with no other")
        return self


class NumberVerificationRequest(Incoming):
    """POST /v1/number-verifications: the same question by insured number and birth date, without a card."""

    insurer_number: str = Field(max_length=8)
    symbol: str = Field(default="", max_length=20)
    number: str = Field(min_length=1, max_length=20)
    branch_number: str = Field(default="", max_length=2)
    birth_date: date
    asked_for: date | None = None
    known_at: Moment | None = None


class CardRegistrationRequest(Incoming):
    """POST /v1/card-registrations: the first use of a card, with what its text application says of its holder."""

    proof: CardProof
    method: Method
    name: str = Field(min_length=1, max_length=200)
    address: str = Field(max_length=400)
    birth_date: date
    sex: Sex


class CardRegistration(Wire):
    """The card now belongs to one person of the register."""

    registered_at: Moment
    already_registered: bool


class LimitCertificateAnswer(Wire):
    """限度額適用認定証; days are inclusive."""

    limit_class: LimitClass
    category: LimitCategory
    valid_from: date
    valid_through: date | None
    long_term_on: date | None


class SpecificDiseaseCertificateAnswer(Wire):
    """特定疾病療養受療証; days are inclusive."""

    disease: Disease
    monthly_cap_yen: int | None
    valid_from: date
    valid_through: date | None


class ElderlyCertificateAnswer(Wire):
    """高齢受給者証; days are inclusive."""

    copayment_percent: int
    valid_from: date
    valid_through: date | None


class CoverageAnswer(Wire):
    """The coverage an answer rests on, as its insurer states it."""

    insurer_number: str
    insurer_name: str
    symbol: str
    number: str
    branch_number: str
    name: str
    name_kana: str
    birth_date: date
    sex: Sex
    postal_code: str
    address: str
    relation: Relation
    card_class: CardClass
    acquired_on: date
    lost_on: date | None = Field(description="The first day no longer covered.")
    loss_reason: LossReason | None
    copayment_percent: int | None = Field(
        description="What the patient pays: the elderly certificate's share where one is in force, else the coverage's."
    )
    issued_on: date | None
    valid_from: date | None
    valid_through: date | None
    preschool: bool
    elderly_certificate: ElderlyCertificateAnswer | None
    limit_certificates: tuple[LimitCertificateAnswer, ...]
    specific_disease_certificates: tuple[SpecificDiseaseCertificateAnswer, ...]


class Withheld(Wire):
    """A class of information that is not shown, and why not."""

    consent_class: ConsentClass
    reason: str


class ConsentAnswer(Wire):
    """A consent recorded with this verification."""

    consent_class: ConsentClass
    expires_at: Moment


class Notice(Wire):
    """Something staff should tell the patient, such as a certificate about to expire."""

    code: str
    ja: str
    en: str


class Verification(Wire):
    """The answer of a card or number verification; it left only after its record was durable."""

    verification_id: UUID
    verified_at: Moment
    method: Method
    outcome: Outcome
    asked_for: date
    known_at: Moment
    data_as_of: Moment | None = Field(description="When the insurer's latest file was merged.")
    coverage: CoverageAnswer | None
    conflicting_insurers: tuple[str, ...] = Field(description="Insurers that also claim this person on this day.")
    consents: tuple[ConsentAnswer, ...]
    withheld: tuple[Withheld, ...]
    notices: tuple[Notice, ...]
    receipt: str = Field(description="A compact JWS (RFC 7515) of this answer, kept with the claim.")
    # Of the person at this institution, not of a coverage: the chart opens whatever insurer covers the patient now.
    reference_number: str | None = Field(
        default=None, description="The institution's own number of the patient (照会番号), if it registered one."
    )
