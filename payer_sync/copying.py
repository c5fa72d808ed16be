"""Rows on their way to a table by COPY: made from columns at once, sent in pieces."""

import io
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import IO, Any, Final

import polars as pl

# How a null travels in COPY: a character that no value holds, because control characters are refused.
_NULL: Final = "\x01"
_DAY: Final = "%Y%m%d"  # PostgreSQL reads it sooner than one with hyphens, and there are six in a coverage
_SEND_BYTES: Final = 1024 * 1024


async def copy_rows(
    connection: Any,
    table: str,
    columns: Sequence[str],
    source: AsyncIterable[memoryview] | IO[bytes] | memoryview,
    timeout_s: float,
) -> None:
    """Send rows made by `copy_bytes` to a table, in pieces: the server works on one while the next is on its way."""
    rows = _pieces(connection, source) if isinstance(source, memoryview | AsyncIterable) else source
    await connection.copy_to_table(table, source=rows, columns=columns, format="csv", null=_NULL, timeout=timeout_s)


async def _pieces(connection: Any, source: AsyncIterable[memoryview] | memoryview) -> AsyncIterator[memoryview]:
    if isinstance(source, memoryview):
        for start in range(0, len(source), _SEND_BYTES):
            yield source[start : start + _SEND_BYTES]
    else:
        async for rows in source:
            if connection.is_closed():  # nobody takes them in: COPY says so when it is told that these are all
                return
            async for piece in _pieces(connection, rows):
                yield piece


def copy_bytes(rows: pl.DataFrame) -> memoryview:
    """Return rows as COPY takes them; an empty text stays one, and is no null."""
    written = io.BytesIO()
    rows.write_csv(written, include_header=False, null_value=_NULL, date_format=_DAY)
    return written.getbuffer()
