"""Writes the files that the bench pushes, with what each must come to."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from eligibility.domain.codes import LossReason
from loadtest.nation.rows import COLUMNS
from loadtest.population import Insurer, Nation
from payer_sync.rules import RecordKind

_FAULTY_EVERY: Final = 1_000  # records of a first file with a code that does not exist: feedback is part of the work
_DELTA_EVERY: Final = 100
_NEWCOMERS_SYMBOL: Final = "新"  # of persons who were in no file before; no other insured number has it
_KIND, _INSURER, _SYMBOL, _SEX = "レコード種別", "保険者番号", "記号", "性別"
_ADDRESS, _LOST, _REASON = "住所", "資格喪失日", "喪失事由"
_LIMIT, _DISEASE, _ELDERLY = "限度額証区分", "特定疾病区分", "高齢負担割合"


@dataclass(frozen=True, slots=True)
class Sent:
    """A file, whose it is, and what the merge of it must come to."""

    path: Path
    insurer: str
    records: int
    refused: int = 0
    added: int = 0  # coverages that no earlier file stated
    lost: int = 0
    certificates: int = 0  # of new coverages


def write_first(nation: Nation, path: Path, insurer: str) -> Sent:
    """Write the nation's one insurer's register, some records of it wrong."""
    (own,) = nation.insurers
    records = refused = certificates = 0
    with path.open("wb") as file:
        for frame in _begun(file.write, own, nation.records(own)):
            number = pl.int_range(records, records + pl.len())
            wrong = number % _FAULTY_EVERY == _FAULTY_EVERY - 1
            written = frame.with_columns(
                pl.lit(insurer).alias(_INSURER), pl.when(wrong).then(pl.lit("8")).otherwise(_SEX).alias(_SEX)
            )
            file.write(_encoded(written, own))
            right = written.filter(pl.col(_SEX) != "8")
            records += frame.height
            refused += frame.height - right.height
            certificates += _certificates(right)
        _settle(file)
    return Sent(path, insurer, records, refused, records - refused, certificates=certificates)


def write_delta(nation: Nation, newcomers: Nation, path: Path, insurer: str, today: date) -> Sent:
    """Write one record in a hundred again: most with another address, some as lost, some of persons who are new."""
    (own,) = nation.insurers
    records = lost = added = certificates = first = 0
    arriving = pl.concat(newcomers.records(newcomers.insurers[0])).with_columns(
        pl.lit(_NEWCOMERS_SYMBOL).alias(_SYMBOL)
    )
    with path.open("wb") as file:
        for frame in _begun(file.write, own, nation.records(own)):
            numbered = frame.with_columns(number=pl.int_range(first, first + pl.len()))
            first += frame.height
            picked = numbered.filter((pl.col("number") % _DELTA_EVERY == 0) & (pl.col(_LOST) == ""))
            turn = picked["number"] // _DELTA_EVERY % 10
            corrected = picked.filter(turn < 7).with_columns(pl.col(_ADDRESS) + "別棟")
            ended = picked.filter(turn == 7).with_columns(
                pl.lit(RecordKind.LOSE.value).alias(_KIND),
                pl.lit(f"{today.year + 1}1231").alias(_LOST),  # after the acquisitions of the weeks to come, too
                pl.lit(LossReason.OTHER.value).alias(_REASON),
            )
            arrived = int((turn > 7).sum())
            new, arriving = arriving.head(arrived), arriving.slice(arrived)
            for part in (corrected, ended, new):
                file.write(_encoded(part.select(COLUMNS).with_columns(pl.lit(insurer).alias(_INSURER)), own))
            lost += ended.height
            added += new.height
            certificates += _certificates(new)
            records += corrected.height + ended.height + new.height
        _settle(file)
    return Sent(path, insurer, records, added=added, lost=lost, certificates=certificates)


def _begun(write: Callable[[bytes], object], own: Insurer, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    write((",".join(COLUMNS) + own.line_end).encode(own.encoding))
    return frames


def _settle(file: BinaryIO) -> None:
    # In the field it lies at the insurer's: what is measured later must not wait until the system has it on disk.
    file.flush()
    os.fsync(file.fileno())


def _encoded(frame: pl.DataFrame, own: Insurer) -> bytes:
    text = frame.write_csv(include_header=False, quote_style="never", line_terminator=own.line_end)
    return text.encode(own.encoding)


def _certificates(frame: pl.DataFrame) -> int:
    return sum(int((frame[column] != "").sum()) for column in (_LIMIT, _DISEASE, _ELDERLY))
