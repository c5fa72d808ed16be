"""Insurers and institutions of the synthetic nation: numbers with check digits, invented names, habits of writing.

The names are invented; a number may be that of a real body all the same, as the field's numbers are dense.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from eligibility.domain.codes import CardClass
from eligibility.domain.identifiers import luhn_check_digit
from loadtest.nation.draws import Draws, Ints, Shares, edges
from loadtest.nation.places import COMPANIES, COMPANY_KINDS, LARGEST_FIRST, PREFECTURES, TOWNS, municipality

MUNICIPAL: Final = "00"  # the padding that stands where other numbers have a scheme
ELDERLY: Final = "39"
MOST_INSURERS: Final = 3000


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scheme (法別): whom it insures, as shares of those who hold a number of their own, by age."""

    code: str
    working: float  # 18 to 59
    older: float  # 60 to 64
    retired: float  # 65 to 74
    card_class: CardClass = CardClass.GENERAL
    by_prefecture: bool = False  # insures those who live in its prefecture
    yearly: bool = False  # its certificates end every 31 July


# The order is that in which a nation of few insurers gets them.
SCHEMES: Final = (
    Scheme(MUNICIPAL, 18, 30, 62, by_prefecture=True, yearly=True),
    Scheme("01", 40, 36, 22, by_prefecture=True),
    Scheme(ELDERLY, 0, 0, 0, by_prefecture=True, yearly=True),
    Scheme("06", 29, 22, 9),
    Scheme("32", 6, 4, 1),
    Scheme("31", 2.2, 1.5, 0.3),
    Scheme("34", 1.6, 1.2, 0.3),
    Scheme("33", 1.4, 0.8, 0.1),
    Scheme("02", 0.5, 0.4, 0.1),
    Scheme("07", 0.5, 0, 0, card_class=CardClass.SELF_DEFENCE),
    Scheme("63", 0, 1.5, 2.5, card_class=CardClass.SPECIAL_RETIRED),
    Scheme("67", 0, 1.0, 0.3, card_class=CardClass.RETIRED, by_prefecture=True, yearly=True),
    Scheme("72", 0, 0.6, 0.8, card_class=CardClass.SPECIAL_RETIRED),
    Scheme("73", 0, 0.6, 0.8, card_class=CardClass.SPECIAL_RETIRED),
    Scheme("74", 0, 0.3, 0.4, card_class=CardClass.SPECIAL_RETIRED),
    Scheme("75", 0, 0.3, 0.4, card_class=CardClass.SPECIAL_RETIRED),
    Scheme("03", 0.2, 0.2, 0.1),
    Scheme("04", 0.1, 0.1, 0.1),
)
_SCHEME_OF: Final = {scheme.code: scheme for scheme in SCHEMES}


@dataclass(frozen=True, slots=True)
class Insurer:
    """An insurer, and how its system writes files."""

    number: str  # 8 digits
    name: str
    encoding: Literal["cp932", "utf-8"]
    line_end: Literal["\r\n", "\n"]
    wareki: bool
    prefecture: int  # position in PREFECTURES
    municipality: str  # of a municipal insurer, else empty
    symbols: Literal["none", "half", "full", "hyphen", "kanji", "zeros"]
    numbers: Literal["half", "zeros", "full"]
    spelling: Literal["registered", "cp932", "plain"]  # of names; plain systems know JIS X 0208 only
    addresses: Literal["counters", "mixed", "hyphens", "half"]

    @property
    def scheme(self) -> Scheme:
        """The scheme its number begins with."""
        return _SCHEME_OF[self.number[:2]]


@dataclass(frozen=True, slots=True)
class Institution:
    """A clinic, hospital or pharmacy."""

    code: str  # 10 characters
    name: str
    kind: Literal["hospital", "clinic", "dental", "pharmacy"]


