"""Eligibility layout, edition 2: edition 1, the other name, the sex the card shows, and what the person holds.

No public source states codes for the last two columns; those here are this project's own.
"""

from dataclasses import replace
from datetime import date
from typing import Final

from eligibility.domain.codes import FieldCode, Sex
from payer_sync.layouts.columns import Code, Column, Text
from payer_sync.layouts.eligibility_1 import LAYOUT as EDITION_1


class ConfirmationDocument(FieldCode):
    """Whether a confirmation document was issued in place of the card (資格確認書交付区分); our own codes."""

    NOT_ISSUED = "0", "未交付", "not issued"
    ON_APPLICATION = "1", "申請により交付", "issued on application"
    EX_OFFICIO = "2", "職権により交付", "issued ex officio"


class CardHeld(FieldCode):
    """Whether the person holds a My Number card, registered for use as the card (保有区分); our own codes."""

    NONE = "0", "保有なし", "holds none"
    REGISTERED = "1", "保有・利用登録あり", "holds one, registered for use"
    NOT_REGISTERED = "2", "保有・利用登録なし", "holds one, not registered for use"
    UNKNOWN = "9", "不明", "not known"


LAYOUT: Final = replace(
    EDITION_1,
    edition=2,
    accepted_from=date(2027, 4, 1),
    previous_until=date(2027, 9, 30),
    columns=(
        *EDITION_1.columns,
        Column("通称名・その他氏名", "other_name", Text(100), further=True, example="ジョン　スミス"),
        Column("性別(券面)", "sex_on_card", Code(Sex), further=True),
        Column("資格確認書交付区分", "confirmation_document", Code(ConfirmationDocument), further=True),
        Column("マイナンバーカード保有区分", "card_held", Code(CardHeld), further=True),
    ),
)
