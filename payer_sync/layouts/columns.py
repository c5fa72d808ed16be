"""Kinds of columns: how a text becomes a value, what is wrong when it does not, and what was expected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Protocol

import polars as pl

from eligibility.domain.codes import FieldCode
from eligibility.domain.dates import ERAS, FIRST_DAY, MalformedDate, parse_date
from payer_sync.faults import FaultCode, both
from payer_sync.normal_forms import name_keys, number_keys

_FEW_DAYS: Final = 1000  # are read one by one sooner than as a column
_FIRST_DAY: Final = int(f"{FIRST_DAY:%Y%m%d}")


class Required(StrEnum):
    """When a column must be filled."""

    NEVER = "never"
    ALWAYS = "always"
    ON_LOSS = "on_loss"  # in a record of kind 2


class Kind(Protocol):
    """A kind of column. `folded` text has been brought to half width (NFKC) before it is read."""

    @property
    def folded(self) -> bool:
        """Whether width carries no meaning in this column."""
        ...

    @property
    def malformed(self) -> FaultCode:
        """The fault of a text that is filled but has no value."""
        ...

    @property
    def expected(self) -> str:
        """What was expected, in both languages."""
        ...

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the value, null where the text is empty or malformed."""
        ...


@dataclass(frozen=True, slots=True)
class Code:
    """One of a list of codes."""

    codes: type[FieldCode]
    folded: bool = True
    malformed: FaultCode = FaultCode.UNKNOWN_CODE

    @property
    def expected(self) -> str:
        """The list, code by code."""
        return both(
            "次のいずれか: " + "、".join(f"{c.value} {c.ja}" for c in self.codes),
            "one of: " + ", ".join(f"{c.value} {c.en}" for c in self.codes),
        )

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the code."""
        return pl.when(text.is_in([code.value for code in self.codes])).then(text)


@dataclass(frozen=True, slots=True)
class Flag:
    """1 for yes; 0 or empty for no."""

    folded: bool = True
    malformed: FaultCode = FaultCode.UNKNOWN_CODE
    expected: str = both("1(該当)か、0 または空(非該当)", "1 for yes; 0 or empty for no")

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the flag; an empty text is no."""
        return pl.when(text == "1").then(True).when(text.is_in(["", "0"])).then(False)


@dataclass(frozen=True, slots=True)
class Day:
    """A day, YYYYMMDD or GYYMMDD; the rules are those of `eligibility.domain.dates.parse_date`."""

    folded: bool = True
    malformed: FaultCode = FaultCode.MALFORMED_DATE
    expected: str = both(
        f"{FIRST_DAY} 以後の実在する日付。YYYYMMDD か、元号(1明治 2大正 3昭和 4平成 5令和)+YYMMDD",
        f"a day that exists, not before {FIRST_DAY}: YYYYMMDD, "
        "or the era (1 Meiji 2 Taisho 3 Showa 4 Heisei 5 Reiwa) and YYMMDD",
    )

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the day."""
        return text.map_batches(_days, return_dtype=pl.Date)


@dataclass(frozen=True, slots=True)
class Percent:
    """What the patient pays: three digits, "030" for 30 percent (3割)."""

    folded: bool = True
    malformed: FaultCode = FaultCode.MALFORMED_NUMBER
    expected: str = both(
        "百分率の3桁(3割は 030、上限 100)", 'a percentage in three digits ("030" is 30 %), 100 at most'
    )

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the percentage."""
        return pl.when(text.str.contains(r"^(?:0[0-9]{2}|100)$")).then(text).cast(pl.Int16)


