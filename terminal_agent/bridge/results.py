"""Our own result codes: the field's list (別紙6-1) is not public, so that this one table stands in its place.

A code never changes its meaning. I is a notice beside an answer, E1 a fault of the file, E2 the centre's no, E3 why
medical data are not shown, E9 trouble with the line or with this terminal. The same codes stand in
`ProcessingResultCode`, `ErrorCode`, the files of `err/` and the REST problems.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eligibility.domain.errors import DomainError
from eligibility.wire.problems import Problem, Sentence
from terminal_agent.client import CentreError, Refused


class Result(StrEnum):
    """A result that is more than "done"."""

    CERTIFICATE_EXPIRING = "I0001"
    CERTIFICATE_IN_GRACE = "I0002"
    CHARACTERS_REPLACED = "I0003"
    ALSO_CLAIMED = "I0004"
    INSTITUTION_CHECK_DIGIT = "I0005"
    INSTITUTION_DIFFERS = "I0006"
    LIMIT_NEEDS_CARD = "I0007"
    OTHER_NOTICE = "I0099"

    UNREADABLE = "E1001"
    TOO_LARGE = "E1002"
    FORBIDDEN_XML = "E1003"
    ENCODING_UNKNOWN = "E1004"
    MALFORMED = "E1005"
    NOT_SUPPORTED = "E1006"
    NO_TREATMENT_DATA = "E1007"
    NOT_OUTPATIENT = "E1008"
    INCOMPLETE = "E1009"
    EMPTY = "E1010"
    LOCKED = "E1011"
    TOO_MANY_PERSONS = "E1012"

    SUSPENDED = "E2001"
    RATE_LIMITED = "E2002"
    REFUSED = "E2003"
    RECEPTION_UNKNOWN = "E2004"
    PATIENT_NOT_CHECKED = "E2005"
    PATIENT_AMBIGUOUS = "E2006"
    REFERENCE_NUMBER_TAKEN = "E2007"
    MY_NUMBER = "E2008"  # not a fault of the file: one with a My Number in it is kept nowhere

    NO_VISIT = "E3001"
    NOT_SIGNED_IN = "E3002"
    ROLE_MAY_NOT = "E3003"
    NO_CONSENT = "E3004"
    CONSENT_OVER = "E3005"
    CARD_EXPIRED = "E3006"
    NOT_SHOWN = "E3007"

    CENTRE_AWAY = "E9001"
    CENTRE_BUSY = "E9002"
    TERMINAL_NOT_ACCEPTED = "E9003"
    INTERNAL = "E9999"


SAID: Final[dict[Result, Sentence]] = {
    result: Sentence(ja=ja, en=en)
    for result, ja, en in (
        (
            Result.CERTIFICATE_EXPIRING,
            "電子証明書の有効期限が3か月以内に切れます。",
            "The card's certificate expires within three months.",
        ),
        (
            Result.CERTIFICATE_IN_GRACE,
            "電子証明書の有効期限が切れています。薬剤情報などは閲覧できません。",
            "The card's certificate has expired; medical data are not shown.",
        ),
        (
            Result.CHARACTERS_REPLACED,
            "この文字コードで表せない文字を●に置き換えました:",
            "Characters this encoding lacks were replaced by ●:",
        ),
        (Result.ALSO_CLAIMED, "ほかの保険者も資格を届け出ています:", "Also claimed by another insurer:"),
        (
            Result.INSTITUTION_CHECK_DIGIT,
            "医療機関コードの検証番号が合いません。",
            "The institution code's check digit does not hold.",
        ),
        (
            Result.INSTITUTION_DIFFERS,
            "要求の医療機関コードがこの端末のものと異なります。この端末の医療機関として処理しました。",
            "The institution code is not this terminal's; it was answered as this terminal's institution.",
        ),
        (
            Result.LIMIT_NEEDS_CARD,
            "限度額情報は、カードでの本人確認と同意があるときに表示できます。",
            "The limit certificate is shown after the patient's consent with the card.",
        ),
        (Result.OTHER_NOTICE, "お知らせがあります。", "There is a notice."),
        (
            Result.UNREADABLE,
            "XMLとして読めません(ルートは XmlMsg)。",
            "The file cannot be read as XML with the root XmlMsg.",
        ),
        (Result.TOO_LARGE, "大きすぎます。", "It is too large."),
        (
            Result.FORBIDDEN_XML,
            "DOCTYPE・実体宣言は使えません。",
            "A document type or entities are declared, which is not allowed.",
        ),
        (Result.ENCODING_UNKNOWN, "文字コードは Shift_JIS か UTF-8 です。", "The encoding is Shift_JIS or UTF-8."),
        (Result.MALFORMED, "要素に誤りがあります:", "Elements are wrong:"),
        (Result.NOT_SUPPORTED, "この処理には対応していません。", "This request is not supported."),
        (
            Result.NO_TREATMENT_DATA,
            "診療情報には対応していません。FileCategory は 1 か 2 です。",
            "Treatment data are not provided; FileCategory is 1 or 2.",
        ),
        (
            Result.NOT_OUTPATIENT,
            "訪問・オンライン診療の同意には対応していません。",
            "Consents of home visits and online care are not supported.",
        ),
        (Result.MY_NUMBER, "個人番号(マイナンバー)は受け付けません。", "A My Number is never taken."),
        (Result.INCOMPLETE, "ファイルが途中で切れています。", "The file ends half-way."),
        (Result.EMPTY, "ファイルが空です。", "The file is empty."),
        (
            Result.LOCKED,
            "ファイルを読めません(使用中、または権限がありません)。",
            "The file cannot be opened: in use, or not permitted.",
        ),
        (
            Result.TOO_MANY_PERSONS,
            "一括照会は1人以上10,000人以下です。",
            "A bulk check holds 1 to 10,000 persons.",
        ),
        (Result.SUSPENDED, "この方の情報は閲覧停止中です。", "Viewing of this person's data is suspended."),
        (Result.RATE_LIMITED, "照会が多すぎます。1分ほど待ってください。", "Too many look-ups; wait about a minute."),
        (Result.REFUSED, "資格確認センターが受け付けませんでした。", "The centre refused the request."),
        (Result.RECEPTION_UNKNOWN, "この受付番号は見つかりません。", "The reception number is not known."),
        (
            Result.PATIENT_NOT_CHECKED,
            "この番号の方の資格確認がまだです。先に資格を確認してください。",
            "Nobody with this number has been checked here yet; check eligibility first.",
        ),
        (
            Result.PATIENT_AMBIGUOUS,
            "同じ番号の方が複数います。記号と枝番も入力してください。",
            "Several patients have this number; give symbol and branch number.",
        ),
        (
            Result.REFERENCE_NUMBER_TAKEN,
            "この照会番号は別の患者に使われています。",
            "The reference number is another patient's.",
        ),
        (
            Result.NO_VISIT,
            "この番号の方の24時間以内のカードでの受付がこの端末にありません。",
            "Nobody with this number was here with their card within 24 hours.",
        ),
        (Result.NOT_SIGNED_IN, "職員がサインインしていません。", "No member of staff is signed in."),
        (
            Result.ROLE_MAY_NOT,
            "サインイン中の職種では閲覧できません。",
            "The role of who is signed in may not see this.",
        ),
        (Result.NO_CONSENT, "患者の同意がありません。", "The patient did not consent."),
        (Result.CONSENT_OVER, "患者の同意が終わっています。", "The patient's consent is over."),
        (
            Result.CARD_EXPIRED,
            "電子証明書が期限切れか、失効しています。",
            "The card's certificate has expired or is revoked.",
        ),
        (Result.NOT_SHOWN, "この情報は表示できません。", "This cannot be shown."),
        (
            Result.CENTRE_AWAY,
            "資格確認センターに接続できません。",
            "The eligibility centre cannot be reached.",
        ),
        (Result.CENTRE_BUSY, "混み合っています。少し待ってやり直してください。", "The centre is busy; try again soon."),
        (
            Result.TERMINAL_NOT_ACCEPTED,
            "この端末の証明書を確認してください。",
            "This terminal's certificate needs attention.",
        ),
        (Result.INTERNAL, "端末の内部で問題が起きました。", "Something went wrong in this terminal."),
    )
}

# What the centre calls it → what the clinic's software is told.
OF_CENTRE: Final = {
    "rate_limited": Result.RATE_LIMITED,
    "my_number_refused": Result.MY_NUMBER,
    "malformed": Result.MALFORMED,
    "busy": Result.CENTRE_BUSY,
    "internal": Result.CENTRE_BUSY,
    "caller_unknown": Result.TERMINAL_NOT_ACCEPTED,
    "patient_not_checked": Result.PATIENT_NOT_CHECKED,
    "patient_ambiguous": Result.PATIENT_AMBIGUOUS,
    "reference_number_taken": Result.REFERENCE_NUMBER_TAKEN,
    "verification_not_found": Result.NO_VISIT,
    "staff_session_needed": Result.NOT_SIGNED_IN,
    "not_shown_role": Result.ROLE_MAY_NOT,
    "not_shown_no_consent": Result.NO_CONSENT,
    "not_shown_withdrawn": Result.CONSENT_OVER,
    "not_shown_consent_expired": Result.CONSENT_OVER,
    "not_shown_needs_card": Result.NO_CONSENT,
    "not_shown_certificate_expired": Result.CARD_EXPIRED,
    "not_shown_certificate_revoked": Result.CARD_EXPIRED,
    "not_shown_revocation_unknown": Result.NOT_SHOWN,
    "not_shown_not_covered": Result.NOT_SHOWN,
    "not_shown_suspended": Result.SUSPENDED,
}
OF_LINE: Final = {
    "terminal_not_accepted": Result.TERMINAL_NOT_ACCEPTED,
    "centre_not_trusted": Result.TERMINAL_NOT_ACCEPTED,
    "credentials_unreadable": Result.TERMINAL_NOT_ACCEPTED,
}
NOTICES: Final = {
    "certificate_expiring": Result.CERTIFICATE_EXPIRING,
    "certificate_in_grace": Result.CERTIFICATE_IN_GRACE,
}


@dataclass(frozen=True, slots=True)
class Told:
    """A result with what is added to its sentence: names of elements, a name of an insurer; never a patient's value."""

    result: Result
    more: str = ""
    # The centre's own sentence for reception, where it says more than the code's.
    instead: Sentence | None = None

    @property
    def sentence(self) -> Sentence:
        """The sentence as it is shown."""
        said = self.instead or SAID[self.result]
        return Sentence(ja=f"{said.ja} {self.more}".strip(), en=f"{said.en} {self.more}".strip())


class NotDone(DomainError):
    """A request is not carried out, and why is told."""

    def __init__(self, told: Told) -> None:
        super().__init__(told.result.value)
        self.told = told


def not_done(result: Result, more: str = "") -> NotDone:
    """Make the error of a result."""
    return NotDone(Told(result, more))


def told_of(error: Refused | CentreError) -> Told:
    """Return what is told of the centre's no, or of its silence."""
    if isinstance(error, Refused):
        return told_of_problem(error.problem)
    return Told(OF_LINE.get(error.code, Result.CENTRE_AWAY))


def told_of_problem(problem: Problem) -> Told:
    """Return what is told of a problem: the code of the table, and the centre's sentence where the table has none."""
    if problem.code in OF_CENTRE:
        pointers = ", ".join(fault.pointer for fault in problem.faults)
        return Told(OF_CENTRE[problem.code], pointers)
    result = Result.CENTRE_BUSY if problem.status >= _SERVER_TROUBLE else Result.REFUSED
    return Told(result, instead=problem.staff)


_SERVER_TROUBLE: Final = 500
