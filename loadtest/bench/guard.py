"""Measures the mis-link guard on a synthetic nation: every insurer states its members, then states them again.

The second time wrong links are planted, beside changes that are none. Recall is the share of the planted wrong links
that were kept from the register, precision the share of wrong links among what was kept. Kept is kept, as a wrong link
or for review; only a planted new surname that is kept for review is neither, because that is what it has to be.
"""

import asyncio
import random
import re
import sys
import tempfile
import unicodedata
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_insurer
from eligibility.storage.migrate import migrate
from eligibility.wire.submissions import SubmissionKind
from loadtest.embedded import create_database, database_url, stores
from loadtest.nation.rows import COLUMNS
from loadtest.population import Nation
from loadtest.promises import promised, show_verdict
from loadtest.verdict import Measured, judge
from payer_sync.faults import FaultCode
from payer_sync.loading import load
from payer_sync.manifest import build_manifest
from payer_sync.submission import Filed, announce

SIZE: Final = "guard"
_REVIEW: Final = FaultCode.MISLINK_REVIEW.value
_KEPT: Final = frozenset({FaultCode.MISLINK_SUSPECTED, FaultCode.PERSONS_SWAPPED, FaultCode.CLAIMED_TWICE})
_LINK, _NAME, _KANA = "紐付番号", "氏名", "氏名カナ"
Row = dict[str, str]
# Old forms that a register may have where another has the new one, written down here by hand: what is planted must not
# come from the guard's own table, or nobody would notice what that one lacks.
_OLD_FORMS: Final = str.maketrans(
    "高崎辺吉斎斉浜沢島徳関広国真桜黒瀬曽与郎清内青悦戸尚姫呉穂巻巣桧彦教産昂条滝恵静実豊栄亜児壮将礼来学聡絵萌凛遥寿弥"
    "福海梅都敏勉隆晴節祐",
    "髙﨑邊𠮷齋齊濱澤嶋德關廣國眞櫻黑瀨曾與郞淸內靑悅戶尙姬吳穗卷巢檜彥敎產昻條瀧惠靜實豐榮亞兒壯將禮來學聰繪萠凜遙壽彌"
    "\ufa1b\ufa45\ufa44\ufa26\ufa41\ufa33\uf9dc\ufa12\ufa56\ufa4f",
)
# The kana of each vowel, in half width, and the vowels that only make it longer; the first is what ー becomes.
_VOWELS: Final = (
    ("ｱｶｻﾀﾅﾊﾏﾔﾗﾜｧｬ", "ｱ"), ("ｲｷｼﾁﾆﾋﾐﾘｨ", "ｲ"), ("ｳｸｽﾂﾇﾌﾑﾕﾙｩｭ", "ｳ"), ("ｴｹｾﾃﾈﾍﾒﾚｪ", "ｲｴ"), ("ｵｺｿﾄﾉﾎﾓﾖﾛｫｮ", "ｳｵ"),
)  # fmt: skip
_SMALL_KANA: Final = str.maketrans("ｧｨｩｪｫｬｭｮｯ", "ｱｲｳｴｵﾔﾕﾖﾂ")
# Kana within a name, as another keyboard writes them: ヶ as ケ, さくら as サクラ, ー as －.
_NAME_KANA: Final = {point: point + 0x60 for point in range(ord("ぁ"), ord("ゖ") + 1)} | str.maketrans(
    "ァィゥェォャュョッヶー", "アイウエオヤユヨツケ－"
)
_WIDE: Final = str.maketrans({"ｰ": "－", " ": "　"})


@dataclass(slots=True)
class Planted:
    """What was done to an insurer's records: by record number, what it was, and whether it is a wrong link."""

    wrong: dict[int, str] = field(default_factory=dict)
    harmless: dict[int, str] = field(default_factory=dict)  # what was done that changed the record
    renamed: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Guarded:
    """What became of what was planted."""

    planted: Counter[str] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)
    harmless: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)  # kept, as a wrong link or for review, although it is none
    renamed: int = 0
    reviewed: int = 0  # of the renamed
    rows: int = 0

    def count(self, planted: Planted, kept: dict[int, set[str]]) -> None:
        """Add what became of an insurer's records; `kept` has the codes of each record kept, by its number."""
        self.planted.update(planted.wrong.values())
        self.harmless.update(planted.harmless.values())
        self.renamed += len(planted.renamed)
        for record, codes in kept.items():
            if record in planted.wrong:
                self.caught[planted.wrong[record]] += 1
            elif record in planted.renamed and codes == {_REVIEW}:
                self.reviewed += 1
            else:
                what = "changed surname" if record in planted.renamed else planted.harmless.get(record, "unchanged")
                self.alarms[what] += 1

    @property
    def recall(self) -> float:
        """The share of the wrong links that were kept from the register."""
        return self.caught.total() / max(self.planted.total(), 1)

    @property
    def precision(self) -> float:
        """The share of wrong links in what was kept from the register, but for new surnames kept for review."""
        return self.caught.total() / max(self.caught.total() + self.alarms.total(), 1)


