"""Who lives in the synthetic nation, who is insured with whom, and since when."""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadtest.nation.days import month_after, number_of, plus_years, year_start
from loadtest.nation.draws import Draws, Ints, Shares
from loadtest.nation.households import YEAR, Households
from loadtest.nation.insurers import ELDERLY, InsurerChoice, Scheme

_BLOCK: Final = 1 << 18  # persons made at once: bounds the memory of everything in between
_ELDERLY_SCHEME_BEGAN: Final = date(2008, 4, 1)
NOBODY: Final = -1


class Story(IntEnum):
    """What happened to the coverage of those who share an insured number."""

    STAYS = 0
    CHANGED = 1  # the earlier insurer has sent the loss
    OVERLAP = 2  # it has not yet
    LEFT = 3  # lost, with nothing newer
    NOT_YET = 4  # acquired in the coming weeks
    CAME_OF_AGE = 5  # turned 75 of late


class Mark(IntEnum):
    """Bits of what else an insurer states about someone."""

    SUSPENDED = 1
    LIMIT = 2
    DISEASE = 4


_STORIES: Final = {Story.CHANGED: 0.08, Story.OVERLAP: 0.012, Story.LEFT: 0.014, Story.NOT_YET: 0.003}


@dataclass(frozen=True, slots=True)
class People:
    """All persons as columns; days are numbers of `days`, 0 for none."""

    first: NDArray[np.int32]  # of each household its first person, and one past the last
    home: NDArray[np.int16]  # of each household the municipal insurer of where it lives
    household: NDArray[np.int32]
    birth: NDArray[np.int32]
    female: NDArray[np.bool_]
    leader: NDArray[np.int32]  # whose insured number one shares; oneself for an insured person (本人)
    story: NDArray[np.uint8]
    marks: NDArray[np.uint8]
    insurer: NDArray[np.int16]
    acquired: NDArray[np.int32]
    lost: NDArray[np.int32]
    earlier_insurer: NDArray[np.int16]  # NOBODY if there is no earlier coverage
    earlier_acquired: NDArray[np.int32]
    earlier_lost: NDArray[np.int32]


def make_people(persons: int, today: date, draws: Draws, choice: InsurerChoice, at_once: int = _BLOCK) -> People:
    """Make the persons, so many at once; how many that is changes nothing.

    Raises:
        ValueError: fewer than one person is asked for.
    """
    if persons < 1:
        raise ValueError("a nation has at least one person")
    households = Households(persons, draws)
    makers = _Makers(number_of(today), draws, choice, households)
    first, count = households.first, len(households.first) - 1
    home = choice.municipalities[draws.pick("home", np.arange(count), choice.municipality_weights)]
    people = People(
        first=first,
        home=home.astype(np.int16),
        household=np.repeat(np.arange(count, dtype=np.int32), np.diff(first)),
        birth=np.zeros(persons, np.int32),
        female=np.zeros(persons, np.bool_),
        leader=np.zeros(persons, np.int32),
        story=np.zeros(persons, np.uint8),
        marks=np.zeros(persons, np.uint8),
        insurer=np.zeros(persons, np.int16),
        acquired=np.zeros(persons, np.int32),
        lost=np.zeros(persons, np.int32),
        earlier_insurer=np.full(persons, NOBODY, np.int16),
        earlier_acquired=np.zeros(persons, np.int32),
        earlier_lost=np.zeros(persons, np.int32),
    )
    blocks = [np.arange(start, min(start + at_once, persons)) for start in range(0, persons, at_once)]
    for block in blocks:
        makers.bear(people, block)
    for block in blocks:
        makers.lead(people, block)
    makers.plant(people)
    for block in blocks:
        makers.insure(people, block)
    return people


