"""Writes coverages of the synthetic nation as records of the eligibility layout, edition 1, many at a time."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from eligibility.domain.codes import CardClass, LossReason
from loadtest.nation import days
from loadtest.nation.draws import Draws, Flags, Ints, edges
from loadtest.nation.holders import Holders, words
from loadtest.nation.insurers import ELDERLY, MUNICIPAL, Insurer
from loadtest.nation.people import Mark, People
from loadtest.nation.texts import choice, dates, digits, joined, percents, symbols

COLUMNS: Final = (
    "レコード種別", "保険者番号", "記号", "番号", "枝番", "紐付番号", "氏名", "氏名カナ", "生年月日", "性別",
    "郵便番号", "住所", "本人家族区分", "被保険者証区分", "資格取得日", "資格喪失日", "喪失事由", "負担割合",
    "証交付日", "証有効開始日", "証有効終了日", "限度額証区分", "限度額適用区分", "限度額有効開始日",
    "限度額有効終了日", "長期入院該当日", "特定疾病区分", "特定疾病自己負担額", "特定疾病有効開始日",
    "特定疾病有効終了日", "高齢負担割合", "高齢有効開始日", "高齢有効終了日", "未就学区分", "閲覧抑止",
)  # fmt: skip

_LOST_GLYPH_SHARE: Final = 0.03  # of names a plain system cannot spell: a ● stands in the name
# Income categories and how often: below 70; then from 70 by the share one pays.
_CATEGORIES: Final = {
    "young": (("A01", 3), ("A02", 8), ("A03", 37), ("A04", 32), ("A05", 20)),
    10: (("B10", 40), ("B05", 40), ("B06", 20)),
    20: (("B09", 30), ("B04", 40), ("B05", 20), ("B06", 10)),
    30: (("B01", 20), ("B02", 35), ("B03", 45)),
}
_CODES: Final = ("", *sorted({code for group in _CATEGORIES.values() for code, _ in group}))
_LOW_INCOME: Final = ("A05", "B05", "B06")  # whose certificates reduce the standard charge too


@dataclass(frozen=True, slots=True)
class Rates:
    """What follows from someone's age on the day a coverage is told for; columns of one length."""

    told_on: Ints
    from_70: Ints  # the day from which the rates of 70 to 74 hold
    from_75: Ints
    copayment: Ints  # percent
    preschool: Flags


@dataclass(frozen=True, slots=True)
class _Cover:
    """Coverages of one insurer as columns."""

    person: Ints
    leader: Ints
    birth: Ints
    acquired: Ints
    lost: Ints
    rates: Rates


