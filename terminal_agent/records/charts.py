"""The charts of a record: bars of the days medicines last, and lines of results with their range behind them."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import Any, Final

from matplotlib.dates import DateFormatter, MonthLocator, date2num
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from eligibility.domain.checkup_items import Flag
from eligibility.wire.problems import Sentence
from terminal_agent.language import Language, in_language
from terminal_agent.records.checkup import Cell, CheckupTable, Row
from terminal_agent.records.medication import Course, Drug, Medication
from terminal_agent.records.svg import Spoken, chart_id, draw

# Eight colours that people with any kind of colour vision tell apart (Okabe and Ito); a letter says the same again.
_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DUPLICATE, _BAND, _LINE, _OUT = "#c8102e", "#dcefe3", "#1f3a5f", "#c8102e"
_NAME_LENGTH: Final = 24
_ROW_IN: Final = 0.42
_ROW_HEIGHT: Final = 0.68  # of the distance between two rows
_DAYS_OF_A_LETTER: Final = 6  # a shorter bar has no room for one
_MONTHS_WITH_EVERY_LABEL: Final = 14
_LINE_SIZE_IN: Final = (5.2, 2.6)


def period_bars(medication: Medication, language: Language) -> str:
    """Return one SVG with a row for each drug and a bar for each time it was given; empty without any.

    A bar's colour and letter name the institution, a thick red edge a duplicate, hatching that the days are not known.
    """
    if not medication.drugs:
        return ""
    institutions = _institutions(medication)
    rows = len(medication.drugs) + len(institutions) * 0.45
    title = in_language(Sentence(ja="お薬の期間", en="How long medicines last"), language)
    spoken = Spoken(title, _spoken_medication(medication, language))

    def draw_on(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row, drug in enumerate(medication.drugs):
            for course in drug.courses:
                _bar(axes, row, drug, course, medication, list(institutions).index(course.institution.code))
        axes.set_yticks(range(len(medication.drugs)), [_drug_label(drug, language) for drug in medication.drugs])
        axes.set_ylim(len(medication.drugs) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#d0d0d0", linewidth=0.8)
        axes.set_axisbelow(True)
        _month_axis(axes, medication)
        figure.legend(handles=_legend(institutions, medication, language), loc="outside lower left", frameon=False)

    return draw((11, 1.1 + rows * _ROW_IN), draw_on, spoken, chart_id("medication", language))


def checkup_lines(table: CheckupTable, language: Language) -> tuple[tuple[Row, str], ...]:
    """Return an SVG for every row that has at least two numbers, out-of-range ones first."""
    rows = sorted(table.lines(), key=lambda row: not row.out_of_range)
    return tuple((row, line(table.days, row, language)) for row in rows)


def line(days: Sequence[date], row: Row, language: Language) -> str:
    """Return one test's results over the years, with the band of their range behind them."""
    points = [(day, cell, cell.number) for day, cell in zip(days, row.cells, strict=True) if cell is not None]
    numbers = [(date2num(day), cell, float(number)) for day, cell, number in points if number is not None]
    name = in_language(row.name, language)
    title = f"{name} ({row.unit})" if row.unit else name

    def draw_on(figure: Figure) -> None:
        axes = figure.add_subplot()
        moments, values = [moment for moment, _, _ in numbers], [value for _, _, value in numbers]
        _limits(axes, numbers)
        _band(axes, numbers)
        axes.plot(moments, values, color=_LINE, linewidth=2, zorder=3)
        for moment, cell, value in numbers:
            _point(axes, moment, cell, value)
        axes.set_title(title, loc="left", fontsize=12)
        axes.set_xticks(moments, [f"{day:%Y-%m}" for day, _, number in points if number is not None])
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y", color="#e0e0e0", linewidth=0.8)
        axes.set_axisbelow(True)

    code = next(cell.item.item_code for _, cell, _ in points)
    spoken = Spoken(title, _spoken_line(days, row, language))
    return draw(_LINE_SIZE_IN, draw_on, spoken, chart_id("checkup", code, row.unit, language))


# ── Bars ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _bar(axes: Any, row: int, drug: Drug, course: Course, medication: Medication, institution: int) -> None:
    duplicate = medication.is_duplicate(course)
    # Institutions share the height of a drug's row, so that no bar hides another's.
    lanes = sorted({one.institution.code for one in drug.courses})
    height = _ROW_HEIGHT / len(lanes)
    middle_of_lane = row - _ROW_HEIGHT / 2 + height * (lanes.index(course.institution.code) + 0.5)
    length = (course.last - course.first).days + 1
    axes.barh(
        middle_of_lane,
        length,
        left=date2num(course.first),
        height=height,
        color=_COLOURS[institution % len(_COLOURS)],
        alpha=1.0 if course.exact else 0.45,
        edgecolor=_DUPLICATE if duplicate else "#303030",
        linewidth=2.6 if duplicate else 0.6,
        hatch=None if course.exact else "///",
        zorder=4 if duplicate else 3,
    )
    if length >= _DAYS_OF_A_LETTER:
        middle = date2num(course.first) + length / 2
        letter = _LETTERS[institution % len(_LETTERS)]
        box = {"boxstyle": "round,pad=0.12", "facecolor": "#ffffff", "edgecolor": "none"}
        axes.text(middle, middle_of_lane, letter, ha="center", va="center", fontsize=8, zorder=5, bbox=box)


def _institutions(medication: Medication) -> dict[str, str]:
    # By code, in the order of the first course, so that the first bar one reads is A.
    courses = sorted((course for drug in medication.drugs for course in drug.courses), key=lambda c: c.first)
    return {course.institution.code: course.institution.name for course in courses}


