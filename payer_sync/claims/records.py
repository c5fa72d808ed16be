"""The records of UKE files as tables: which field stands where, for medical and dispensing claims.

A position counts from 0, which is the record's type. A record may be shorter than its table: fields were added over
the years, and writers leave off what is empty at the end. Where a position is not verified on a real file or against
the published record conditions, `verified` is false: correct it here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Final

from eligibility.domain.identifiers import SYMBOL_LENGTH
from payer_sync.claims.kinds import AMOUNT, DAY, INSURER, MONTH, WHOLE, Kind, code_of, digits, number_of, text_of

RECORD_TYPE: Final = "レコード識別"  # the name of every record's first field


def day_name(day: int) -> str:
    """Return the name of the field of a day of the month."""
    return f"算定日{day}日"


@dataclass(frozen=True, slots=True)
class Field:
    """One field that is taken from a record."""

    position: int
    name: str  # the field's own, as feedback names it
    key: str
    kind: Kind
    required: bool = False
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """One type of record; `days_at` is where the 31 columns of the days of the month begin, if it has any."""

    fields: tuple[Field, ...]
    days_at: int | None = None

    def position_of(self, name: str) -> int | None:
        """Return where the field of this name stands; None where the record has no such field."""
        return _positions(self).get(name)

    @property
    def width(self) -> int:
        """How many fields its table has, the type and the days included; a record may have more that nobody knows."""
        return _width(self)


@cache
def _positions(record: Record) -> dict[str, int]:
    days = () if record.days_at is None else enumerate((day_name(day) for day in range(1, 32)), record.days_at)
    return {RECORD_TYPE: 0, **{entry.name: entry.position for entry in record.fields}} | {n: at for at, n in days}


@cache
def _width(record: Record) -> int:
    return max(_positions(record).values()) + 1


@dataclass(frozen=True, slots=True)
class Uke:
    """One edition of one kind of UKE file: its records, and those that are known and hold nothing that is taken."""

    kind: str
    name: str  # the layout's
    edition: int
    accepted_from: date
    accepted_until: date | None  # the last day; None while no end is known
    opening: str  # the record that names the institution
    records: Mapping[str, Record]
    passed_over: frozenset[str]


_POINT_TABLES: Final = ("1", "3", "4", "5", "6", "B")
_SYMBOL: Final = number_of(SYMBOL_LENGTH)
_TEXT: Final = text_of(400)
_NAME: Final = text_of(100)
_CODE: Final = digits(9)
_CLASS: Final = digits(2)

_RECEIPT: Final = (
    Field(1, "レセプト番号", "number", WHOLE, required=True),
    Field(2, "レセプト種別", "receipt_type", digits(4), required=True),
    Field(5, "男女区分", "sex", code_of("1", "2"), required=True),
    Field(6, "生年月日", "birth_date", DAY, required=True),
)
_SN: Final = Record(
    (
        Field(1, "負担者種別", "bearer", code_of("1", "2", "3", "4", "5"), required=True),
        Field(6, "枝番", "branch_number", digits(2)),
    )
)
_GO: Final = Record(
    (
        Field(1, "総件数", "count", WHOLE, required=True),
        Field(2, "総合計点数", "points", WHOLE, required=True),
    )
)
_INSURED: Final = (
    Field(1, "保険者番号", "insurer_number", INSURER, required=True),
    Field(2, "被保険者証等の記号", "symbol", _SYMBOL),
    Field(3, "被保険者証等の番号", "insured_number", _SYMBOL, required=True),
    Field(4, "実日数", "visit_days", WHOLE),
    Field(5, "合計点数", "points", WHOLE, required=True),
)
_PUBLIC: Final = (
    Field(1, "公費負担者番号", "payer_number", digits(8), required=True),
    Field(4, "実日数", "visit_days", WHOLE),
    Field(5, "合計点数", "points", WHOLE),
)
_LINE: Final = (
    Field(1, "診療識別", "service_class", _CLASS),
    Field(3, "コード", "code", _CODE, required=True),
    Field(4, "数量", "quantity", AMOUNT),
    Field(5, "点数", "points", WHOLE),
    Field(6, "回数", "times", WHOLE),
)

MEDICAL: Final = Uke(
    kind="medical",
    name="claim_medical",
    edition=1,
    accepted_from=date(2026, 4, 1),
    accepted_until=None,
    opening="IR",
    records=MappingProxyType(
        {
            "IR": Record(
                (
                    Field(1, "審査支払機関", "reviewer", code_of("1", "2"), required=True),
                    Field(2, "都道府県", "prefecture", digits(2), required=True),
                    Field(3, "点数表", "point_table", code_of(*_POINT_TABLES), required=True),
                    Field(4, "医療機関コード", "institution", digits(7), required=True),
                    Field(6, "医療機関名称", "name", _NAME),
                    Field(7, "請求年月", "claimed_month", MONTH, required=True),
                )
            ),
            "RE": Record(
                (
                    *_RECEIPT,
                    Field(3, "診療年月", "care_month", MONTH, required=True),
                    Field(18, "検索番号", "search_number", text_of(40)),
                )
            ),
            "HO": Record((*_INSURED, Field(11, "負担金額", "patient_yen", WHOLE))),
            "KO": Record((*_PUBLIC, Field(6, "負担金額", "patient_yen", WHOLE))),
            "SN": _SN,
            "SI": Record(_LINE, days_at=13),
            "IY": Record(_LINE, days_at=13),
            "TO": Record(
                (*_LINE, Field(7, "単位コード", "unit", text_of(10)), Field(10, "商品名", "name", _TEXT)),
                days_at=17,
            ),
            "CO": Record(
                (
                    Field(1, "診療識別", "service_class", _CLASS),
                    Field(3, "コメントコード", "code", _CODE, required=True),
                    Field(4, "文字データ", "text", _TEXT),
                )
            ),
            "GO": _GO,
        }
    ),
    # Diseases and narratives are not for counters; the rest stands in files that reviewers return [unverified].
    passed_over=frozenset({"SY", "SJ", "UK", "TI", "MN", "JD", "MF", "EX", "CD", "NI", "RC", "HR"}),
)

DISPENSING: Final = Uke(
    kind="dispensing",
    name="claim_dispensing",
    edition=1,
    accepted_from=date(2026, 4, 1),
    accepted_until=None,
    opening="YK",
    records=MappingProxyType(
        {
            "YK": Record(
                (
                    Field(1, "審査支払機関", "reviewer", code_of("1", "2"), required=True),
                    Field(2, "都道府県", "prefecture", digits(2), required=True),
                    Field(3, "点数表", "point_table", code_of("4"), required=True),
                    Field(4, "薬局コード", "institution", digits(7), required=True),
                    Field(5, "薬局名称", "name", _NAME),
                    Field(6, "請求年月", "claimed_month", MONTH, required=True),
                )
            ),
            "RE": Record(
                (
                    *_RECEIPT,
                    Field(3, "調剤年月", "care_month", MONTH, required=True),
                    Field(9, "処方箋発行医療機関 都道府県", "prescriber_prefecture", digits(2)),
                    Field(10, "処方箋発行医療機関 点数表", "prescriber_table", code_of(*_POINT_TABLES)),
                    Field(11, "処方箋発行医療機関コード", "prescriber", digits(7)),
                    Field(12, "処方箋発行医療機関名称", "prescriber_name", _NAME),
                    Field(37, "検索番号", "search_number", text_of(40), verified=False),
                )
            ),
            "HO": Record((*_INSURED, Field(9, "一部負担金額", "patient_yen", WHOLE, verified=False))),
            "KO": Record((*_PUBLIC, Field(7, "一部負担金額", "patient_yen", WHOLE, verified=False))),
            "SN": _SN,
            "SH": Record(
                (
                    Field(2, "剤形コード", "form", code_of("1", "2", "3", "4", "5", "6", "7", "9"), required=True),
                    Field(3, "用法コード", "usage_code", text_of(10)),
                    Field(4, "特別指示", "instruction", _TEXT),
                )
            ),
            # What follows field 6 moved in the revisions since 2020 and is not read.
            "CZ": Record(
                (
                    Field(2, "処方年月日", "prescribed_on", DAY, required=True),
                    Field(3, "調剤年月日", "dispensed_on", DAY, required=True),
                    Field(5, "調剤数量", "quantity", WHOLE, required=True),
                )
            ),
            "IY": Record(
                (
                    Field(2, "医薬品コード", "code", _CODE, required=True),
                    Field(3, "使用量", "quantity", AMOUNT, required=True),
                )
            ),
            "TO": Record(
                (
                    Field(2, "器材コード", "code", _CODE, required=True),
                    Field(3, "使用量", "quantity", AMOUNT),
                    Field(4, "単位コード", "unit", text_of(10)),
                )
            ),
            "CO": Record(
                (
                    Field(1, "コメントコード", "code", _CODE, required=True),
                    Field(2, "文字データ", "text", _TEXT),
                )
            ),
            "GO": _GO,
        }
    ),
    # Fees of the pharmacy itself; the rest stands in files that reviewers return [unverified].
    passed_over=frozenset({"KI", "ST", "TK", "JD", "MF", "EX", "MN", "NI", "RC", "HR"}),
)

UKES: Final = MappingProxyType({(uke.name, uke.edition): uke for uke in (MEDICAL, DISPENSING)})