class InsurerChoice:
    """Finds the insurer of someone of a scheme and a place; insurers' sizes follow a power law within a scheme."""

    def __init__(self, insurers: Sequence[Insurer]) -> None:
        self.schemes = tuple(s for s in SCHEMES if any(i.scheme is s for i in insurers))
        self._members: dict[str, tuple[Ints, Shares]] = {}
        for scheme in self.schemes:
            members = [n for n, insurer in enumerate(insurers) if insurer.scheme is scheme]
            self._members[scheme.code] = _by_place(scheme, members, insurers)
        local = [n for n, insurer in enumerate(insurers) if insurer.scheme.code == MUNICIPAL]
        sizes = [PREFECTURES[insurers[n].prefecture].weight * (1 + rank) ** -0.35 for rank, n in enumerate(local)]
        self.municipalities, self.municipality_weights = np.array(local, dtype=np.int64), np.array(sizes)
        self._prefectures = np.array([insurer.prefecture for insurer in insurers], dtype=np.int64)

    def insurer(self, scheme: Ints, home: Ints, share: Shares) -> Ints:
        """Return the insurer's position; `scheme` is a position in `schemes`, `home` a municipal insurer's."""
        found = np.full(len(scheme), -1, dtype=np.int64)
        for position, candidate in enumerate(self.schemes):
            mine = np.flatnonzero(scheme == position)
            if candidate.code == MUNICIPAL:
                found[mine] = home[mine]
                continue
            members, shares = self._members[candidate.code]
            place = self._prefectures[home[mine]] if candidate.by_prefecture else 0
            found[mine] = members[np.searchsorted(shares, place + share[mine], side="right")]
        return found

    def position(self, code: str) -> int | None:
        """Return a scheme's position in `schemes`, None if the nation has no insurer of it."""
        return next((n for n, scheme in enumerate(self.schemes) if scheme.code == code), None)


def make_insurers(count: int, draws: Draws) -> tuple[Insurer, ...]:
    """Make the insurers: the first ones are of the commonest schemes, from 18 on every scheme has at least one.

    Raises:
        ValueError: fewer than 1 or more than MOST_INSURERS are asked for.
    """
    if not 1 <= count <= MOST_INSURERS:
        raise ValueError(f"a nation has 1 to {MOST_INSURERS} insurers")
    ranks: dict[str, int] = {}
    serials: dict[str, int] = {}
    insurers = []
    for position, scheme in enumerate(_schemes(count)):
        rank = ranks[scheme.code] = ranks.get(scheme.code, -1) + 1
        prefecture = _prefecture(scheme, rank, draws)
        prefix = f"{scheme.code}{prefecture + 1:02d}"
        serial = serials[prefix] = serials.get(prefix, 300) + 1
        payload = f"{prefix}{serial:03d}"
        insurers.append(_insurer(payload + luhn_check_digit(payload), scheme, rank, prefecture, position, draws))
    return tuple(insurers)


def make_institutions(count: int, draws: Draws) -> tuple[Institution, ...]:
    """Make hospitals, clinics, dental clinics and pharmacies; in a list of any length the first ones are the same.

    Raises:
        ValueError: the count is below 0, or above what the invented numbers suffice for.
    """
    if not 0 <= count <= 400_000:
        raise ValueError("0 to 400,000 institutions can be made")
    index = np.arange(count)
    kinds = draws.pick("institution kind", index, [48, 4, 26, 22])
    prefectures = draws.pick("institution prefecture", index, [p.weight for p in PREFECTURES])
    return tuple(_institution(n, int(k), int(p)) for n, (k, p) in enumerate(zip(kinds, prefectures, strict=True)))


