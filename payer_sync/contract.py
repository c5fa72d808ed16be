"""Checks a batch against its layout, column by column, and returns the records that hold with every fault found."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.submissions import Severity
from payer_sync.batches import CountersAsk, nobody_asks
from payer_sync.faults import SHAPE_LENGTH, FaultCode
from payer_sync.layouts.columns import Column, Required, Text
from payer_sync.layouts.layout import Layout
from payer_sync.normal_forms import hold_my_number, is_ascii, may_hold_my_number, number_keys, shapes
from payer_sync.reading import SPACES, Batch, read_ahead
from payer_sync.rules import TODAY, RecordKind

# Controls of every kind, line separators, what has no width, and the marks that turn the direction of what is read.
_CONTROL: Final = (
    r"[\p{Cc}\x{61c}\x{200b}\x{200e}\x{200f}\x{2028}\x{2029}\x{202a}-\x{202e}\x{2060}\x{2066}-\x{2069}\x{feff}]"
)
# Private use (what cp932's gaiji become) and the mark that an earlier conversion leaves for what it lost.
_GAIJI: Final = r"[\x{e000}-\x{f8ff}\x{fffd}\x{f0000}-\x{10fffd}]"
# A space beside what separates fields: where no line has one, no field has to be stripped.
_SPACE_AT_EDGE: Final = r"(?:^|[,\"])[ \x{3000}]|[ \x{3000}](?:[,\"]|$)"
_REFUSED: Final = Severity.RECORD_REFUSED.value


@dataclass(frozen=True, slots=True)
class Checked:
    """What a batch came to: the staged fields of the records that hold, and every fault."""

    staged: pl.DataFrame
    faults: pl.DataFrame
    read: int
    refused: int


@dataclass(frozen=True, slots=True)
class _Finding:
    column: Column
    code: FaultCode
    wrong: pl.Expr


def check_file(
    path: Path, layout: Layout, insurer: InsurerNumber, today: date, counters_ask: CountersAsk = nobody_asks
) -> Generator[Checked]:
    """Read and check a file batch by batch; one is read while another is checked, unless counters ask.

    Raises:
        FileRefused: the file cannot be read at all.
    """
    with closing(read_ahead(path, layout, counters_ask)) as batches:
        for batch in batches:
            yield check(batch, layout, insurer, today)


def check(batch: Batch, layout: Layout, insurer: InsurerNumber, today: date) -> Checked:
    """Check the records of one batch; `staged` has `record_number` and the fields of the layout's staging table."""
    # One look at the lines tells whether any holds what has to be looked for in each of its fields.
    unusual = batch.lines.str.contains(_unusual()).any()
    read = texts(batch.fields, layout.columns, spaced=unusual)
    values = read.select(value for column in layout.columns for value in column.values())
    both = pl.concat([read, values.with_columns(pl.lit(today).alias(TODAY))], how="horizontal")
    suspects = batch.lines.str.contains(_suspicious()) if unusual else None
    suspicious = suspects is not None and suspects.any()
    findings = [*_field_findings(layout, insurer, suspicious=suspicious), *_rule_findings(layout)]
    found = [batch.faults, *_faults(both, batch.records, findings)]
    if suspects is not None and suspicious:
        found += _my_number_faults(batch, suspects, layout)
    faults = pl.concat(found).sort("record", maintain_order=True)
    refused = faults.filter(pl.col("severity") == _REFUSED)["record"].unique()
    staged = layout.staged(values).insert_column(0, batch.records.alias("record_number"))
    if len(refused):
        staged = staged.filter(~pl.col("record_number").is_in(refused.implode()))
    return Checked(staged, faults, read=batch.read, refused=len(refused))


def texts(fields: pl.DataFrame, columns: Sequence[Column], *, spaced: bool = True) -> pl.DataFrame:
    """Return the texts of some columns as they are read: to half width where width means nothing, and stripped.

    `spaced` is False where it is known that no field begins or ends with a space.
    """
    return fields.select(_text(fields[column.name], column, spaced=spaced) for column in columns)


