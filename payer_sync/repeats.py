"""Finds the records of one file that may state a coverage or a person which another of its records states too.

By hashes of what names them, so that a nation's register fits into memory. A hash may be that of two different ones:
what is found is compared by the merge, what is not found stands alone for sure.
"""

from pathlib import Path
from typing import Any, Final

import polars as pl

from payer_sync.layouts.layout import Layout
from payer_sync.reading import read_texts

_COVERAGE: Final = ("symbol_key", "number_key", "branch_number", "acquired_on")
_PERSON: Final = "linkage_code"


class Repeats:
    """Gathers the checked records of one file."""

    def __init__(self) -> None:
        self._hashes: list[pl.DataFrame] = []

    def add(self, staged: pl.DataFrame) -> None:
        """Add records that are staged."""
        self._hashes.append(
            staged.select("record_number", pl.struct(_COVERAGE).hash().alias("coverage"), pl.col(_PERSON).hash())
        )

    def records(self) -> pl.Series:
        """Return the numbers of those that may not be alone with their coverage or their person."""
        if not self._hashes:
            return pl.Series("record_number", [], dtype=pl.Int64)
        found = pl.concat(self._hashes)
        return found.filter(pl.col("coverage").is_duplicated() | pl.col(_PERSON).is_duplicated())["record_number"]


def find_shared_persons(path: Path, layout: Layout) -> pl.Series:
    """Return the numbers of a file's records that may not be alone with their person, before any is checked.

    Raises:
        FileRefused: the file cannot be read at all.
    """
    hashes = [texts.hash() for texts in read_texts(path, layout, layout.column(_PERSON))]
    shared = pl.concat(hashes).is_duplicated() if hashes else pl.Series(dtype=pl.Boolean)
    return (shared.arg_true().cast(pl.Int64) + 1).alias("record_number")


async def stage_repeated(connection: Any, records: pl.Series) -> None:
    """Tell the merge which of the staged records may repeat others."""
    await connection.copy_records_to_table("repeated_record", records=((number,) for number in records))
