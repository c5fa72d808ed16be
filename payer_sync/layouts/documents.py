"""The layouts as pages for an insurer's vendor, made from the very tables that files are checked by."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from eligibility.domain.codes import FieldCode
from eligibility.wire.submissions import Severity
from payer_sync.claims.records import UKES, Record, Uke
from payer_sync.faults import FaultCode
from payer_sync.layouts.columns import Code, Column, Day, Flag, InsurerDigits, Percent, Required, Text, Yen
from payer_sync.layouts.layout import Layout
from payer_sync.layouts.register import Edition, accepted_until, editions, layouts

_REQUIRED: Final = {
    Required.NEVER: "任意<br>optional",
    Required.ALWAYS: "必須<br>always",
    Required.ON_LOSS: "喪失のとき必須<br>in a loss (kind 2)",
}
_COSTS: Final = {
    Severity.FILE_REFUSED: "ファイル不受理<br>file refused",
    Severity.RECORD_REFUSED: "記録不受理<br>record refused",
    Severity.WARNING: "警告<br>warning",
}
# What stands as an example where a column has none of its own.
_EXAMPLES: Final[Mapping[type, str]] = {
    Day: "20260401, 5080401", Percent: "030", Yen: "10000", Flag: "1", InsurerDigits: "06130512",
}  # fmt: skip
_MADE: Final = "<!-- Made by `python -m payer_sync layouts --write docs/layouts`; edit the tables, not this page. -->\n"
_FORM: Final = """
## ファイルの形 / The file

- 文字コードは UTF-8(BOM の有無を問わない)か Shift_JIS(cp932)。改行は CRLF か LF。
  UTF-8, with or without BOM, or Shift_JIS (cp932); CRLF or LF. [encodings](../encodings.md)
- 1行目は項目名の行。表の名前を表の順に並べる。 Line 1 has the names of the columns, in the table's order.
- 1行が1記録。区切りはコンマ。引用符は項目全体を囲み、中の引用符は二重にし、改行を含めない。
  One line is one record, separated by commas; quotes go around a whole field, are doubled inside it, and hold no
  line break.
- 前後の空白は除く。コード・日付・数字は全角でもよい。
  Spaces around a value are dropped; codes, dates and numbers may be full width.
- 個人番号(マイナンバー)を含む記録は受け付けない。 A record that holds a My Number is refused.
- 送る前に `python -m payer_sync validate FILE` で同じ確認ができる。 The same check runs offline before any upload.
"""


def pages() -> Mapping[str, str]:
    """Return every page by its file name."""
    made = {f"{layout.name}_{layout.edition}.md": _page(layout) for layout in layouts().values()}
    made |= {f"{name}_{edition}.md": _claims_page(name, edition, uke) for (name, edition), uke in UKES.items()}
    return made | {"faults.md": _faults_page(), "README.md": _index()}


def write_pages(folder: Path) -> None:
    """Write every page, and remove those of layouts that are no more.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def dates(edition: Edition) -> tuple[str, str]:
    """Return an edition's first and last day as they are written."""
    return str(edition.accepted_from), str(accepted_until(edition) or "—")


def _index() -> str:
    rows = [
        (f"[`{edition.name}`]({edition.name}_{edition.edition}.md)", str(edition.edition), *dates(edition))
        for edition in editions().values()
    ]
    said = (
        "次の版は、受付開始日までは練習環境だけが受け付ける。今日の状態は `python -m payer_sync layouts` で分かる。\n"
        "Until its first day a next edition is taken by practice environments only; `python -m payer_sync layouts`\n"
        "says how each stands today. Every fault is explained in [faults](faults.md).\n"
    )
    heads = ("様式 layout", "版 edition", "受付開始 from", "受付終了 until")
    return "\n".join((_MADE, "# 様式 / Layouts\n", *_table(heads, sorted(rows)), "", said))


