"""The messages of the clinics' interface, element by element, under the names the field gives them.

What holds a person's values has no repr that shows them.
"""

from dataclasses import dataclass
from datetime import date, datetime

from eligibility.domain.codes import CardClass, Disease, LimitCategory, LimitClass, LossReason, Relation, Sex
from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.bulk import ITEM_TEXT_LENGTH
from terminal_agent.bridge import codec
from terminal_agent.bridge.codec import element, group, several
from terminal_agent.bridge.codes import (
    Care,
    Changed,
    CheckupFileCategory,
    ConsentFlag,
    FileCategory,
    Preschool,
    Processing,
    ReferenceClassification,
    Segment,
    Validity,
)
from terminal_agent.bridge.text import CharacterCode

_IDENTIFIER, _SYMBOL, _NAME, _PLACE, _SENTENCE = map(codec.text, (50, 20, 200, 400, 1000))
_BULK_TEXT = ITEM_TEXT_LENGTH

# ── What is asked ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """The header of a request: the institution's own code is compared, never trusted."""

    institution_code: str = element("MedicalInstitutionCode", codec.text(10), required=True)
    identifier: str | None = element("ArbitraryFileIdentifier", _IDENTIFIER)
    asked_for: date | None = element("QualificationConfirmationDate", codec.DATE)


@dataclass(frozen=True, slots=True, repr=False)
class NumberSearch:
    """An insured number and birth date; echoed in the answer."""

    insurer_number: InsurerNumber = element("InsurerNumber", codec.INSURER, required=True)
    number: str = element("InsuredIdentificationNumber", _SYMBOL, required=True)
    birth_date: date = element("Birthdate", codec.DATE, required=True)
    limit_consent: ConsentFlag = element(
        "LimitApplicationCertificateRelatedConsFlg", codec.code(ConsentFlag), required=True
    )
    symbol: str | None = element("InsuredCardSymbol", _SYMBOL)
    branch_number: str | None = element("InsuredBranchNumber", codec.BRANCH)
    identifier: str | None = element("ArbitraryIdentifier", _IDENTIFIER)


@dataclass(frozen=True, slots=True, repr=False)
class BulkSearch:
    """The same among many: what is malformed here is told of this person alone, so that it is kept as it is."""

    insurer_number: InsurerNumber | str | None = element("InsurerNumber", codec.lenient(codec.INSURER, _BULK_TEXT))
    symbol: str | None = element("InsuredCardSymbol", codec.text(_BULK_TEXT))
    number: str | None = element("InsuredIdentificationNumber", codec.text(_BULK_TEXT))
    branch_number: str | None = element("InsuredBranchNumber", codec.text(_BULK_TEXT))
    birth_date: date | str | None = element("Birthdate", codec.lenient(codec.DATE, _BULK_TEXT))
    limit_consent: str | None = element("LimitApplicationCertificateRelatedConsFlg", codec.text(_BULK_TEXT))
    identifier: str | None = element("ArbitraryIdentifier", _IDENTIFIER)


@dataclass(frozen=True, slots=True)
class NumberRequest:
    """OQSsiquc01req: one person by insured number."""

    header: RequestHeader = group("MessageHeader", RequestHeader, required=True)
    search: NumberSearch = group("MessageBody/QualificationConfirmSearchInfo", NumberSearch, required=True)


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """OQSmuquc01req: many persons. Whether something stands around each is not known, so that nothing depends on it."""

    header: RequestHeader = group("MessageHeader", RequestHeader, required=True)
    searches: tuple[BulkSearch, ...] = several("QualificationConfirmSearchInfo", BulkSearch, anywhere=True)


@dataclass(frozen=True, slots=True)
class BulkDownloadRequest:
    """OQSmuquc02req: what came of a bulk check."""

    header: RequestHeader = group("MessageHeader", RequestHeader, required=True)
    reception_number: str = element("MessageBody/ReceptionNumber", _IDENTIFIER, required=True)


@dataclass(frozen=True, slots=True, repr=False)
class ReferenceNumber:
    """The institution's own number of a patient."""

    reference_number: str = element("ReferenceNumber", _IDENTIFIER, required=True)
    insurer_number: InsurerNumber = element("InsurerNumber", codec.INSURER, required=True)
    number: str = element("InsuredIdentificationNumber", _SYMBOL, required=True)
    symbol: str | None = element("InsuredCardSymbol", _SYMBOL)
    branch_number: str | None = element("InsuredBranchNumber", codec.BRANCH)


