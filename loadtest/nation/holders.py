"""Names, addresses and linkage codes of the synthetic nation's persons: the register's, and as systems spell them."""

from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadtest.nation import days
from loadtest.nation.draws import Draws, Ints, edges
from loadtest.nation.insurers import Insurer
from loadtest.nation.names import POOL_STARTS, GivenNames, given_names, surnames
from loadtest.nation.people import People
from loadtest.nation.places import BUILDINGS, PREFECTURES, TOWNS
from loadtest.nation.texts import FULL_DIGITS, four_digits, numbers

_FOREIGN_SHARE: Final = 0.022
_TOWNS: Final = pl.Series(TOWNS)


@dataclass(frozen=True, slots=True)
class Words:
    """The tables that records take their words from; rows are numbers into them."""

    registered: pl.Series
    cp932: pl.Series
    plain: pl.Series
    lost: pl.Series
    kana: pl.Series
    pools: Ints  # of each surname the pool of given names, -1 for the era's
    surname_edges: NDArray[np.float64]
    given: GivenNames = field(repr=False)
    given_written: pl.Series
    given_kana: pl.Series


@cache
def words() -> Words:
    """Return the word tables, made once."""
    family, given = surnames(_FOREIGN_SHARE), given_names()
    return Words(
        registered=pl.Series([s.registered for s in family]),
        cp932=pl.Series([s.cp932 for s in family]),
        plain=pl.Series([s.plain for s in family]),
        lost=pl.Series([s.lost for s in family]),
        kana=pl.Series([s.kana for s in family]),
        pools=np.array([-1 if s.pool is None else s.pool for s in family], dtype=np.int64),
        surname_edges=edges([s.weight for s in family]),
        given=given,
        given_written=pl.Series(given.written),
        given_kana=pl.Series(given.kana),
    )


class Holders:
    """Finds what an insurer knows of a person besides the coverage."""

    def __init__(self, people: People, insurers: tuple[Insurer, ...], draws: Draws) -> None:
        self._people, self._draws = people, draws
        self._cities = pl.Series([PREFECTURES[i.prefecture].name + i.municipality for i in insurers])
        self._postal_prefixes = pl.Series(
            [f"{PREFECTURES[i.prefecture].postal_prefix}{n % 10}-" for n, i in enumerate(insurers)]
        )

    def surnames(self, person: Ints) -> Ints:
        """Return the number of each one's surname; some who moved in with a family have brought their own."""
        household = self._people.household[person].astype(np.int64)
        own = (person != self._people.first[household]) & (self._draws.share("own surname", person) < 0.04)
        share = np.where(own, self._draws.share("brought", person), self._draws.share("surname", household))
        return np.searchsorted(words().surname_edges, share, side="right").astype(np.int64)

    def given(self, person: Ints, surname: Ints) -> Ints:
        """Return the number of each one's given name, of the sex and the era or the language."""
        era = np.searchsorted(
            POOL_STARTS, days.calendar_year(self._people.birth[person].astype(np.int64)), side="right"
        )
        pool = words().pools[surname]
        group = GivenNames.group(self._people.female[person].astype(np.int64), np.where(pool < 0, era, pool))
        return words().given.pick(group, self._draws.share("given name", person))

    def addresses(self, person: Ints, style: str, wave_dash: bool) -> pl.Series:
        """Return the addresses; a system may write 三丁目 and 番地 with words or with hyphens."""
        household = self._people.household[person].astype(np.int64)
        home = self._people.home[household].astype(np.int64)
        block, lot, house = (
            self._draws.below(part, household, n) + 1 for part, n in (("block", 6), ("lot", 40), ("house", 30))
        )
        town = self._draws.below("town", household, len(TOWNS))
        flat = self._draws.share("flat", household) < 0.3
        building = np.where(flat, self._draws.below("building", household, len(BUILDINGS)) + 1, 0)
        room = np.where(
            flat, self._draws.below("floor", household, 9) * 20 + self._draws.below("room", household, 8) + 21, 0
        )
        parts = [self._cities.gather(home), _TOWNS.gather(town)]
        for number, end in zip((block, lot, house), _counters(style), strict=True):
            parts.append(numbers(style == "half", end).gather(number))
        parts += [_buildings(wave_dash).gather(building), _rooms(style == "half").gather(room)]
        return pl.select(pl.concat_str(parts)).to_series()

    def postal_codes(self, person: Ints) -> pl.Series:
        """Return the postal codes: the prefecture's first digits, then the municipality's and the town's."""
        household = self._people.household[person].astype(np.int64)
        home = self._people.home[household].astype(np.int64)
        town = self._draws.below("town", household, len(TOWNS))
        return pl.select(
            pl.concat_str(self._postal_prefixes.gather(home), four_digits().gather((home * 41 + town) % 10_000))
        ).to_series()

    def linkage_codes(self, person: Ints) -> pl.Series:
        """Return the opaque codes: sixteen letters, never a digit, so that none can look like a My Number."""
        bits = self._draws.bits("linkage", person)
        parts = [_letters().gather((bits >> np.uint64(shift)) & np.uint64(0xFFFF)) for shift in (48, 32, 16, 0)]
        return pl.select(pl.concat_str(parts)).to_series()


def _counters(style: str) -> tuple[str, str, str]:
    hyphens = ("－", "－", "")
    return {
        "counters": ("丁目", "番", "号"),
        "mixed": ("丁目", "－", ""),
        "hyphens": hyphens,
        "half": ("-", "-", ""),
    }[style]


@cache
def _letters() -> pl.Series:
    return pl.Series(["".join(four) for four in product("ABCDEFGHJKLMNPQR", repeat=4)])


@cache
def _buildings(wave_dash: bool) -> pl.Series:
    return pl.Series(["", *("　" + (b.replace("～", "〜") if wave_dash else b) for b in BUILDINGS)])


@cache
def _rooms(half: bool) -> pl.Series:
    # Room 1 of floor 1 has number 21, that of floor 2 number 41; 0 is a house of its own.
    texts = [f"{n // 20}{n % 20:02d}" for n in range(200)]
    return pl.Series(["", *((t if half else t.translate(FULL_DIGITS)) + "号" for t in texts[1:])])
