"""Feedback as one self-contained page: counts by fault and a searchable table, with nothing fetched from anywhere."""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Final

from eligibility.wire.submissions import FeedbackLine, Severity
from payer_sync.faults import FaultCode

ROWS_SHOWN: Final = 20_000  # a browser stays quick with so many; the other forms hold all
_SEVERITIES: Final = {
    Severity.FILE_REFUSED: ("ファイル不受理", "file refused"),
    Severity.RECORD_REFUSED: ("記録不受理", "record refused"),
    Severity.WARNING: ("警告", "warning"),
}
_KNOWN: Final = {code.value: code for code in FaultCode}

_STYLE: Final = """
:root{color-scheme:light dark;--line:#8886;--soft:#8881}
body{font:16px/1.6 system-ui,sans-serif;margin:0 auto;max-width:90rem;padding:1rem 1.5rem}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
small,[lang=en]{opacity:.8;font-weight:400}
table{border-collapse:collapse;width:100%}
th,td{border-bottom:1px solid var(--line);padding:.35rem .6rem;text-align:left;vertical-align:top}
thead th{background:Canvas;border-bottom:2px solid var(--line);position:sticky;top:0}
tbody tr:nth-child(even){background:var(--soft)}
td.n,th.n{font-variant-numeric:tabular-nums;text-align:right}
code{white-space:nowrap}
.file_refused{border-left:.4rem solid #c00}.record_refused{border-left:.4rem solid #d80}
.warning{border-left:.4rem solid #888}
form{display:flex;flex-wrap:wrap;gap:1rem;margin:.5rem 0}
label{display:flex;flex-direction:column;font-size:.9rem}
input,select{font:inherit;min-width:14rem;padding:.4rem}
"""
_SCRIPT: Final = """
"use strict";
const box = document.getElementById("search"), severity = document.getElementById("severity"),
  code = document.getElementById("code"), shown = document.getElementById("shown"),
  rows = Array.from(document.querySelectorAll("#faults tbody tr"));
const texts = rows.map(row => row.textContent.normalize("NFKC").toLowerCase());
function filter() {
  const words = box.value.normalize("NFKC").toLowerCase().split(/\\s+/).filter(Boolean);
  let count = 0;
  rows.forEach((row, place) => {
    const kept = (!severity.value || row.className === severity.value)
      && (!code.value || row.dataset.code === code.value) && words.every(word => texts[place].includes(word));
    row.hidden = !kept;
    count += kept ? 1 : 0;
  });
  shown.textContent = count.toLocaleString();
}
let waiting = 0;
box.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 150); });
severity.addEventListener("change", filter);
code.addEventListener("change", filter);
document.querySelector("form").addEventListener("submit", event => event.preventDefault());
"""


def render(file_name: str, counts: Counter[tuple[str, Severity]], first: Sequence[FeedbackLine]) -> str:
    """Return the page about a file: the counts are of every fault, the table has the first of them."""
    policy = (
        f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; "
        "base-uri 'none'; form-action 'none'"
    )
    title = f"{escape(file_name)} — 指摘一覧"
    return "\n".join(
        (
            '<!DOCTYPE html><html lang="ja"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f"<main><h1>{title} {_en('feedback')}</h1>",
            *_counts_table(counts),
            *_filters(counts),
            *_faults_table(counts.total(), first),
            f"</main><script>{_SCRIPT}</script></body></html>\n",
        )
    )


def _counts_table(counts: Counter[tuple[str, Severity]]) -> list[str]:
    severities: Counter[Severity] = Counter()
    for (_, severity), number in counts.items():
        severities[severity] += number
    rows = [
        f'<tr class="{severity.value}"><th scope="row">{_severity(severity)}</th><td>{_total(severity)}</td>'
        f'<td class="n">{severities[severity]:,}</td></tr>'
        for severity in Severity
    ]
    rows += [
        f'<tr class="{severity.value}"><th scope="row"><code>{escape(code)}</code></th><td>{_meaning(code)}</td>'
        f'<td class="n">{number:,}</td></tr>'
        for (code, severity), number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return [
        f"<h2>件数 {_en('counts')}</h2><table><thead><tr>",
        f'<th scope="col">コード {_en("code")}</th><th scope="col">期待される内容 {_en("expected")}</th>',
        f'<th scope="col" class="n">件数 {_en("count")}</th></tr></thead><tbody>',
        *rows,
        "</tbody></table>",
    ]


def _filters(counts: Counter[tuple[str, Severity]]) -> list[str]:
    everything = '<option value="">すべて / all</option>'
    severities = (f'<option value="{s.value}">{" / ".join(_SEVERITIES[s])}</option>' for s in Severity)
    codes = (f"<option>{escape(code)}</option>" for code in sorted({code for code, _ in counts}))
    return [
        f"<h2>指摘 {_en('faults')}</h2><form>",
        f'<label for="search">検索 {_en("search")}<input id="search" type="search" autocomplete="off"></label>',
        f'<label for="severity">重さ {_en("severity")}<select id="severity">{everything}{"".join(severities)}</select>'
        "</label>",
        f'<label for="code">コード {_en("code")}<select id="code">{everything}{"".join(codes)}</select></label></form>',
    ]


def _faults_table(total: int, first: Sequence[FeedbackLine]) -> list[str]:
    shown = f'<p aria-live="polite">表示 {_en("shown")}: <b id="shown">{len(first):,}</b> / {total:,}</p>'
    cut = (
        f"<p><strong>この表は最初の{len(first):,}件だけです。すべての指摘は .csv と .jsonl にあります。</strong> "
        + _en(f"This table has the first {len(first):,} only; the .csv and .jsonl of the same name have every one.")
        + "</p>"
    )
    heads = (
        ("記録", "record"),
        ("項目", "field"),
        ("コード", "code"),
        ("値の形", "shape"),
        ("期待される内容", "expected"),
    )
    return [
        shown,
        cut if total > len(first) else "",
        '<table id="faults"><thead><tr>',
        *(f'<th scope="col">{ja} {_en(en)}</th>' for ja, en in heads),
        "</tr></thead><tbody>",
        *(_row(line) for line in first),
        "</tbody></table>",
    ]


def _row(line: FeedbackLine) -> str:
    record = "" if line.record is None else f"{line.record}"
    code, severity = escape(line.code), line.severity
    return (
        f'<tr class="{severity.value}" data-code="{code}"><td class="n">{record}</td>'
        f"<td>{escape(line.field or '')}</td><td><code>{code}</code><br><small>{_severity(severity)}</small></td>"
        f"<td>{escape(line.value_shape or '')}</td><td>{escape(line.expected)}</td></tr>"
    )


def _severity(severity: Severity) -> str:
    ja, en = _SEVERITIES[severity]
    return f"{ja} {_en(en)}"


def _total(severity: Severity) -> str:
    ja, en = {
        Severity.FILE_REFUSED: ("ファイル全体を取り込みません", "nothing of the file is taken in"),
        Severity.RECORD_REFUSED: ("その記録だけ取り込みません", "this record is left out"),
        Severity.WARNING: ("取り込みます", "nothing is left out"),
    }[severity]
    return f"{ja} {_en(en)}"


def _meaning(code: str) -> str:
    # A centre newer than this program may know codes that it does not.
    known = _KNOWN.get(code)
    return f"{escape(known.ja)} {_en(known.en)}" if known else ""


def _en(text: str) -> str:
    return f'<span lang="en">{escape(text)}</span>'


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