@dataclass(frozen=True, slots=True)
class Yen:
    """An amount in yen, at most nine digits."""

    folded: bool = True
    malformed: FaultCode = FaultCode.MALFORMED_NUMBER
    expected: str = both("円単位の数字(9桁以内)", "yen, at most nine digits")

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the amount."""
        return pl.when(text.str.contains(r"^[0-9]{1,9}$")).then(text).cast(pl.Int32)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text of one written form, kept as half width."""

    pattern: str
    expected: str
    folded: bool = True
    malformed: FaultCode = FaultCode.MALFORMED_NUMBER

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the text."""
        return pl.when(text.str.contains(self.pattern)).then(text)


@dataclass(frozen=True, slots=True)
class InsurerDigits:
    """An insurer number: 8 digits, or 6 (municipal insurers) that are padded."""

    folded: bool = True
    malformed: FaultCode = FaultCode.MALFORMED_NUMBER
    expected: str = both("8桁(国保は6桁でも可)の数字", "8 digits, or the 6 of a municipal insurer")

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the 8 digits."""
        eight = text.str.contains(r"^[0-9]{8}$")
        return pl.when(eight).then(text).when(text.str.contains(r"^[0-9]{6}$")).then("00" + text)


@dataclass(frozen=True, slots=True)
class Text:
    """Any text up to a length in characters, kept as it was written."""

    max_length: int
    pattern: str = r""
    folded: bool = False
    malformed: FaultCode = FaultCode.MALFORMED_TEXT
    said: str = ""

    @property
    def expected(self) -> str:
        """What was expected."""
        return self.said or both(f"{self.max_length}文字以内", f"at most {self.max_length} characters")

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the text."""
        if not self.pattern:
            return pl.when(text != "").then(text)
        return pl.when(text.str.contains(self.pattern)).then(text)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a layout: its Japanese name in the header, and the staged field its value goes to."""

    name: str
    field: str
    kind: Kind
    required: Required = Required.NEVER
    name_key: str | None = None  # the staged field of the value's normal form as a name
    number_key: str | None = None  # the same, as a symbol or number
    blank: str | None = None  # what is staged for an empty value, null if nothing is said
    further: bool = False  # staged and kept with the others of its kind as one JSON object, under the field's name
    example: str = ""  # for the vendor's documentation, where the kind alone does not make it plain

    def values(self) -> Sequence[pl.Expr]:
        """Return the staged fields, computed from the column of the Japanese name."""
        value = self.kind.read(pl.col(self.name))
        filled = value if self.blank is None else value.fill_null(self.blank)
        keys = []
        if self.name_key:
            keys.append(name_keys(pl.col(self.name)).alias(self.name_key))
        if self.number_key:
            keys.append(number_keys(pl.col(self.name)).alias(self.number_key))
        return [filled.alias(self.field), *keys]


def _days(texts: pl.Series) -> pl.Series:
    # Most columns of days are empty, or nearly so.
    filled = (texts != "").arg_true()
    if len(filled) == len(texts):
        return _filled_days(texts)
    days = pl.Series(texts.name, dtype=pl.Date).clear(len(texts))
    return days.scatter(filled, _filled_days(texts.gather(filled))) if len(filled) else days


def _filled_days(texts: pl.Series) -> pl.Series:
    if len(texts) <= _FEW_DAYS:
        return _each_day(texts)
    # What is filled has most often one of the two forms as it should be.
    days = _usual_days(texts)
    others = days.is_null().arg_true()
    return days.scatter(others, _each_day(texts.gather(others))) if len(others) else days


def _usual_days(texts: pl.Series) -> pl.Series:
    # Eight bytes that are a number of eight digits are these digits, seven that are one of seven as well: no sign, no
    # space and no other character is among them. What this leaves out is read one by one.
    number, length = texts.cast(pl.Int32, strict=False), texts.str.len_bytes()
    sound = (length == 8) & (number >= _FIRST_DAY)
    in_era = (length == 7) & (number >= 1_000_000)
    stated, eras = number // 1_000_000, {}
    for era in stated.filter(in_era).unique():
        if known := ERAS.get(str(era)):
            eras[known] = in_era & (stated == era)
            number = number + eras[known].cast(pl.Int32) * ((known[0] - era * 100) * 10_000)
    days = number.cast(pl.String).str.to_date("%Y%m%d", strict=False, cache=False)
    for (_, first, last), within in eras.items():
        sound |= within & days.is_between(first, last)
    return days.to_frame().select(pl.when(sound).then(pl.first())).to_series()


def _each_day(texts: pl.Series) -> pl.Series:
    return pl.Series(texts.name, [_day(text) for text in texts], dtype=pl.Date)


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except MalformedDate:
        return None
