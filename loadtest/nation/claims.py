"""Writes UKE files, medical and dispensing, for persons of the synthetic nation, and the drug master they refer to."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal

import numpy as np

from eligibility.domain.dates import ERAS
from loadtest.nation.draws import Draws
from loadtest.nation.insurers import Institution
from loadtest.population import HeldCoverage, Nation, Person

Kind = Literal["medical", "dispensing"]


@dataclass(frozen=True, slots=True)
class InventedDrug:
    """A medicine that does not exist, in the columns of the master."""

    code: str
    name: str
    kana: str
    unit: str
    form: str  # 1 内用, 4 注射, 6 外用
    yj_code: str
    tenths_of_yen: int
    active: bool = True


DRUGS: Final = (
    InventedDrug("620900101", "アサガオ錠５ｍｇ", "ｱｻｶﾞｵｼﾞﾖｳ", "錠", "1", "9991001F1011", 101),
    InventedDrug("620900201", "アサガオ錠１０ｍｇ", "ｱｻｶﾞｵｼﾞﾖｳ", "錠", "1", "9991001F2018", 152),
    InventedDrug("620900301", "ヒマワリカプセル２５ｍｇ", "ﾋﾏﾜﾘｶﾌﾟｾﾙ", "カプセル", "1", "9992003M1020", 99),
    InventedDrug("620900401", "スミレ散５０％", "ｽﾐﾚｻﾝ", "ｇ", "1", "9993005B1035", 63),
    InventedDrug("620900501", "ツバキ軟膏０．１％", "ﾂﾊﾞｷﾅﾝｺｳ", "ｇ", "6", "9994701M1042", 121),
    InventedDrug("620900601", "カエデ点眼液０．０２％", "ｶｴﾃﾞﾃﾝｶﾞﾝｴｷ", "ｍＬ", "6", "9995702Q1057", 847),
    InventedDrug("620900701", "モミジ注１０ｍｇ", "ﾓﾐｼﾞﾁﾕｳ", "管", "4", "9996400A1064", 990),
    InventedDrug("620900801", "サクラ錠１ｍｇ", "ｻｸﾗｼﾞﾖｳ", "錠", "1", "9997001F1071", 58, active=False),
)
_ORAL: Final = tuple(drug for drug in DRUGS if drug.form == "1")
_EXTERNAL: Final = tuple(drug for drug in DRUGS if drug.form == "6")
_COURSES: Final = (3, 5, 7, 14, 28, 30)  # days
_USAGES: Final = ("１日３回　毎食後", "１日１回　朝食後", "１日２回　朝夕食後", "１日１回　就寝前")


@dataclass(frozen=True, slots=True)
class Written:
    """What a file holds."""

    receipts: int
    lines: int
    medicines: int


class ClaimWriter:
    """Writes what one institution claims for one month of care; wareki files are as they were before western dates."""

    def __init__(self, nation: Nation, seed: int, *, wareki: bool = False) -> None:
        self._nation = nation
        self._draws = Draws(seed)
        self._wareki = wareki

    def write(self, path: Path, kind: Kind, institution: Institution, month: date, most: int, insurer: str) -> Written:
        """Write receipts of persons whom the insurer covers through the month; the claim follows in the next month."""
        lines = [self._opening(kind, institution, month)]
        count = points = medicines = 0
        for person, coverage in self._covered(month, insurer):
            if count == most:
                break
            count += 1
            body, charged = self._medical(person, month) if kind == "medical" else self._dispensing(person, month)
            lines.append(self._head(kind, count, person, month, institution))
            lines += _insured(kind, coverage, charged)
            lines += body
            points += charged
            medicines += sum(line.startswith("IY,") for line in body)
        lines.append(f"GO,{count},{points},99")
        text = "".join(f"{line}\r\n" for line in lines)
        path.write_bytes("".join(c if _writable(c) else "●" for c in text).encode("cp932"))
        return Written(count, len(lines), medicines)

    def _covered(self, month: date, insurer: str) -> Iterator[tuple[Person, HeldCoverage]]:
        end = _next(month)
        for index in range(len(self._nation)):
            person = self._nation.person(index)
            for coverage in person.coverages:
                if (
                    coverage.insurer_number == insurer
                    and max(coverage.acquired_on, person.birth_date) <= month
                    and (coverage.lost_on is None or end <= coverage.lost_on)
                ):
                    yield person, coverage
                    break

    def _opening(self, kind: Kind, institution: Institution, month: date) -> str:
        code, name = institution.code, institution.name
        where = f"1,{code[:2]},{code[2]},{code[3:]}"
        claimed = self._month(_next(month))
        if kind == "medical":
            return f"IR,{where},,{name},{claimed},00,0312345678"
        return f"YK,{where},{name},{claimed},00,0312345678"

    def _head(self, kind: Kind, number: int, person: Person, month: date, institution: Institution) -> str:
        fields = [""] * (38 if kind == "medical" else 42)
        fields[:7] = [
            "RE", str(number), "1112" if kind == "medical" else "4112", self._month(month), person.name[:20],
            person.sex.value, self._day(person.birth_date),
        ]  # fmt: skip
        if kind == "dispensing":
            fields[9:13] = [institution.code[:2], "1", f"{institution.code[3:9]}0", "処方クリニック"]
        return ",".join(fields)

    def _medical(self, person: Person, month: date) -> tuple[list[str], int]:
        draw = self._draw(person)
        day = 1 + draw("day", 28)
        lines = [_line("SI", "12", "112007410", "", 73, 1, day), _line("SI", "12", "112011010", "", 52, 1, day)]
        points = 73 + 52
        for number in range(1 + draw("medicines", 3)):
            drug, course = _ORAL[draw(f"drug {number}", len(_ORAL))], _COURSES[draw(f"course {number}", len(_COURSES))]
            lines.append(f"CO,21,1,810000001,{_USAGES[draw(f'usage {number}', len(_USAGES))]}")
            lines.append(_line("IY", "", drug.code, str(1 + draw(f"dose {number}", 3)), 4 + number, course, day))
            points += (4 + number) * course
        if draw("external", 3) == 0:
            drug = _EXTERNAL[draw("which external", len(_EXTERNAL))]
            lines.append(_line("IY", "23", drug.code, "10", 12, 1, day))
            points += 12
        return lines, points

    def _dispensing(self, person: Person, month: date) -> tuple[list[str], int]:
        draw = self._draw(person)
        prescribed = month.replace(day=1 + draw("day", 24))
        dispensed = prescribed.replace(day=prescribed.day + draw("wait", 4))
        lines, points = [], 0
        for number in range(1 + draw("groups", 3)):
            course = _COURSES[draw(f"course {number}", len(_COURSES))]
            lines.append(f"SH,{number + 1},1,101,,30,,,,")
            for part in range(1 + draw(f"parts {number}", 2)):
                drug = _ORAL[(draw(f"drug {number}", len(_ORAL)) + part) % len(_ORAL)]
                lines.append(f"IY,1,{drug.code},{1 + draw(f'dose {number} {part}', 3)},,,,,")
            cz = [""] * 54
            cz[:6] = ["CZ", "1", self._day(prescribed), self._day(dispensed), "1", str(course)]
            lines.append(",".join(cz))
            points += 3 * course
        return lines, points + 100

    def _draw(self, person: Person) -> "_Draw":
        return _Draw(self._draws, person.index)

    def _month(self, month: date) -> str:
        return self._day(month)[:-2]

    def _day(self, day: date) -> str:
        if not self._wareki:
            return f"{day:%Y%m%d}"
        era, base = next((era, base) for era, (base, first, last) in reversed(ERAS.items()) if first <= day <= last)
        return f"{era}{day.year - base:02d}{day:%m%d}"


@dataclass(frozen=True, slots=True)
class _Draw:
    draws: Draws
    person: int

    def __call__(self, purpose: str, bound: int) -> int:
        return int(self.draws.below(f"claim {purpose}", np.array([self.person]), bound)[0])


def write_drug_master(path: Path) -> None:
    """Write the invented medicines as a master file."""
    lines = []
    for number, drug in enumerate(DRUGS, 1):
        fields = ["0"] * 37
        fields[0:3] = ["0" if drug.active else "9", "Y", drug.code]
        fields[3:7] = [str(len(drug.name)), f'"{drug.name}"', str(len(drug.kana)), f'"{drug.kana}"']
        fields[7:10] = ["16", str(len(drug.unit)), f'"{drug.unit}"']
        fields[10:12] = ["1", f"{drug.tenths_of_yen / 10:.2f}"]
        fields[27] = drug.form
        fields[29:33] = ["20260401", "99999999" if drug.active else "20260331", f'"{drug.yj_code}"', str(number)]
        fields[34] = f'"{drug.name}"'
        lines.append(",".join(fields))
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode("cp932"))


def _insured(kind: Kind, coverage: HeldCoverage, points: int) -> list[str]:
    insurer = coverage.insurer_number
    if insurer.startswith("00"):  # a municipality's six digits
        insurer = f"  {insurer[2:]}"
    fields = [""] * (15 if kind == "medical" else 14)
    fields[:6] = ["HO", insurer, coverage.symbol, coverage.number, "1", str(points)]
    lines = [",".join(fields)]
    if coverage.branch_number:
        lines.append(f"SN,1,01,,,,{coverage.branch_number},,")
    return lines


def _line(record: str, service_class: str, code: str, quantity: str, points: int, times: int, day: int) -> str:
    fields = [record, service_class, "1", code, quantity, str(points), str(times), *[""] * 37]
    fields[12 + day] = str(times)
    return ",".join(fields)


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _writable(character: str) -> bool:
    try:
        character.encode("cp932")
    except UnicodeEncodeError:
        return False
    return True
