"""Writes a run's report: Markdown to read beside the code, and one HTML page with charts that needs nothing else."""

import html
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from loadtest.figures import Outcome
from loadtest.record import Chapter, Record, Setting

mpl.use("svg")
from matplotlib.figure import Figure

_COLOURS: Final = ("#0b5cad", "#c2410c", "#15803d", "#7e22ce")
_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{border:1px solid #bbb;padding:.3rem .6rem;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}.pass{color:#116329}.fail{color:#b00020;font-weight:600}
figure{margin:1rem 0}svg{max-width:100%;height:auto}figcaption{color:#444}
"""


def write_report(record: Record, folder: Path) -> tuple[Path, Path]:
    """Write `report.md` and `report.html` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown, page = folder / "report.md", folder / "report.html"
    markdown.write_text(to_markdown(record), encoding="utf-8")
    page.write_text(to_html(record), encoding="utf-8")
    return markdown, page


def to_markdown(record: Record) -> str:
    """Return the report as Markdown."""
    lines = ["# Load test", "", _headline(record), ""]
    lines += [f"- {name}: {value}" for name, value in _setting(record.setting)]
    lines += [
        "",
        "## Limits",
        "",
        "| Scenario | Operation | Figure | Limit | Measured | |",
        "|---|---|---|---|---|---|",
    ]
    for one in record.verdict.judged:
        holds = "holds" if one.passed else f"**does not hold** {one.reason}".rstrip()
        cells = (one.scenario, one.operation, one.figure, one.limit, _number(one.measured), holds)
        lines.append("| " + " | ".join(cells) + " |")
    for chapter in record.chapters:
        lines += ["", f"## {chapter.scenario}", "", chapter.told, ""]
        lines += ["| " + " | ".join(_OUTCOME_HEAD) + " |", "|" + "---|" * len(_OUTCOME_HEAD)]
        lines += ["| " + " | ".join(_outcome_cells(one)) + " |" for one in chapter.outcomes]
        lines += ["", *(f"- {note}" for note in chapter.notes)]
    return "\n".join(lines) + "\n"


def to_html(record: Record) -> str:
    """Return the report as one page; nothing in it is fetched from anywhere."""
    text = html.escape
    parts = [
        "<h1>Load test</h1>",
        f"<p class={'pass' if record.verdict.passed else 'fail'}>{text(_headline(record))}</p>",
    ]
    parts.append(
        "<table>" + "".join(f"<tr><th>{text(n)}<td>{text(v)}" for n, v in _setting(record.setting)) + "</table>"
    )
    parts.append("<h2>Limits</h2><table><tr><th>Scenario<th>Operation<th>Figure<th>Limit<th>Measured<th>")
    for one in record.verdict.judged:
        said = "holds" if one.passed else f"does not hold {one.reason}".rstrip()
        cells = "".join(f"<td>{text(x)}" for x in (one.scenario, one.operation, one.figure, one.limit))
        state = "pass" if one.passed else "fail"
        parts.append(f"<tr>{cells}<td class=n>{_number(one.measured)}<td class={state}>{text(said)}")
    parts.append("</table>")
    for chapter in record.chapters:
        parts += [f"<h2>{text(chapter.scenario)}</h2><p>{text(chapter.told)}</p>", "<table><tr>"]
        parts.append("".join(f"<th>{text(h)}" for h in _OUTCOME_HEAD))
        parts += ["<tr>" + "".join(f"<td class=n>{text(c)}" for c in _outcome_cells(one)) for one in chapter.outcomes]
        parts.append("</table><ul>" + "".join(f"<li>{text(note)}" for note in chapter.notes) + "</ul>")
        parts += [
            f"<figure>{svg}<figcaption>{text(caption)}</figcaption></figure>" for caption, svg in _charts(chapter)
        ]
    title = "<title>Load test</title>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{title}<style>{_STYLE}</style>{"".join(parts)}</html>\n'
    )


_OUTCOME_HEAD: Final = (
    "Operation", "Requests", "Answers/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "Shed", "Errors", "Endings",
)  # fmt: skip


def _headline(record: Record) -> str:
    failed = len(record.verdict.failures)
    if record.verdict.passed:
        return f"Every one of {len(record.verdict.judged)} limits holds."
    return f"{failed} of {len(record.verdict.judged)} limits do not hold."


def _setting(setting: Setting) -> list[tuple[str, str]]:
    return [
        ("size", setting.size),
        ("persons", f"{setting.persons:,}"),
        ("verifications stored before", f"{setting.verifications:,}"),
        ("seed; first window", f"{setting.seed}; {setting.first_window} (--first-window sends the same again)"),
        ("begun", f"{setting.started_at:%Y-%m-%d %H:%M} UTC"),
        ("API processes", str(setting.workers)),
        ("driver processes, on the same machine", str(setting.driver_processes)),
        ("PostgreSQL", setting.postgresql),
        *setting.machine.items(),
        ("commit", setting.commit or "not in a working tree"),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "no number"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _outcome_cells(one: Outcome) -> tuple[str, ...]:
    figures = one.figures()
    endings = ", ".join(f"{name} {count:,}" for name, count in sorted(one.endings.items(), key=lambda e: -e[1]))
    times = (_number(figures[name]) for name in ("rate", "p50_ms", "p95_ms", "p99_ms", "max_ms"))
    return (one.operation, f"{one.requests:,}", *times, f"{one.shed:,}", f"{one.errors:,}", endings)


def _charts(chapter: Chapter) -> list[tuple[str, str]]:
    charts: list[tuple[str, Callable[[Any], None]]] = []
    if chapter.outcomes:
        charts.append(("Answers per second, and what was shed", lambda axes: _throughput(axes, chapter.outcomes)))
        charts.append(("Latency in ms from when a request was due (logarithmic)", lambda axes: _latency(axes, chapter)))
    if samples := chapter.observation.samples:
        at = [s.at_s for s in samples]
        # Not every part is at work in every window: centre and ceiling take turns.
        parts = sorted({part for s in samples for part in s.cores})

        def cores(axes: Any) -> None:
            for part, colour in zip(parts, _COLOURS, strict=False):
                axes.plot(at, [s.cores.get(part, math.nan) for s in samples], label=part, color=colour)

        def memory(axes: Any) -> None:
            for part, colour in zip(parts, _COLOURS, strict=False):
                axes.plot(at, [s.memory_mib.get(part, math.nan) for s in samples], label=part, color=colour)

        def database(axes: Any) -> None:
            axes.plot(at, [s.database_active for s in samples], label="sessions at work (mean)", color=_COLOURS[0])
            axes.plot(at, [s.wal_mib for s in samples], label="WAL, MiB/s", color=_COLOURS[1])

        charts += [("Cores computing", cores), ("MiB of the largest process of each part", memory)]
        charts.append(("PostgreSQL: sessions at work, and WAL", database))
    return [(caption, _draw(draw)) for caption, draw in charts]


def _throughput(axes: Any, outcomes: Sequence[Outcome]) -> None:
    for one, colour in zip(outcomes, _COLOURS, strict=False):
        axes.plot([s.at_s for s in one.series], [s.arrived for s in one.series], label=one.operation, color=colour)
        if one.shed:
            shed = [s.shed for s in one.series]
            axes.plot([s.at_s for s in one.series], shed, ":", label=f"{one.operation}, shed", color=colour)


def _latency(axes: Any, chapter: Chapter) -> None:
    for one, colour in zip(chapter.outcomes, _COLOURS, strict=False):
        at = [s.at_s for s in one.series]
        for name, style, values in (
            ("p50", "-", [s.p50_ms for s in one.series]),
            ("p99", "--", [s.p99_ms for s in one.series]),
            ("max", ":", [s.max_ms for s in one.series]),
        ):
            axes.plot(at, values, style, label=f"{one.operation} {name}", color=colour)
    axes.set_yscale("log")


def _draw(draw: Callable[[Any], None]) -> str:
    figure = Figure(figsize=(10, 3), layout="constrained")
    axes = figure.subplots()
    draw(axes)
    axes.set_xlabel("s")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper right", fontsize="small")
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None})
    svg = written.getvalue()
    return svg[svg.index("<svg") :]
