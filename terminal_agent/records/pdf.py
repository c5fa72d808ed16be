"""A record as pages to print: A4, the patient and the period on every page, pages counted, text that can be searched.

The font is HeiseiKakuGo-W5, one that every reader of PDF has for Japanese and that is not embedded; text is written as
UTF-16, so that characters beyond the basic plane (𠮷) are printed and found like others.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor, black, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import CIDEncoding, UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

from eligibility.domain.checkup_items import Flag
from eligibility.domain.dates import JAPAN
from eligibility.wire.checkups import CheckupHistory
from eligibility.wire.medications import MedicationHistory
from eligibility.wire.problems import Sentence
from terminal_agent.language import Language, in_language
from terminal_agent.records import checkup as checkups
from terminal_agent.records import medication as medicines
from terminal_agent.records.checkup import Cell, CheckupTable
from terminal_agent.records.medication import Course, Duplicate, Medication
from terminal_agent.records.patient import Patient

_FONT: Final = "HeiseiKakuGo-W5"
_ENCODING: Final = "UniJIS-UTF16-H"
_COLUMNS_OF_A_TABLE: Final = 5  # of check-ups: what A4 holds beside the names
_MARGIN: Final = 18 * mm
_RED, _GREY, _PALE = HexColor("#c8102e"), HexColor("#5a5a5a"), HexColor("#eef2f6")
_BODY: Final = ParagraphStyle("body", fontName=_FONT, fontSize=8.5, leading=11.5, wordWrap="CJK")
_STRONG: Final = ParagraphStyle("strong", _BODY, textColor=_RED)
_HEAD: Final = ParagraphStyle("head", _BODY, textColor=white)
_SECTION: Final = ParagraphStyle("section", _BODY, fontSize=11, leading=15, spaceBefore=6, spaceAfter=3)


_heisei = UnicodeCIDFont(_FONT)
# reportlab offers the older encoding alone, which knows no surrogates; what it writes is UTF-16 already.
_heisei.encoding, _heisei.encodingName = CIDEncoding(_ENCODING, useCache=0), _ENCODING
pdfmetrics.registerFont(_heisei)


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands on every page."""

    title: str
    patient: str
    period: str
    foot: str


def medication_pdf(history: MedicationHistory, patient: Patient, printed_at: datetime, language: Language) -> bytes:
    """Return the medicines by month, the duplicates first."""
    medication = medicines.lay_out(history)
    story: list[Flowable] = []
    if medication.duplicates:
        story += _duplicates(medication.duplicates, language)
    for month in medication.months:
        story.append(Paragraph(str(month), _SECTION))
        story.append(_month(medication, medication.courses_in(month), language))
    if not medication.months:
        story.append(
            Paragraph(_say("この期間の薬剤情報はありません。", "No medicines in this period.", language), _BODY)
        )
    title = _say("薬剤情報", "Medication", language)
    period = (history.from_month, history.through_month)
    return _build(
        story, _head(title, patient, period, history.verification_id, history.data_as_of, printed_at, language)
    )


def checkup_pdf(history: CheckupHistory, patient: Patient, printed_at: datetime, language: Language) -> bytes:
    """Return the check-ups as tables over the years, latest at the left."""
    table = checkups.lay_out(history)
    story: list[Flowable] = []
    latest_first = list(reversed(range(len(table.columns))))
    for start in range(0, len(latest_first), _COLUMNS_OF_A_TABLE):
        story += [_checkups(table, latest_first[start : start + _COLUMNS_OF_A_TABLE], language), Spacer(1, 6 * mm)]
    if not table.columns:
        story.append(
            Paragraph(_say("この期間の健診情報はありません。", "No check-ups in this period.", language), _BODY)
        )
    title = _say("特定健診情報", "Health check-ups", language)
    period = (history.from_month, history.through_month)
    return _build(
        story, _head(title, patient, period, history.verification_id, history.data_as_of, printed_at, language)
    )


# ── Tables ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _duplicates(duplicates: Sequence[Duplicate], language: Language) -> list[Flowable]:
    lines = [
        " / ".join(f"{medicines.drug_name(c.medicine)} ({c.institution.name})" for c in duplicate.courses)
        + f"  {duplicate.first} – {duplicate.last}"
        + ("" if duplicate.exact else _say("(日数の記載なし)", " (days not stated)", language))
        for duplicate in duplicates
    ]
    heading = _say("複数の医療機関から同じ成分", "The same ingredient from two institutions", language)
    return [Paragraph(escape(heading), _SECTION), *(Paragraph(escape("! " + said), _STRONG) for said in lines)]