def _text(text: pl.Series, column: Column, *, spaced: bool) -> pl.Series:
    # Most columns are plain ASCII, for which width needs no folding.
    if column.kind.folded and not is_ascii(text):
        return text.str.normalize("NFKC").str.strip_chars(SPACES)
    return text.str.strip_chars(SPACES) if spaced else text


@cache
def _unusual() -> str:
    return f"{_suspicious()}|{_SPACE_AT_EDGE}"


@cache
def _suspicious() -> str:
    return f"{_CONTROL}|{_GAIJI}|{may_hold_my_number()}"


def _field_findings(layout: Layout, insurer: InsurerNumber, *, suspicious: bool) -> Iterator[_Finding]:
    loses = pl.col("record_kind") == RecordKind.LOSE.value
    for column in layout.columns:
        text, value = pl.col(column.name), pl.col(column.field)
        if column.required is not Required.NEVER:
            needed = loses if column.required is Required.ON_LOSS else pl.lit(True)
            key = column.name_key or column.number_key
            nothing = (text == "") if key is None else (pl.col(key) == "")  # white space of any other kind is nothing
            yield _Finding(column, FaultCode.REQUIRED, nothing & needed)
        empty = value.is_null() if column.blank is None else value == column.blank
        yield _Finding(column, column.kind.malformed, (text != "") & empty)
        if isinstance(column.kind, Text):
            yield _Finding(column, FaultCode.TOO_LONG, text.str.len_chars() > column.kind.max_length)
        if suspicious:
            yield _Finding(column, FaultCode.CONTROL_CHARACTER, text.str.contains(_CONTROL))
            yield _Finding(column, FaultCode.GAIJI, text.str.contains(_GAIJI))
    yield _Finding(layout.column("insurer_number"), FaultCode.OTHER_INSURER, pl.col("insurer_number") != insurer.digits)


def _rule_findings(layout: Layout) -> Iterator[_Finding]:
    for rule in layout.rules:
        yield _Finding(layout.column(rule.field), rule.code, rule.wrong)


def _faults(both: pl.DataFrame, records: pl.Series, findings: list[_Finding]) -> Iterator[pl.DataFrame]:
    if both.height == 0:
        return
    flags = both.select(f.wrong.fill_null(False).alias(str(i)) for i, f in enumerate(findings))
    for finding, wrong in zip(findings, flags.get_columns(), strict=True):
        if wrong.any():
            yield _rows(records.filter(wrong), both[finding.column.name].filter(wrong), finding)


def _my_number_faults(batch: Batch, suspects: pl.Series, layout: Layout) -> Iterator[pl.DataFrame]:
    records, fields = batch.records.filter(suspects), batch.fields.filter(suspects)
    for column in layout.columns:
        held = hold_my_number(fields[column.name])
        if column.number_key:  # what is looked up has no spaces
            held = held | hold_my_number(fields.select(number_keys(pl.col(column.name))).to_series())
        if held.any():
            finding = _Finding(column, FaultCode.MY_NUMBER, pl.lit(True))
            yield _rows(records.filter(held), fields[column.name].filter(held), finding)


def _rows(records: pl.Series, texts: pl.Series, finding: _Finding) -> pl.DataFrame:
    code = finding.code
    told_by_kind = code in (finding.column.kind.malformed, FaultCode.REQUIRED, FaultCode.TOO_LONG)
    return pl.DataFrame({"record": records, "value_shape": texts}).select(
        pl.col("record"),
        pl.lit(finding.column.name).alias("field"),
        pl.lit(code.value).alias("code"),
        pl.lit(code.severity.value).alias("severity"),
        shapes(pl.col("value_shape"), SHAPE_LENGTH),
        pl.lit(finding.column.kind.expected if told_by_kind else code.expected).alias("expected"),
    )