class _Makers:
    """The steps in which people are made, with what they share."""

    def __init__(self, today: int, draws: Draws, choice: InsurerChoice, households: Households) -> None:
        self._today, self._draws, self._choice, self._households = today, draws, choice, households
        elderly = choice.position(ELDERLY)
        self._elderly = elderly if elderly is not None else NOBODY
        self._bands = [_weights(choice.schemes, band) for band in range(3)]

    def bear(self, people: People, block: Ints) -> None:
        """Set birth dates and sexes."""
        household = people.household[block].astype(np.int64)
        slot = block - people.first[household]
        age = self._households.ages(household, slot)
        if self._elderly == NOBODY:
            # Who is 75 is insured by an elderly scheme: where there is none, nobody is.
            age = np.where(age >= 74.9 * YEAR, age - 30 * YEAR, age)
        people.birth[block] = self._today - age.astype(np.int64)
        people.female[block] = self._households.female(household, slot)

    def lead(self, people: People, block: Ints) -> None:
        """Set who shares whose insured number, the insurer, the marks, and the story."""
        draws, today = self._draws, self._today
        household = people.household[block].astype(np.int64)
        first = people.first[household].astype(np.int64)
        role = self._households.role(household, block - first)
        birth = people.birth[block].astype(np.int64)
        age = (today - birth) / YEAR
        elderly = plus_years(birth, 75) <= today
        head_elderly = plus_years(people.birth[first].astype(np.int64), 75) <= today
        share = draws.share("own number", block)
        own = np.choose(
            role,
            [
                np.full(len(block), True),
                (age < 65) & (share < 0.55),
                (age >= 22) & (share < 0.88),
                (age >= 60) & (share < 0.7),
            ],
        )
        leader = np.where(own | elderly | head_elderly, block, first)
        people.leader[block] = leader
        led_birth = people.birth[leader].astype(np.int64)
        people.insurer[block] = self._insurer("insurer", leader, led_birth, people.home[household])
        people.story[block] = self._story(leader, led_birth)
        people.marks[block] = self._marks(block, age)

    def _insurer(self, purpose: str, leader: Ints, birth: Ints, home: NDArray[np.int16]) -> Ints:
        age = (self._today - birth) / YEAR
        band = np.where(age < 60, 0, np.where(age < 65, 1, 2))
        share = self._draws.share(f"{purpose}'s scheme", leader)
        scheme = np.zeros(len(leader), dtype=np.int64)
        for position, bounds in enumerate(self._bands):
            mine = band == position
            scheme[mine] = np.searchsorted(bounds, share[mine], side="right")
        if self._elderly != NOBODY and purpose == "insurer":
            scheme[plus_years(birth, 75) <= self._today] = self._elderly
        return self._choice.insurer(scheme, home.astype(np.int64), self._draws.share(purpose, leader))

    def _story(self, leader: Ints, birth: Ints) -> Ints:
        share = self._draws.share("story", leader)
        story = np.searchsorted(np.cumsum(list(_STORIES.values())), share, side="right")
        story = np.array([*_STORIES, Story.STAYS])[story]
        if self._only_municipal:
            story[(story == Story.CHANGED) | (story == Story.OVERLAP)] = Story.STAYS
        turned = plus_years(birth, 75)
        elderly = turned <= self._today
        story[elderly & (story != Story.LEFT)] = Story.STAYS
        story[elderly & (turned > self._today - 3 * 365)] = Story.CAME_OF_AGE
        return story

    @property
    def _only_municipal(self) -> bool:
        return len(self._choice.schemes) == 1

    def _marks(self, block: Ints, age: Shares) -> Ints:
        suspended = self._draws.share("suspended", block) < 0.0005
        limit = self._draws.share("limit", block) < np.where(age < 70, 0.025, 0.07)
        disease = self._draws.share("disease", block) < np.where(age < 40, 0.0005, 0.005)
        return np.asarray(suspended * Mark.SUSPENDED + limit * Mark.LIMIT + disease * Mark.DISEASE)

    def plant(self, people: People) -> None:
        """See to it that even a small nation has every story and every mark once, told of an insured adult."""
        age = (self._today - people.birth) / YEAR
        leads = people.leader == np.arange(len(people.leader))
        adults = leads & (age >= 20) & (age < 60) & (people.marks == 0)
        free = np.flatnonzero(adults & (people.story == Story.STAYS)).tolist()
        stories = [s for s in _STORIES if not self._only_municipal or s not in (Story.CHANGED, Story.OVERLAP)]
        if len(free) <= len(stories) + len(Mark):
            return
        for story in stories:
            if not (adults & (people.story == story)).any():
                people.story[people.leader == free.pop()] = story
        for mark in Mark:
            if not ((people.marks == mark) & (people.story == Story.STAYS)).any():
                people.marks[free.pop()] = mark

    def insure(self, people: People, block: Ints) -> None:
        """Set when coverages were acquired and lost, and the earlier ones."""
        leader, birth = people.leader[block].astype(np.int64), people.birth[block].astype(np.int64)
        led_birth, story = people.birth[leader].astype(np.int64), people.story[block]
        changed = self._changed(leader, led_birth, story)
        moved = np.isin(story, (Story.CHANGED, Story.OVERLAP))
        came_of_age = story == Story.CAME_OF_AGE
        since = self._since("acquired", leader, led_birth, np.where(story == Story.LEFT, changed - 30, self._today))
        elderly = plus_years(led_birth, 75)
        is_elderly = elderly <= self._today
        since = np.where(is_elderly, np.maximum(elderly, number_of(_ELDERLY_SCHEME_BEGAN)), since)
        since = np.where(moved | (story == Story.NOT_YET), changed, since)
        acquired = np.maximum(since, birth)
        people.acquired[block] = acquired
        lost = np.where(story == Story.LEFT, np.clip(changed, acquired + 1, self._today), 0)
        people.lost[block] = lost
        before = (moved | came_of_age) & (birth < since)
        earlier = self._earlier_insurer(leader, led_birth, people, block)
        # Who comes of age on the elderly scheme's first day, or in a nation that had no other, has nothing earlier.
        before &= earlier != people.insurer[block]
        day = self._since("earlier acquired", leader, led_birth, since - 60)
        people.earlier_insurer[block] = np.where(before, earlier, NOBODY)
        people.earlier_acquired[block] = np.where(before, np.minimum(np.maximum(day, birth), since - 1), 0)
        people.earlier_lost[block] = np.where(before & (story != Story.OVERLAP), since, 0)

    def _changed(self, leader: Ints, birth: Ints, story: NDArray[np.uint8]) -> Ints:
        """Return the day of the change that the story tells of."""
        back = self._draws.below("changed", leader, np.where(story == Story.OVERLAP, 45, 400))
        changed = self._today - 1 - back
        # Half of those who change do so on the first of a month.
        first = month_after(changed) if len(changed) else changed
        changed = np.where((self._draws.share("first of month", leader) < 0.5) & (first <= self._today), first, changed)
        changed = np.where(story == Story.NOT_YET, self._today + 1 + back % 40, changed)
        return np.where(story == Story.CAME_OF_AGE, plus_years(birth, 75), changed)

    def _since(self, purpose: str, leader: Ints, birth: Ints, before: Ints) -> Ints:
        """Return a day up to `before` and after the leader's youth, often 1 April."""
        days = before - (self._draws.share(purpose, leader) ** 2 * 25 * YEAR).astype(np.int64) - 1
        april = year_start(days, 4)
        days = np.where(self._draws.share(f"{purpose} in April", leader) < 0.45, april, days)
        return np.minimum(np.maximum(days, plus_years(birth, 18)), before - 1)

    def _earlier_insurer(self, leader: Ints, birth: Ints, people: People, block: Ints) -> Ints:
        home = people.home[people.household[block]].astype(np.int64)
        drawn = self._insurer("earlier insurer", leader, birth, people.home[people.household[block]])
        current = people.insurer[block].astype(np.int64)
        drawn = np.where(drawn == current, home, drawn)
        other = self._choice.position("01")
        if other is None:
            return drawn
        fallback = self._choice.insurer(np.full(len(block), other), home, self._draws.share("fallback", leader))
        return np.where(drawn == current, fallback, drawn)


def _weights(schemes: tuple[Scheme, ...], band: int) -> Shares:
    weights = [(s.working, s.older, s.retired)[band] for s in schemes]
    summed = np.cumsum(weights) / sum(weights)
    summed[summed >= summed[-1]] = 1.0
    return summed
