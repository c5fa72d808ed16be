"""Eligibility layout, edition 1: one record for one insured individual's coverage, with the certificates it carries."""

from datetime import date
from typing import Final

from eligibility.domain.codes import CardClass, Disease, LimitCategory, LimitClass, LossReason, Relation, Sex
from eligibility.domain.identifiers import LINKAGE_CODE_LENGTH, SYMBOL_LENGTH
from payer_sync.faults import FaultCode, both
from payer_sync.layouts.columns import Code, Column, Day, Flag, InsurerDigits, Pattern, Percent, Required, Text, Yen
from payer_sync.layouts.layout import Layout
from payer_sync.rules import ELIGIBILITY_RULES, RecordKind

_BRANCH: Final = Pattern(
    r"^[0-9]{2}$", both("個人単位の枝番2桁(なければ空)", "a branch number of two digits, or empty")
)
_POSTAL_CODE: Final = Pattern(
    r"^[0-9]{3}-?[0-9]{4}$", both("7桁の郵便番号(123-4567)", "a postal code such as 123-4567")
)
_LINKAGE_CODE: Final = Pattern(
    rf"^[!-~]{{1,{LINKAGE_CODE_LENGTH}}}$",
    both(
        f"紐付番号({LINKAGE_CODE_LENGTH}文字以内の英数記号)",
        f"a linkage code: 1 to {LINKAGE_CODE_LENGTH} visible ASCII characters",
    ),
    folded=False,  # opaque: another width is another code
    malformed=FaultCode.MALFORMED_TEXT,
)
# Kana of any width, and what stands in the kana names of foreign nationals and of married double names.
_KANA: Final = Text(
    100,
    r"^[\p{Katakana}\p{Hiragana}\p{Latin}ー・゛゜ﾞﾟｰ･\s'’.,、\-‐－()()0-9]+$",
    said=both("カナ氏名(100文字以内)", "a name in kana, at most 100 characters"),
)

LAYOUT: Final = Layout(
    name="eligibility",
    edition=1,
    accepted_from=date(2026, 4, 1),
    accepted_until=None,
    staging="staged_eligibility",
    columns=(
        Column("レコード種別", "record_kind", Code(RecordKind), Required.ALWAYS),
        Column("保険者番号", "insurer_number", InsurerDigits(), Required.ALWAYS),
        Column("記号", "symbol", Text(SYMBOL_LENGTH), number_key="symbol_key", blank="", example="１２"),
        Column("番号", "number", Text(SYMBOL_LENGTH), Required.ALWAYS, number_key="number_key", example="0000001"),
        Column("枝番", "branch_number", _BRANCH, blank="", example="01"),
        Column("紐付番号", "linkage_code", _LINKAGE_CODE, Required.ALWAYS, example="LK-00000001"),
        Column("氏名", "name", Text(100), Required.ALWAYS, name_key="name_key", example="髙橋　花子"),
        Column("氏名カナ", "name_kana", _KANA, Required.ALWAYS, example="ﾀｶﾊｼ ﾊﾅｺ"),
        Column("生年月日", "birth_date", Day(), Required.ALWAYS),
        Column("性別", "sex", Code(Sex), Required.ALWAYS),
        Column("郵便番号", "postal_code", _POSTAL_CODE, blank="", example="100-0001"),
        Column("住所", "address", Text(200), blank="", example="東京都千代田区千代田１－１"),
        Column("本人家族区分", "relation", Code(Relation), Required.ALWAYS),
        Column("被保険者証区分", "card_class", Code(CardClass), Required.ALWAYS),
        Column("資格取得日", "acquired_on", Day(), Required.ALWAYS),
        Column("資格喪失日", "lost_on", Day(), Required.ON_LOSS),
        Column("喪失事由", "loss_reason", Code(LossReason), Required.ON_LOSS),
        Column("負担割合", "copayment_percent", Percent()),
        Column("証交付日", "issued_on", Day()),
        Column("証有効開始日", "valid_from", Day()),
        Column("証有効終了日", "valid_through", Day()),
        Column("限度額証区分", "limit_class", Code(LimitClass)),
        Column("限度額適用区分", "limit_category", Code(LimitCategory)),
        Column("限度額有効開始日", "limit_from", Day()),
        Column("限度額有効終了日", "limit_through", Day()),
        Column("長期入院該当日", "long_term_on", Day()),
        Column("特定疾病区分", "disease", Code(Disease)),
        Column("特定疾病自己負担額", "monthly_cap_yen", Yen()),
        Column("特定疾病有効開始日", "disease_from", Day()),
        Column("特定疾病有効終了日", "disease_through", Day()),
        Column("高齢負担割合", "elderly_percent", Percent()),
        Column("高齢有効開始日", "elderly_from", Day()),
        Column("高齢有効終了日", "elderly_through", Day()),
        Column("未就学区分", "preschool", Flag()),
        Column("閲覧抑止", "viewing_suspended", Flag()),
    ),
    rules=ELIGIBILITY_RULES,
)
