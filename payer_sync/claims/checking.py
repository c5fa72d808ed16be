"""Checks a whole UKE file, receipt by receipt, and takes apart those that hold; it needs no database."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from eligibility.domain.identifiers import InsurerNumber
from payer_sync.claims.claim import Extracted
from payer_sync.claims.dispensing import extract_dispensing
from payer_sync.claims.medical import extract_medical
from payer_sync.claims.reading import Reader, Receipt
from payer_sync.claims.records import Uke
from payer_sync.faults import Fault, FaultCode, shape
from payer_sync.feedback import FAULT_SCHEMA

_AT_ONCE: Final = 2000  # receipts
_ROWS_AT_ONCE: Final = 100_000  # records and medicines of these receipts, some of which may be very long
_FAULTS_AT_ONCE: Final = 50_000  # a record of a few bytes may have many
_KEY_BYTES: Final = 16  # of a receipt's key; a file may have millions of receipts
_EXTRACT: Final[dict[str, Callable[[Receipt, date], Extracted]]] = {
    "medical": extract_medical,
    "dispensing": extract_dispensing,
}
_INSURER: Final = "保険者番号"


@dataclass(frozen=True, slots=True)
class CheckedReceipts:
    """Some receipts that hold, and the faults of all that were read since the batch before."""

    receipts: list[Extracted]
    faults: pl.DataFrame


class ClaimCheck:
    """The check of one file. An insurer may send its own receipts only; None stands for a claims reviewer."""

    def __init__(self, path: Path, uke: Uke, insurer: InsurerNumber | None, today: date) -> None:
        self._reader = Reader(path, uke)
        self._extract_receipt = _EXTRACT[uke.kind]
        self._insurer = insurer
        self._today = today
        self._seen: set[bytes] = set()
        self._refused = 0

    @property
    def read(self) -> int:
        """Records seen: every line."""
        return self._reader.read

    @property
    def refused(self) -> int:
        """Records left out: every line of a refused receipt."""
        return self._refused + self._reader.refused

    def batches(self, at_once: int = _AT_ONCE) -> Iterator[CheckedReceipts]:
        """Yield the file's receipts, so many at once, and fewer where they unfold to much.

        Raises:
            FileRefused: the file cannot be read to its end; the faults found since the last batch are in `rest`.
        """
        batch: list[Extracted] = []
        number = rows = 0
        for receipt in self._reader.receipts():
            if receipt:
                if extracted := self._extract(receipt):
                    batch.append(extracted)
                    rows += len(extracted.medicines)
                # In feedback the faults of receipts and of what lies between them stand in the order of lines.
                self._reader.faults += receipt.faults
                number += 1
                rows += receipt.records
            if number >= at_once or rows >= _ROWS_AT_ONCE or len(self._reader.faults) >= _FAULTS_AT_ONCE:
                yield CheckedReceipts(batch, self.rest())
                batch, number, rows = [], 0, 0
        yield CheckedReceipts(batch, self.rest())

    def rest(self) -> pl.DataFrame:
        """Return the faults found since the last batch."""
        found = sorted(self._reader.faults, key=lambda fault: fault.record or 0)
        self._reader.faults.clear()
        rows = [(f.record, f.field, f.code.value, f.code.severity.value, f.value_shape, f.said) for f in found]
        return pl.DataFrame(rows, schema=FAULT_SCHEMA, orient="row")

    def _extract(self, receipt: Receipt) -> Extracted | None:
        self._check_insurer(receipt)
        extracted = None if receipt.refused else self._extract_receipt(receipt, self._today)
        if extracted:
            key = hashlib.blake2b(repr(extracted.claim.identity).encode(), digest_size=_KEY_BYTES).digest()
            if key in self._seen:
                receipt.fault(FaultCode.RECEIPT_REPEATED, receipt.head, "レセプト番号")
            self._seen.add(key)
        if receipt.refused:
            self._refused += receipt.records
            return None
        return extracted

    def _check_insurer(self, receipt: Receipt) -> None:
        insured = receipt.all_of("HO")
        for line in insured:
            insurer = line.values["insurer_number"]
            if insurer is None:
                continue
            if not insurer.check_digit_holds:
                receipt.faults.append(
                    Fault(FaultCode.CHECK_DIGIT, line.number, f"HO {_INSURER}", shape(insurer.digits))
                )
            if self._insurer not in (None, insurer):
                receipt.fault(FaultCode.OTHER_INSURER, line, _INSURER)
        if self._insurer and not insured:
            receipt.fault(FaultCode.OTHER_INSURER, receipt.head, f"HO {_INSURER}")
