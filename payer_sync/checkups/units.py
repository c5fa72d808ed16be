"""When two spellings of a unit mean the same."""

from typing import Final

import polars as pl

# Spellings of a unit that mean the same; brackets and braces are UCUM's marks, not part of what is read.
_UNIT_SPELLINGS: Final = {
    "[": "", "]": "", "{": "", "}": "", "_": "", " ": "", "^": "", "iu/": "u/", "万/": "10*4/", "μ": "u", "µ": "u",
}  # fmt: skip


def unit_keys(units: pl.Expr) -> pl.Expr:
    """Return the form of units in which different spellings of one are equal."""
    return units.str.normalize("NFKC").str.to_lowercase().str.replace_many(_UNIT_SPELLINGS)
