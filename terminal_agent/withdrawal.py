"""An answer of the centre after its patient took a consent back, as the terminal goes on showing it."""

from typing import Final

from eligibility.domain.codes import ConsentClass
from eligibility.wire.verifications import Verification, Withheld

# What of a coverage a consent opens.
_CERTIFICATES: Final = {
    ConsentClass.LIMIT_CERTIFICATE: "limit_certificates",
    ConsentClass.SPECIFIC_DISEASE: "specific_disease_certificates",
}


def without_consent(answer: Verification, consent_class: ConsentClass) -> Verification:
    """Return the answer without this consent and what it had opened."""
    if all(consent.consent_class is not consent_class for consent in answer.consents):
        return answer
    kept = tuple(consent for consent in answer.consents if consent.consent_class is not consent_class)
    gone = Withheld(consent_class=consent_class, reason="withdrawn")
    update: dict[str, object] = {"consents": kept, "withheld": (*answer.withheld, gone)}
    if answer.coverage is not None and consent_class in _CERTIFICATES:
        update["coverage"] = answer.coverage.model_copy(update={_CERTIFICATES[consent_class]: ()})
    return answer.model_copy(update=update)


def same_patient(one: Verification, other: Verification) -> bool:
    """Tell whether two answers are about one patient: the centre withdraws for the person, not for one visit."""
    if one.verification_id == other.verification_id:
        return True
    if one.coverage is None or other.coverage is None:
        return False
    first, second = one.coverage, other.coverage
    return (first.insurer_number, first.symbol, first.number, first.branch_number, first.birth_date) == (
        second.insurer_number, second.symbol, second.number, second.branch_number, second.birth_date,
    )  # fmt: skip
