"""What an answer shows: a standing and the grants beside it, turned into the wire's words."""

from collections.abc import Iterable
from datetime import date
from typing import Protocol, TypeVar

from eligibility.consent.grants import Grants
from eligibility.domain.codes import ConsentClass
from eligibility.domain.coverage import Coverage, ElderlyCertificate
from eligibility.wire.verifications import (
    CoverageAnswer,
    ElderlyCertificateAnswer,
    LimitCertificateAnswer,
    SpecificDiseaseCertificateAnswer,
)


class _Dated(Protocol):
    @property
    def valid_from(self) -> date: ...
    @property
    def valid_through(self) -> date | None: ...


_D = TypeVar("_D", bound=_Dated)


def show_coverage(coverage: Coverage, grants: Grants, day: date) -> CoverageAnswer:
    """Return the coverage with the certificates in force on the day that the patient agreed to show."""
    elderly = _latest(_in_force(coverage.elderly_certificates, day))
    return CoverageAnswer(
        insurer_number=coverage.insured.insurer.digits,
        insurer_name=coverage.insurer_name,
        symbol=coverage.insured.symbol,
        number=coverage.insured.number,
        branch_number=coverage.insured.branch_number,
        name=coverage.name,
        name_kana=coverage.name_kana,
        birth_date=coverage.birth_date,
        sex=coverage.sex,
        postal_code=coverage.postal_code,
        address=coverage.address,
        relation=coverage.relation,
        card_class=coverage.card_class,
        acquired_on=coverage.acquired_on,
        lost_on=coverage.lost_on,
        loss_reason=coverage.loss_reason,
        copayment_percent=elderly.copayment_percent if elderly else coverage.copayment_percent,
        issued_on=coverage.issued_on,
        valid_from=coverage.valid_from,
        valid_through=coverage.valid_through,
        preschool=coverage.preschool,
        elderly_certificate=elderly
        and ElderlyCertificateAnswer(
            copayment_percent=elderly.copayment_percent,
            valid_from=elderly.valid_from,
            valid_through=elderly.valid_through,
        ),
        limit_certificates=tuple(
            LimitCertificateAnswer(
                limit_class=c.limit_class,
                category=c.category,
                valid_from=c.valid_from,
                valid_through=c.valid_through,
                long_term_on=c.long_term_on,
            )
            for c in _in_force(coverage.limit_certificates, day)
            if ConsentClass.LIMIT_CERTIFICATE in grants.granted
        ),
        specific_disease_certificates=tuple(
            SpecificDiseaseCertificateAnswer(
                disease=c.disease,
                monthly_cap_yen=c.monthly_cap_yen,
                valid_from=c.valid_from,
                valid_through=c.valid_through,
            )
            for c in _in_force(coverage.specific_disease_certificates, day)
            if ConsentClass.SPECIFIC_DISEASE in grants.granted
        ),
    )


def _in_force(certificates: Iterable[_D], day: date) -> list[_D]:
    return [c for c in certificates if c.valid_from <= day and (c.valid_through is None or day <= c.valid_through)]


def _latest(certificates: list[ElderlyCertificate]) -> ElderlyCertificate | None:
    return max(certificates, key=lambda c: c.valid_from, default=None)
