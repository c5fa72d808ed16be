"""A virtual card, and a centre at the other end of the line, for the unit tests of the terminal."""

import json
import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

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
from eligibility.wire.problems import Fault, Problem, Sentence
from eligibility.wire.verifications import (
    SIGNATURE_CONTEXT,
    CardProof,
    CardRegistration,
    Challenges,
    ConsentAnswer,
    CoverageAnswer,
    ElderlyCertificateAnswer,
    LimitCertificateAnswer,
    Notice,
    SpecificDiseaseCertificateAnswer,
    Verification,
    Withheld,
)
from terminal_agent.client import Centre
from tests.cards import card, content, jpki

NOW = datetime.now(UTC)
__all__ = ["card", "content", "jpki"]


class FakeCentre:
    """A centre behind httpx's transport: hands out challenges, checks signatures, and says what the test prepares."""

    def __init__(self) -> None:
        self.now = NOW
        self.challenges: set[bytes] = set()
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.registered = True
        self.prepared: list[httpx.Response | httpx.HTTPError] = []
        self.waited: list[float] = []

    def line(self, count: int = 4) -> Centre:
        """Return a terminal's line to this centre."""
        http = httpx.Client(base_url="https://centre.test", transport=httpx.MockTransport(self.answer))
        return Centre(http, count, lambda: self.now, self.waited.append)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        body = json.loads(request.content)
        self.seen.append((request.url.path, body))
        if self.prepared:
            prepared = self.prepared.pop(0)
            if isinstance(prepared, httpx.HTTPError):
                raise prepared
            return prepared
        if request.url.path == "/v1/challenges":
            issued = [secrets.token_bytes(48) for _ in range(body["count"])]
            self.challenges.update(issued)
            expires = self.now + timedelta(seconds=120)
            return httpx.Response(
                200, content=Challenges(challenges=tuple(issued), expires_at=expires).model_dump_json()
            )
        if "proof" in body:
            self._check(CardProof.model_validate(body["proof"]))
        if request.url.path == "/v1/card-registrations":
            self.registered = True
            done = CardRegistration(registered_at=self.now, already_registered=False)
            return httpx.Response(201, content=done.model_dump_json())
        return httpx.Response(200, content=VALID.model_dump_json()) if self.registered else problem()

    def _check(self, proof: CardProof) -> None:
        self.challenges.remove(proof.challenge)
        key = x509.load_der_x509_certificate(proof.certificate).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(proof.signature, SIGNATURE_CONTEXT + proof.challenge, padding.PKCS1v15(), SHA256())


def problem(code: str = "card_not_registered", status: int = 404, retry_after_s: int | None = None) -> httpx.Response:
    """Return a problem as the centre sends it."""
    said = Sentence(ja="受付の方へ。", en="For reception.")
    sent = Problem(
        type=f"urn:eligibility:problem:{code}", title=code, status=status, code=code, staff=said, vendor=said,
        faults=(Fault(pointer="/number", expected="a number"),), retry_after_s=retry_after_s,
    )  # fmt: skip
    return httpx.Response(status, content=sent.model_dump_json(), headers={"Content-Type": "application/problem+json"})


@pytest.fixture
def centre() -> FakeCentre:
    """Give a centre that knows the card and finds its holder insured."""
    return FakeCentre()


@pytest.fixture
def make_problem() -> Any:
    """Give the function that makes a centre's problems."""
    return problem


@pytest.fixture
def valid() -> Verification:
    """Give the answer of the centre: a valid coverage with all that can be beside it."""
    return VALID


VALID = Verification(
    verification_id=UUID("0197a3c0-0000-7000-8000-000000000001"),
    verified_at=NOW,
    method=Method.PIN,
    outcome=Outcome.VALID,
    asked_for=date(2026, 11, 21),
    known_at=NOW,
    data_as_of=NOW,
    coverage=CoverageAnswer(
        insurer_number="06139463",
        insurer_name="架空健康保険組合",
        symbol="１２３",
        number="4567",
        branch_number="01",
        name="髙橋 花子 [b]",
        name_kana="タカハシ ハナコ",
        birth_date=date(1985, 4, 12),
        sex=Sex.FEMALE,
        postal_code="1000013",
        address="東京都千代田区霞が関１丁目２番２号",
        relation=Relation.INSURED,
        card_class=CardClass.GENERAL,
        acquired_on=date(2020, 4, 1),
        lost_on=date(2027, 4, 1),
        loss_reason=LossReason.OTHER,
        copayment_percent=30,
        issued_on=None,
        valid_from=date(2020, 4, 1),
        valid_through=None,
        preschool=True,
        elderly_certificate=ElderlyCertificateAnswer(
            copayment_percent=20, valid_from=date(2026, 8, 1), valid_through=date(2027, 7, 31)
        ),
        limit_certificates=(
            LimitCertificateAnswer(
                limit_class=LimitClass.LIMIT, category=LimitCategory.A03, valid_from=date(2026, 8, 1),
                valid_through=None, long_term_on=None,
            ),
        ),
        specific_disease_certificates=(
            SpecificDiseaseCertificateAnswer(
                disease=Disease.KIDNEY_FAILURE, monthly_cap_yen=10000, valid_from=date(2026, 8, 1), valid_through=None
            ),
            SpecificDiseaseCertificateAnswer(
                disease=Disease.HAEMOPHILIA, monthly_cap_yen=None, valid_from=date(2026, 8, 1), valid_through=None
            ),
        ),
    ),
    conflicting_insurers=("06139471",),
    consents=(ConsentAnswer(consent_class=ConsentClass.LIMIT_CERTIFICATE, expires_at=NOW + timedelta(hours=24)),),
    withheld=(
        Withheld(consent_class=ConsentClass.MEDICATION, reason="no_consent"),
        Withheld(consent_class=ConsentClass.CHECKUP, reason="a_reason_of_tomorrow"),
    ),
    notices=(Notice(code="renew", ja="証明書の更新が近づいています。", en="The certificate expires soon."),),
    receipt="a.b.c",
)  # fmt: skip
