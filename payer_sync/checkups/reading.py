"""Reads either form of a check-up file, CSV or documents in an archive, into the same checked records."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, replace
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Final

import polars as pl

from eligibility.domain.checkup_items import ITEM_CODE
from eligibility.domain.identifiers import InsurerNumber, MalformedInsurerNumber
from eligibility.domain.retention import kept_from
from eligibility.wire.submissions import Severity
from payer_sync.checkups.archive import is_archive, read_documents
from payer_sync.checkups.cda import Document, DocumentForbidden, DocumentWrong, Result, read_document
from payer_sync.contract import Checked, check, texts
from payer_sync.faults import Fault, FaultCode, FileRefused
from payer_sync.feedback import FAULT_SCHEMA
from payer_sync.layouts.layout import Layout
from payer_sync.reading import Batch, read_batches
from payer_sync.refusals import Refusals, gathered_refusals

STAGING: Final = "staged_checkup"
# What names a check-up within one file; a record that lacks the day or the place belongs to none.
KEY: Final = ("linkage_code", "symbol_key", "number_key", "branch_number", "performed_on", "institution_code")
_KEY_COLUMNS: Final = ("linkage_code", "symbol", "number", "branch_number", "performed_on", "institution_code")
_RESULT_COLUMNS: Final = ("項目コード", "結果種別", "結果値", "結果コード名称", "単位", "基準下限", "基準上限", "判定")
_result_texts = attrgetter(*(field.name for field in fields(Result)))  # in the order of the columns above
_is_item_code = re.compile(ITEM_CODE).match
_RESULTS_AT_ONCE: Final = 20_000
_HEAD_BYTES: Final = 4


def read_checked(path: Path, layout: Layout, insurer: InsurerNumber, today: date) -> Iterator[Checked]:
    """Yield checked records; those of an archive are its documents, numbered in the directory's order.

    What is staged has besides, without an item, one row for each check-up of which a record was refused: an
    incomplete check-up must not take the place of a whole one.

    Raises:
        FileRefused: the file or the archive cannot be read at all.
    """
    with path.open("rb") as file:
        archive = is_archive(file.read(_HEAD_BYTES))
    for checked in (_archive if archive else _csv)(path, layout, insurer, today):
        yield replace(checked, staged=checked.staged.filter(pl.col("performed_on") >= kept_from(today)))


def insurer_named(path: Path, layout: Layout) -> InsurerNumber | None:
    """Return the insurer that a file's first record names, for a check of a file nobody has sent yet.

    None where nothing can be read, of which the check says why.
    """
    with path.open("rb") as file:
        archive = is_archive(file.read(_HEAD_BYTES))
    try:
        if archive:
            return InsurerNumber.parse(next(_readable(path)).insurer_number)
        named = next(batch.fields[layout.column("insurer_number").name][0] for batch in read_batches(path, layout))
        return InsurerNumber.parse(named)
    except (StopIteration, IndexError, FileRefused, MalformedInsurerNumber):
        return None


def _readable(path: Path) -> Iterator[Document]:
    for _, _, content in read_documents(path, Refusals()):
        with suppress(DocumentWrong):
            yield read_document(content)


def _csv(path: Path, layout: Layout, insurer: InsurerNumber, today: date) -> Iterator[Checked]:
    for batch in read_batches(path, layout):
        checked = check(batch, layout, insurer, today)
        yield _with_incomplete(checked, batch, batch.records, checked.faults, layout)


def _archive(path: Path, layout: Layout, insurer: InsurerNumber, today: date) -> Iterator[Checked]:
    pending = _Pending(layout)
    with gathered_refusals() as refusals:
        try:
            for number, name, content in read_documents(path, refusals):
                pending.take(number, name, content, refusals)
                if len(pending) >= _RESULTS_AT_ONCE:
                    yield pending.check(insurer, today)
                    pending = _Pending(layout)
        except FileRefused:  # what was found before is told, too
            yield pending.check(insurer, today)
            raise
        yield pending.check(insurer, today)


class _Pending:
    """Results of some documents, and the faults of documents without any."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._rows: list[tuple[str, ...]] = []
        self._places: list[tuple[int, str, str]] = []  # document, its name, and which of its results
        self._faults: list[tuple[object, ...]] = []
        self._read = 0

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, number: int, name: str, content: bytes, refusals: Refusals) -> None:
        """Take a document's results, each as a record of the layout, or what is wrong with it."""
        self._read += 1
        try:
            d = read_document(content)
        except DocumentForbidden as forbidden:
            refusals.add(Fault(FaultCode.XML_FORBIDDEN, number, expected=_placed(forbidden, name)))
            return
        except DocumentWrong as wrong:
            code = FaultCode.DOCUMENT_WRONG
            self._faults.append((number, None, code.value, code.severity.value, None, _placed(wrong, name)))
            return
        person = (d.insurer_number, d.symbol, d.number, d.branch_number, "", d.birth_date, d.sex)
        event = (d.performed_on, d.institution_code)
        for place, result in enumerate(d.results, 1):
            self._rows.append((*person, *event, *_result_texts(result)))
            item = result.item_code if _is_item_code(result.item_code) else f"#{place}"
            self._places.append((number, name, f"{name} {item}"))

    def check(self, insurer: InsurerNumber, today: date) -> Checked:
        """Check the results; what is staged and told has the documents' numbers."""
        fields = pl.DataFrame(self._rows, dict.fromkeys(self._layout.column_names, pl.String), orient="row")
        places = pl.DataFrame(
            self._places, {"document": pl.Int64, "name": pl.String, "result": pl.String}, orient="row"
        ).insert_column(0, pl.int_range(1, len(self._places) + 1, eager=True).alias("record"))
        lines = fields.select(pl.concat_str(pl.all(), separator=",").alias("line"))["line"]
        batch = Batch(places["record"], lines, fields, pl.DataFrame(schema=FAULT_SCHEMA), read=len(fields))
        checked = check(batch, self._layout, insurer, today)
        faults = _by_document(checked.faults, places)
        unreadable = pl.DataFrame(self._faults, FAULT_SCHEMA, orient="row")
        told = pl.concat([faults, unreadable]).sort("record", maintain_order=True)
        staged = checked.staged.with_columns(
            places["document"].gather(checked.staged["record_number"] - 1).alias("record_number")
        )
        whole = Checked(staged, told, read=self._read, refused=len(_refused(told)))
        return _with_incomplete(whole, batch, places["document"], faults, self._layout)


