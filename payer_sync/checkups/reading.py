"""Reads either form of a check-up file, CSV or documents in an archive, into the same checked records."""

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Final

import polars as pl

from eligibility.domain.checkup_items import ITEM_CODE
from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.retention import kept_from
from payer_sync.checkups.archive import is_archive, read_documents
from payer_sync.checkups.cda import DocumentForbidden, DocumentWrong, Result, read_document
from payer_sync.checkups.incomplete import Incomplete, refused_records
from payer_sync.contract import Checked, check
from payer_sync.faults import Fault, FaultCode, FileRefused
from payer_sync.feedback import FAULT_SCHEMA
from payer_sync.layouts.layout import Layout
from payer_sync.reading import Batch, read_batches
from payer_sync.refusals import Refusals, gathered_refusals

STAGING: Final = "staged_checkup"
_RESULT_COLUMNS: Final = ("項目コード", "結果種別", "結果値", "結果コード名称", "単位", "基準下限", "基準上限", "判定")
_result_texts = attrgetter(*(field.name for field in fields(Result)))  # in the order of the columns above
_is_item_code = re.compile(ITEM_CODE).match
_RESULTS_AT_ONCE: Final = 20_000
_HEAD_BYTES: Final = 4


def read_checked(path: Path, layout: Layout, insurer: InsurerNumber, today: date) -> Iterator[Checked]:
    """Yield checked records; those of an archive are its documents, numbered in the directory's order.

    What is staged has besides, without an item, one row for each check-up of which a record was refused, or may have
    been: an incomplete check-up must not take the place of a whole one. Where a record of a table does not tell its
    check-up, the file is read once more for those that agree with what it tells.

    Raises:
        FileRefused: the file or the archive cannot be read at all.
    """
    archive = _is_archive(path)
    incomplete = Incomplete(layout, of_table=not archive)
    kept = pl.col("performed_on") >= kept_from(today)
    for checked in (_archive if archive else _csv)(path, layout, insurer, today, incomplete):
        yield replace(checked, staged=checked.staged.filter(kept))
    if incomplete.doubtful:
        none = Checked(checked.staged.clear(), checked.faults.clear(), read=0, refused=0)
        for found in incomplete.agreeing(read_batches(path, layout)):
            yield _marked(none, found.filter(kept))


def read_unchecked(path: Path, layout: Layout) -> Iterator[Batch]:
    """Yield the results of either form as they are written; documents that cannot be read are left out.

    Raises:
        FileRefused: the file or the archive cannot be read at all.
    """
    if _is_archive(path):
        yield from (pending.batch() for pending in _pending(path, layout, Refusals()))
    else:
        yield from read_batches(path, layout)


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return is_archive(file.read(_HEAD_BYTES))


def _csv(path: Path, layout: Layout, insurer: InsurerNumber, today: date, incomplete: Incomplete) -> Iterator[Checked]:
    for batch in read_batches(path, layout):
        checked = check(batch, layout, insurer, today)
        yield _marked(checked, incomplete.add(batch, batch.records, checked.faults))


def _archive(
    path: Path, layout: Layout, insurer: InsurerNumber, today: date, incomplete: Incomplete
) -> Iterator[Checked]:
    with gathered_refusals() as refusals:
        for pending in _pending(path, layout, refusals):
            yield pending.check(insurer, today, incomplete)


def _pending(path: Path, layout: Layout, refusals: Refusals) -> "Iterator[_Pending]":
    pending = _Pending(layout)
    try:
        for number, name, content in read_documents(path, refusals):
            pending.take(number, name, content, refusals)
            if len(pending) >= _RESULTS_AT_ONCE:
                yield pending
                pending = _Pending(layout)
    except FileRefused:  # what was found before is told, too
        yield pending
        raise
    yield pending


def _marked(checked: Checked, incomplete: pl.DataFrame) -> Checked:
    return replace(checked, staged=pl.concat([checked.staged, incomplete], how="diagonal"))


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

    def batch(self) -> Batch:
        """Return the results as records of the layout, numbered through."""
        fields = pl.DataFrame(self._rows, dict.fromkeys(self._layout.column_names, pl.String), orient="row")
        lines = fields.select(pl.concat_str(pl.all(), separator=",").alias("line"))["line"]
        records = pl.int_range(1, len(fields) + 1, eager=True).alias("record")
        faults = pl.DataFrame(schema=FAULT_SCHEMA)
        return Batch(records, lines, fields, faults, astray=faults["record"], read=len(fields))

    def check(self, insurer: InsurerNumber, today: date, incomplete: Incomplete) -> Checked:
        """Check the results; what is staged and told has the documents' numbers."""
        batch = self.batch()
        places = pl.DataFrame(
            self._places, {"document": pl.Int64, "name": pl.String, "result": pl.String}, orient="row"
        ).insert_column(0, batch.records)
        checked = check(batch, self._layout, insurer, today)
        faults = _by_document(checked.faults, places)
        unreadable = pl.DataFrame(self._faults, FAULT_SCHEMA, orient="row")
        told = pl.concat([faults, unreadable]).sort("record", maintain_order=True)
        staged = checked.staged.with_columns(
            places["document"].gather(checked.staged["record_number"] - 1).alias("record_number")
        )
        refused = refused_records(told)
        kept = staged.filter(~pl.col("record_number").is_in(refused.implode()))
        whole = Checked(kept, told, read=self._read, refused=len(refused))
        return _marked(whole, incomplete.add(batch, places["document"], faults))


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