def _month(medication: Medication, courses: Sequence[Course], language: Language) -> LongTable:
    titles = (
        ("日", "day"),
        ("医療機関", "institution"),
        ("薬剤", "medicine"),
        ("量", "amount"),
        ("日数・回数", "days"),
    )
    rows: list[list[Paragraph]] = [[Paragraph(escape(_say(ja, en, language)), _HEAD) for ja, en in titles]]
    for course in courses:
        medicine = course.medicine
        style = _STRONG if medication.is_duplicate(course) else _BODY
        use = _say(medicine.usage_group.ja, medicine.usage_group.en, language)
        amount = "" if medicine.quantity is None else f"{medicine.quantity.normalize():f} {medicine.unit or ''}"
        cells = (
            f"{medicine.medicine_on.day}" if medicine.day_stated else "–",
            course.institution.name,
            f"{'! ' if style is _STRONG else ''}{medicines.drug_name(medicine)} [{use}]",
            amount,
            str(medicine.days_or_times),
        )
        rows.append([Paragraph(escape(text), style) for text in cells])
    return _table(rows, [12 * mm, 45 * mm, 75 * mm, 22 * mm, 20 * mm])


def _checkups(table: CheckupTable, columns: Sequence[int], language: Language) -> LongTable:
    days = [f"{table.columns[column].performed_on}" for column in columns]
    titles = [_say("項目", "test", language), _say("単位", "unit", language), *days]
    rows = [[Paragraph(escape(title), _HEAD) for title in titles]]
    for row in table.rows:
        cells = [row.cells[column] for column in columns]
        if any(cell is not None for cell in cells):
            names = [Paragraph(escape(in_language(row.name, language)), _BODY), Paragraph(escape(row.unit), _BODY)]
            rows.append(names + [_result(cell) for cell in cells])
    return _table(rows, [46 * mm, 20 * mm, *([108 * mm / len(columns)] * len(columns))])


def _result(cell: Cell | None) -> Paragraph:
    if cell is None:
        return Paragraph("", _BODY)
    # The mark says it to who prints in black and white.
    mark = {Flag.HIGH: " ▲", Flag.LOW: " ▼"}.get(cell.flag or Flag.NORMAL, "")
    said = _bounds(cell.item.low, cell.item.high)
    beside = f'<br/><font size="6.5" color="#5a5a5a">{escape(said)}</font>' if said else ""
    return Paragraph(escape(cell.shown + mark) + beside, _STRONG if mark else _BODY)


def _bounds(low: Decimal | None, high: Decimal | None) -> str:
    if low is None or high is None:
        return f"≤ {high:f}" if high is not None else f"≥ {low:f}" if low is not None else ""
    return f"{low:f} – {high:f}"


def _table(rows: list[list[Paragraph]], widths: list[float]) -> LongTable:
    table = LongTable(rows, colWidths=widths, repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), HexColor("#1f3a5f")),
                ("ROWBACKGROUNDS", (0, 1), (-1, -1), [white, _PALE]),
                ("LINEBELOW", (0, 0), (-1, -1), 0.3, _GREY),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return table


# ── Pages ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _head(
    title: str,
    patient: Patient,
    period: tuple[str, str],
    verification_id: UUID,
    data_as_of: datetime | None,
    printed_at: datetime,
    language: Language,
) -> _Head:
    known = _say("情報の時点", "data as of", language)
    printed = _say("印刷", "printed", language)
    return _Head(
        title,
        f"{patient.name}  {patient.name_kana}  {_day(patient.birth_date, language)}  "
        f"{_say(patient.sex.ja, patient.sex.en, language)}",
        f"{period[0]} – {period[1]}",
        f"{known} {_moment(data_as_of)}   {printed} {_moment(printed_at)}   {verification_id}",
    )


def _build(story: list[Flowable], head: _Head) -> bytes:
    written = io.BytesIO()
    document = SimpleDocTemplate(
        written,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN + 14 * mm,
        bottomMargin=_MARGIN,
        title=head.title,  # not the patient's name: viewers show a title in their window and their list of files
        lang="ja",
        invariant=1,
    )

    class _Counted(Canvas):  # type: ignore[misc]
        """A canvas that knows at the end how many pages there are, and only then writes each."""

        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._pages, start=1):
                self.__dict__.update(page)
                _frame(self, head, number, len(self._pages))
                super().showPage()
            super().save()

    document.build(story, canvasmaker=_Counted)
    return written.getvalue()


def _frame(canvas: Canvas, head: _Head, number: int, pages: int) -> None:
    width, height = A4
    canvas.setFont(_FONT, 13)
    canvas.setFillColor(black)
    canvas.drawString(_MARGIN, height - _MARGIN, head.title)
    canvas.setFont(_FONT, 9)
    canvas.drawRightString(width - _MARGIN, height - _MARGIN, head.period)
    canvas.drawString(_MARGIN, height - _MARGIN - 6 * mm, head.patient)
    canvas.line(_MARGIN, height - _MARGIN - 8 * mm, width - _MARGIN, height - _MARGIN - 8 * mm)
    canvas.setFont(_FONT, 7)
    canvas.setFillColor(_GREY)
    canvas.drawString(_MARGIN, 10 * mm, head.foot)
    canvas.drawRightString(width - _MARGIN, 10 * mm, f"{number} / {pages}")


def _say(ja: str, en: str, language: Language) -> str:
    return in_language(Sentence(ja=ja, en=en), language)


def _day(day: date, language: Language) -> str:
    return _say(f"{day} 生", f"born {day}", language)


def _moment(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment.astimezone(JAPAN):%Y-%m-%d %H:%M}"
