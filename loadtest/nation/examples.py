"""Finds persons of the synthetic nation who exemplify each outcome and each certificate."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import numpy as np

from loadtest.nation.days import month_after, plus_years, year_start
from loadtest.nation.draws import Flags
from loadtest.nation.holders import Holders, words
from loadtest.nation.households import YEAR
from loadtest.nation.people import NOBODY, Mark, People, Story

_LOOKED_AT: Final = 2000  # candidates whose names are looked at


class Example(StrEnum):
    """What someone exemplifies."""

    VALID = "valid"
    LAPSED = "lapsed"  # and nothing newer
    LAPSED_NEWER_EXISTS = "lapsed_newer_exists"  # asked by the number of the earlier coverage
    NOT_YET = "not_yet"  # acquired only in the coming weeks
    OVERLAP = "overlap"  # two insurers' coverages in force
    SUSPENDED = "suspended"
    ELDERLY_CERTIFICATE = "elderly_certificate"
    LIMIT_CERTIFICATE = "limit_certificate"
    SPECIFIC_DISEASE = "specific_disease"
    PRESCHOOL = "preschool"
    LATER_STAGE_ELDERLY = "later_stage_elderly"
    TWIN = "twin"  # shares birth date and number with another: several match where the branch number is not given


def find_examples(people: People, holders: Holders, today: int) -> Mapping[Example, int]:
    """Return the index of one person for each example the nation has; all but twins are one among their kind.

    The one for `valid` is unremarkable: an adult of an everyday name, with one coverage and no certificate.
    """
    found = {}
    for example, fits in _kinds(people, today).items():
        candidates = np.flatnonzero(fits)[:_LOOKED_AT]
        # A name with characters that older systems lack is a story of its own, so an everyday one is preferred.
        surname = holders.surnames(candidates)
        table = words()
        everyday = (table.pools[surname] < 0) & ~_variants()[surname]
        best = candidates[everyday] if everyday.any() else candidates
        if len(best):
            found[example] = int(best[0])
    return found


def _kinds(people: People, today: int) -> Mapping[Example, Flags]:
    birth, story = people.birth.astype(np.int64), people.story
    grown = (today - birth > 20 * YEAR) & (today - birth < 65 * YEAR)
    stays = (story == Story.STAYS) & (people.earlier_insurer == NOBODY)
    insured = grown & (people.leader == np.arange(len(birth)))
    elderly = plus_years(birth, 75) <= today
    from_70 = month_after(plus_years(birth, 70) - 1) <= today
    preschool = birth > plus_years(year_start(np.array([today]), 4), -6)[0]
    unmarked = people.marks == 0
    moved = insured & unmarked & (people.earlier_insurer != NOBODY)
    return {
        Example.VALID: insured & stays & unmarked,
        Example.LAPSED: insured & unmarked & (story == Story.LEFT),
        Example.LAPSED_NEWER_EXISTS: moved & (story == Story.CHANGED),
        Example.NOT_YET: insured & unmarked & (story == Story.NOT_YET),
        Example.OVERLAP: moved & (story == Story.OVERLAP),
        Example.SUSPENDED: stays & (people.marks == Mark.SUSPENDED),
        Example.ELDERLY_CERTIFICATE: stays & unmarked & from_70 & ~elderly,
        Example.LIMIT_CERTIFICATE: stays & (people.marks == Mark.LIMIT),
        Example.SPECIFIC_DISEASE: stays & (people.marks == Mark.DISEASE),
        Example.PRESCHOOL: stays & unmarked & preschool,
        Example.LATER_STAGE_ELDERLY: stays & unmarked & elderly,
        Example.TWIN: stays & unmarked & _twins(people),
    }


def _twins(people: People) -> Flags:
    same = (np.diff(people.birth) == 0) & (np.diff(people.leader) == 0)
    return np.append(False, same)


def _variants() -> Flags:
    table = words()
    return np.asarray((table.registered != table.plain).to_numpy())
