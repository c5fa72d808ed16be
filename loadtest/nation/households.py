"""Households of the synthetic nation: who lives together, how old they are, and of which sex."""

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadtest.nation.draws import Draws, Flags, Ints, Shares

YEAR: Final = 365.2425  # days

# Households by their members: H the head, S a spouse, C a child, P a parent. Then how many of 1,000 there are, and
# of 100 heads how many are of an age (from, up to not including).
_SINGLE: Final = ((20, 30, 16), (30, 40, 11), (40, 50, 11), (50, 60, 14), (60, 70, 14), (70, 80, 17), (80, 98, 17))
_COUPLE: Final = ((25, 35, 10), (35, 50, 12), (50, 60, 16), (60, 70, 24), (70, 80, 27), (80, 93, 11))
_FAMILY: Final = ((25, 35, 10), (35, 45, 27), (45, 55, 33), (55, 65, 20), (65, 75, 10))
_ALONE_WITH_CHILD: Final = ((25, 35, 8), (35, 45, 25), (45, 55, 30), (55, 65, 17), (65, 78, 20))
_WITH_PARENT: Final = ((40, 50, 30), (50, 60, 40), (60, 70, 30))
_HOUSEHOLDS: Final = (
    ("H", 390, _SINGLE), ("HS", 230, _COUPLE), ("HSC", 95, _FAMILY), ("HSCC", 80, _FAMILY), ("HSCCC", 16, _FAMILY),
    ("HSCCCC", 3, _FAMILY), ("HC", 55, _ALONE_WITH_CHILD), ("HCC", 18, _ALONE_WITH_CHILD),
    ("HCCC", 4, _ALONE_WITH_CHILD), ("HP", 40, _WITH_PARENT), ("HSP", 20, _WITH_PARENT), ("HSCP", 22, _WITH_PARENT),
    ("HSCCP", 20, _WITH_PARENT), ("HSCCPP", 8, _WITH_PARENT),
)  # fmt: skip


class Role(IntEnum):
    """What someone is in the household."""

    HEAD = 0
    SPOUSE = 1
    CHILD = 2
    PARENT = 3


class Households:
    """All households: their kinds, where their persons begin, and what their members are like."""

    def __init__(self, persons: int, draws: Draws) -> None:
        self._draws = draws
        sizes = np.array([len(members) for members, _, _ in _HOUSEHOLDS])
        kinds = draws.pick("household", np.arange(persons), [weight for _, weight, _ in _HOUSEHOLDS])
        ends = np.cumsum(sizes[kinds])
        count = int(np.searchsorted(ends, persons)) + 1
        # Of each household its first person, and one past the last of all; the last household is cut there.
        self.first: NDArray[np.int32] = np.zeros(count + 1, dtype=np.int32)
        self.first[1:] = np.minimum(ends[:count], persons)
        self._kinds = kinds[:count].astype(np.int8)
        self._with_twins = _first_with_two_children(self._kinds)
        self._roles = np.full((len(_HOUSEHOLDS), 7), -1, dtype=np.int64)
        for kind, (members, _, _) in enumerate(_HOUSEHOLDS):
            self._roles[kind, : len(members)] = ["HSCP".index(m) for m in members]

    def role(self, household: Ints, slot: Ints) -> Ints:
        """Return what the members in those places are, as numbers of Role."""
        return np.asarray(self._roles[self._kinds[household], slot])

    def ages(self, household: Ints, slot: Ints) -> Shares:
        """Return the ages in days."""
        draws, role, head = self._draws, self.role(household, slot), self._head_age(household)
        # A twin is born on the day of the child before, by drawing as that one does.
        twins = (draws.share("twins", household) < 0.012) | np.isin(household, self._with_twins)
        twin = twins & (role == Role.CHILD) & (slot > 0) & (self.role(household, slot - 1) == Role.CHILD)
        own = household * 8 + slot - twin
        share = draws.share("age", own)
        child = np.minimum(head - 23 * YEAR, 38 * YEAR) * share**0.7
        age = np.choose(
            role,
            [head, head + (share * 9 - 6) * YEAR, child, np.minimum(head + (22 + share * 12) * YEAR, 104 * YEAR)],
        )
        return np.asarray(np.where(role == Role.SPOUSE, np.maximum(age, 20 * YEAR), np.maximum(age, 3)))

    def female(self, household: Ints, slot: Ints) -> Flags:
        """Tell who is female."""
        kind, role, head = self._kinds[household], self.role(household, slot), self._head_age(household)
        share = self._draws.share("sex", household * 8 + slot)
        single = np.where(head > 65 * YEAR, 0.66, 0.45)
        second = self._roles[kind, 1]
        head_share = np.choose(second + 1, [single, 0.5, 0.1, 0.85, 0.4])
        heads = self._draws.share("sex", household * 8) < head_share
        mother_first = self._draws.share("mother", household) < 0.8
        before = self.role(household, slot - 1) == Role.PARENT
        parents = np.where(before & (slot > 0), ~mother_first, mother_first)
        return np.asarray(np.choose(role, [heads, ~heads, share < 0.487, parents]).astype(np.bool_))

    def _head_age(self, household: Ints) -> Shares:
        kind = self._kinds[household]
        age = np.zeros(len(household))
        share = self._draws.share("head's age", household)
        for position, (_, _, bands) in enumerate(_HOUSEHOLDS):
            weights = np.cumsum([weight for _, _, weight in bands]) / sum(weight for _, _, weight in bands)
            mine = kind == position
            points = [bands[0][0], *(upper for _, upper, _ in bands)]
            age[mine] = np.interp(share[mine], [0, *weights], points)
        return np.asarray(age * YEAR)


def _first_with_two_children(kinds: NDArray[np.int8]) -> Ints:
    # All have twins, so that even of a small nation's some are still dependents.
    several = [n for n, (members, _, _) in enumerate(_HOUSEHOLDS) if "CC" in members]
    return np.flatnonzero(np.isin(kinds, several))[:12]
