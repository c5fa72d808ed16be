"""The field's code lists (OQSCD numbers in the docstrings), each code with its Japanese and English words."""

from enum import StrEnum
from typing import Self


class FieldCode(StrEnum):
    """A code of the external interface: the value is what travels, `ja` and `en` are what people read."""

    ja: str
    en: str

    def __new__(cls, code: str, ja: str = "", en: str = "") -> Self:
        """Make the member; its value is the code alone, by which it is also looked up."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.ja, member.en = ja, en
        return member


class Sex(FieldCode):
    """Sex (007)."""

    MALE = "1", "男", "male"
    FEMALE = "2", "女", "female"
    UNSPECIFIED = "3", "未設定", "unspecified"


class Relation(FieldCode):
    """Insured person or dependent (009 本人・家族)."""

    INSURED = "1", "本人", "insured person"
    DEPENDENT = "2", "家族", "dependent"


class LossReason(FieldCode):
    """Why a coverage ended (008)."""

    DEATH = "01", "死亡", "death"
    PUBLIC_ASSISTANCE = "02", "生活保護受給開始", "public assistance began"
    OTHER_INSURANCE = "03", "医療保険等の資格取得", "other health insurance acquired"
    OTHER = "99", "その他", "other"


class CardClass(FieldCode):
    """Kind of insured person's card (010 被保険者証区分)."""

    GENERAL = "01", "一般", "general"
    RETIRED = "02", "退職", "retired"
    SHORT_TERM = "03", "短期(一般)", "short term (general)"
    SHORT_TERM_RETIRED = "04", "短期(退職)", "short term (retired)"
    SPECIAL_MEDICAL_EXPENSE = "05", "特別療養費", "special medical expense"
    SPECIAL_RETIRED = "06", "特例退職", "special retired"
    SELF_DEFENCE = "07", "自衛官診療証", "self-defence forces"
    PUBLIC_ASSISTANCE = "A1", "医療扶助", "medical assistance"


class LimitClass(FieldCode):
    """Kind of limit certificate (011 限度額適用認定証区分)."""

    LIMIT = "01", "限度額適用認定証", "limit certificate"
    LIMIT_AND_STANDARD = "02", "限度額適用・標準負担額減額認定証", "limit and standard-charge reduction certificate"
    STANDARD = "03", "標準負担額減額認定証", "standard-charge reduction certificate"


class LimitCategory(FieldCode):
    """Income category of a limit certificate (012 適用区分): A for those under 70, B for 70 and over."""

    A01 = "A01", "ア", "A (ア)"
    A02 = "A02", "イ", "B (イ)"
    A03 = "A03", "ウ", "C (ウ)"
    A04 = "A04", "エ", "D (エ)"
    A05 = "A05", "オ", "E (オ)"
    A06 = "A06", "オ(境)", "E, borderline"
    B01 = "B01", "現役並みⅢ", "active income III"
    B02 = "B02", "現役並みⅡ", "active income II"
    B03 = "B03", "現役並みⅠ", "active income I"
    B04 = "B04", "一般", "general"
    B05 = "B05", "低所得Ⅱ", "low income II"
    B06 = "B06", "低所得Ⅰ", "low income I"
    B07 = "B07", "低所得Ⅰ(老福)", "low income I, old-age welfare pension"
    B08 = "B08", "低所得Ⅰ(境)", "low income I, borderline"
    B09 = "B09", "一般Ⅱ", "general II"
    B10 = "B10", "一般Ⅰ", "general I"


class Disease(FieldCode):
    """Disease of a specific disease certificate (013)."""

    KIDNEY_FAILURE = "1", "慢性腎不全(人工透析)", "chronic kidney failure (dialysis)"
    HAEMOPHILIA = "2", "血友病(第VIII・IX因子)", "haemophilia (factor VIII or IX)"
    HIV_BLOOD_PRODUCTS = "3", "血液製剤によるHIV感染症", "HIV from blood products"


