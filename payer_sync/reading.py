"""Turns the bytes of a file into batches of text columns, in bounded memory.

One line is one record: a line break is not allowed inside quotes, so that a stray quote spoils its own record and
never the rest of the file. The encoding is settled by the header line; from then on the decoding is strict.
"""

import csv
from array import array
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from payer_sync.batches import CountersAsk, nobody_asks
from payer_sync.decoding import UNDEFINED_IN_CP932, byte_fault, unreadable_byte
from payer_sync.faults import Fault, FaultCode, FileRefused, both
from payer_sync.feedback import FAULT_SCHEMA
from payer_sync.layouts.columns import Column
from payer_sync.layouts.layout import Layout
from payer_sync.refusals import Refusals, gathered_refusals

# About 45,000 eligibility records: the next are checked while the server takes in these. Also the longest line there
# can be.
BLOCK_BYTES: Final = 8 * 1024 * 1024
BATCH_LINES: Final = 100_000  # the most of a batch, however short they are: each may come to a fault or to many
MAX_ASTRAY: Final = 1_000_000  # lines without the layout's fields; a file with more is another kind of file
_PIECE_BYTES: Final = 1024 * 1024  # decoded at once: a decoder holds the interpreter for a few milliseconds at most
_BOM: Final = b"\xef\xbb\xbf"
_HEADER_BYTES: Final = 64 * 1024
# Named in the refusal when the header reads in none that is accepted.
_OTHER_ENCODINGS: Final = ("utf-16", "euc_jp", "iso2022_jp")
_LINE_ENDS: Final = both("行の終わりは CRLF か LF(CR だけは不可)", "lines that end with CRLF or LF, not with CR alone")
SPACES: Final = " \u3000"  # around a value they mean nothing; other white space is a fault and stays visible
_VISIBLE: Final = r"^[!-~]+$"
# What polars drops without a word: a carriage return where a field ends, a byte order mark where a text begins.
_DROPPED: Final = "\r|^\ufeff"
END_OF_FILE: Final = b"\x1a"  # a line of its own: some systems still end a text with it
_CONTROL: Final = "\x1e"  # stands for another control character: the check refuses the one as the other
_QUOTED_FIELD: Final = r'(?:"(?:[^"]|"")*"|[^",]*)'


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records: their numbers, their lines, their fields as texts, and the faults of lines that have no fields."""

    records: pl.Series
    lines: pl.Series
    fields: pl.DataFrame
    faults: pl.DataFrame
    astray: pl.Series  # the numbers of lines that have no fields but hold something
    read: int  # records seen, those without fields included


def read_batches(path: Path, layout: Layout, block_bytes: int = BLOCK_BYTES) -> Iterator[Batch]:
    """Yield the file's records, in order.

    Raises:
        FileRefused: unknown encoding, a wrong header, a line beyond all bounds, too many without fields; after the last
            record, undecodable or NUL bytes.
    """
    with path.open("rb") as file, gathered_refusals() as refusals:
        encoding, names = _read_header(file)
        _check_header(names, layout)
        first, astray = 1, 0
        for block in _blocks(file, block_bytes):
            text, unreadable = _utf8(block, encoding, first, refusals)
            for batch in _batches(text, layout, first, unreadable):
                first += batch.read
                astray += len(batch.faults)
                yield batch
                if astray > MAX_ASTRAY:
                    raise _too_many_astray()


def read_ahead(path: Path, layout: Layout, counters_ask: CountersAsk = nobody_asks) -> Generator[Batch]:
    """Yield the same, the next batch being read in a thread of its own unless counters ask."""
    batches = read_batches(path, layout)
    with ThreadPoolExecutor(1, "reading") as thread:
        under_way: Future[Batch | None] | None = None
        while batch := under_way.result() if under_way else next(batches, None):
            under_way = None if counters_ask() else thread.submit(next, batches, None)
            yield batch


def read_texts(path: Path, layout: Layout, column: Column) -> Iterator[pl.Series]:
    """Yield one column's texts, without the spaces around them: a quick look before the records are read.

    Raises:
        FileRefused: unknown encoding, a wrong header, a line beyond all bounds or too many without fields.
    """
    width = len(layout.columns)
    with path.open("rb") as file:
        encoding, names = _read_header(file)
        _check_header(names, layout)
        first, seen = 1, 0
        for block in _blocks(file, BLOCK_BYTES):
            seen += len(block)
            for texts in _texts(block, encoding, layout, column, first):
                first += len(texts)
                # A line with its fields has as many bytes at least, its end included. So many lines have fewer, however
                # they are read: what is kept of each line of this look is not to outgrow the file.
                if first * width - seen > MAX_ASTRAY * width:
                    raise _too_many_astray()
                yield texts


def _texts(block: bytes, encoding: str, layout: Layout, column: Column, first: int) -> Iterator[pl.Series]:
    texts = _ascii_texts(block, layout.columns.index(column))
    if texts is not None:
        yield texts
        return
    text, unreadable = _utf8(block, encoding, first, Refusals())  # told by the check
    for batch in _batches(text, layout, first, unreadable):
        # Of a line without fields no text is known; its record, or the file, is refused by the check.
        known = pl.DataFrame({"record": batch.records, "text": batch.fields[column.name].str.strip_chars(SPACES)})
        every = pl.int_range(first, first + batch.read, eager=True).alias("record").to_frame()
        first += batch.read
        yield every.join(known, on="record", how="left", maintain_order="left")["text"]


def _ascii_texts(block: bytes, place: int) -> pl.Series | None:
    # In UTF-8 and in cp932 no other character has the byte of a comma, a quote or a line feed in it.
    if b'"' in block or not block.endswith(b"\n"):
        return None
    try:
        texts = pl.read_csv(
            block,
            has_header=False,
            columns=[place],
            infer_schema=False,
            quote_char=None,
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
            empty_string_is_null=False,
        ).to_series()
    except pl.exceptions.ColumnNotFoundError:  # the first line has too few
        return None
    plain = len(texts) == block.count(b"\n") and texts.str.contains(_VISIBLE).all()
    return texts if plain and not texts.null_count() else None


def _read_header(file: BinaryIO) -> tuple[str, list[str]]:
    head = file.read(_HEADER_BYTES)
    line = head.split(b"\n", 1)[0]
    start = len(_BOM) if head.startswith(_BOM) else 0
    if start == 0 and (encoding := _foreign(head, line)):
        raise FileRefused(Fault(FaultCode.ENCODING_UNKNOWN, value_shape=encoding))
    file.seek(min(len(line) + 1, len(head)))
    for encoding in ("utf-8", "cp932"):
        try:
            text = line[start:].decode(encoding).removesuffix("\r")
        except UnicodeDecodeError:
            continue
        try:
            return encoding, next(csv.reader([text]), [])
        except csv.Error as error:  # a carriage return alone ends no line
            raise FileRefused(Fault(FaultCode.HEADER_MISSING, expected=_LINE_ENDS)) from error
    raise FileRefused(Fault(FaultCode.ENCODING_UNKNOWN))


def _foreign(head: bytes, line: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in line:
        return "utf-16"
    known = "番号".encode
    for encoding in ("utf-8", "cp932"):
        if known(encoding) in line:
            return None
    return next(
        (e for e in _OTHER_ENCODINGS[1:] if known(e).removeprefix(b"\x1b$B").removesuffix(b"\x1b(B") in line), None
    )


def _check_header(names: Sequence[str], layout: Layout) -> None:
    expected = layout.column_names
    faults = []
    if not set(names) & set(expected):
        raise FileRefused(Fault(FaultCode.HEADER_MISSING, expected=_at(1, expected[0])))
    seen: set[str] = set()
    for position, name in enumerate(names, 1):
        if name not in expected:
            # Where the header is missing a name may stand here, so that it is not said.
            faults.append(Fault(FaultCode.COLUMN_UNKNOWN, expected=_at(position)))
        elif name in seen:
            faults.append(Fault(FaultCode.COLUMN_DUPLICATE, field=name, expected=_at(position)))
        seen.add(name)
    faults += [
        Fault(FaultCode.COLUMN_MISSING, field=name, expected=_at(position, name))
        for position, name in enumerate(expected, 1)
        if name not in seen
    ]
    if not faults and tuple(names) != expected:
        position, name = next((p, e) for p, (n, e) in enumerate(zip(names, expected, strict=True), 1) if n != e)
        faults.append(Fault(FaultCode.COLUMN_MISPLACED, field=name, expected=_at(position, name)))
    if faults:
        raise FileRefused(*faults)


def _at(position: int, name: str | None = None) -> str:
    if name is None:
        return both(
            f"{position}列目: 様式にある項目名だけ、各一度", f"column {position}: names of the layout only, each once"
        )
    return both(f"1行目の{position}列目に「{name}」", f"「{name}」 as column {position} of line 1")


def _blocks(file: BinaryIO, block_bytes: int) -> Iterator[bytes]:
    # Cut where lines end: in UTF-8 and in cp932 a line feed is never a part of another character.
    rest = b""
    while read := file.read(block_bytes):
        end = read.rfind(b"\n") + 1
        if end == 0 and len(rest) + len(read) > block_bytes:
            raise FileRefused(Fault(FaultCode.LINE_TOO_LONG))
        if end:
            yield rest + read[:end]
            rest = read[end:]
        else:
            rest += read
    if rest:
        yield rest


def _too_many_astray() -> FileRefused:
    ja = f"項目数の合う行のファイル(合わない行が{MAX_ASTRAY:,}を超えたため、そこで確認を終えた)"
    en = f"lines with the layout's fields; more than {MAX_ASTRAY:,} have others, and the check ended there"
    return FileRefused(Fault(FaultCode.LINES_ASTRAY, expected=both(ja, en)))


def _utf8(block: bytes, encoding: str, first: int, refusals: Refusals) -> "tuple[bytes, array[int]]":
    """Return the block in UTF-8, and the records of lines that cannot be read; these hold no field any more."""
    pieces: list[bytes] = []
    unreadable = array("q")  # there may be millions
    start = 0
    while start < len(block):
        end = len(block) if len(block) - start <= _PIECE_BYTES else block.rfind(b"\n", start, start + _PIECE_BYTES) + 1
        piece = block[start : end or len(block)]
        decoded = _decoded(piece, encoding)
        if decoded is None:
            decoded = _decoded_by_line(piece, encoding, first + block.count(b"\n", 0, start), refusals, unreadable)
        pieces.append(decoded)
        start = end or len(block)
    # The lines are told apart from their fields by a separator no text may hold.
    return b"".join(pieces).replace(b"\x1f", _CONTROL.encode()), unreadable


def _decoded(piece: bytes, encoding: str) -> bytes | None:
    """Return the piece in UTF-8; None where a byte of it cannot be read."""
    if b"\x00" in piece:
        return None
    try:
        text = piece.decode(encoding)
    except UnicodeDecodeError:
        return None
    if encoding == "utf-8":
        return piece
    return None if any(character in text for character in UNDEFINED_IN_CP932) else text.encode()


def _decoded_by_line(piece: bytes, encoding: str, first: int, refusals: Refusals, unreadable: "array[int]") -> bytes:
    lines = piece.split(b"\n")
    for at, line in enumerate(lines):
        if wrong := unreadable_byte(line, encoding):
            refusals.add(byte_fault(wrong[0], first + at, first + at + 1, wrong[1]))
            unreadable.append(first + at)
            lines[at] = _CONTROL.encode()  # something, so that it stays a line
        else:
            lines[at] = line.decode(encoding).encode()
    return b"\n".join(lines)


def _batches(text: bytes, layout: Layout, first: int, unreadable: "array[int]") -> Iterator[Batch]:
    """Yield the records of a text at once, if there are not too many; otherwise of its halves."""
    if text.startswith(_BOM):
        text = _CONTROL.encode() + text.removeprefix(_BOM)
    lines = pl.read_csv(
        text,
        has_header=False,
        schema={"line": pl.String},
        separator="\x1f",
        quote_char=None,
        empty_string_is_null=False,
    )["line"]
    if len(lines) <= BATCH_LINES:
        yield _batch(text, lines, layout, first, unreadable)
        return
    del lines
    at = text.rfind(b"\n", 0, len(text) // 2) + 1 or text.find(b"\n") + 1
    for half in (text[:at], text[at:]):
        for batch in _batches(half, layout, first, unreadable):
            first += batch.read
            yield batch


def _batch(text: bytes, lines: pl.Series, layout: Layout, first: int, unreadable: "array[int]") -> Batch:
    width = len(layout.columns)
    if lines.str.contains(_DROPPED).any():
        lines = lines.str.replace_all(_DROPPED, _CONTROL)
        text = "\n".join([*lines, ""]).encode()
    read = len(lines)
    records = pl.int_range(first, first + read, eager=True).alias("record")
    fields, faults = _plain_fields(text, lines, layout), pl.DataFrame(schema=FAULT_SCHEMA)
    astray = faults["record"]
    if fields is None:
        whole = _whole(lines, width)
        if not whole.all():
            told = pl.Series(unreadable, dtype=pl.Int64).implode()
            wrong = pl.DataFrame({"record": records, "line": lines}).filter(~whole & ~records.is_in(told))
            wrong = wrong.filter(pl.col("line") != END_OF_FILE.decode())
            # In one chunk: where the first of several is left empty, polars panics over it.
            faults = _line_faults(wrong.rechunk(), width)
            astray = wrong.filter(pl.col("line") != "")["record"]
            records, lines = records.filter(whole), lines.filter(whole)
            text = "\n".join(lines).encode()
        fields = pl.DataFrame(schema=_text_columns(layout))
        if len(lines):
            fields = pl.read_csv(text, has_header=False, schema=fields.schema, empty_string_is_null=False)
        if fields.height != len(lines):
            raise AssertionError("lines and fields went apart")  # would shift the record numbers of all that follow
    return Batch(records, lines, fields, faults, astray, read)


def _plain_fields(text: bytes, lines: pl.Series, layout: Layout) -> pl.DataFrame | None:
    """Return the fields of a text that has no quotes and in each line as many fields as it should have, or None."""
    if b'"' in text:
        return None
    try:
        fields = pl.read_csv(
            text, has_header=False, schema=_text_columns(layout), quote_char=None, empty_string_is_null=False
        )
    except pl.exceptions.PolarsError:  # a line has too many, or the first another number
        return None
    # None having too many, none has too few if all separators are there: what is not of a field is one of them.
    separators = (fields.width - 1) * len(lines)
    of_fields = sum(fields.select(pl.all().str.len_bytes().sum()).row(0))
    return fields if fields.height == len(lines) and of_fields + separators == lines.str.len_bytes().sum() else None


def _text_columns(layout: Layout) -> dict[str, type[pl.String]]:
    return dict.fromkeys(layout.column_names, pl.String)


def _whole(lines: pl.Series, width: int) -> pl.Series:
    quoted = lines.str.contains('"', literal=True)
    whole = lines.str.count_matches(",", literal=True) == width - 1
    if quoted.any():
        whole = (whole & ~quoted) | (
            quoted & lines.str.contains(f"^{_QUOTED_FIELD}(?:,{_QUOTED_FIELD}){{{width - 1}}}$")
        )
    return whole


def _line_faults(wrong: pl.DataFrame, width: int) -> pl.DataFrame:
    orderly = pl.col("line").str.contains(f"^{_QUOTED_FIELD}(?:,{_QUOTED_FIELD})*$")
    found = pl.col("line").str.replace_all(r'"(?:[^"]|"")*"', "").str.count_matches(",", literal=True) + 1
    counted = pl.format(both(f"{width}項目(この行は{{}}項目)", f"{width} fields (this line has {{}})"), found, found)
    return wrong.select(
        pl.col("record"),
        pl.lit(None, pl.String).alias("field"),
        pl.when(orderly)
        .then(pl.lit(FaultCode.WRONG_FIELD_COUNT.value))
        .otherwise(pl.lit(FaultCode.QUOTES_WRONG.value))
        .alias("code"),
        pl.lit(FaultCode.WRONG_FIELD_COUNT.severity.value).alias("severity"),
        pl.lit(None, pl.String).alias("value_shape"),
        pl.when(orderly).then(counted).otherwise(pl.lit(FaultCode.QUOTES_WRONG.expected)).alias("expected"),
    )