def _schemes(count: int) -> list[Scheme]:
    first = list(SCHEMES[:count])
    more = max(count - len(SCHEMES), 0)
    kept = {
        "01": min(46, more // 10), ELDERLY: min(46, more // 10), "32": min(60, more // 40), "34": min(46, more // 60),
        "33": min(46, more // 60), "31": min(19, more // 80), "63": min(40, more // 80), "67": min(46, more // 80),
    }  # fmt: skip
    rest = more - sum(kept.values())
    kept[MUNICIPAL] = rest * 11 // 20
    kept["06"] = rest - kept[MUNICIPAL]
    return first + [scheme for scheme in SCHEMES for _ in range(kept.get(scheme.code, 0))]


def _prefecture(scheme: Scheme, rank: int, draws: Draws) -> int:
    if scheme.by_prefecture and rank < len(PREFECTURES):
        return LARGEST_FIRST[rank]
    if not scheme.by_prefecture and rank == 0:
        return LARGEST_FIRST[0]
    weights = [p.weight for p in PREFECTURES]
    return int(draws.pick(f"prefecture of insurers {scheme.code}", np.array([rank]), weights)[0])


def _insurer(number: str, scheme: Scheme, rank: int, prefecture: int, position: int, draws: Draws) -> Insurer:
    town = municipality(rank, prefecture) if scheme.code in (MUNICIPAL, "67") else ""
    # The first insurers' habits are set, so that even two of them differ in everything a reader can stumble over.
    drawn = draws.below("insurer's habits", np.arange(position * 8, position * 8 + 8), 60)
    habits = (0, 0, 0, 0, 0, 0, 0, 0) if position == 0 else (59,) * 8 if position == 1 else tuple(drawn.tolist())
    cp932 = habits[0] < 36
    municipal = scheme.code in (MUNICIPAL, "67")
    return Insurer(
        number=number,
        name=_insurer_name(scheme.code, rank, prefecture, town),
        encoding="cp932" if cp932 else "utf-8",
        line_end="\r\n" if habits[1] < 40 else "\n",
        wareki=habits[2] < 21,
        prefecture=prefecture,
        municipality=town if scheme.code == MUNICIPAL else "",
        symbols="none" if scheme.code == ELDERLY
        else ("kanji", "half", "zeros")[habits[3] // 20] if municipal
        else ("hyphen", "full", "zeros", "half")[habits[3] // 15],
        numbers="zeros" if scheme.code == ELDERLY else ("zeros", "half", "full")[habits[4] // 20],
        spelling="plain" if habits[5] >= 40 else "cp932" if cp932 else "registered",
        addresses=("mixed", "hyphens", "half", "counters")[habits[6] // 15],
    )  # fmt: skip


def _insurer_name(code: str, rank: int, prefecture: int, town: str) -> str:
    place = PREFECTURES[prefecture]
    company = COMPANIES[rank % len(COMPANIES)] + COMPANY_KINDS[rank // len(COMPANIES) % len(COMPANY_KINDS)]
    again = rank // (len(COMPANIES) * len(COMPANY_KINDS))
    company += f"第{again + 1}" if again else ""
    branch = f"{place.short}第{rank + 1}支部"
    names: Mapping[str, str] = {
        MUNICIPAL: f"{place.name}{town}国民健康保険",
        "01": f"全国事業所健康保険会{place.short}支部",
        "02": f"海上勤務者健康保険会{rank + 1}部",
        "03": f"日雇就労者健康保険会{rank + 1}部",
        "04": f"日雇就労者特別健康保険会{rank + 1}部",
        "06": f"{company}健康保険組合",
        "07": f"自衛官診療会{rank + 1}部",
        "31": f"中央官署第{rank + 1}共済組合",
        "32": f"地方庁職員共済組合{branch}",
        "33": f"警察官署職員共済組合{branch}",
        "34": f"学校教職員共済組合{branch}",
        ELDERLY: f"{place.name}長寿医療広域会",
        "63": f"{company}健康保険組合(特例退職)",
        "67": f"{place.name}{town}国民健康保険(退職)",
    }
    retired = {"72": "中央官署", "73": "地方庁職員", "74": "警察官署職員", "75": "学校教職員"}
    return names.get(code) or f"{retired[code]}共済組合(特例退職)"


def _by_place(scheme: Scheme, members: list[int], insurers: Sequence[Insurer]) -> tuple[Ints, Shares]:
    """Return the scheme's insurers place by place, and for each its place's number plus its share's upper edge."""
    if not scheme.by_prefecture:
        return np.array(members), edges([(1 + rank) ** -0.9 for rank in range(len(members))])
    found: list[int] = []
    shares: list[float] = []
    for place in range(len(PREFECTURES)):
        # Where a prefecture has none, that of a neighbour in the order of codes stands in.
        nearest = min((insurers[n].prefecture for n in members), key=lambda p: (abs(p - place), p))
        here = [n for n in members if insurers[n].prefecture == nearest]
        found += here
        shares += (place + edges([(1 + rank) ** -0.9 for rank in range(len(here))])).tolist()
    return np.array(found), np.array(shares)


def _institution(number: int, kind: int, prefecture: int) -> Institution:
    name: Literal["clinic", "hospital", "dental", "pharmacy"] = ("clinic", "hospital", "dental", "pharmacy")[kind]
    town = municipality(number * 13 + kind, prefecture)
    street = TOWNS[number % len(TOWNS)]
    word = {"clinic": "内科クリニック", "hospital": "中央病院", "dental": "歯科医院", "pharmacy": "薬局"}[name]
    # District and number count up together, so that no two institutions of any kind share them.
    payload = f"{prefecture + 1:02d}{(1, 1, 3, 4)[kind]}{1 + number % 90:02d}{1 + number // 90:04d}"
    return Institution(payload + luhn_check_digit(payload), f"{town}{street}{word}", name)
