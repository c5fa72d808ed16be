"""Makes check-ups of the synthetic nation's persons and writes them as CSV and as CDA documents in an archive."""

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import polars as pl

from loadtest.nation.draws import Draws, Ints
from loadtest.population import HeldCoverage, Nation, Person
from payer_sync.checkups.cda import BRANCH_NUMBER_ROOT
from payer_sync.layouts.register import find_layout

_ROOT: Final = "1.2.392.200119.6."
_YEARS: Final = 5
_AGES: Final = range(40, 75)  # who specific check-ups are for
_TAKES_PART: Final = 0.58
_DEFLATED_LEVEL: Final = 6


@dataclass(frozen=True, slots=True)
class _Measured:
    """How a quantity is drawn: a mean, a spread, decimals, and the range its laboratory states."""

    code: str
    unit: str
    mean: float
    spread: float
    decimals: int
    low: str = ""
    high: str = ""


_QUANTITIES: Final = (
    _Measured("9N001000000000001", "cm", 163, 9, 1),
    _Measured("9N006000000000001", "kg", 62, 11, 1),
    _Measured("9N011000000000001", "kg/m2", 23.2, 3.2, 1, "18.5", "24.9"),
    _Measured("9N016160100000001", "cm", 83, 9, 1),
    _Measured("9A751000000000001", "mm[Hg]", 125, 17, 0, high="129"),
    _Measured("9A761000000000001", "mm[Hg]", 76, 11, 0, high="84"),
    _Measured("3F015000002327101", "mg/dL", 118, 55, 0, "30", "149"),
    _Measured("3F070000002327101", "mg/dL", 63, 15, 0, "40", "96"),
    _Measured("3F077000002327101", "mg/dL", 122, 29, 0, "60", "119"),
    _Measured("3B035000002327201", "U/L", 24, 8, 0, high="30"),
    _Measured("3B045000002327201", "U/L", 23, 11, 0, high="30"),
    _Measured("3B090000002327101", "U/L", 36, 25, 0, high="50"),
    _Measured("3D010000001926101", "mg/dL", 97, 15, 0, high="99"),
    _Measured("3D046000001920402", "%", 5.6, 0.5, 1, high="5.5"),
    _Measured("3C015000002327101", "mg/dL", 0.78, 0.17, 2),
    _Measured("8A065000002391901", "mL/min/1.73m2", 73, 14, 1, "60.0"),
)
_CODED: Final = (  # item, kind, and the codes with their names
    ("1A020000000191111", "CO", (("1", "-"), ("2", "±"), ("3", "+"))),
    ("1A010000000191111", "CO", (("1", "-"), ("2", "±"), ("3", "+"))),
    ("9N736000000000011", "CD", (("2", "いいえ"), ("1", "はい"))),
    ("9N501000000000011", "CD", (("3", "非該当"), ("2", "予備群該当"), ("1", "基準該当"))),
)
_JUDGEMENT: Final = "9N511000000000049"
_JUDGEMENTS: Final = ("異常を認めません。", "軽度の所見があります。生活習慣に注意してください。", "要精密検査（内科）")

Result = tuple[str, str, str, str, str, str, str, str]  # as the layout's last columns


@dataclass(frozen=True, slots=True)
class Checkup:
    """One check-up: whose, when, where and its results."""

    person: Person
    coverage: HeldCoverage
    performed_on: date
    institution_code: str
    results: tuple[Result, ...]


def make_checkups(
    nation: Nation, persons: Iterable[int], seed: int, institutions: Sequence[str], *, everyone: bool = False
) -> Iterator[Checkup]:
    """Yield the check-ups of given persons in the last five years, one a year at most.

    With `everyone`, age and inclination decide nothing: who was insured on the year's day has one.
    """
    draws = Draws(seed)
    for index in persons:
        person = nation.person(index)
        for year in range(_YEARS):
            # One of 300 days of each year, so that every day lies within the five years and before today.
            share = float(draws.share(f"check-up day {year}", np.array([index]))[0])
            day = nation.today - timedelta(days=year * 365 + 1 + int(share * 300))
            coverage = next((c for c in person.coverages if _in_force(c, day)), None)
            takes_part = float(draws.share(f"check-up {year}", np.array([index]))[0]) < _TAKES_PART
            age = (day - person.birth_date).days // 365
            if coverage and (everyone or (age in _AGES and takes_part)):
                place = institutions[int(draws.below("check-up place", np.array([index]), len(institutions))[0])]
                yield Checkup(person, coverage, day, place, tuple(_results(draws, index, year)))


def write_csv(checkups: Iterable[Checkup], path: Path, *, linkage: bool = True, encoding: str = "cp932") -> int:
    """Write check-ups in the check-up layout, edition 1, lines ending in CRLF; return how many records that is."""
    rows = [
        (
            c.coverage.insurer_number, c.coverage.symbol, c.coverage.number, c.coverage.branch_number,
            c.person.linkage_code if linkage else "", f"{c.person.birth_date:%Y%m%d}", c.person.sex.value,
            f"{c.performed_on:%Y%m%d}", c.institution_code, *result,
        )
        for c in checkups
        for result in c.results
    ]  # fmt: skip
    names = find_layout("checkup", 1).column_names
    frame = pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row")
    path.write_bytes(frame.write_csv(line_terminator="\r\n", quote_style="necessary").encode(encoding))
    return len(rows)


