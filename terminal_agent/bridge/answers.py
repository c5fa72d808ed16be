"""Turns the centre's answers into the interface's messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from eligibility.domain.codes import ConsentClass, Method, Outcome
from eligibility.domain.dates import JAPAN
from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.bulk import BulkResult, BulkResults
from eligibility.wire.problems import Sentence
from eligibility.wire.verifications import (
    CoverageAnswer,
    ElderlyCertificateAnswer,
    LimitCertificateAnswer,
    Verification,
)
from terminal_agent.bridge.codes import (
    VALIDITY,
    Changed,
    ConsentFlag,
    Preschool,
    Processing,
    ReferenceClassification,
    Segment,
)
from terminal_agent.bridge.messages import (
    AnswerHeader,
    BulkMessage,
    BulkSearch,
    BulkUnit,
    ElderlyCertificate,
    EligibilityBody,
    EligibilityMessage,
    EligibilityResult,
    LimitCertificate,
    NumberSearch,
    PlainBody,
    PlainMessage,
    SpecificDisease,
)
from terminal_agent.bridge.results import NOTICES, Result, Told
from terminal_agent.bridge.text import CharacterCode, full_width, half_width_kana, postal_code

_NEEDS_CARD: Final = frozenset({Method.NUMBER, Method.DISASTER})
MESSAGE_LENGTH: Final = 1000


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the headers of one exchange share: who answers, in which encoding, when, and what the caller called it."""

    institution_code: str
    character_code: CharacterCode
    processed_at: datetime
    identifier: str | None = None

    def header(
        self,
        asked_for: date | None,
        classification: ReferenceClassification = ReferenceClassification.NUMBER,
        segment: Segment = Segment.DONE,
        error: Told | None = None,
        reception_number: str | None = None,
        results: tuple[int, int, int] | None = None,
    ) -> AnswerHeader:
        """Return the header of an answer; `results` are all, done and wrong ones of a bulk check."""
        total, done, wrong = results or (None, None, None)
        return AnswerHeader(
            processed_at=self.processed_at,
            character_code=self.character_code,
            segment=segment,
            asked_for=asked_for or self.processed_at.astimezone(JAPAN).date(),
            classification=classification,
            institution_code=self.institution_code,
            identifier=self.identifier,
            error_code=error.result.value if error else None,
            error_message=error.sentence.ja[:MESSAGE_LENGTH] if error else None,
            reception_number=reception_number,
            results=total,
            results_done=done,
            results_wrong=wrong,
        )


def eligibility_message(
    verification: Verification,
    envelope: Envelope,
    *,
    search: NumberSearch | None = None,
    notices: Sequence[Told] = (),
) -> EligibilityMessage:
    """Return OQSsiquc01res: the answer to a request, with its search echoed, or of a card visit, without any."""
    by_card = verification.method not in _NEEDS_CARD
    classification = ReferenceClassification.CARD if by_card else ReferenceClassification.NUMBER
    header = envelope.header(verification.asked_for, classification)
    if verification.outcome is Outcome.SUSPENDED:
        told = Told(Result.SUSPENDED)
        return EligibilityMessage(
            header,
            EligibilityBody(
                Processing.ERROR, result_code=told.result.value, result_message=told.sentence.ja, search=search
            ),
        )
    said = (*notices, *_notices(verification))
    coverage = verification.coverage
    results = () if coverage is None else (_result(coverage, verification, search),)
    return EligibilityMessage(
        header,
        EligibilityBody(
            Processing.DONE,
            result_code=said[0].result.value if said else None,
            result_message=_joined(said),
            validity=VALIDITY[verification.outcome],
            search=search,
            results=results,
        ),
    )


def plain_message(envelope: Envelope, told: Sequence[Told] = (), asked_for: date | None = None) -> PlainMessage:
    """Return an answer that says it is done, with notices if there are any."""
    header = envelope.header(asked_for)
    return PlainMessage(header, PlainBody(Processing.DONE, told[0].result.value if told else None, _joined(told)))


def failed_message(envelope: Envelope, told: Told) -> PlainMessage:
    """Return the answer to a request that was not carried out."""
    header = envelope.header(None, segment=Segment.FAILED, error=told)
    return PlainMessage(header, PlainBody(Processing.ERROR, told.result.value, told.sentence.ja[:MESSAGE_LENGTH]))


def bulk_message(results: BulkResults, searches: Sequence[BulkSearch], envelope: Envelope) -> BulkMessage:
    """Return OQSmuquc02res of a finished bulk check; its items are named by the place of their search."""
    units = tuple(_unit(result, searches[int(result.item_id)]) for result in results.results)
    wrong = sum(unit.processing is Processing.ERROR for unit in units)
    header = envelope.header(results.asked_for, results=(len(units), len(units) - wrong, wrong))
    return BulkMessage(header, units)


def bulk_pending_message(envelope: Envelope, segment: Segment, reception_number: str) -> BulkMessage:
    """Return OQSmuquc01res, or OQSmuquc02res while the centre is at work."""
    return BulkMessage(envelope.header(None, segment=segment, reception_number=reception_number))


