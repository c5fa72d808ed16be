"""The field's identifiers, each parsed once into a value that cannot be wrong and that masks itself when shown.

Layouts and check digits: docs/glossary.md names each; insurer and facility numbers carry a Luhn check digit whose
failure is a warning, not a refusal, because numbers that fail it are in real use in test and local schemes.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, NewType, Self

from eligibility.domain.errors import MalformedValue
from eligibility.domain.names import ONE_HYPHEN, number_key

PersonId = NewType("PersonId", int)

_DIGITS_8 = re.compile(r"[0-9]{8}")
_DIGITS_6 = re.compile(r"[0-9]{6}")
_INSTITUTION = re.compile(r"[0-9]{2}[0-9B][0-9]{7}")
_BRANCH = re.compile(r"[0-9]{2}")
# Twelve digits, or the three groups of four that the card shows; groups within a longer code (a UUID) are none.
_MY_NUMBER = re.compile(
    r"(?<![0-9])[0-9]{12}(?![0-9])"
    r"|(?<![0-9A-Za-z-])[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}(?![0-9A-Za-z-])"
)
MY_NUMBER_LENGTH: Final = 12
_FEWEST_CHARACTERS: Final = MY_NUMBER_LENGTH // 3  # that can hold so many digits: after NFKC none has more than three
MY_NUMBER_WEIGHTS: Final = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
SYMBOL_LENGTH = 20  # characters of 記号 and of 番号, as the external interface allows
LINKAGE_CODE_LENGTH = 64


class MalformedInsurerNumber(MalformedValue):
    """An insurer number is 8 digits (a 6-digit one is padded to 8)."""


class MalformedInstitutionCode(MalformedValue):
    """An institution code is 10 characters: prefecture 2, point table 1, district 2, institution 4, check digit 1."""


class MalformedInsuredNumber(MalformedValue):
    """A symbol or number has 1 to 20 characters, a branch number 2 digits."""


class MyNumberRefused(MalformedValue):
    """A value has the form and the check digit of a My Number, which this platform neither takes nor keeps."""


def luhn_check_digit(payload: str) -> str:
    """Return the check digit of a string of digits: weights 2, 1, 2, 1 … from the right, digits of products summed."""
    total = 0
    for position, digit in enumerate(reversed(payload)):
        product = int(digit) * (2 if position % 2 == 0 else 1)
        total += product // 10 + product % 10
    return str(-total % 10)


def has_valid_check_digit(number: str) -> bool:
    """Tell whether the last digit of an insurer's or institution's number is the check digit of those before it."""
    return number.isascii() and number.isdigit() and luhn_check_digit(number[:-1]) == number[-1]


def contains_my_number(text: str) -> bool:
    """Tell whether 12 digits in the text, in one run or in fours, carry a My Number's check digit (full width too)."""
    if len(text) < (MY_NUMBER_LENGTH if text.isascii() else _FEWEST_CHARACTERS):
        return False
    folded = unicodedata.normalize("NFKC", text).translate(ONE_HYPHEN)
    runs = (found[0].replace(" ", "").replace("-", "") for found in _MY_NUMBER.finditer(folded))
    return any(int(digits[11]) == _my_number_check_digit(digits) for digits in runs)


def refuse_my_number(text: str, field: str = "") -> str:
    """Return the text unchanged; `field` names it in the refusal.

    Raises:
        MyNumberRefused: it contains a My Number.
    """
    if contains_my_number(text):
        raise MyNumberRefused(field=field)
    return text


def _my_number_check_digit(digits: str) -> int:
    remainder = sum(int(d) * w for d, w in zip(digits[:11], MY_NUMBER_WEIGHTS, strict=True)) % 11
    return 0 if remainder <= 1 else 11 - remainder


def _masked(text: str, shown: int = 2) -> str:
    return "*" * max(len(text) - shown, 0) + text[-shown:] if len(text) > shown else "*" * len(text)