class Method(FieldCode):
    """How the holder's identity was established; recorded on every verification, never upgraded."""

    PIN = "pin", "暗証番号", "PIN"
    FACE = "face", "顔認証", "face"
    VISUAL = "visual", "目視確認", "visual check by staff"
    NUMBER = "number", "被保険者番号", "insured number"
    DISASTER = "disaster", "災害時", "disaster mode"


class Outcome(FieldCode):
    """The answer to "is this person insured on this day" (006 QualificationValidity)."""

    VALID = "valid", "有効", "valid"
    LAPSED = "lapsed", "無効(資格喪失)", "lapsed"
    LAPSED_NEWER_EXISTS = "lapsed_newer_exists", "無効(新しい資格あり)", "lapsed, a newer coverage exists"
    NONE = "none", "該当資格なし", "no coverage found"
    SEVERAL = "several", "複数該当", "several persons match"
    SUSPENDED = "suspended", "閲覧停止中", "viewing suspended"


class ConsentClass(FieldCode):
    """A class of information a patient may agree to show."""

    LIMIT_CERTIFICATE = "limit_certificate", "限度額情報", "limit certificate"
    SPECIFIC_DISEASE = "specific_disease", "特定疾病情報", "specific disease certificate"
    MEDICATION = "medication", "薬剤情報", "medication"
    CHECKUP = "checkup", "特定健診情報", "check-ups"
    TREATMENT = "treatment", "診療情報", "treatment"


class Role(FieldCode):
    """What a member of an institution's staff is; docs/disclosure.md says what each may see."""

    CLERK = "clerk", "事務", "clerk"
    NURSE = "nurse", "看護師", "nurse"
    PHARMACIST = "pharmacist", "薬剤師", "pharmacist"
    DOCTOR = "doctor", "医師", "doctor"


class ClaimKind(FieldCode):
    """What kind of receipt states something."""

    MEDICAL = "medical", "医科", "medical"
    DISPENSING = "dispensing", "調剤", "dispensing"


class TreatmentRecord(FieldCode):
    """What a line of a claim that is no medicine states: the record's type in the UKE file."""

    PROCEDURE = "SI", "診療行為", "procedure"
    DEVICE = "TO", "特定器材", "device or material"
    COMMENT = "CO", "コメント", "comment"


class ServiceClass(FieldCode):
    """What a procedure is part of (診療識別), as far as the codes are certain."""

    FIRST_VISIT = "11", "初診", "first visit"
    RETURN_VISIT = "12", "再診", "return visit"
    MANAGEMENT = "13", "医学管理", "medical management"
    HOME_CARE = "14", "在宅", "home care"
    ORAL = "21", "内服", "oral medication"
    AS_NEEDED = "22", "屯服", "medication as needed"
    EXTERNAL = "23", "外用", "external medication"
    TREATMENT = "40", "処置", "treatment"
    OPERATION = "50", "手術", "operation"
    EXAMINATION = "60", "検査", "examination"
    IMAGING = "70", "画像診断", "imaging"
    OTHER = "80", "その他", "other"
    ADMISSION = "90", "入院", "hospital stay"


class UsageGroup(FieldCode):
    """How a medicine is used: the medical claim's 診療識別 and the dispensing claim's 剤形 in one list."""

    ORAL = "oral", "内服", "oral"
    ORAL_DROPS = "oral_drops", "内服滴剤", "oral drops"
    AS_NEEDED = "as_needed", "屯服", "as needed"
    INJECTION = "injection", "注射", "injection"
    EXTERNAL = "external", "外用", "external"
    DECOCTION = "decoction", "浸煎薬", "decoction"
    HERBAL_TEA = "herbal_tea", "湯薬", "herbal tea"
    MATERIAL = "material", "材料", "material"
    HOME = "home", "在宅", "for use at home under the institution's care"
    PROCEDURE = "procedure", "処置等", "used up in an examination, a treatment or an operation"