def _unit(result: BulkResult, search: BulkSearch) -> BulkUnit:
    if result.problem is not None:
        told = Told(Result.MALFORMED, result.problem.field, instead=result.problem.staff)
        return BulkUnit(Processing.ERROR, search, told.result.value, told.sentence.ja)
    if result.outcome is None or result.outcome is Outcome.SUSPENDED:
        told = Told(Result.SUSPENDED)
        return BulkUnit(Processing.ERROR, search, told.result.value, told.sentence.ja)
    coverage = result.coverage
    return BulkUnit(
        Processing.DONE,
        search,
        validity=VALIDITY[result.outcome],
        results=() if coverage is None else (_facts(coverage, result.reference_number),),
        reference_number=result.reference_number,
        limit_changed=Changed.YES if result.changed else Changed.NO,
    )


def _result(coverage: CoverageAnswer, verification: Verification, search: NumberSearch | None) -> EligibilityResult:
    until = {consent.consent_class: consent.expires_at for consent in verification.consents}

    def flag(wanted: ConsentClass) -> ConsentFlag:
        return ConsentFlag.YES if wanted in until else ConsentFlag.NO

    def agreed_at(wanted: ConsentClass) -> datetime | None:
        return verification.verified_at if wanted in until else None

    facts = _facts(coverage, verification.reference_number, search.identifier if search else None)
    limit, disease = ConsentClass.LIMIT_CERTIFICATE, ConsentClass.SPECIFIC_DISEASE
    medication, checkup, treatment = ConsentClass.MEDICATION, ConsentClass.CHECKUP, ConsentClass.TREATMENT

    facts = replace(
        facts,
        limit_consent=flag(limit),
        limit_consent_at=agreed_at(limit),
        disease_consent=flag(disease),
        disease_consent_at=agreed_at(disease),
    )
    if verification.method in _NEEDS_CARD:
        return facts
    return replace(
        facts,
        checkup_consent=flag(checkup),
        checkup_consent_at=agreed_at(checkup),
        checkup_until=until.get(checkup),
        medication_consent=flag(medication),
        medication_consent_at=agreed_at(medication),
        medication_until=until.get(medication),
        diagnosis_consent=flag(treatment),
        diagnosis_consent_at=agreed_at(treatment),
        diagnosis_until=until.get(treatment),
    )


def _facts(
    coverage: CoverageAnswer, reference_number: str | None = None, identifier: str | None = None
) -> EligibilityResult:
    return EligibilityResult(
        card_class=coverage.card_class,
        name=full_width(coverage.name),
        sex=coverage.sex,
        birth_date=coverage.birth_date,
        insurer_name=coverage.insurer_name,
        insurer_number=InsurerNumber.parse(coverage.insurer_number),
        symbol=coverage.symbol or None,
        number=coverage.number,
        branch_number=coverage.branch_number or None,
        relation=coverage.relation,
        name_kana=half_width_kana(coverage.name_kana) or None,
        address=coverage.address or None,
        postal_code=postal_code(coverage.postal_code) or None,
        acquired_on=coverage.acquired_on,
        lost_on=coverage.lost_on,
        issued_on=coverage.issued_on,
        valid_from=coverage.valid_from,
        valid_through=coverage.valid_through,
        copayment_percent=coverage.copayment_percent,
        preschool=Preschool.YES if coverage.preschool else None,
        loss_reason=coverage.loss_reason,
        elderly=_elderly(coverage.elderly_certificate),
        limit=_limit(coverage.limit_certificates),
        diseases=tuple(
            SpecificDisease(
                disease=one.disease,
                valid_from=one.valid_from,
                valid_through=one.valid_through,
                self_pay_yen=one.monthly_cap_yen,
            )
            for one in coverage.specific_disease_certificates
        ),
        reference_number=reference_number,
        identifier=identifier,
    )


def _elderly(stated: ElderlyCertificateAnswer | None) -> ElderlyCertificate | None:
    if stated is None:
        return None
    return ElderlyCertificate(
        valid_from=stated.valid_from, valid_through=stated.valid_through, copayment_percent=stated.copayment_percent
    )


def _limit(stated: Sequence[LimitCertificateAnswer]) -> LimitCertificate | None:
    # The message has room for one: the one that began last.
    latest = max(stated, key=lambda one: one.valid_from, default=None)
    if latest is None:
        return None
    return LimitCertificate(
        limit_class=latest.limit_class,
        category=latest.category,
        valid_from=latest.valid_from,
        valid_through=latest.valid_through,
        long_term_on=latest.long_term_on,
    )


def _notices(verification: Verification) -> Iterable[Told]:
    for notice in verification.notices:
        result = NOTICES.get(notice.code, Result.OTHER_NOTICE)
        yield Told(result, instead=Sentence(ja=notice.ja, en=notice.en))
    if verification.conflicting_insurers:
        yield Told(Result.ALSO_CLAIMED, ", ".join(verification.conflicting_insurers))


def _joined(told: Sequence[Told]) -> str | None:
    return " ".join(one.sentence.ja for one in told)[:MESSAGE_LENGTH] or None
