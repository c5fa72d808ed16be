"""Check-up layout, edition 1: one record for one result; those of one person, day and institution are a check-up."""

from datetime import date
from typing import Final

import polars as pl

from eligibility.domain.checkup_items import ITEM_CODE, ITEMS, Flag, ResultKind
from eligibility.domain.codes import Sex
from eligibility.domain.identifiers import LINKAGE_CODE_LENGTH, SYMBOL_LENGTH
from eligibility.domain.retention import KEPT_YEARS
from payer_sync.checkups.units import unit_keys
from payer_sync.faults import FaultCode, both
from payer_sync.layouts.columns import Code, Column, Day, InsurerDigits, Pattern, Required, Text
from payer_sync.layouts.layout import Layout, Rule
from payer_sync.rules import TODAY

_BRANCH: Final = Pattern(
    r"^[0-9]{2}$", both("個人単位の枝番2桁(なければ空)", "a branch number of two digits, or empty")
)
_LINKAGE_CODE: Final = Pattern(
    rf"^[!-~]{{1,{LINKAGE_CODE_LENGTH}}}$",
    both(
        f"紐付番号({LINKAGE_CODE_LENGTH}文字以内の英数記号)、または空",
        f"a linkage code of 1 to {LINKAGE_CODE_LENGTH} visible ASCII characters, or empty",
    ),
    folded=False,  # opaque: another width is another code
    malformed=FaultCode.MALFORMED_TEXT,
)
_INSTITUTION: Final = Pattern(
    r"^[0-9]{2}[0-9B][0-9]{7}$", both("健診機関番号10桁", "the institution's code of 10 characters")
)
_ITEM: Final = Pattern(
    ITEM_CODE,
    both("JLAC10 の17桁の項目コード", "an item code of JLAC10, 17 characters"),
    malformed=FaultCode.UNKNOWN_CODE,
)
_NUMBER: Final = r"^-?[0-9]{1,9}(?:\.[0-9]{1,6})?$"
_BOUND: Final = Pattern(_NUMBER, both("数値(小数6桁以内)、または空", "a number of at most six decimals, or empty"))

_IS_QUANTITY: Final = pl.col("result_kind") == ResultKind.QUANTITY.value
_IS_CODE: Final = pl.col("result_kind").is_in([ResultKind.CODE.value, ResultKind.ORDINAL.value])
_HAS_NUMBER: Final = pl.col("value").str.contains(_NUMBER)


def _number(field: str) -> pl.Expr:
    return pl.col(field).cast(pl.Float64, strict=False)


def _of_item(values: dict[str, str]) -> pl.Expr:
    return pl.col("item_code").replace_strict(values, default=None, return_dtype=pl.String)


_FAMILIES: Final = {
    ResultKind.QUANTITY: ResultKind.QUANTITY,
    ResultKind.CODE: ResultKind.CODE,
    ResultKind.ORDINAL: ResultKind.CODE,
    ResultKind.TEXT: ResultKind.TEXT,
}
_KIND: Final = pl.col("result_kind").replace_strict(
    {kind.value: family.value for kind, family in _FAMILIES.items()}, default=None, return_dtype=pl.String
)
_ITEM_KIND: Final = _of_item({item.code: _FAMILIES[item.kind].value for item in ITEMS.values()})
_ITEM_UNIT: Final = _of_item({item.code: item.unit for item in ITEMS.values() if item.kind is ResultKind.QUANTITY})
_COMPUTED: Final = (
    pl.when(_number("value") < _number("low"))
    .then(pl.lit(Flag.LOW.value))
    .when(_number("value") > _number("high"))
    .then(pl.lit(Flag.HIGH.value))
    .when(pl.col("low").is_not_null() | pl.col("high").is_not_null())
    .then(pl.lit(Flag.NORMAL.value))
)

LAYOUT: Final = Layout(
    name="checkup",
    edition=1,
    accepted_from=date(2026, 4, 1),
    accepted_until=None,
    staging="staged_checkup",
    columns=(
        Column("保険者番号", "insurer_number", InsurerDigits(), Required.ALWAYS),
        Column("記号", "symbol", Text(SYMBOL_LENGTH), number_key="symbol_key", blank="", example="１２"),
        Column("番号", "number", Text(SYMBOL_LENGTH), number_key="number_key", blank="", example="0000001"),
        Column("枝番", "branch_number", _BRANCH, blank="", example="01"),
        Column("紐付番号", "linkage_code", _LINKAGE_CODE, blank="", example="LK-00000001"),
        Column("生年月日", "birth_date", Day(), Required.ALWAYS),
        Column("性別", "sex", Code(Sex), Required.ALWAYS),
        Column("健診実施日", "performed_on", Day(), Required.ALWAYS),
        Column("健診機関番号", "institution_code", _INSTITUTION, Required.ALWAYS, example="1311234567"),
        Column("項目コード", "item_code", _ITEM, Required.ALWAYS, example="9N001000000000001"),
        Column("結果種別", "result_kind", Code(ResultKind), Required.ALWAYS),
        Column("結果値", "value", Text(500), Required.ALWAYS, example="170.5"),
        Column("結果コード名称", "value_name", Text(100), blank=""),
        Column("単位", "unit", Text(20), blank="", example="cm"),
        Column("基準下限", "low", _BOUND),
        Column("基準上限", "high", _BOUND),
        Column("判定", "stated_flag", Code(Flag)),
    ),
    rules=(
        Rule(FaultCode.PERSON_NOT_NAMED, "number", (pl.col("number") == "") & (pl.col("linkage_code") == "")),
        Rule(FaultCode.BORN_IN_FUTURE, "birth_date", pl.col("birth_date") > pl.col(TODAY)),
        Rule(FaultCode.PERFORMED_IN_FUTURE, "performed_on", pl.col("performed_on") > pl.col(TODAY)),
        Rule(FaultCode.RESULT_MALFORMED, "value", (_IS_QUANTITY & ~_HAS_NUMBER)),
        Rule(FaultCode.RESULT_MALFORMED, "value", _IS_CODE & ~pl.col("value").str.contains(r"^[0-9A-Za-z.+\-]{1,20}$")),
        Rule(FaultCode.RANGE_WRONG, "high", _number("low") > _number("high")),
        Rule(
            FaultCode.PERFORMED_TOO_LONG_AGO,
            "performed_on",
            pl.col("performed_on") < pl.col(TODAY).dt.offset_by(f"-{KEPT_YEARS}y"),
        ),
        Rule(
            FaultCode.UNKNOWN_ITEM,
            "item_code",
            pl.col("item_code").is_not_null() & ~pl.col("item_code").is_in(list(ITEMS)),
        ),
        Rule(FaultCode.KIND_DIFFERS, "result_kind", _KIND != _ITEM_KIND),
        Rule(FaultCode.UNIT_DIFFERS, "unit", _IS_QUANTITY & (unit_keys(pl.col("unit")) != unit_keys(_ITEM_UNIT))),
        Rule(FaultCode.FLAG_DIFFERS, "stated_flag", _IS_QUANTITY & (pl.col("stated_flag") != _COMPUTED)),
    ),
)