class Planter:
    """Plants wrong links and harmless changes into an insurer's records; never two in one household."""

    def __init__(self, rows: list[Row], everyone: Sequence[Row], chance: random.Random, share: float) -> None:
        self._rows, self._everyone, self._chance = rows, everyone, chance
        self._by_name: dict[str, list[Row]] = {}
        for row in everyone:
            self._by_name.setdefault(row[_NAME], []).append(row)
        self._share = share
        self.planted = Planted()

    def plant(self) -> Planted:
        """Change the records in place; return what was changed."""
        wrong: list[tuple[str, Callable[[list[int]], bool]]] = [
            ("random", self._random), ("swapped household", self._swap), ("member of the household", self._member),
            ("off by one", self._shift), ("same name", self._namesake),
        ]  # fmt: skip
        harmless: list[tuple[str, Callable[[Row], None]]] = [
            ("old forms", self._old_forms), ("width", self._width), ("long vowels", self._long_vowels),
            ("small kana", self._small_kana), ("spaces", self._spaces), ("address", self._address),
            ("kana in names", self._name_kana),
        ]  # fmt: skip
        numbered = sorted(range(len(self._rows)), key=lambda n: (self._rows[n]["記号"], self._rows[n]["番号"]))
        for _, members in groupby(numbered, key=lambda n: (self._rows[n]["記号"], self._rows[n]["番号"])):
            household = [n for n in members if not self._rows[n]["資格喪失日"]]
            if not household:
                continue
            draw = self._chance.random()
            if draw < self._share:
                before = [self._rows[n][_LINK] for n in household]
                possible = self._chance.sample(wrong, len(wrong))
                kind = next((kind for kind, change in possible if change(household)), "")
                changed = [n for n, was in zip(household, before, strict=True) if self._rows[n][_LINK] != was]
                self.planted.wrong |= dict.fromkeys((n + 1 for n in changed), kind)
            elif draw < 6 * self._share:
                as_before = {n: self._rows[n].copy() for n in household}
                for kind, change_one in self._chance.sample(harmless, len(harmless)):
                    for n in household:
                        change_one(self._rows[n])
                    changed = [n for n in household if self._rows[n] != as_before[n]]
                    if changed:
                        self.planted.harmless |= dict.fromkeys((n + 1 for n in changed), kind)
                        break
            elif draw < 6.5 * self._share:
                self._marry(household[-1])
        return self.planted

    def _random(self, household: list[int]) -> bool:
        row, other = self._rows[household[0]], self._chance.choice(self._everyone)
        if other[_NAME] == row[_NAME]:
            return False
        row[_LINK] = other[_LINK]
        return True

    def _swap(self, household: list[int]) -> bool:
        if len(household) < 2:
            return False
        one, other = (self._rows[n] for n in household[:2])
        one[_LINK], other[_LINK] = other[_LINK], one[_LINK]
        return True

    def _member(self, household: list[int]) -> bool:
        if len(household) < 2:
            return False
        self._rows[household[-1]][_LINK] = self._rows[household[0]][_LINK]
        return True

    def _shift(self, household: list[int]) -> bool:
        links = [self._rows[n][_LINK] for n in household]
        if len(links) < 3:
            return False
        for n, link in zip(household, links[1:] + links[:1], strict=True):
            self._rows[n][_LINK] = link
        return True

    def _namesake(self, household: list[int]) -> bool:
        row = self._rows[household[0]]
        # Insurers write the year in two calendars; month and day look alike in both.
        others = [
            other for other in self._by_name[row[_NAME]]
            if other[_LINK] != row[_LINK] and other["生年月日"][-4:] != row["生年月日"][-4:]
        ]  # fmt: skip
        if not others:
            return False
        row[_LINK] = self._chance.choice(others)[_LINK]
        return True

    def _marry(self, n: int) -> None:
        row, other = self._rows[n], self._chance.choice(self._everyone)
        (own, _, given), (new, _, _) = row[_NAME].partition("　"), other[_NAME].partition("　")
        if own == new:
            return
        row[_NAME] = f"{new}　{given}"
        row[_KANA] = other[_KANA].partition(" ")[0] + " " + row[_KANA].partition(" ")[2]
        self.planted.renamed.add(n + 1)

    @staticmethod
    def _old_forms(row: Row) -> None:
        row[_NAME] = row[_NAME].translate(_OLD_FORMS)

    @staticmethod
    def _width(row: Row) -> None:
        row[_KANA] = unicodedata.normalize("NFKC", row[_KANA]).translate(_WIDE)

    @staticmethod
    def _long_vowels(row: Row) -> None:
        # A dash becomes a vowel and a vowel a dash; never from one part of the name into the next.
        for kana, vowels in _VOWELS:
            after = f"(?<=[{kana}])([ﾞﾟ]?)"
            dashes_away = re.sub(f"{after}ｰ", r"\1~", row[_KANA])
            row[_KANA] = re.sub(f"{after}[{vowels}]", r"\1ｰ", dashes_away).replace("~", vowels[0])

    @staticmethod
    def _small_kana(row: Row) -> None:
        row[_KANA] = row[_KANA].translate(_SMALL_KANA)

    @staticmethod
    def _name_kana(row: Row) -> None:
        row[_NAME] = row[_NAME].translate(_NAME_KANA)

    @staticmethod
    def _spaces(row: Row) -> None:
        row[_NAME], row[_KANA] = row[_NAME].replace("　", ""), row[_KANA].replace(" ", "")

    @staticmethod
    def _address(row: Row) -> None:
        row["住所"] += "別棟"


