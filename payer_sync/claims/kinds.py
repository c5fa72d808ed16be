"""What a field of a UKE record can hold: how its text is read, and what is said where it cannot be."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from eligibility.domain.dates import ERAS, FIRST_DAY, parse_date
from eligibility.domain.identifiers import InsurerNumber, contains_my_number
from eligibility.domain.names import number_key
from payer_sync.faults import FaultCode, both

_AMOUNT: Final = re.compile(r"[0-9]{1,8}(?:\.[0-9]{1,5})?")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_GAIJI: Final = re.compile("[\ue000-\uf8ff\ufffd]")  # private use: what cp932's own gaiji become
# A quick look before the thorough one: twelve digits of either width, close together, or signs that become digits.
_DIGITS: Final = re.compile(r"(?:[0-9０-９][^0-9０-９]?){11}[0-9０-９]|[①-⑳]")


class Malformed(Exception):
    """A field's text cannot be read as its kind; `code` says why."""

    def __init__(self, code: FaultCode) -> None:
        super().__init__(code.value)
        self.code = code


@dataclass(frozen=True, slots=True)
class Kind:
    """How a text is read, and what was expected of it."""

    read: Callable[[str], object]
    expected: str


def digits(length: int) -> Kind:
    """Return the kind of a code of so many digits."""
    form = re.compile(rf"[0-9]{{{length}}}")

    def read(text: str) -> str:
        if not form.fullmatch(text):
            raise Malformed(FaultCode.MALFORMED_NUMBER)
        return text

    return Kind(read, both(f"数字{length}桁", f"{length} digits"))


def code_of(*codes: str) -> Kind:
    """Return the kind of a code of a list."""
    known = frozenset(codes)

    def read(text: str) -> str:
        if text not in known:
            raise Malformed(FaultCode.UNKNOWN_CODE)
        return text

    listed = "・".join(codes)
    return Kind(read, both(f"コード {listed}", f"one of the codes {', '.join(codes)}"))


def text_of(length: int) -> Kind:
    """Return the kind of a text; a gaiji in it is kept and told by the reader, see `has_gaiji`."""

    def read(text: str) -> str:
        if len(text) > length:
            raise Malformed(FaultCode.TOO_LONG)
        if _CONTROL.search(text):
            raise Malformed(FaultCode.CONTROL_CHARACTER)
        if _DIGITS.search(text) and contains_my_number(text):
            raise Malformed(FaultCode.MY_NUMBER)
        return text

    return Kind(read, both(f"{length}文字以内の文字列", f"a text of at most {length} characters"))


def number_of(length: int) -> Kind:
    """Return the kind of a symbol or number, which is looked up without its spaces."""
    kind = text_of(length)

    def read(text: str) -> object:
        if contains_my_number(number_key(text)):
            raise Malformed(FaultCode.MY_NUMBER)
        return kind.read(text)

    return Kind(read, kind.expected)


def has_gaiji(text: str) -> bool:
    """Tell whether a text holds characters that only its writer's machine can draw."""
    return not text.isascii() and _GAIJI.search(text) is not None


def _read_whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise Malformed(FaultCode.MALFORMED_NUMBER)
    return int(text)


def _read_amount(text: str) -> Decimal:
    if not _AMOUNT.fullmatch(text):
        raise Malformed(FaultCode.MALFORMED_NUMBER)
    return Decimal(text)


@lru_cache(maxsize=1 << 16)
def _read_day(text: str) -> date:
    try:
        return parse_date(text)
    except ValueError as error:
        raise Malformed(FaultCode.MALFORMED_DATE) from error


@lru_cache(maxsize=1 << 16)
def _read_month(text: str) -> date:
    try:
        if not (text.isascii() and text.isdigit() and len(text) in (5, 6)):
            raise ValueError(text)
        if len(text) == 6:
            first, last = FIRST_DAY, date.max
            month = date(int(text[:4]), int(text[4:]), 1)
        else:
            base, first, last = ERAS[text[0]]
            month = date(base + int(text[1:3]), int(text[3:]), 1)
    except (KeyError, ValueError) as error:
        raise Malformed(FaultCode.MALFORMED_DATE) from error
    if not first.replace(day=1) <= month <= last:
        raise Malformed(FaultCode.MALFORMED_DATE)
    return month


def _read_insurer(text: str) -> InsurerNumber:
    try:
        return InsurerNumber.parse(text)
    except ValueError as error:
        raise Malformed(FaultCode.MALFORMED_NUMBER) from error


WHOLE: Final = Kind(_read_whole, both("整数", "a whole number"))
AMOUNT: Final = Kind(_read_amount, both("数量(小数は5桁まで)", "an amount of at most five decimals"))
DAY: Final = Kind(_read_day, both("YYYYMMDD か GYYMMDD の日付", "a day as YYYYMMDD or GYYMMDD"))
MONTH: Final = Kind(_read_month, both("YYYYMM か GYYMM の年月", "a month as YYYYMM or GYYMM"))
INSURER: Final = Kind(
    _read_insurer, both("保険者番号8桁(6桁は空白2つを前に置く)", "an insurer number of 8 digits, or 6 after two spaces")
)
