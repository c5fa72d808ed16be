"""The items of specific health check-ups by their JLAC10 codes, and the kinds a result can have.

A code has 17 characters: analyte 5, identification 4, material 3, method 3, result 2. Codes of one test done by several
methods stand beside each other. Units and ranges marked unverified were not checked against the publisher's tables;
ranges are for reading a result, never for judging one: a result is judged by the range that came with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from eligibility.domain.codes import FieldCode

ITEM_CODE: Final = r"^[0-9][A-Z][0-9]{3}[0-9]{4}[0-9]{3}[0-9]{3}[0-9]{2}$"


class ResultKind(FieldCode):
    """What a result is, as the data types of the CDA form name it."""

    QUANTITY = "PQ", "数値", "a quantity with its unit"
    CODE = "CD", "コード", "a code"
    ORDINAL = "CO", "順序付きコード", "a code with an order"
    TEXT = "ST", "文字列", "a text"


class Flag(FieldCode):
    """Where a quantity lies in its range."""

    LOW = "L", "基準値未満", "below the range"
    NORMAL = "N", "基準値内", "within the range"
    HIGH = "H", "基準値超", "above the range"


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds that belong to the range themselves; None where there is none."""

    low: Decimal | None
    high: Decimal | None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One item; `unit` is empty where a result has none."""

    code: str
    ja: str
    en: str
    kind: ResultKind
    unit: str = ""
    unit_verified: bool = False
    reference: Range | None = None


_PQ, _CD, _CO, _ST = ResultKind
_OLD_CODE_END: Final = "000000000011"


def _several(
    analyte: str, ends: str, ja: str, en: str, kind: ResultKind, unit: str = "", low: str = "", high: str = ""
) -> Iterator[Item]:
    reference = Range(Decimal(low) if low else None, Decimal(high) if high else None) if low or high else None
    for end in ends.split():
        yield Item(analyte + end, ja, en, kind, unit, reference=reference)


def _answers() -> Iterator[Item]:
    for analyte, ja, en in (
        ("9N701", "服薬(血圧)", "medication for blood pressure"),
        ("9N706", "服薬(血糖)", "medication for blood sugar"),
        ("9N711", "服薬(脂質)", "medication for lipids"),
        ("9N716", "既往歴(脳血管)", "history: stroke"),
        ("9N721", "既往歴(心血管)", "history: heart"),
        ("9N726", "既往歴(腎不全・人工透析)", "history: kidney failure or dialysis"),
        ("9N731", "貧血", "history: anaemia"),
        ("9N736", "喫煙", "smoking"),
    ):
        yield Item(analyte + _OLD_CODE_END, ja, en, _CD)


def _table() -> Iterator[Item]:
    one, code, text = "000000000001", "000000000011", "000000000049"
    yield from _several("9N001", one, "身長", "height", _PQ, "cm")
    yield from _several("9N006", one, "体重", "weight", _PQ, "kg")
    yield from _several("9N011", one, "BMI", "body mass index", _PQ, "kg/m2", high="24.9")
    yield from _several("9N016", "160100000001", "腹囲(実測)", "waist, measured", _PQ, "cm")
    yield from _several("9N016", "160200000001", "腹囲(自己判定)", "waist, own measurement", _PQ, "cm")
    yield from _several("9N016", "160300000001", "腹囲(自己申告)", "waist, as told", _PQ, "cm")
    yield from _several("9N021", one, "内臓脂肪面積", "visceral fat area", _PQ, "cm2", high="99.9")
    yield from _several("9N026", "000000000002", "肥満度", "degree of obesity", _PQ, "%")
    yield from _several("9N056", code, "既往歴", "medical history", _CD)
    yield from _several("9N061", code, "自覚症状", "symptoms told", _CD)
    yield from _several("9N066", code, "他覚症状", "symptoms found", _CD)
    for systolic, diastolic, ja, en in (
        ("9A751", "9A761", "1回目", "1st"),
        ("9A752", "9A762", "2回目", "2nd"),
        ("9A755", "9A765", "その他", "other"),
    ):
        yield from _several(systolic, one, f"収縮期血圧({ja})", f"systolic pressure, {en}", _PQ, "mm[Hg]", high="129")
        yield from _several(diastolic, one, f"拡張期血圧({ja})", f"diastolic pressure, {en}", _PQ, "mm[Hg]", high="84")
    yield from _several("9N141", code, "採血時間(食後)", "time of blood sampling after a meal", _CD)
    yield from _blood()
    yield from _several("1A020", "000000191111 000000190111", "尿糖", "urine sugar", _CO)
    yield from _several("1A010", "000000191111 000000190111", "尿蛋白", "urine protein", _CO)
    yield from _several("9A110", "160700000011", "心電図(所見の有無)", "electrocardiogram, whether anything", _CD)
    yield from _several("9A110", "160800000049", "心電図(所見)", "electrocardiogram, what", _ST)
    yield from _several("9N501", code, "メタボリックシンドローム判定", "metabolic syndrome", _CD)
    yield from _several("9N506", code, "保健指導レベル", "level of guidance", _CD)
    yield from _several("9N511", text, "医師の診断(判定)", "physician's judgement", _ST)
    yield from _several("9N516", text, "健康診断を実施した医師の氏名", "name of the physician", _ST)
    yield from _answers()


def _blood() -> Iterator[Item]:
    lipid = "000002327101 000002327201 000002399901"
    yield from _several("3F015", lipid, "中性脂肪", "triglycerides", _PQ, "mg/dL", "30", "149")
    yield from _several("3F070", "000002327101", "HDLコレステロール", "HDL cholesterol", _PQ, "mg/dL", "40")
    yield from _several("3F077", "000002327101", "LDLコレステロール", "LDL cholesterol", _PQ, "mg/dL", "60", "119")
    yield from _several(
        "3F069", "000002391901", "non-HDLコレステロール", "non-HDL cholesterol", _PQ, "mg/dL", "90", "149"
    )
    yield from _several("3B035", "000002327201", "AST(GOT)", "AST", _PQ, "U/L", high="30")
    yield from _several("3B045", "000002327201", "ALT(GPT)", "ALT", _PQ, "U/L", high="30")
    yield from _several("3B090", "000002327101", "γ-GT(γ-GTP)", "gamma-GT", _PQ, "U/L", high="50")
    glucose = "000001926101 000002227101 000001927201 000001999901"
    yield from _several("3D010", glucose, "空腹時血糖", "fasting glucose", _PQ, "mg/dL", high="99")
    hba1c = "000001906202 000001920402 000001927102 000001999902"
    yield from _several("3D046", hba1c, "HbA1c(NGSP)", "HbA1c (NGSP)", _PQ, "%", high="5.5")
    yield from _several("3C015", "000002327101", "血清クレアチニン", "creatinine", _PQ, "mg/dL")
    yield from _several("3C020", "000002327101", "尿酸", "uric acid", _PQ, "mg/dL", high="7.0")
    yield from _several("8A065", "000002391901", "eGFR", "eGFR", _PQ, "mL/min/1.73m2", "60")
    yield from _several("2A020", "000001930101", "赤血球数", "red cell count", _PQ, "10*4/mm3")
    yield from _several("2A030", "000001930101", "血色素量(ヘモグロビン値)", "haemoglobin", _PQ, "g/dL")
    yield from _several("2A040", "000001930102", "ヘマトクリット値", "haematocrit", _PQ, "%")


ITEMS: Final[Mapping[str, Item]] = MappingProxyType({item.code: item for item in _table()})