@dataclass(frozen=True, slots=True)
class ReferenceNumberRequest:
    """OQSsiimm01req: register the institution's own number of a patient."""

    header: RequestHeader = group("MessageHeader", RequestHeader, required=True)
    registration: ReferenceNumber = group("MessageBody/ReferenceNumberRegistrationInfo", ReferenceNumber, required=True)


@dataclass(frozen=True, slots=True, repr=False)
class RecordRequestHeader:
    """The header of a request for medical data, whose names differ from the others'."""

    institution_code: str = element("MedicalInstitutionCode", codec.text(10), required=True)
    insurer_number: InsurerNumber = element("InsurerNumber", codec.INSURER, required=True)
    number: str = element("InsuredPersonIdentificationNumber", _SYMBOL, required=True)
    symbol: str | None = element("InsuranceCardSymbol", _SYMBOL)
    branch_number: str | None = element("BranchNumber", codec.BRANCH)
    identifier: str | None = element("ArbitraryFileIdentifier", _IDENTIFIER)


@dataclass(frozen=True, slots=True)
class MedicationRequest:
    """YZKsiquc01req: the medicines of some months."""

    header: RecordRequestHeader = group("MessageHeader", RecordRequestHeader, required=True)
    category: FileCategory = element("MessageBody/FileCategory", codec.code(FileCategory), required=True)
    from_month: str | None = element("MessageBody/StartDate", codec.MONTH)
    through_month: str | None = element("MessageBody/EndDate", codec.MONTH)
    classification: str | None = element("MessageBody/PrDiInfClassification", codec.digits(1, 1))
    care: Care | None = element("MessageBody/MedicalTreatmentFlag", codec.code(Care))


@dataclass(frozen=True, slots=True)
class CheckupRequest:
    """TKKsiquc01req: the check-ups that are kept."""

    header: RecordRequestHeader = group("MessageHeader", RecordRequestHeader, required=True)
    category: CheckupFileCategory = element("MessageBody/FileCategory", codec.code(CheckupFileCategory), required=True)
    classification: str | None = element("MessageBody/PrDiInfClassification", codec.digits(1, 1))
    care: Care | None = element("MessageBody/MedicalTreatmentFlag", codec.code(Care))


# ── What is answered ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class AnswerHeader:
    """The header of every answer; the numbers of results stand in those of bulk checks."""

    processed_at: datetime = element("ProcessExecutionTime", codec.MOMENT, required=True)
    character_code: CharacterCode = element("CharacterCodeIdentifier", codec.code(CharacterCode), required=True)
    segment: Segment = element("SegmentOfResult", codec.code(Segment), required=True)
    asked_for: date = element("QualificationConfirmationDate", codec.DATE, required=True)
    classification: ReferenceClassification = element(
        "ReferenceClassification", codec.code(ReferenceClassification), required=True
    )
    institution_code: str = element("MedicalInstitutionCode", codec.text(10), required=True)
    identifier: str | None = element("ArbitraryFileIdentifier", _IDENTIFIER)
    error_code: str | None = element("ErrorCode", codec.text(20))
    error_message: str | None = element("ErrorMessage", _SENTENCE)
    reception_number: str | None = element("ReceptionNumber", _IDENTIFIER)
    results: int | None = element("NumberOfProcessingResult", codec.number())
    results_done: int | None = element("NumberOfNormalProcessing", codec.number())
    results_wrong: int | None = element("NumberOfError", codec.number())


@dataclass(frozen=True, slots=True)
class ElderlyCertificate:
    """高齢受給者証."""

    issued_on: date | None = element("ElderlyRecipientCertificateDate", codec.DATE)
    valid_from: date | None = element("ElderlyRecipientValidStartDate", codec.DATE)
    valid_through: date | None = element("ElderlyRecipientValidEndDate", codec.DATE)
    copayment_percent: int | None = element("ElderlyRecipientContributionRatio", codec.PERCENT)


