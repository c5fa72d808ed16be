"""How numbers and days of the synthetic nation are written: whole columns, taken from tables of texts."""

from functools import cache
from typing import Final

import numpy as np
import polars as pl

from loadtest.nation import days
from loadtest.nation.draws import Flags, Ints
from loadtest.nation.insurers import Insurer

FULL_DIGITS: Final = str.maketrans("0123456789", "０１２３４５６７８９")


def dates(wareki: bool, days: Ints) -> pl.Series:
    """Return days by their numbers, western or in eras; nothing for 0."""
    return _written_days(wareki).gather(days)


def percents(shares: Ints) -> pl.Series:
    """Return percentages in three digits; nothing for 0."""
    return pl.Series(["", "010", "020", "030"]).gather(shares // 10)


def choice(flags: Flags, no: str, yes: str) -> pl.Series:
    """Return one of two texts each."""
    return pl.Series([no, yes]).gather(flags.astype(np.uint8))


def joined(left: pl.Series, between: str, right: pl.Series) -> pl.Series:
    """Return texts put together."""
    return pl.select(pl.concat_str([left, right], separator=between)).to_series()


def symbols(writes: Insurer, office: Ints) -> pl.Series | pl.Expr:
    """Return the symbols of offices as the insurer writes them."""
    if writes.symbols == "none":
        return pl.lit("")
    if writes.symbols == "kanji":
        # A municipality's symbol is its name without the kind of municipality.
        return pl.lit(writes.municipality[:-1] or "国保")
    if writes.symbols == "hyphen":
        halves = [numbers(False, "", 2).gather(office // 100), numbers(False, "", 2).gather(office % 100)]
        return pl.select(pl.concat_str(halves, separator="－")).to_series()
    if writes.symbols == "full":
        return four_digits(full=True).gather(office)
    before = pl.lit("0" if writes.symbols == "zeros" else "2117")
    return pl.select(before + four_digits().gather(office)).to_series()


def digits(number: Ints, width: int, style: str) -> pl.Series:
    """Return the insured numbers in an insurer's style."""
    if style == "half":
        return pl.Series(number).cast(pl.String)
    full = style == "full"
    upper, middle, lower = number // 10**8, number // 10**4 % 10**4, number % 10**4
    parts = [four_digits(full).gather(middle), four_digits(full).gather(lower)]
    if width > 8:
        parts.insert(0, numbers(not full, "").gather(upper))
    return pl.select(pl.concat_str(parts)).to_series()


@cache
def _written_days(wareki: bool) -> pl.Series:
    return days.written(wareki)


@cache
def four_digits(full: bool = False) -> pl.Series:
    """Return the texts of 0 to 9999, four digits each."""
    texts = (f"{n:04d}" for n in range(10_000))
    return pl.Series([t.translate(FULL_DIGITS) for t in texts] if full else list(texts))


@cache
def numbers(half: bool, end: str, width: int = 1) -> pl.Series:
    """Return the texts of 0 to 99, each with what follows it."""
    texts = (f"{n:0{width}d}" for n in range(100))
    return pl.Series([(t if half else t.translate(FULL_DIGITS)) + end for t in texts])
