"""The interface's code lists that only its messages need (numbers in the docstrings)."""

from eligibility.domain.codes import FieldCode, Outcome


class ReferenceClassification(FieldCode):
    """What was asked with (002)."""

    CARD = "1", "マイナンバーカード", "My Number card"
    NUMBER = "2", "被保険者証情報", "insured number"


class Segment(FieldCode):
    """How a request ended (003 SegmentOfResult)."""

    DONE = "1", "正常終了", "done"
    WORKING = "2", "処理中", "working"
    FAILED = "9", "異常終了", "failed"


class Processing(FieldCode):
    """How one person's check ended (004 ProcessingResultStatus)."""

    DONE = "1", "正常終了", "done"
    ERROR = "2", "エラー", "error"


class Validity(FieldCode):
    """What came of it (006 QualificationValidity); 6 belongs to medical assistance, which is not answered here."""

    VALID = "1", "有効", "valid"
    LAPSED = "2", "無効", "lapsed"
    LAPSED_NEWER_EXISTS = "3", "無効(新しい資格あり)", "lapsed, a newer coverage exists"
    NONE = "4", "該当資格なし", "no coverage found"
    SEVERAL = "5", "複数該当", "several match"
    UNREGISTERED = "6", "有効(未登録)", "valid, not registered"


class ConsentFlag(FieldCode):
    """Whether the patient agreed (016; of the limit certificate 001)."""

    NO = "0", "なし", "no"
    YES = "1", "あり", "yes"
    EXPIRED = "2", "有効期限切れ", "expired"
    UNOBTAINABLE = "3", "同意取得困難", "could not be asked"


class Preschool(FieldCode):
    """A child before school (015)."""

    YES = "1", "未就学", "before school"


class Changed(FieldCode):
    """Whether the limit certificate differs from the last check (014)."""

    NO = "0", "変更なし", "unchanged"
    YES = "1", "変更あり/判定不能", "changed, or not known"


class FileCategory(FieldCode):
    """What is to be sent of a medication request."""

    MEDICATION_PDF = "1", "薬剤PDF", "medication, PDF"
    MEDICATION_XML = "2", "薬剤XML", "medication, XML"
    MEDICATION_TREATMENT_PDF = "3", "薬剤診療PDF", "medication and treatment, PDF"
    MEDICATION_TREATMENT_XML = "4", "薬剤診療XML", "medication and treatment, XML"


class CheckupFileCategory(FieldCode):
    """What is to be sent of a check-up request."""

    PDF = "1", "PDF", "PDF"
    XML = "2", "XML", "XML"


class Care(FieldCode):
    """Where care is given (028 診療区分); consents of visits and of online care are not known here."""

    OUTPATIENT = "1", "外来", "outpatient"
    VISIT = "2", "訪問", "visit"
    ONLINE = "3", "オンライン", "online"


# A suspended viewing has no code of its own: it is answered as an error, never as a coverage.
VALIDITY: dict[Outcome, Validity] = {
    Outcome.VALID: Validity.VALID,
    Outcome.LAPSED: Validity.LAPSED,
    Outcome.LAPSED_NEWER_EXISTS: Validity.LAPSED_NEWER_EXISTS,
    Outcome.NONE: Validity.NONE,
    Outcome.SEVERAL: Validity.SEVERAL,
}
