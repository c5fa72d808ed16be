"""The drug master (医薬品マスター, y_ALL): from a 9-digit code to name, unit, form and ingredient, read and stored.

The columns below are written from memory of the published layout and [unverified] on a real file: they stand in this
one table, so that a correction is a number here and nothing else.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from eligibility.storage.statements import statements
from payer_sync.decoding import unreadable_byte

_SQL = statements("payer_sync.queries")

# Positions, from 0, of what is taken from a line.
CHANGE: Final = 0  # 変更区分: 0 none, 3 new, 5 changed; 1 withdrawn, 9 ended
MASTER_KIND: Final = 1  # マスター種別, "Y"
CODE: Final = 2  # 医薬品コード
NAME: Final = 4  # 医薬品名・規格名
UNIT: Final = 9  # 単位
FORM: Final = 27  # 剤形: 1 内用, 3 その他, 4 注射, 6 外用, 8 歯科
YJ_CODE: Final = 31  # 薬価基準収載医薬品コード, 12 characters
_COLUMNS: Final = YJ_CODE + 1  # at least

_INGREDIENT: Final = 7  # characters of the price list's code: efficacy, substance and route
_ACTIVE: Final = frozenset({"0", "3", "5"})
_ENDED: Final = frozenset({"1", "9"})
_FORMS: Final = frozenset({"1", "3", "4", "6", "8"})
_CODE: Final = re.compile(r"6[0-9]{8}")
_YJ: Final = re.compile(r"([0-9A-Z]{12})?")
_QUOTED: Final = re.compile(r'"[^"]*(?:"|$)')


class MasterRefused(Exception):
    """The file is no drug master; `line` says where that shows."""

    def __init__(self, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column + 1}")
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Drug:
    """One medicine of the master."""

    code: str
    name: str
    unit: str
    form: str
    yj_code: str
    active: bool

    @property
    def ingredient(self) -> str:
        """What it is made of and how it is given: equal for all products that differ in strength and maker only."""
        return self.yj_code[:_INGREDIENT]


def read_drugs(path: Path) -> Iterator[Drug]:
    """Yield the medicines of a master file in cp932.

    Raises:
        MasterRefused: a line does not have the columns of the table, or a byte that cannot be read.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        rows = csv.reader(_lines(file), strict=True)
        try:
            for row in rows:
                yield _drug(rows.line_num, row)
        except csv.Error as error:
            raise MasterRefused(rows.line_num, 0) from error


async def merge_drugs(connection: Any, drugs: list[Drug], now: datetime) -> int:
    """Add and change what the master states; return how many medicines are new or changed."""
    columns = [
        [drug.code for drug in drugs],
        [drug.name for drug in drugs],
        [drug.unit for drug in drugs],
        [drug.form for drug in drugs],
        [drug.yj_code for drug in drugs],
        [drug.ingredient for drug in drugs],
        [drug.active for drug in drugs],
    ]
    done: str = await connection.execute(_SQL["merge_drugs"], *columns, now)
    return int(done.rpartition(" ")[2])


def _lines(file: IO[bytes]) -> Iterator[str]:
    for number, raw in enumerate(file, 1):
        if wrong := unreadable_byte(raw, "cp932"):
            before = raw[: wrong[1]].decode("cp932")
            raise MasterRefused(number, _QUOTED.sub("", before).count(","))
        yield raw.decode("cp932")


def _drug(number: int, row: list[str]) -> Drug:
    if len(row) < _COLUMNS:
        raise MasterRefused(number, len(row))
    for column, holds in (
        (CHANGE, row[CHANGE] in _ACTIVE | _ENDED),
        (MASTER_KIND, row[MASTER_KIND] == "Y"),
        (CODE, _CODE.fullmatch(row[CODE])),
        (NAME, row[NAME].strip()),
        (FORM, row[FORM] in _FORMS),
        (YJ_CODE, _YJ.fullmatch(row[YJ_CODE].strip())),
    ):
        if not holds:
            raise MasterRefused(number, column)
    return Drug(
        code=row[CODE],
        name=row[NAME].strip(),
        unit=row[UNIT].strip(),
        form=row[FORM],
        yj_code=row[YJ_CODE].strip(),
        active=row[CHANGE] in _ACTIVE,
    )