@dataclass(frozen=True, slots=True, order=True)
class InsurerNumber:
    """An insurer's number (保険者番号), 8 digits: scheme 2, prefecture 2, insurer 3, check digit 1."""

    digits: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 8 digits, or 6 (municipal insurers have no scheme part) padded by spaces or not at all.

        Raises:
            MalformedInsurerNumber: neither 8 nor 6 digits remain.
        """
        stripped = unicodedata.normalize("NFKC", text).strip()
        if _DIGITS_8.fullmatch(stripped):
            return cls(stripped)
        if _DIGITS_6.fullmatch(stripped):
            return cls("00" + stripped)
        raise MalformedInsurerNumber(field="insurer_number")

    @property
    def check_digit_holds(self) -> bool:
        """Whether the last digit is right, counted without the padding of a 6-digit number."""
        return has_valid_check_digit(self.digits)  # leading zeros add nothing to the sum

    @property
    def scheme(self) -> str:
        """The scheme number (法別番号), "00" for municipal national health insurance."""
        return self.digits[:2]

    def __str__(self) -> str:
        return self.digits


@dataclass(frozen=True, slots=True, order=True)
class InstitutionCode:
    """A clinic's, hospital's or pharmacy's code (医療機関コード), 10 characters."""

    code: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 10 characters, digits but for the third, which may be B (介護医療院).

        Raises:
            MalformedInstitutionCode: the text has another form.
        """
        stripped = unicodedata.normalize("NFKC", text).strip()
        if not _INSTITUTION.fullmatch(stripped):
            raise MalformedInstitutionCode
        return cls(stripped)

    @property
    def check_digit_holds(self) -> bool:
        """Whether the tenth digit is the check digit of the nine before it."""
        return has_valid_check_digit(self.code)

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True)
class InsuredNumber:
    """Insurer, symbol, number and branch as the insurer wrote them: together they name one insured individual.

    The branch number is empty for the later-stage elderly scheme and for cards issued before branch numbers.
    """

    insurer: InsurerNumber
    symbol: str
    number: str
    branch_number: str

    @classmethod
    def parse(cls, insurer: str, symbol: str, number: str, branch_number: str) -> Self:
        """Read the four parts; symbol and branch number may be empty.

        Raises:
            MalformedInsurerNumber: the insurer number is not 8 or 6 digits.
            MalformedInsuredNumber: symbol or number is too long, number is empty, or the branch is not 2 digits.
            MyNumberRefused: symbol or number is a My Number.
        """
        number, symbol = number.strip(), symbol.strip()
        branch = unicodedata.normalize("NFKC", branch_number).strip()
        if not 1 <= len(number) <= SYMBOL_LENGTH or "\x00" in number:
            raise MalformedInsuredNumber(field="number")
        if len(symbol) > SYMBOL_LENGTH or "\x00" in symbol:
            raise MalformedInsuredNumber(field="symbol")
        if branch and not _BRANCH.fullmatch(branch):
            raise MalformedInsuredNumber(field="branch_number")
        for field, text in (("symbol", symbol), ("number", number)):
            refuse_my_number(text, field)
            refuse_my_number(number_key(text), field)  # by which it would be looked up, without any spaces
        return cls(InsurerNumber.parse(insurer), symbol, number, branch)

    @property
    def symbol_key(self) -> str:
        """The symbol's normal form, by which it is looked up."""
        return number_key(self.symbol)

    @property
    def number_key(self) -> str:
        """The number's normal form, by which it is looked up."""
        return number_key(self.number)

    def jp_core(self) -> str:
        """Return `insurer:symbol:number:branch`, the identity string of the JP Core Coverage profile.

        Symbol and number are half width when purely alphanumeric, else full width, without spaces; a missing
        branch number is the empty string.
        """
        return f"{self.insurer}:{_one_width(self.symbol)}:{_one_width(self.number)}:{self.branch_number}"

    def __repr__(self) -> str:
        return f"InsuredNumber({self.insurer}:*:{_masked(self.number)}:{self.branch_number})"

    __str__ = __repr__


def _one_width(text: str) -> str:
    half = unicodedata.normalize("NFKC", "".join(text.split()))
    if half.isascii() and half.isalnum():
        return half
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in half)