def _placed(wrong: DocumentWrong, name: str) -> str:
    return f"{wrong.expected} [{name}]"


def _by_document(faults: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    # A fault of the document itself was found at each of its results, and is told once.
    located = faults.join(places, on="record", maintain_order="left")
    place = pl.when(pl.col("field").is_in(_RESULT_COLUMNS)).then(pl.col("result")).otherwise(pl.col("name"))
    return (
        located.with_columns(
            pl.col("document").alias("record"), pl.format("{} [{}]", pl.col("expected"), place).alias("expected")
        )
        .select(FAULT_SCHEMA.keys())
        .unique(maintain_order=True)
    )


def _with_incomplete(
    checked: Checked, batch: Batch, records: pl.Series, faults: pl.DataFrame, layout: Layout
) -> Checked:
    refused = _refused(faults)
    if not len(refused):
        return checked
    columns = [layout.column(field) for field in _KEY_COLUMNS]
    lost = records.is_in(refused.implode())
    read = texts(batch.fields.filter(lost), columns)
    keys = read.select(value for column in columns for value in column.values()).select(KEY)
    incomplete = (
        keys.insert_column(0, records.filter(lost).alias("record_number"))
        .drop_nulls(("performed_on", "institution_code"))
        .unique(maintain_order=True)
    )
    kept = checked.staged.filter(~pl.col("record_number").is_in(refused.implode()))
    return replace(checked, staged=pl.concat([kept, incomplete], how="diagonal"))


def _refused(faults: pl.DataFrame) -> pl.Series:
    return faults.filter(pl.col("severity") == Severity.RECORD_REFUSED.value)["record"].unique()