async def measure(address: str, folder: Path, persons: int, seed: int, today: date, share: float = 0.05) -> Guarded:
    """Load a nation of a day into a migrated database, plant into what insurers state next, and count what was kept."""
    chance = random.Random(seed)  # noqa: S311 (nothing secret is drawn)
    nation = Nation.make(persons, seed=seed, today=today)
    owner = await connect(address)
    guarded = Guarded()
    try:
        first = {
            insurer.number: [row for frame in nation.records(insurer) for row in frame.iter_rows(named=True)]
            for insurer in nation.insurers
        }
        everyone = [row.copy() for rows in first.values() for row in rows]
        for number, rows in first.items():
            await enrol_insurer(owner, InsurerNumber(number), number, datetime.now(UTC))
            await _state(owner, address, number, rows, folder)
        for number, rows in first.items():
            planted = Planter(rows, everyone, chance, share).plant()
            kept = await _state(owner, address, number, rows, folder)
            guarded.count(planted, kept)
            guarded.rows += len(rows)
    finally:
        await owner.close()
    return guarded


async def _state(owner: Any, address: str, number: str, rows: list[Row], folder: Path) -> dict[int, set[str]]:
    path, insurer, now = folder / "file.csv", InsurerNumber(number), datetime.now(UTC)
    lines = [",".join(COLUMNS), *(",".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    manifest = build_manifest(path, SubmissionKind.DELTA, "eligibility", 1)
    submission, _ = await announce(owner, uuid7(now), insurer, manifest, now)
    await load(address, Filed(insurer, submission), path)
    found = await owner.fetch(
        "select record_number, code from feedback where submission_id = $1 and record_number is not null"
        " and (code like 'mislink%suspected' or code = any($2))",
        submission.submission_id, [*_KEPT, _REVIEW],
    )  # fmt: skip
    kept: dict[int, set[str]] = {}
    for row in found:
        kept.setdefault(row["record_number"], set()).add(row["code"])
    return kept


def judged(guarded: Guarded) -> Measured:
    """Return the figures that limits are about."""
    figures = {"recall": guarded.recall, "precision": guarded.precision}
    return Measured("mislinks", "kept", guarded.planted.total(), figures)


def show(guarded: Guarded) -> None:
    """Print what became of each kind of what was planted."""
    out = sys.stdout.write
    out(f"guard: {guarded.rows:,} records stated again, {guarded.planted.total():,} wrong links planted\n")
    for kind, count in sorted(guarded.planted.items()):
        out(f"  {kind:<26}{guarded.caught[kind]:>7,} of {count:>7,} kept from the register\n")
    for kind, count in sorted(guarded.harmless.items()):
        out(f"  harmless: {kind:<16}{guarded.alarms[kind]:>7,} of {count:>7,} kept, a false alarm\n")
    for kind in sorted(guarded.alarms.keys() - guarded.harmless.keys()):
        out(f"  harmless: {kind:<16}{guarded.alarms[kind]:>7,} kept, a false alarm\n")
    out(f"  changed surname           {guarded.reviewed:>7,} of {guarded.renamed:>7,} kept for review\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure on a database of its own; return 1 when a limit does not hold."""
    parser = ArgumentParser(prog="python -m loadtest.bench.guard", description=__doc__)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=3)
    chosen = parser.parse_args(arguments)

    async def run(address: str, folder: Path) -> Guarded:
        administrator = await connect(address)
        await create_database(administrator, "bench_guard")
        await administrator.close()
        own = database_url(address, "bench_guard")
        owner = await connect(own)
        await migrate(owner)
        await owner.close()
        return await measure(own, folder, chosen.persons, chosen.seed, day_in_japan(datetime.now(UTC)))

    with tempfile.TemporaryDirectory(prefix="eligibility-bench-") as folder, stores(Path(folder)) as running:
        guarded = asyncio.run(run(running.database_url, Path(folder)))
    show(guarded)
    verdict = judge(promised(SIZE), [judged(guarded)])
    show_verdict(Console(highlight=False), verdict)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
