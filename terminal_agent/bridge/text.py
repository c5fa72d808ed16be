"""Characters as the interface writes them: Shift_JIS or UTF-8, half-width kana, full-width names, ● for what it lacks.

Shift_JIS is cp932, read strictly: a byte that means nothing refuses the file. What cp932 cannot write becomes ●, as in
the field, and the caller is told so that the answer can say it; it never becomes `?`.
"""

import unicodedata
from typing import Final

from eligibility.domain.codes import FieldCode

UNKNOWN_GLYPH: Final = "●"
_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_MEANINGLESS_BYTES: Final = frozenset("\x80\xa0\uf8f0\uf8f1\uf8f2\uf8f3")  # what Python reads 80, A0, FD–FF as
# One shape, two characters: what Unicode's authors and Microsoft chose differently for one code of JIS.
_TWINS: Final = str.maketrans("〜−‖—¢£¬¥¦", "～－∥―￠￡￢￥￤")
_SELECTORS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


class CharacterCode(FieldCode):
    """The encoding of a message (005 CharacterCodeIdentifier)."""

    UTF_8 = "0", "UTF-8", "UTF-8"
    SHIFT_JIS = "1", "Shift_JIS", "Shift_JIS"

    @property
    def codec(self) -> str:
        """The name of Python's codec."""
        return "utf-8" if self is CharacterCode.UTF_8 else "cp932"


class Undecodable(Exception):
    """The bytes are neither UTF-8 nor the Shift_JIS of Windows."""


def decode(content: bytes, declared: CharacterCode | None) -> tuple[str, CharacterCode]:
    """Read bytes as what they declare; without a declaration as UTF-8, which Shift_JIS hardly ever happens to be.

    Raises:
        Undecodable: a byte means nothing there.
    """
    code = declared or CharacterCode.UTF_8
    if content.startswith(_UTF_8_MARK):
        content, code = content[len(_UTF_8_MARK) :], CharacterCode.UTF_8
    try:
        text = content.decode(code.codec)
    except UnicodeDecodeError as error:
        if declared is None and code is CharacterCode.UTF_8:
            return decode(content, CharacterCode.SHIFT_JIS)
        raise Undecodable from error
    if code is CharacterCode.SHIFT_JIS and not _MEANINGLESS_BYTES.isdisjoint(text):
        raise Undecodable
    return text, code


def fit(text: str, code: CharacterCode) -> tuple[str, bool]:
    """Return the text as it can be written in XML and this encoding, and whether anything of it was lost on the way.

    A character that cannot be written becomes ●; a selector that merely chooses one of its glyphs is left out.
    """
    if code is CharacterCode.SHIFT_JIS:
        text = text.translate(_TWINS)
    fitted = "".join(_fitted(character, code) for character in text)
    if text and not fitted:
        fitted = UNKNOWN_GLYPH  # something was there
    return fitted, fitted != text


def half_width_kana(text: str) -> str:
    """Return kana and what stands between them in half width, as NameKana has them; other characters stay."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(_HALF_WIDTH.get(_katakana(character), character) for character in composed)


def full_width(text: str) -> str:
    """Return a name in full width, with full-width spaces; half-width kana are joined with their marks."""
    wide = "".join(
        unicodedata.normalize("NFKC", run) if is_kana else run for is_kana, run in _runs_of_half_width_kana(text)
    )
    return "".join("\u3000" if c == " " else chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in wide)


def postal_code(text: str) -> str:
    """Return a postal code as 123-4567; what is none stays as it is."""
    digits = unicodedata.normalize("NFKC", text).replace("-", "").strip()
    return (
        f"{digits[:3]}-{digits[3:]}"
        if len(digits) == _POSTAL_DIGITS and digits.isascii() and digits.isdigit()
        else text
    )


_POSTAL_DIGITS: Final = 7


def _fitted(character: str, code: CharacterCode) -> str:
    if any(ord(character) in selectors for selectors in _SELECTORS) and code is CharacterCode.SHIFT_JIS:
        return ""
    return character if _can_be_written(character, code) else UNKNOWN_GLYPH


def _can_be_written(character: str, code: CharacterCode) -> bool:
    number = ord(character)
    allowed = number in (0x9, 0xA, 0xD) or 0x20 <= number <= 0xD7FF or 0xE000 <= number <= 0xFFFD or number >= 0x10000
    if not allowed or (character in _MEANINGLESS_BYTES and code is CharacterCode.SHIFT_JIS):
        return False
    try:
        character.encode(code.codec)
    except UnicodeEncodeError:
        return False
    return True


def _katakana(character: str) -> str:
    return chr(ord(character) + 0x60) if "ぁ" <= character <= "ゔ" else character


def _half_width_table() -> dict[str, str]:
    half = [chr(number) for number in range(0xFF61, 0xFFA0)]
    table = {unicodedata.normalize("NFKC", kana): kana for kana in half}
    for mark in "ﾞﾟ":
        for kana in half:
            joined = unicodedata.normalize("NFKC", kana + mark)
            if len(joined) == 1:
                table[joined] = kana + mark
    return table | {"\u3000": " ", "゛": "ﾞ", "゜": "ﾟ"}


_HALF_WIDTH: Final = _half_width_table()


def _runs_of_half_width_kana(text: str) -> list[tuple[bool, str]]:
    runs: list[tuple[bool, str]] = []
    for character in text:
        is_kana = "｡" <= character <= "ﾟ"
        if runs and runs[-1][0] is is_kana:
            runs[-1] = (is_kana, runs[-1][1] + character)
        else:
            runs.append((is_kana, character))
    return runs