def _page(layout: Layout) -> str:
    first, last = dates(layout)
    rows = [
        (str(number), column.name, _REQUIRED[column.required], _form(column), _example(column))
        for number, column in enumerate(layout.columns, 1)
    ]
    heads = ("番号 no.", "項目 column", "必須 required", "形 form", "例 example")
    return "\n".join(
        (
            _MADE,
            f"# 様式 `{layout.name}` 第{layout.edition}版 / Layout `{layout.name}`, edition {layout.edition}\n",
            f"受付 / accepted: {first} – {last}",
            _FORM,
            "## 項目 / Columns\n",
            *_table(heads, rows),
            "\n## コード表 / Codes",
            *_codes(layout),
            "\n## 項目の間の規則 / Rules between columns\n",
            *_table(("コード code", "項目 column", "期待される内容 expected"), _rules(layout)),
            "\nすべての指摘コードは [faults](faults.md)。 Every fault code: [faults](faults.md).\n",
        )
    )


def _claims_page(name: str, edition: int, uke: Uke) -> str:
    said = (
        "UKE ファイル(cp932、見出し行なし)。ここにある位置の項目だけを読む。位置はレコード識別を 0 として数える。\n"
        "A UKE file (cp932, without a header line). Only the fields named here are read; a position counts from 0,\n"
        "which is the record's type."
    )
    return "\n".join(
        (
            _MADE,
            f"# 様式 `{name}` 第{edition}版 / Layout `{name}`, edition {edition}\n",
            said,
            *(line for kind, record in uke.records.items() for line in _claim_record(kind, record)),
            f"\nほかに受け付けて読まないレコード / accepted and passed over: {', '.join(sorted(uke.passed_over))}\n",
        )
    )


def _claim_record(kind: str, record: Record) -> Iterator[str]:
    yield f"\n## {kind}\n"
    rows = [
        (
            str(field.position),
            field.name,
            _REQUIRED[Required.ALWAYS if field.required else Required.NEVER],
            _lines(field.kind.expected),
            "" if field.verified else "未確認<br>not verified",
        )
        for field in sorted(record.fields, key=lambda field: field.position)
    ]
    if record.days_at is not None:
        rows.append(
            (f"{record.days_at}–{record.days_at + 30}", "1日–31日", _REQUIRED[Required.NEVER], "回数<br>times", "")
        )
    yield from _table(("位置 position", "項目 field", "必須 required", "形 form", "確認 source"), rows)


def _form(column: Column) -> str:
    if isinstance(column.kind, Code):
        return f"コード `{column.kind.codes.__name__}`<br>a code of `{column.kind.codes.__name__}`"
    if isinstance(column.kind, Text) and column.kind.said:
        return _lines(column.kind.said)
    return _lines(column.kind.expected)


def _example(column: Column) -> str:
    if column.example:
        return column.example
    if isinstance(column.kind, Code):
        return next(iter(column.kind.codes)).value
    return _EXAMPLES.get(type(column.kind), "")


def _codes(layout: Layout) -> Iterator[str]:
    seen: dict[type[FieldCode], list[str]] = {}
    for column in layout.columns:
        if isinstance(column.kind, Code):
            seen.setdefault(column.kind.codes, []).append(column.name)
    for codes, names in seen.items():
        yield f"\n### `{codes.__name__}`: {'、'.join(names)}\n"
        yield from _table(("コード code", "意味", "meaning"), [(f"`{c.value}`", c.ja, c.en) for c in codes])


def _rules(layout: Layout) -> list[tuple[str, ...]]:
    return [(f"`{r.code.value}`", layout.column(r.field).name, _lines(r.code.expected)) for r in layout.rules]


def _faults_page() -> str:
    rows = [(f"`{code.value}`", _COSTS[code.severity], code.ja, code.en) for code in FaultCode]
    return "\n".join(
        (
            _MADE,
            "# 指摘コード / Fault codes\n",
            "期待される内容を示す。値そのものは、どの指摘にも含まれない。\n"
            "Each says what was expected; no fault repeats the value.\n",
            *_table(("コード code", "重さ severity", "期待される内容", "expected"), rows),
            "",
        )
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    named = tuple(heads)
    yield f"| {' | '.join(named)} |"
    yield "|---" * len(named) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def _lines(both_languages: str) -> str:
    return both_languages.replace(" / ", "<br>")
