"""The field's paper fallback while nothing can be verified: 被保険者資格申立書, with what is known filled in."""

from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import Final

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from eligibility.domain.dates import JAPAN

_FONT: Final = "HeiseiKakuGo-W5"
_LEFT, _RIGHT, _LABEL = 20 * mm, 190 * mm, 62 * mm
_ROW: Final = 11 * mm


@dataclass(frozen=True, slots=True)
class Statement:
    """What the patient states of their own insurance, as far as it is known; the rest is written by hand."""

    institution: str = ""
    visited_at: datetime | None = None
    name: str = ""
    name_kana: str = ""
    birth_date: date | None = None
    address: str = ""
    telephone: str = ""
    insurer: str = ""
    symbol_and_number: str = ""
    copayment_percent: int | None = None


def print_statement(statement: Statement) -> bytes:
    """Return the form as a PDF of one A4 page."""
    pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
    page = BytesIO()
    canvas = Canvas(page, pagesize=A4, invariant=True)
    canvas.setTitle("被保険者資格申立書")
    _say(canvas, 105 * mm, 272 * mm, "被保険者資格申立書", 18, centred=True)
    _say(
        canvas,
        105 * mm,
        264 * mm,
        "Statement of insurance by the patient, while it cannot be verified online",
        9,
        centred=True,
    )
    _say(
        canvas,
        _LEFT,
        252 * mm,
        "オンラインで資格を確認できないため、次のとおり申し立てます。事実と異なる場合は、後日、費用の精算に応じます。",
        9,
    )
    y = 244 * mm
    for label, value in _rows(statement):
        y = _row(canvas, y, label, value)
    _say(
        canvas,
        _LEFT,
        y - 10 * mm,
        "上記のとおり相違ありません。申立者が患者本人でない場合は、患者との関係も記入してください。",
        9,
    )
    y = _row(canvas, y - 16 * mm, "記入日 / Date", "      年      月      日")
    y = _row(canvas, y, "署名 / Signature", "")
    y = _row(canvas, y, "患者との関係 / Relation to the patient", "□ 本人   □ その他(            )")
    _say(
        canvas,
        _LEFT,
        y - 9 * mm,
        "医療機関の方へ: 端末には「未確認」として記録されています。回線の復旧後に、この用紙と照合してください。",
        8,
    )
    canvas.showPage()
    canvas.save()
    return page.getvalue()


def _rows(statement: Statement) -> list[tuple[str, str]]:
    visited, born = statement.visited_at, statement.birth_date
    share = statement.copayment_percent
    shares = "   ".join(f"{'■' if share == tenths * 10 else '□'} {tenths}割" for tenths in (1, 2, 3))
    return [
        ("医療機関 / Institution", statement.institution),
        ("来院日時 / Visited", visited.astimezone(JAPAN).strftime("%Y年%m月%d日 %H:%M") if visited else ""),
        ("フリガナ / Kana", statement.name_kana),
        ("氏名 / Name", statement.name),
        ("生年月日 / Birth date", born.strftime("%Y年%m月%d日") if born else "      年      月      日"),
        ("住所 / Address", statement.address),
        ("電話番号 / Telephone", statement.telephone),
        ("保険の種類 / Kind of insurance", "□ 会社など   □ 国民健康保険   □ 後期高齢者医療   □ 分からない"),
        ("保険者名または番号 / Insurer", statement.insurer),
        ("記号・番号・枝番 / Symbol, number", statement.symbol_and_number),
        ("勤務先 / Employer", ""),
        ("資格取得の時期 / Insured since", "□ この1か月より前   □ この1か月以内   □ 分からない"),
        ("負担割合 / Share paid", f"{shares}   □ 分からない"),
        ("確認できない理由 / Why not verified", "□ 回線・システムの障害   □ その他(            )"),
    ]  # fmt: skip


def _row(canvas: Canvas, top: float, label: str, value: str) -> float:
    canvas.rect(_LEFT, top - _ROW, _RIGHT - _LEFT, _ROW)
    canvas.line(_LEFT + _LABEL, top, _LEFT + _LABEL, top - _ROW)
    _say(canvas, _LEFT + 2 * mm, top - 7 * mm, label, 8)
    size = 11
    while size > 6 and pdfmetrics.stringWidth(value, _FONT, size) > _RIGHT - _LEFT - _LABEL - 4 * mm:
        size -= 1
    _say(canvas, _LEFT + _LABEL + 2 * mm, top - 7 * mm, value, size)
    return float(top - _ROW)


def _say(canvas: Canvas, x: float, y: float, text: str, size: int, *, centred: bool = False) -> None:
    canvas.setFont(_FONT, size)
    (canvas.drawCentredString if centred else canvas.drawString)(x, y, text)