def write_archive(checkups: Iterable[Checkup], path: Path) -> int:
    """Write check-ups as CDA documents in an archive; return how many documents that is."""
    number = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_DEFLATED_LEVEL) as archive:
        for number, checkup in enumerate(checkups, 1):
            name = f"DATA/h{checkup.coverage.insurer_number}{checkup.performed_on:%Y%m%d}{number:010}.xml"
            archive.writestr(name, cda(checkup))
    return number


def cda(checkup: Checkup) -> str:
    """Return a check-up as a CDA document."""
    held, person = checkup.coverage, checkup.person
    ids = {_ROOT + "101": held.insurer_number, _ROOT + "204": held.symbol, _ROOT + "205": held.number}
    ids[BRANCH_NUMBER_ROOT] = held.branch_number
    patient = "".join(_id(root, text) for root, text in ids.items() if text)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<typeId extension="POCD_HD000040" root="2.16.840.1.113883.1.3"/>'
        f'<effectiveTime value="{checkup.performed_on + timedelta(days=20):%Y%m%d}"/>'
        f"<recordTarget><patientRole>{patient}<patient><name>{escape(person.name_kana)}</name>"
        f'<administrativeGenderCode code="{person.sex.value}" codeSystem="1.2.392.200119.6.1104"/>'
        f'<birthTime value="{person.birth_date:%Y%m%d}"/></patient></patientRole></recordTarget>'
        f'<documentationOf><serviceEvent><effectiveTime value="{checkup.performed_on:%Y%m%d}"/>'
        '<performer typeCode="PRF"><assignedEntity><representedOrganization>'
        f"{_id(_ROOT + '102', checkup.institution_code)}</representedOrganization></assignedEntity></performer>"
        "</serviceEvent></documentationOf><component><structuredBody><component><section>"
        + "".join(map(_entry, checkup.results))
        + "</section></component></structuredBody></component></ClinicalDocument>\n"
    )


def measured(seed: int, checkup_ids: Ints) -> pl.DataFrame:
    """Return what is measured at these check-ups: a row for each quantity, as the register keeps it."""
    draws = Draws(seed)
    return pl.concat(_measured(item, draws, checkup_ids) for item in _QUANTITIES)


def _measured(item: _Measured, draws: Draws, checkup_ids: Ints) -> pl.DataFrame:
    bell = sum(draws.share(f"{item.code}/{part}", checkup_ids) for part in range(3)) * 2 - 3
    low, high = (pl.lit(float(bound) if bound else None, pl.Float64) for bound in (item.low, item.high))
    number = pl.col("number")
    return (
        pl.DataFrame({"checkup_id": checkup_ids, "number": np.maximum(item.mean + item.spread * bell, item.mean * 0.2)})
        .with_columns(number.round(item.decimals))
        .select(
            "checkup_id",
            pl.lit(item.code).alias("item_code"),
            number.cast(pl.Decimal(12, item.decimals)).cast(pl.String).alias("value"),
            pl.lit(item.unit).alias("unit"),
            pl.lit(item.low or None).cast(pl.Decimal(12, 2)).alias("low"),
            pl.lit(item.high or None).cast(pl.Decimal(12, 2)).alias("high"),
            pl.when(number < low).then(pl.lit("L")).when(number > high).then(pl.lit("H"))
            .when(low.is_not_null() | high.is_not_null()).then(pl.lit("N")).alias("flag"),
        )
    )  # fmt: skip


def _in_force(coverage: HeldCoverage, day: date) -> bool:
    return coverage.acquired_on <= day and (coverage.lost_on is None or day < coverage.lost_on)


def _results(draws: Draws, index: int, year: int) -> Iterator[Result]:
    one = np.array([index])

    def share(purpose: str) -> float:
        return float(draws.share(f"{purpose} {year}", one)[0])

    for item in _QUANTITIES:
        # The sum of three draws is near enough to a bell.
        bell = sum(share(f"{item.code}/{part}") for part in range(3)) * 2 - 3
        value = f"{max(item.mean + item.spread * bell, item.mean * 0.2):.{item.decimals}f}"
        low = bool(item.low) and float(value) < float(item.low)
        high = bool(item.high) and float(value) > float(item.high)
        flag = "L" if low else "H" if high else "N" if item.low or item.high else ""
        yield (item.code, "PQ", value, "", item.unit, item.low, item.high, flag)
    for code, kind, names in _CODED:
        value, name = names[int(share(code) ** 3 * len(names))]
        yield (code, kind, value, name, "", "", "", "")
    yield (_JUDGEMENT, "ST", _JUDGEMENTS[int(share(_JUDGEMENT) * 3)], "", "", "", "", "")


def _id(root: str, text: str) -> str:
    return f'<id extension={quoteattr(text)} root="{root}"/>'


def _entry(result: Result) -> str:
    code, kind, value, name, unit, low, high, flag = result
    if kind == "ST":
        said = f'<value xsi:type="ST">{escape(value)}</value>'
    elif kind == "PQ":
        said = f'<value xsi:type="PQ" value={quoteattr(value)} unit={quoteattr(unit)}/>'
    else:
        said = f'<value xsi:type="{kind}" code={quoteattr(value)} displayName={quoteattr(name)}/>'
    judged = f'<interpretationCode code="{flag}"/>' if flag else ""
    ends = "".join(f'<{end} value="{text}"/>' for end, text in (("low", low), ("high", high)) if text)
    bounds = f'<observationRange><value xsi:type="IVL_PQ">{ends}</value></observationRange>' if ends else ""
    reference = f"<referenceRange>{bounds}</referenceRange>" if bounds else ""
    return (
        f'<entry><observation classCode="OBS" moodCode="EVN"><code code="{code}"/>{said}{judged}{reference}'
        "</observation></entry>"
    )
