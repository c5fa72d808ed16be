"""The normal forms and the My Number check of `eligibility.domain`, over whole columns.

The tables are computed from the very tables of `eligibility.domain.names`, character by character, so that both paths
give the same keys; tests hold them to it. Of characters that are younger than this Python's Unicode polars knows
some that the domain does not: their keys are other ones, but the same in every file.
"""

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Final

import polars as pl

from eligibility.domain.identifiers import MY_NUMBER_WEIGHTS, contains_my_number
from eligibility.domain.names import HYPHENS, KANA_SPELLINGS, kana_sounds, name_key, number_key

# Assigned characters end here but for the selectors of variant glyphs, which have a block of their own.
_CHARACTERS: Final = (range(0xD800), range(0xE000, 0x33480), range(0xE0000, 0xE0200))
_DIGIT: Final = "[0-9０-９]"
_HYPHEN: Final = rf"[{''.join(HYPHENS)}⁻₋︱︲﹘﹣－\-]"  # those and what NFKC turns into one of them
# Twelve digits, with spaces or not; or in groups of four with hyphens.
_TWELVE_DIGITS: Final = (
    rf"(?:^|[^0-9０-９]){_DIGIT}(?:\s*{_DIGIT}){{11}}(?:$|[^0-9０-９])"
    rf"|{_DIGIT}{{4}}{_HYPHEN}{_DIGIT}{{4}}{_HYPHEN}{_DIGIT}{{4}}"
)
_IN_FOURS: Final = rf"[0-9]{{4}}(?: |{_HYPHEN})[0-9]{{4}}(?: |{_HYPHEN})[0-9]{{4}}"  # folded already
_FEW_NUMBERS: Final = 100  # have their keys one by one sooner than a table of all characters is made ready


def name_keys(names: pl.Expr) -> pl.Expr:
    """Return `name_key` of a column."""
    return names.map_batches(_name_keys, return_dtype=pl.String)


def sounds(names: pl.Expr) -> pl.Expr:
    """Return `kana_sounds` of a column, after NFKC."""
    return names.str.normalize("NFKC").str.replace_many(_kana_table())


def kana_keys(names: pl.Expr) -> pl.Expr:
    """Return `kana_key` of a column."""
    keys = sounds(names)
    for spelling, sound in KANA_SPELLINGS:
        keys = keys.str.replace_all(spelling, sound.replace("\\1", "${1}"))
    return keys


def number_keys(numbers: pl.Expr) -> pl.Expr:
    """Return `number_key` of a column."""
    return numbers.map_batches(_number_keys, return_dtype=pl.String)


def shapes(texts: pl.Expr, length: int) -> pl.Expr:
    """Return what values look like: 9 for a digit, A for a letter, あ for another."""
    drawn = (
        texts.str.slice(0, length)
        .str.replace_all(r"[A-Za-z]", "A")
        .str.replace_all(r"[0-9]", "9")
        .str.replace_all(r"[^A9]", "あ")
    )
    return pl.when(texts.str.len_chars() > length).then(drawn + "…").otherwise(drawn)


def may_hold_my_number() -> str:
    """Return a pattern of every line that could hold a My Number: a quick look that misses none."""
    return f"{_TWELVE_DIGITS}|{_unusual_digit()}"


def hold_my_number(texts: pl.Series) -> pl.Series:
    """Tell which texts hold one, as `eligibility.domain.identifiers.contains_my_number` does."""
    folded = texts.str.normalize("NFKC")
    runs = pl.DataFrame({"row": pl.int_range(len(texts), eager=True), "run": folded})
    runs = runs.with_columns(pl.col("run").str.extract_all(r"[0-9]+")).explode("run")
    runs = runs.filter(pl.col("run").str.len_bytes() == 12)
    digits = [pl.col("run").str.slice(place, 1).cast(pl.Int32) for place in range(12)]
    remainder = pl.sum_horizontal(d * w for d, w in zip(digits, MY_NUMBER_WEIGHTS, strict=False)) % 11
    check = pl.when(remainder <= 1).then(0).otherwise(11 - remainder)
    hits = runs.filter(check == digits[11])["row"].unique()
    found = pl.int_range(len(texts), eager=True).is_in(hits.implode())
    in_fours = folded.str.contains(_IN_FOURS)
    if in_fours.any():  # seldom enough to look at one by one
        one_by_one = [four and contains_my_number(text) for four, text in zip(in_fours, folded, strict=True)]
        found = found | pl.Series(one_by_one, dtype=pl.Boolean)
    return found


def _name_keys(names: pl.Series) -> pl.Series:
    return names.str.normalize("NFKC").str.replace_many(_name_table())


def _number_keys(numbers: pl.Series) -> pl.Series:
    # Numbers are plain ASCII most often, and symbols a few different ones in all of a file.
    if is_ascii(numbers):
        return numbers.str.replace_many(_ascii_number_table())
    distinct = numbers.unique()
    folded = distinct.str.normalize("NFKC")
    if len(folded) <= _FEW_NUMBERS:
        keys = pl.Series([number_key(number) for number in folded], dtype=pl.String)
    else:
        keys = folded.str.replace_many(_number_table())
    return numbers.replace_strict(distinct, keys, return_dtype=pl.String)


def is_ascii(texts: pl.Series) -> bool:
    """Tell whether texts are plain ASCII: a column knows by its two lengths."""
    return bool(texts.str.len_bytes().sum() == texts.str.len_chars().sum())


@cache
def _name_table() -> dict[str, str]:
    return _table(name_key)


@cache
def _kana_table() -> dict[str, str]:
    return _table(kana_sounds)


@cache
def _number_table() -> dict[str, str]:
    return _table(number_key)


@cache
def _ascii_number_table() -> dict[str, str]:
    return {character: key for character, key in _number_table().items() if character.isascii()}


def _table(key: Callable[[str], str]) -> dict[str, str]:
    # What NFKC changes never reaches the table, and one character's key does not depend on its neighbours.
    found = {}
    for block in _CHARACTERS:
        for point in block:
            character = chr(point)
            folded = key(character)
            if folded != character and unicodedata.normalize("NFKC", character) == character:
                found[character] = folded
    return found


@cache
def _unusual_digit() -> str:
    # Every character that NFKC turns into something with an ASCII digit, but for the plain and the full-width ones.
    characters = pl.Series([chr(point) for block in _CHARACTERS for point in block])
    unusual = characters.str.normalize("NFKC").str.contains("[0-9]") & ~characters.str.contains(_DIGIT)
    return "[" + "".join(f"\\x{{{ord(c):x}}}" for c in characters.filter(unusual)) + "]"
