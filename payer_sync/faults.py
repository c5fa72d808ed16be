"""Every fault an insurer's file can have: one table of codes with what each costs and what was expected."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from eligibility.wire.submissions import Severity

_FILE, _RECORD, _WARNING = Severity.FILE_REFUSED, Severity.RECORD_REFUSED, Severity.WARNING


class FaultCode(StrEnum):
    """A stable code; `severity` says what the fault costs, `ja` and `en` what was expected."""

    severity: Severity
    ja: str
    en: str

    def __new__(cls, code: str, severity: Severity, ja: str, en: str) -> Self:
        """Make the member; its value is the code alone."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.severity, member.ja, member.en = severity, ja, en
        return member

    # ── The file as a whole ──
    ENCODING_UNKNOWN = "encoding_unknown", _FILE, "UTF-8 か Shift_JIS(cp932)のファイル", "a file in UTF-8 or cp932"
    BYTES_UNDECODABLE = "bytes_undecodable", _FILE, "文字コードどおりのバイト列", "bytes of the file's encoding"
    NUL_BYTE = "nul_byte", _FILE, "NUL バイトを含まないテキスト", "text without NUL bytes"
    LINE_TOO_LONG = "line_too_long", _FILE, "上限以内の長さの行", "lines within the limit"
    HEADER_MISSING = "header_missing", _FILE, "1行目に項目名の行", "the names of the columns in line 1"
    COLUMN_MISSING = "column_missing", _FILE, "様式のすべての項目", "every column of the layout"
    COLUMN_UNKNOWN = "column_unknown", _FILE, "様式にある項目名だけ", "only names of the layout's columns"
    COLUMN_DUPLICATE = "column_duplicate", _FILE, "同じ項目名は一度だけ", "each column once"
    COLUMN_MISPLACED = "column_misplaced", _FILE, "様式どおりの項目の順", "the columns in the layout's order"
    DIGEST_WRONG = "digest_wrong", _FILE, "目録と同じ SHA-256", "the SHA-256 the manifest states"
    COUNT_WRONG = "count_wrong", _FILE, "目録と同じ件数", "as many records as the manifest states"
    CENTRE_FAILED = (
        "centre_failed", _FILE, "センター側の処理の成功(センターの不具合です。調べたうえで連絡します)",
        "that the centre can work on it; the fault is the centre's, which will look into it",
    )  # fmt: skip
    # ── One record ──
    WRONG_FIELD_COUNT = "wrong_field_count", _RECORD, "様式どおりの項目数", "as many fields as the layout has"
    QUOTES_WRONG = (
        "quotes_wrong", _RECORD, "項目全体を囲む引用符(中の引用符は二重、改行なし)",
        "quotes around a whole field, doubled inside it, no line break",
    )  # fmt: skip
    REQUIRED = "required", _RECORD, "必須項目の値", "a value: the field is required"
    UNKNOWN_CODE = "unknown_code", _RECORD, "コード表の値", "a code of the list"
    MALFORMED_DATE = "malformed_date", _RECORD, "実在する日付", "a day that exists"
    MALFORMED_NUMBER = "malformed_number", _RECORD, "決められた桁の数字", "digits of the stated form"
    MALFORMED_TEXT = "malformed_text", _RECORD, "この項目に使える文字", "characters this field allows"
    TOO_LONG = "too_long", _RECORD, "桁数の上限以内", "a value within the length limit"
    CONTROL_CHARACTER = "control_character", _RECORD, "制御文字のない値", "a value without control characters"
    MY_NUMBER = "my_number", _RECORD, "個人番号(マイナンバー)を含まない値", "a value that holds no My Number"
    OTHER_INSURER = "other_insurer", _RECORD, "提出した保険者の番号", "the number of the insurer that sends the file"
    LOSS_INCOMPLETE = (
        "loss_incomplete", _RECORD, "資格喪失日と喪失事由は両方か、どちらもなし",
        "the day and the reason of a loss together",
    )  # fmt: skip
    LOST_BEFORE_ACQUIRED = (
        "lost_before_acquired", _RECORD, "資格取得日以後の資格喪失日", "a loss on or after the acquisition",
    )  # fmt: skip
    ENDS_BEFORE_START = "ends_before_start", _RECORD, "開始日以後の終了日", "an end on or after the start"
    CERTIFICATE_INCOMPLETE = (
        "certificate_incomplete", _RECORD, "証の必須項目(区分・開始日など)がすべて揃うこと",
        "all that the certificate needs: its class, category or percent, and its start",
    )  # fmt: skip
    BORN_IN_FUTURE = "born_in_future", _RECORD, "今日以前の生年月日", "a birth date that is not in the future"
    BORN_AFTER_ACQUIRED = (
        "born_after_acquired", _RECORD, "資格取得日以前の生年月日", "a birth date on or before the acquisition",
    )  # fmt: skip
    CONTRADICTS = (
        "contradicts", _RECORD, "同じ資格の行は資格の項目が一致すること",
        "agreement with the other records of this coverage",
    )  # fmt: skip
    OVERLAPS = (
        "overlaps", _RECORD, "同じ人の、この保険者の他の資格と重ならない期間",
        "days that no other coverage of this person at this insurer has",
    )  # fmt: skip
    # ── Nothing is left out ──
    CHECK_DIGIT = "check_digit", _WARNING, "検証番号の合う保険者番号", "an insurer number whose check digit holds"
    GAIJI = "gaiji", _WARNING, "標準の文字(外字はそのまま保存)", "standard characters; this one is kept as it is"
    NOTHING_KNOWN = (
        "nothing_known", _WARNING, "登録済みの資格への喪失・取消(該当なし、変更なし)",
        "a loss or cancellation of a known coverage; none is known, nothing changed",
    )  # fmt: skip
    RETIREMENT_NOT_DONE = (
        "retirement_not_done", _WARNING, "全件ファイル。記載のない資格は終了せず、そのまま残した",
        "a full file; coverages it does not state were left as they are",
    )  # fmt: skip

    @property
    def expected(self) -> str:
        """What was expected, in both languages."""
        return both(self.ja, self.en)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where, what, and what was expected; `value_shape` never is the value."""

    code: FaultCode
    record: int | None = None
    field: str | None = None
    value_shape: str | None = None
    expected: str = ""

    @property
    def said(self) -> str:
        """What was expected, in this place or by the table."""
        return self.expected or self.code.expected


class FileRefused(Exception):
    """A file cannot be read at all; its faults say where and what was expected."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(", ".join(fault.code for fault in faults))
        self.faults = faults


def both(ja: str, en: str) -> str:
    """Join a sentence's two languages."""
    return f"{ja} / {en}"


def shape(text: str) -> str:
    """Return what a value looks like: 9 for a digit, A for a letter, あ for another, cut at 40 characters."""
    drawn = "".join(
        "9" if c in "0123456789" else "A" if c.isascii() and c.isalpha() else "あ" for c in text[:SHAPE_LENGTH]
    )
    return drawn + ("…" if len(text) > SHAPE_LENGTH else "")


SHAPE_LENGTH = 40