def _legend(institutions: dict[str, str], medication: Medication, language: Language) -> list[Patch]:
    handles = [
        Patch(
            facecolor=_COLOURS[position % len(_COLOURS)],
            edgecolor="#303030",
            label=f"{_LETTERS[position % len(_LETTERS)]}  {name}",
        )
        for position, name in enumerate(institutions.values())
    ]
    if medication.duplicates:
        said = Sentence(ja="同じ成分が複数の医療機関から出ています", en="same ingredient from two institutions")
        handles.append(Patch(fill=False, edgecolor=_DUPLICATE, linewidth=2.6, label=in_language(said, language)))
    if not all(course.exact for drug in medication.drugs for course in drug.courses):
        said = Sentence(ja="日数の記載なし(月で表示)", en="days not stated: shown for the month")
        handles.append(Patch(facecolor="#ffffff", edgecolor="#303030", hatch="///", label=in_language(said, language)))
    return handles


def _month_axis(axes: Any, medication: Medication) -> None:
    courses = [course for drug in medication.drugs for course in drug.courses]
    first = min(min(course.first for course in courses), medication.months[-1].first_day)
    last = max(max(course.last for course in courses), medication.months[0].last_day)
    axes.set_xlim(date2num(first), date2num(last + timedelta(days=1)))
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    axes.xaxis.set_major_locator(MonthLocator(interval=1 + months // _MONTHS_WITH_EVERY_LABEL))
    axes.xaxis.set_major_formatter(DateFormatter("%Y-%m"))
    axes.tick_params(axis="x", labelsize=9)
    axes.xaxis.tick_top()


def _drug_label(drug: Drug, language: Language) -> str:
    name = drug.name if len(drug.name) <= _NAME_LENGTH else drug.name[: _NAME_LENGTH - 1] + "…"
    use = in_language(Sentence(ja=drug.usage_group.ja, en=drug.usage_group.en), language)
    return f"{name}  [{use}]"


def _spoken_medication(medication: Medication, language: Language) -> str:
    said = Sentence(
        ja=f"{medication.months[-1]} から {medication.months[0]} まで、{len(medication.drugs)} 種類の薬。"
        f"医療機関が異なる同じ成分の重なり {len(medication.duplicates)} 件。",
        en=f"{len(medication.drugs)} medicines from {medication.months[-1]} to {medication.months[0]}; "
        f"the same ingredient from two institutions: {len(medication.duplicates)}.",
    )
    pairs = (
        f"{duplicate.courses[0].medicine.drug_name or ''} / {duplicate.courses[1].medicine.drug_name or ''} "
        f"({duplicate.first} – {duplicate.last})"
        for duplicate in medication.duplicates
    )
    return " ".join((in_language(said, language), *pairs))


# ── Lines ───────────────────────────────────────────────────────────────────────────────────────────────────────

_Numbers = Sequence[tuple[float, Cell, float]]


def _limits(axes: Any, numbers: _Numbers) -> None:
    bounds = [float(bound) for _, cell, _ in numbers for bound in (cell.item.low, cell.item.high) if bound is not None]
    values = [value for _, _, value in numbers]
    low, high = min(values + bounds), max(values + bounds)
    margin = (high - low) * 0.25 or abs(high) * 0.1 or 1.0
    axes.set_ylim(low - margin, high + margin)
    width = numbers[-1][0] - numbers[0][0] or 1.0
    axes.set_xlim(numbers[0][0] - width * 0.12, numbers[-1][0] + width * 0.12)


def _band(axes: Any, numbers: _Numbers) -> None:
    """Shade the range each result came with, up to half-way to its neighbours; an open side reaches the edge."""
    bottom, top = axes.get_ylim()
    left, right = axes.get_xlim()
    moments = [moment for moment, _, _ in numbers]
    middles = [(one + other) / 2 for one, other in pairwise(moments)]
    spans = zip(numbers, [left, *middles], [*middles, right], strict=True)
    ranges = [((cell.item.low, cell.item.high), start, end) for (_, cell, _), start, end in spans]
    for (low, high), same in groupby(ranges, key=lambda one: one[0]):
        if low is None and high is None:
            continue
        together = list(same)
        axes.fill_between(
            [together[0][1], together[-1][2]],
            bottom if low is None else float(low),
            top if high is None else float(high),
            color=_BAND,
            linewidth=0,
            zorder=1,
        )


def _point(axes: Any, moment: float, cell: Cell, value: float) -> None:
    # The marker's shape says it too: a triangle points to the side on which the value lies out of its range.
    marker = {Flag.HIGH: "^", Flag.LOW: "v"}.get(cell.flag or Flag.NORMAL, "o")
    colour = _OUT if cell.out_of_range else _LINE
    axes.plot([moment], [value], marker=marker, markersize=8, color=colour, zorder=4)
    axes.annotate(
        cell.item.value,
        (moment, value),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        fontsize=10,
        color=colour,
        weight="bold" if cell.out_of_range else "normal",
        zorder=5,
    )


def _spoken_line(days: Sequence[date], row: Row, language: Language) -> str:
    said = []
    for day, cell in zip(days, row.cells, strict=True):
        if cell is not None and cell.number is not None:
            flag = (
                f" ({in_language(Sentence(ja=cell.flag.ja, en=cell.flag.en), language)})"
                if cell.out_of_range and cell.flag
                else ""
            )
            said.append(f"{day:%Y-%m}: {cell.shown} {row.unit}".rstrip() + flag)
    return ", ".join(said)
