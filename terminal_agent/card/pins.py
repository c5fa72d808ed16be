"""The secrets a person enters for a card: checked before they are sent, and never shown."""

import re
from dataclasses import dataclass
from typing import Self

from terminal_agent.card.errors import MalformedNumberB, MalformedPin

# Full-width digits are what a Japanese input method types; nothing else is taken for a digit.
_HALF_WIDTH = str.maketrans("０１２３４５６７８９", "0123456789")
_FOUR_DIGITS = re.compile(r"[0-9]{4}")
_FOURTEEN_DIGITS = re.compile(r"[0-9]{14}")


@dataclass(frozen=True, slots=True, repr=False)
class Pin:
    """A four-digit PIN (利用者証明用電子証明書 or 券面事項入力補助用 暗証番号)."""

    secret: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read four digits, half or full width; checking here spares the card's tries.

        Raises:
            MalformedPin: anything else.
        """
        return cls(_digits(text, _FOUR_DIGITS, MalformedPin))

    def __repr__(self) -> str:
        return "Pin(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, repr=False)
class NumberB:
    """The verification number B (照合番号B): birth date, expiry year and security code, as printed on the card."""

    secret: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read fourteen digits.

        Raises:
            MalformedNumberB: anything else.
        """
        return cls(_digits(text, _FOURTEEN_DIGITS, MalformedNumberB))

    def __repr__(self) -> str:
        return "NumberB(***)"

    __str__ = __repr__


def _digits(text: str, form: re.Pattern[str], error: type[MalformedPin | MalformedNumberB]) -> bytes:
    half_width = text.strip().translate(_HALF_WIDTH)
    if not form.fullmatch(half_width):
        raise error
    return half_width.encode("ascii")