@dataclass(frozen=True, slots=True)
class LimitCertificate:
    """限度額適用認定証."""

    limit_class: LimitClass | None = element("LimitApplicationCertificateClassification", codec.code(LimitClass))
    category: LimitCategory | None = element("LimitApplicationCertificateClassificationFlag", codec.code(LimitCategory))
    issued_on: date | None = element("LimitApplicationCertificateDate", codec.DATE)
    valid_from: date | None = element("LimitApplicationCertificateValidStartDate", codec.DATE)
    valid_through: date | None = element("LimitApplicationCertificateValidEndDate", codec.DATE)
    long_term_on: date | None = element("LimitApplicationCertificateLongTermDate", codec.DATE)


@dataclass(frozen=True, slots=True)
class SpecificDisease:
    """特定疾病療養受療証."""

    disease: Disease | None = element("SpecificDiseasesDiseaseCategory", codec.code(Disease))
    issued_on: date | None = element("SpecificDiseasesCertificateDate", codec.DATE)
    valid_from: date | None = element("SpecificDiseasesValidStartDate", codec.DATE)
    valid_through: date | None = element("SpecificDiseasesValidEndDate", codec.DATE)
    self_pay_yen: int | None = element("SpecificDiseasesSelfPay", codec.number())


@dataclass(frozen=True, slots=True, repr=False)
class EligibilityResult:
    """ResultOfQualificationConfirmation: one coverage, with what the patient agreed to."""

    card_class: CardClass = element("InsuredCardClassification", codec.code(CardClass), required=True)
    name: str = element("Name", _NAME, required=True)
    sex: Sex = element("Sex1", codec.code(Sex), required=True)
    birth_date: date = element("Birthdate", codec.DATE, required=True)
    insurer_name: str = element("InsurerName", _NAME, required=True)
    insurer_number: InsurerNumber | None = element("InsurerNumber", codec.INSURER)
    symbol: str | None = element("InsuredCardSymbol", _SYMBOL)
    number: str | None = element("InsuredIdentificationNumber", _SYMBOL)
    branch_number: str | None = element("InsuredBranchNumber", codec.BRANCH)
    relation: Relation | None = element("PersonalFamilyClassification", codec.code(Relation))
    insured_name: str | None = element("InsuredName", _NAME)
    other_name: str | None = element("NameOfOther", _NAME)
    name_kana: str | None = element("NameKana", _NAME)
    other_name_kana: str | None = element("NameOfOtherKana", _NAME)
    sex_on_card: Sex | None = element("Sex2", codec.code(Sex))
    address: str | None = element("Address", _PLACE)
    postal_code: str | None = element("PostNumber", codec.text(20))
    acquired_on: date | None = element("QualificationDate", codec.DATE)
    lost_on: date | None = element("DisqualificationDate", codec.DATE)
    issued_on: date | None = element("InsuredCertificateIssuanceDate", codec.DATE)
    valid_from: date | None = element("InsuredCardValidDate", codec.DATE)
    valid_through: date | None = element("InsuredCardExpirationDate", codec.DATE)
    copayment_percent: int | None = element("InsuredPartialContributionRatio", codec.PERCENT)
    preschool: Preschool | None = element("PreschoolClassification", codec.code(Preschool))
    loss_reason: LossReason | None = element("ReasonOfLoss", codec.code(LossReason))
    elderly: ElderlyCertificate | None = group("ElderlyRecipientCertificateInfo", ElderlyCertificate)
    limit_consent: ConsentFlag | None = element("LimitApplicationCertificateRelatedConsFlg", codec.code(ConsentFlag))
    limit_consent_at: datetime | None = element("LimitApplicationCertificateRelatedConsTime", codec.MOMENT)
    limit: LimitCertificate | None = group("LimitApplicationCertificateRelatedInfo", LimitCertificate)
    disease_consent: ConsentFlag | None = element("SpecificDiseasesCertificateRelatedConsFlg", codec.code(ConsentFlag))
    disease_consent_at: datetime | None = element("SpecificDiseasesCertificateRelatedConsTime", codec.MOMENT)
    diseases: tuple[SpecificDisease, ...] = several(
        "SpecificDiseasesCertificateList/SpecificDiseasesCertificateInfo", SpecificDisease
    )
    checkup_consent: ConsentFlag | None = element("SpecificHealthCheckupsInfoConsFlg", codec.code(ConsentFlag))
    checkup_consent_at: datetime | None = element("SpecificHealthCheckupsInfoConsTime", codec.MOMENT)
    checkup_until: datetime | None = element("SpecificHealthCheckupsInfoAvailableTime", codec.MOMENT)
    # One exporter calls these PharmaceuticalInfo… and …AcquisitionTime.
    medication_consent: ConsentFlag | None = element(
        "PharmacistsInfoConsFlg", codec.code(ConsentFlag), also=("PharmaceuticalInfoConsFlg",)
    )
    medication_consent_at: datetime | None = element(
        "PharmacistsInfoConsTime", codec.MOMENT, also=("PharmaceuticalInfoConsTime",)
    )
    medication_until: datetime | None = element(
        "PharmacistsInfoAvailableTime",
        codec.MOMENT,
        also=("PharmaceuticalInfoAvailableTime", "PharmaceuticalInfoAcquisitionTime"),
    )
    diagnosis_consent: ConsentFlag | None = element("DiagnosisInfoConsFlg", codec.code(ConsentFlag))
    diagnosis_consent_at: datetime | None = element("DiagnosisInfoConsTime", codec.MOMENT)
    diagnosis_until: datetime | None = element("DiagnosisInfoAvailableTime", codec.MOMENT)
    reference_number: str | None = element("ReferenceNumber", _IDENTIFIER)
    identifier: str | None = element("ArbitraryIdentifier", _IDENTIFIER)


