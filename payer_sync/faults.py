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
    LINES_ASTRAY = (
        "lines_astray", _FILE, "項目数の合う行(合わない行は上限以内)",
        "lines with the layout's fields; others within the limit",
    )  # fmt: skip
    HEADER_MISSING = "header_missing", _FILE, "1行目に項目名の行", "the names of the columns in line 1"
    COLUMN_MISSING = "column_missing", _FILE, "様式のすべての項目", "every column of the layout"
    COLUMN_UNKNOWN = "column_unknown", _FILE, "様式にある項目名だけ", "only names of the layout's columns"
    COLUMN_DUPLICATE = "column_duplicate", _FILE, "同じ項目名は一度だけ", "each column once"
    COLUMN_MISPLACED = "column_misplaced", _FILE, "様式どおりの項目の順", "the columns in the layout's order"
    EDITION_NOT_YET = (
        "edition_not_yet", _FILE, "受付が始まった版(次の版は練習環境だけが受け付ける)",
        "an edition that is in force; the next one is taken by practice environments only",
    )  # fmt: skip
    EDITION_ENDED = "edition_ended", _FILE, "受付が終わっていない版", "an edition that is still accepted"
    DIGEST_WRONG = "digest_wrong", _FILE, "目録と同じ SHA-256", "the SHA-256 the manifest states"
    COUNT_WRONG = "count_wrong", _FILE, "目録と同じ件数", "as many records as the manifest states"
    OVERTAKEN = (
        "overtaken", _FILE, "後のファイルより先の承認(承認の間に後のファイルが取り込まれた。以前に戻さない)",
        "an approval before a later file is merged; one was merged meanwhile, and old data never go over newer ones",
    )  # fmt: skip
    UPLOAD_OVERTAKEN = (
        "upload_overtaken", _FILE,
        "後のファイルより先の送信完了(止まっている間に後のファイルが取り込まれた。以前に戻さない)",
        "an upload that ends before a later file is merged; one was merged while this had stopped, and old data never"
        " go over newer ones. Send it again if it is to stand",
    )  # fmt: skip
    UPLOAD_ABANDONED = (
        "upload_abandoned", _FILE, "最後まで送られたファイル(止まったままの受付を終了した。必要なら送り直すこと)",
        "a file that is sent to its end; nobody went on with this upload, and it was ended. Send it again if needed",
    )  # fmt: skip
    ANNOUNCED_AGAIN = (
        "announced_again", _FILE, "一度だけの提出(同じ内容のファイルが新たに提出されたため、この受付を終了した)",
        "a file that is announced once; the very same bytes were announced again, and this upload was ended",
    )  # fmt: skip
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
    MALFORMED_DATE = "malformed_date", _RECORD, "明治以後の実在する日付", "a day that exists, of Meiji or later"
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
    ANOTHER_PERSON = (
        "another_person", _RECORD, "登録済みの資格と同じ人(紐付番号・生年月日)の喪失・取消",
        "a loss or cancellation of the person known under this number: linkage code and birth date agree",
    )  # fmt: skip
    OVERLAPS = (
        "overlaps", _RECORD, "同じ人の、この保険者の他の資格と重ならない期間",
        "days that no other coverage of this person at this insurer has",
    )  # fmt: skip
    # ── Nothing is left out ──
    CHECK_DIGIT = "check_digit", _WARNING, "検証番号の合う保険者番号", "an insurer number whose check digit holds"
    GAIJI = "gaiji", _WARNING, "標準の文字(外字はそのまま保存)", "standard characters; this one is kept as it is"
    FAR_IN_FUTURE = (
        "far_in_future", _WARNING, "1年先までの日付(そのまま取り込む)",
        "a day at most a year ahead; this one is taken as it is",
    )  # fmt: skip
    NOTHING_KNOWN = (
        "nothing_known", _WARNING, "登録済みの資格への喪失・取消(該当なし、変更なし)",
        "a loss or cancellation of a known coverage; none is known, nothing changed",
    )  # fmt: skip
    LOSS_KEPT = (
        "loss_kept", _WARNING, "登録済みの資格への喪失(この資格の記録は確認中。その記録に喪失を付け、その取込時に有効)",
        "a loss of a coverage as it is known; this one's record is still kept in a case, and was given the loss",
    )  # fmt: skip
    RETIREMENT_NOT_DONE = (
        "retirement_not_done", _WARNING, "不受理の記録がない全件ファイル(記載のない資格は終了せず、そのまま残した)",
        "a full file without refused records; coverages it does not state were left as they are",
    )  # fmt: skip
    RETIRED = (
        "retired", _WARNING, "全件ファイルに記載のない資格を終了した", "a full file; who it does not state was retired",
    )  # fmt: skip
    COVERED_ELSEWHERE = (
        "covered_elsewhere", _WARNING, "他の保険者の資格と重ならない期間",
        "days that no coverage at another insurer has",
    )  # fmt: skip
    # ── Held for approval: nothing is merged until an operator has looked ──
    HELD_DIGEST = "held_digest", _WARNING, "目録と同じ SHA-256", "the SHA-256 the manifest states"
    HELD_COUNT_DROP = "held_count_drop", _WARNING, "件数の大きな減少がないこと", "no large drop of the count"
    HELD_COLUMN_EMPTY = (
        "held_column_empty", _WARNING, "登録済みの値がある項目が空にならないこと",
        "no column that was filled and is now empty",
    )  # fmt: skip
    HELD_RETIREMENT = (
        "held_retirement", _WARNING, "登録済みの全員が記載された全件ファイル", "a full file that states everyone known",
    )  # fmt: skip
    # ── Kept from the register, in a case ──
    MISLINK_SUSPECTED = (
        "mislink_suspected", _RECORD, "紐付番号の人と氏名・生年月日・性別が一致すること",
        "the holder whom the linkage code means",
    )  # fmt: skip
    MISLINK_REVIEW = (
        "mislink_review", _RECORD, "紐付番号の人と同じ氏名(改姓などは確認後に取込)",
        "the name known for the linkage code; a changed name is reviewed first",
    )  # fmt: skip
    PERSONS_SWAPPED = (
        "persons_swapped", _RECORD, "入れ替わっていない紐付番号",
        "linkage codes that are not exchanged between two persons",
    )  # fmt: skip
    CLAIMED_TWICE = (
        "claimed_twice", _RECORD, "一つの紐付番号に、同じ期間は一つの被保険者番号",
        "one insured number at a time for one linkage code",
    )  # fmt: skip
    MISLINK_ELSEWHERE = (
        "mislink_elsewhere", _WARNING, "他の保険者の記載と一致する紐付番号",
        "a linkage code that another insurer's file agrees with",
    )  # fmt: skip
    CASE_CLOSED = (
        "case_closed", _WARNING, "確認が終わった紐付けの疑い", "a case of a suspected wrong link that was closed",
    )  # fmt: skip
    SPLIT_OFF = (
        "split_off", _WARNING, "本人の紐付番号(この資格は、記載された紐付番号の人から別人として分離した)",
        "the holder's own linkage code; the coverage was split from the person whom the stated one means",
    )  # fmt: skip
    # ── Claims ──
    TOTALS_MISSING = "totals_missing", _FILE, "末尾に GO の記録がある UKE", "a UKE file that ends with its GO record"
    INSTITUTION_MISSING = (
        "institution_missing", _RECORD, "受理された医療機関の記録(IR・YK)に続くレセプト",
        "a receipt that follows an accepted record of its institution (IR, YK)",
    )  # fmt: skip
    RECORD_MISPLACED = "record_misplaced", _RECORD, "決められた順の記録", "records in the order of the format"
    RECEIPT_REPEATED = "receipt_repeated", _RECORD, "同じレセプトは一度だけ", "each receipt once in a file"
    RECEIPT_TOO_LARGE = (
        "receipt_too_large", _RECORD, "上限以内の記録数・数量のレセプト",
        "a receipt within the limits of records and amounts",
    )  # fmt: skip
    OTHER_DAY = "other_day", _RECORD, "診療・調剤年月の中の日付", "a day of the month of care"
    CARE_IN_FUTURE = (
        "care_in_future", _RECORD, "今日・請求年月より後でない診療・調剤",
        "care that lies neither after today nor after the month of claim",
    )  # fmt: skip
    RECORD_TYPE_UNKNOWN = (
        "record_type_unknown", _WARNING, "既知のレコード識別(読み飛ばした)",
        "a known type of record; this one was passed over",
    )  # fmt: skip
    TOTALS_DIFFER = "totals_differ", _WARNING, "記録の合計と一致する総件数・総点数", "totals that the records add up to"
    POINTS_DIFFER = "points_differ", _WARNING, "明細の合計と一致する合計点数", "points that the lines add up to"
    NO_COVERAGE_ON_DAY = (
        "no_coverage_on_day", _WARNING, "診療日にこの保険者の資格がある番号と生年月日(レセプトは人に結び付けず保存)",
        "an insured number and birth date covered here on the day of care; kept without a person",
    )  # fmt: skip
    SEVERAL_PERSONS = (
        "several_persons", _WARNING, "一人に定まる番号(枝番)(レセプトは人に結び付けず保存)",
        "a number of one person only (branch number); kept without a person",
    )  # fmt: skip
    SEX_DISAGREES = (
        "sex_disagrees", _WARNING, "この番号と生年月日の人の登録済みの性別(レセプトは人に結び付けず保存)",
        "the sex known for the holder of this number and birth date; kept without a person",
    )  # fmt: skip
    HOLDER_DIFFERS = (
        "holder_differs", _WARNING, "このレセプトの番号で登録済みの保険者・番号・生年月日",
        "the insurer, number and birth date known for this receipt's number",
    )  # fmt: skip
    LIKELY_DUPLICATE = (
        "likely_duplicate", _WARNING, "同じ人・医療機関・月・種別のレセプトは一つ(両方を残した)",
        "one receipt of a person, institution, month and type; both are kept",
    )  # fmt: skip
    RETURN_RECORDED = (
        "return_recorded", _WARNING, "返戻の記録(HR)のないレセプト(返戻は取消と扱わず、請求として取り込む)",
        "a receipt without a record of its return (HR); it is taken as claimed, for nothing is taken back by it",
    )  # fmt: skip
    COVERAGE_ENDS_WITHIN = (
        "coverage_ends_within", _WARNING, "すべての診療日に続く資格", "a coverage that lasts through all days of care",
    )  # fmt: skip
    DRUG_UNKNOWN = (
        "drug_unknown", _WARNING, "医薬品マスターにあるコード(そのまま保存)",
        "a code of the drug master; kept as it is",
    )  # fmt: skip
    # ── Check-ups ──
    ARCHIVE_DAMAGED = "archive_damaged", _FILE, "壊れていない ZIP", "a ZIP archive without damage"
    ARCHIVE_TOO_LARGE = "archive_too_large", _FILE, "上限以内の ZIP", "a ZIP archive within the limits"
    ARCHIVE_ENTRY = "archive_entry", _FILE, "ZIP 内は健診の XML だけ", "only check-up documents in the ZIP archive"
    XML_FORBIDDEN = (
        "xml_forbidden", _FILE, "DTD・実体宣言のない、上限以内の XML",
        "XML without DTD and entities, within the limits",
    )  # fmt: skip
    DOCUMENT_WRONG = "document_wrong", _RECORD, "読み取れる健診の CDA 文書", "a check-up as a readable CDA document"
    PERSON_NOT_NAMED = "person_not_named", _RECORD, "番号か紐付番号", "an insured number or a linkage code"
    PERSON_NOT_FOUND = (
        "person_not_found", _RECORD, "健診実施日にこの保険者の資格がある人",
        "a person insured here on the day of the check-up",
    )  # fmt: skip
    PERSON_AMBIGUOUS = (
        "person_ambiguous", _RECORD, "一人に定まる番号(枝番)",
        "a number of one person only (branch number)",
    )  # fmt: skip
    PERSON_DISAGREES = (
        "person_disagrees", _RECORD, "登録済みの番号・生年月日・性別との一致",
        "agreement with the number, birth date and sex known",
    )  # fmt: skip
    PERFORMED_IN_FUTURE = "performed_in_future", _RECORD, "今日以前の健診実施日", "a check-up that is not in the future"
    RESULT_MALFORMED = (
        "result_malformed", _RECORD, "PQ は数値(小数6桁以内)、CD・CO は20文字以内の英数のコード",
        "for PQ a number of at most six decimals, for CD and CO a code of at most 20 characters",
    )  # fmt: skip
    RANGE_WRONG = "range_wrong", _RECORD, "基準下限以上の基準上限", "an upper bound that is not below the lower one"
    CHECKUP_CONTRADICTS = (
        "checkup_contradicts", _RECORD, "一つの健診で生年月日・性別が一致し、各項目の結果は一つ",
        "one birth date and sex in a check-up, and one result for each item",
    )  # fmt: skip
    CHECKUP_INCOMPLETE = (
        "checkup_incomplete", _RECORD, "同じ健診のすべての記録が受理されること",
        "no refused record in the same check-up",
    )  # fmt: skip
    PERFORMED_TOO_LONG_AGO = (
        "performed_too_long_ago", _WARNING, "5年以内の健診(それより前は保存しない)",
        "a check-up of the last five years; older ones are not kept",
    )  # fmt: skip
    UNKNOWN_ITEM = (
        "unknown_item", _WARNING, "項目表にあるコード(そのまま保存)",
        "a code of the item table; this one is kept as it is",
    )  # fmt: skip
    KIND_DIFFERS = "kind_differs", _WARNING, "項目表の結果種別", "the kind of result that the item table has"
    UNIT_DIFFERS = "unit_differs", _WARNING, "項目表の単位(そのまま保存)", "the unit of the item table; kept as it is"
    FLAG_DIFFERS = "flag_differs", _WARNING, "値と基準値に合う判定", "a flag that follows from value and range"

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