class RowWriter:
    """Turns positions of coverages into records, each insurer's in its own habits."""

    def __init__(self, people: People, insurers: tuple[Insurer, ...], draws: Draws, today: int) -> None:
        self._people, self._insurers, self._draws, self._today = people, insurers, draws, today
        self.holders = Holders(people, insurers, draws)
        self._number_width = 7 if len(people.birth) < 10**7 else 9

    def records(self, insurer: int, person: Ints, earlier: Flags) -> pl.DataFrame:
        """Return the records of an insurer's coverages: whose they are, and whether they are the earlier ones."""
        writes, people = self._insurers[insurer], self._people
        acquired = np.where(earlier, people.earlier_acquired[person], people.acquired[person]).astype(np.int64)
        lost = np.where(earlier, people.earlier_lost[person], people.lost[person]).astype(np.int64)
        birth = people.birth[person].astype(np.int64)
        rates = self.rates(person, birth, acquired, lost)
        leader = people.leader[person].astype(np.int64)
        cover = _Cover(person, leader, birth, acquired, lost, rates)
        digits = writes.number[2:] if writes.scheme.code == MUNICIPAL and writes.wareki else writes.number
        columns = {
            "レコード種別": pl.lit("1"),
            "保険者番号": pl.lit(digits),
            **self._insured_number(insurer, cover),
            "紐付番号": self.holders.linkage_codes(person),
            **self._holder(writes, cover),
            **self._coverage(writes, cover, earlier),
            **self._limit(writes, cover),
            **self._disease(writes, cover),
            **self._elderly(writes, cover),
            "未就学区分": choice(rates.preschool, "0" if writes.numbers == "half" else "", "1"),
            "閲覧抑止": choice((people.marks[person] & Mark.SUSPENDED) > 0, "", "1"),
        }
        series = {name: column for name, column in columns.items() if isinstance(column, pl.Series)}
        same = {name: column for name, column in columns.items() if isinstance(column, pl.Expr)}
        return pl.DataFrame(series).with_columns(**same).select(COLUMNS)

    def rates(self, person: Ints, birth: Ints, acquired: Ints, lost: Ints) -> Rates:
        """Return what follows from age: on today, or on the first or last day of what is not in force today."""
        told_on = np.maximum(np.where(lost > 0, np.minimum(lost - 1, self._today), self._today), acquired)
        from_70 = days.month_after(days.plus_years(birth, 70) - 1)
        from_75 = days.plus_years(birth, 75)
        # Who is born on 1 April starts school a year before those born on 2 April.
        preschool = birth > days.plus_years(days.year_start(told_on, 4), -6)
        share = self._draws.share("income", person)
        copayment = np.full(len(person), 30)
        copayment[preschool] = 20
        copayment[from_70 <= told_on] = np.where(share < 0.1, 30, 20)[from_70 <= told_on]
        percent_75 = np.where(share < 0.07, 30, np.where(share < 0.27, 20, 10))
        copayment[from_75 <= told_on] = percent_75[from_75 <= told_on]
        return Rates(told_on, from_70, from_75, copayment, preschool)

    def _holder(self, writes: Insurer, cover: _Cover) -> dict[str, pl.Series]:
        person, table = cover.person, words()
        surname = self.holders.surnames(person)
        given = self.holders.given(person, surname)
        family = {"registered": table.registered, "cp932": table.cp932, "plain": table.plain}[writes.spelling]
        written = family.gather(surname)
        if writes.spelling == "plain":
            lost = self._draws.share("glyph", person) < _LOST_GLYPH_SHARE
            written = written.zip_with(pl.Series(~lost), table.lost.gather(surname))
        wave_dash = writes.encoding == "utf-8" and writes.wareki
        return {
            "氏名": joined(written, "　", table.given_written.gather(given)),
            "氏名カナ": joined(table.kana.gather(surname), " ", table.given_kana.gather(given)),
            "生年月日": dates(writes.wareki, cover.birth),
            "性別": choice(self._people.female[person], "1", "2"),
            "郵便番号": self.holders.postal_codes(person),
            "住所": self.holders.addresses(person, writes.addresses, wave_dash),
        }

    def _insured_number(self, insurer: int, cover: _Cover) -> dict[str, pl.Series | pl.Expr]:
        writes = self._insurers[insurer]
        office = self._draws.below(f"office of {insurer}", cover.leader, 9999) + 1
        # An odd factor that 5 does not divide makes a permutation: no two of an insurer's numbers are the same.
        space = 10**self._number_width
        factor, shift = 7_919 + 10 * insurer, 104_729 * (insurer + 1)
        number = (cover.leader * factor + shift) % space
        branch = np.where(cover.leader == cover.person, 1, cover.person - cover.leader + 1)
        elderly = writes.scheme.code == ELDERLY
        return {
            "記号": symbols(writes, office),
            "番号": digits(number, self._number_width, writes.numbers),
            "枝番": pl.lit("") if elderly else pl.Series([f"{n:02d}" for n in range(10)]).gather(branch),
        }

    def _coverage(self, writes: Insurer, cover: _Cover, earlier: Flags) -> dict[str, pl.Series | pl.Expr]:
        scheme, rates = writes.scheme, cover.rates
        valid_from, through = cover.acquired, np.zeros(len(cover.person), dtype=np.int64)
        if scheme.yearly:
            valid_from = np.maximum(cover.acquired, days.year_start(rates.told_on, 8))
            through = self._through(writes, cover, valid_from)
        card_class: pl.Series | pl.Expr = pl.lit(scheme.card_class.value)
        if scheme.code == MUNICIPAL:
            short = self._draws.share("short term", cover.leader) < 0.01
            card_class = choice(short, CardClass.GENERAL.value, CardClass.SHORT_TERM.value)
        return {
            "本人家族区分": choice(cover.leader == cover.person, "2", "1"),
            "被保険者証区分": card_class,
            "資格取得日": dates(writes.wareki, cover.acquired),
            "資格喪失日": dates(writes.wareki, cover.lost),
            "喪失事由": self._reasons(cover, earlier),
            "負担割合": percents(cover.rates.copayment),
            "証交付日": dates(writes.wareki, valid_from),
            "証有効開始日": dates(writes.wareki, valid_from),
            "証有効終了日": dates(writes.wareki, through),
        }

    def _through(self, writes: Insurer, cover: _Cover, valid_from: Ints) -> Ints:
        """Return the last day of a certificate: 31 July, or the day before the elderly scheme takes over."""
        july = days.plus_years(days.year_start(cover.rates.told_on, 8), 1) - 1
        if writes.scheme.code != ELDERLY:
            july = np.minimum(july, cover.rates.from_75 - 1)
        return np.maximum(july, valid_from)

    def _reasons(self, cover: _Cover, earlier: Flags) -> pl.Series:
        share = self._draws.share("loss reason", cover.leader)
        old = self._today - self._people.birth[cover.leader].astype(np.int64) > 75 * 365
        # Death takes the coverage of one, so only those who share their number with nobody have died here.
        died = old & (share < 0.9)
        code = np.where(died, 0, np.where(share < 0.3, 1, 3))
        code = np.where(cover.lost == 0, 4, np.where(earlier, 2, code))
        return pl.Series([*LossReason, ""], dtype=pl.String).gather(code)

    def _limit(self, writes: Insurer, cover: _Cover) -> dict[str, pl.Series]:
        rates, marks = cover.rates, self._people.marks[cover.person]
        holds = ((marks & Mark.LIMIT) > 0) & (cover.lost == 0)
        young = rates.told_on < rates.from_70
        category = np.zeros(len(cover.person), dtype=np.int64)
        share = self._draws.share("limit category", cover.leader)
        for group, weighted in _CATEGORIES.items():
            mine = young if group == "young" else ~young & (rates.copayment == group)
            picked = np.searchsorted(edges([w for _, w in weighted]), share[mine], side="right")
            category[mine] = np.array([_CODES.index(code) for code, _ in weighted])[picked]
        low = np.isin(category, [_CODES.index(code) for code in _LOW_INCOME])
        start = np.maximum(cover.acquired, days.year_start(rates.told_on, 8))
        start = np.where(young, start, np.maximum(start, rates.from_70))
        through = self._through(writes, cover, start)
        through = np.where(young, np.maximum(np.minimum(through, rates.from_70 - 1), start), through)
        stays = low & (self._draws.share("long stay", cover.person) < 0.1)
        return {
            "限度額証区分": pl.Series(["", "01", "02"]).gather(np.where(holds, 1 + low, 0)),
            "限度額適用区分": pl.Series(_CODES).gather(np.where(holds, category, 0)),
            "限度額有効開始日": dates(writes.wareki, np.where(holds, start, 0)),
            "限度額有効終了日": dates(writes.wareki, np.where(holds, through, 0)),
            "長期入院該当日": dates(writes.wareki, np.where(holds & stays, start, 0)),
        }

    def _disease(self, writes: Insurer, cover: _Cover) -> dict[str, pl.Series]:
        holds = ((self._people.marks[cover.person] & Mark.DISEASE) > 0) & (cover.lost == 0)
        disease = self._draws.pick("which disease", cover.person, [97, 2, 1]) + 1
        young = cover.rates.told_on < cover.rates.from_70
        upper = young & (self._draws.share("limit category", cover.leader) < 0.11)  # A01 and A02
        cap = np.where((disease == 1) & upper, 2, 1)
        start = cover.acquired
        through = self._through(writes, cover, start) if writes.scheme.yearly else np.zeros(len(start), dtype=np.int64)
        return {
            "特定疾病区分": pl.Series(["", "1", "2", "3"]).gather(np.where(holds, disease, 0)),
            "特定疾病自己負担額": pl.Series(["", "10000", "20000"]).gather(np.where(holds, cap, 0)),
            "特定疾病有効開始日": dates(writes.wareki, np.where(holds, start, 0)),
            "特定疾病有効終了日": dates(writes.wareki, np.where(holds, through, 0)),
        }

    def _elderly(self, writes: Insurer, cover: _Cover) -> dict[str, pl.Series]:
        rates = cover.rates
        holds = (rates.from_70 <= rates.told_on) & (rates.told_on < rates.from_75) & (cover.lost == 0)
        start = np.maximum(np.maximum(cover.acquired, days.year_start(rates.told_on, 8)), rates.from_70)
        through = self._through(writes, cover, start)
        return {
            "高齢負担割合": percents(np.where(holds, rates.copayment, 0)),
            "高齢有効開始日": dates(writes.wareki, np.where(holds, start, 0)),
            "高齢有効終了日": dates(writes.wareki, np.where(holds, through, 0)),
        }
