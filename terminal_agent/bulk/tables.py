"""Reads a file of appointments and writes the file of their results, as CSV that a spreadsheet opens safely."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from eligibility.wire.bulk import BulkItem, BulkResult
from eligibility.wire.problems import Sentence
from terminal_agent.durable import write_whole
from terminal_agent.language import Language, in_language

# What a column may be called: the wire's name, or the field's.
COLUMNS: Final = {
    "item_id": ("item_id", "患者番号", "照会番号", "項目番号"),
    "insurer_number": ("insurer_number", "保険者番号"),
    "symbol": ("symbol", "記号", "被保険者証記号"),
    "number": ("number", "番号", "被保険者証番号"),
    "branch_number": ("branch_number", "枝番"),
    "birth_date": ("birth_date", "生年月日"),
}
_NEEDED: Final = ("insurer_number", "number", "birth_date")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
_ENCODINGS: Final = ("utf-8-sig", "cp932")
MAX_FILE_BYTES: Final = 64 * 1024 * 1024


class FileUnusable(Exception):
    """The file cannot be used; `code` names the advice and `names` what is wrong in it."""

    def __init__(self, code: str, names: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.names = names


def read_items(file: Path) -> list[BulkItem]:
    """Read the appointments; without ids the lines are counted.

    Raises:
        FileUnusable: it cannot be read, a column is missing, or a value is longer than any could be.
    """
    reader = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        lines = [line for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise FileUnusable("bulk_file_unreadable", f"{reader.line_num}") from error
    if len(lines) < 2:
        raise FileUnusable("bulk_file_empty")
    places = _places([cell.strip() for cell in lines[0]])
    return [_item(number, line, places) for number, line in enumerate(lines[1:], start=1)]


def write_results(file: Path, results: Iterable[BulkResult], language: Language) -> None:
    """Write the results in their order, through to the disk, at once or not at all; only the owner may read the file.

    Raises:
        FileUnusable: it cannot be written.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(in_language(title, language) for title in _TITLES)
    table.writerows([safe_cell(cell) for cell in _cells(result, language)] for result in results)
    try:
        write_whole(file, text.getvalue().encode("utf-8-sig"))
    except OSError as error:
        raise FileUnusable("bulk_result_unwritable", file.name) from error


def safe_cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; one apostrophe less is what it was."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FileUnusable("bulk_file_unreadable", file.name) from error
    if len(data) > MAX_FILE_BYTES:
        raise FileUnusable("bulk_file_unreadable", file.name)
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileUnusable("bulk_file_unreadable", file.name)


def _places(titles: Sequence[str]) -> dict[str, int]:
    places = {
        column: titles.index(name) for column, names in COLUMNS.items() for name in names if name in titles
    }  # fmt: skip
    if missing := [COLUMNS[column][-1] for column in _NEEDED if column not in places]:
        raise FileUnusable("bulk_column_missing", ", ".join(missing))
    return places


def _item(number: int, line: Sequence[str], places: dict[str, int]) -> BulkItem:
    values = {column: line[place].strip() if place < len(line) else "" for column, place in places.items()}
    values["item_id"] = values.get("item_id") or str(number)
    try:
        return BulkItem(**values)
    except ValidationError as error:
        raise FileUnusable("bulk_value_too_long", str(number)) from error


_TITLES: Final = tuple(
    Sentence(ja=ja, en=en)
    for ja, en in (
        ("患者番号", "item_id"), ("変更", "changed"), ("結果", "outcome"), ("前回確認", "last_checked_at"),
        ("照会番号", "reference_number"), ("保険者番号", "insurer_number"), ("保険者名", "insurer_name"),
        ("記号", "symbol"), ("番号", "number"), ("枝番", "branch_number"), ("氏名", "name"), ("氏名カナ", "name_kana"),
        ("生年月日", "birth_date"), ("負担割合", "copayment_percent"), ("資格取得日", "acquired_on"),
        ("資格喪失日", "lost_on"), ("問題", "problem"),
    )
)  # fmt: skip
_CHANGED: Final = Sentence(ja="あり", en="yes")


def _cells(result: BulkResult, language: Language) -> list[str]:
    coverage, outcome, problem = result.coverage, result.outcome, result.problem
    told = [
        result.item_id,
        in_language(_CHANGED, language) if result.changed else "",
        in_language(Sentence(ja=outcome.ja, en=outcome.en), language) if outcome else "",
        result.last_checked_at.isoformat(timespec="seconds") if result.last_checked_at else "",
        result.reference_number or "",
    ]
    told += [""] * 11 if coverage is None else [
        coverage.insurer_number, coverage.insurer_name, coverage.symbol, coverage.number, coverage.branch_number,
        coverage.name, coverage.name_kana, coverage.birth_date.isoformat(),
        "" if coverage.copayment_percent is None else str(coverage.copayment_percent),
        coverage.acquired_on.isoformat(), coverage.lost_on.isoformat() if coverage.lost_on else "",
    ]  # fmt: skip
    return [*told, in_language(problem.staff, language) if problem else ""]