@dataclass(frozen=True, slots=True)
class EligibilityBody:
    """The body of OQSsiquc01res: how it ended, what was asked, and the coverages found."""

    processing: Processing = element("ProcessingResultStatus", codec.code(Processing), required=True)
    result_code: str | None = element("ProcessingResultCode", codec.text(20))
    result_message: str | None = element("ProcessingResultMessage", _SENTENCE)
    validity: Validity | None = element("QualificationValidity", codec.code(Validity))
    search: NumberSearch | None = group("QualificationConfirmSearchInfo", NumberSearch)
    results: tuple[EligibilityResult, ...] = several("ResultList/ResultOfQualificationConfirmation", EligibilityResult)


@dataclass(frozen=True, slots=True)
class EligibilityMessage:
    """OQSsiquc01res: the answer about one person, to a request or unasked after a card visit."""

    header: AnswerHeader = group("MessageHeader", AnswerHeader, required=True)
    body: EligibilityBody = group("MessageBody", EligibilityBody, required=True)


@dataclass(frozen=True, slots=True)
class BulkUnit:
    """One person's part of a bulk check's answer."""

    processing: Processing = element("ProcessingResultStatus", codec.code(Processing), required=True)
    search: BulkSearch | None = group("QualificationConfirmSearchInfo", BulkSearch)
    result_code: str | None = element("ProcessingResultCode", codec.text(20))
    result_message: str | None = element("ProcessingResultMessage", _SENTENCE)
    validity: Validity | None = element("QualificationValidity", codec.code(Validity))
    results: tuple[EligibilityResult, ...] = several("ResultOfQualificationConfirmation", EligibilityResult)
    reference_number: str | None = element("ReferenceNumber", _IDENTIFIER)
    limit_changed: Changed | None = element("LimitApplicationCertificateChanged", codec.code(Changed))


@dataclass(frozen=True, slots=True)
class BulkMessage:
    """OQSmuquc02res: a bulk check's answer; OQSmuquc01res is one without units."""

    header: AnswerHeader = group("MessageHeader", AnswerHeader, required=True)
    units: tuple[BulkUnit, ...] = several("MessageBody/BulkConfirmUnit", BulkUnit)


@dataclass(frozen=True, slots=True)
class PlainBody:
    """A body that only says how it ended."""

    processing: Processing = element("ProcessingResultStatus", codec.code(Processing), required=True)
    result_code: str | None = element("ProcessingResultCode", codec.text(20))
    result_message: str | None = element("ProcessingResultMessage", _SENTENCE)


@dataclass(frozen=True, slots=True)
class PlainMessage:
    """OQSsiimm01res, and the answer to a file that could not be read."""

    header: AnswerHeader = group("MessageHeader", AnswerHeader, required=True)
    body: PlainBody = group("MessageBody", PlainBody, required=True)
