"""Makes a seeded synthetic nation of any size, writes its insurers' eligibility files, and names telling examples.

One seed, size and day always give the same bytes. Everything about a person follows from the seed and the person's
index, so that five million persons fit into a few hundred megabytes and any of them can be shown alone.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eligibility.domain.codes import Sex
from eligibility.domain.dates import MalformedDate, parse_date
from loadtest.nation.days import day_of, number_of
from loadtest.nation.draws import Draws, Flags, Ints
from loadtest.nation.examples import Example, find_examples
from loadtest.nation.holders import words
from loadtest.nation.insurers import (
    Institution,
    Insurer,
    InsurerChoice,
    make_institutions,
    make_insurers,
)
from loadtest.nation.people import NOBODY, People, make_people
from loadtest.nation.rows import COLUMNS, RowWriter

__all__ = ["Example", "HeldCoverage", "Institution", "Insurer", "Nation", "Person", "add_arguments", "run"]

_CHUNK: Final = 1 << 17  # records rendered at once
_JAPAN: Final = timezone(timedelta(hours=9))
_EVERY_SCHEME: Final = 18  # insurers from which on every scheme has one
_PERSONS_PER_INSURER: Final = 20_000
_MOST_BY_DEFAULT: Final = 2_000


@dataclass(frozen=True, slots=True)
class HeldCoverage:
    """A coverage as its insurer's file states it."""

    insurer_number: str
    symbol: str
    number: str = field(repr=False)
    branch_number: str
    acquired_on: date
    lost_on: date | None


@dataclass(frozen=True, slots=True)
class Person:
    """A person as the civil register and the card have it, with all coverages, the newest first."""

    index: int
    name: str = field(repr=False)
    name_kana: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: Sex
    postal_code: str = field(repr=False)
    address: str = field(repr=False)
    linkage_code: str = field(repr=False)
    coverages: tuple[HeldCoverage, ...]


class Nation:
    """Persons, their insurers and their coverages."""

    def __init__(self, people: People, insurers: tuple[Insurer, ...], draws: Draws, today: date) -> None:
        self.insurers, self.today = insurers, today
        self._people, self._draws = people, draws
        self._rows = RowWriter(people, insurers, draws, number_of(today))

    @classmethod
    def make(cls, persons: int, seed: int, today: date, insurers: int | None = None) -> Self:
        """Make a nation; without a number of insurers it has one of every scheme, and more as it grows.

        With one insurer there are no job changes, with fewer than three nobody of 75 or over.

        Raises:
            ValueError: no persons, or a number of insurers that cannot be made.
        """
        draws = Draws(seed)
        default = min(_EVERY_SCHEME + persons // _PERSONS_PER_INSURER, _MOST_BY_DEFAULT)
        made = make_insurers(default if insurers is None else insurers, draws)
        return cls(make_people(persons, today, draws, InsurerChoice(made)), made, draws, today)

    def __len__(self) -> int:
        return len(self._people.birth)

    def person(self, index: int) -> Person:
        """Return one person.

        Raises:
            IndexError: the nation has no such person.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        people, holders, table = self._people, self._rows.holders, words()
        one = np.array([index])
        surname = holders.surnames(one)
        given = holders.given(one, surname)
        birth = day_of(int(people.birth[index]))
        return Person(
            index=index,
            name=table.registered[int(surname[0])] + "　" + table.given_written[int(given[0])],
            name_kana=table.kana[int(surname[0])] + " " + table.given_kana[int(given[0])],
            birth_date=birth or date.min,
            sex=Sex.FEMALE if people.female[index] else Sex.MALE,
            postal_code=holders.postal_codes(one)[0],
            address=holders.addresses(one, "counters", wave_dash=True)[0],
            linkage_code=holders.linkage_codes(one)[0],
            coverages=tuple(self._coverages(index)),
        )

    def examples(self) -> Mapping[Example, int]:
        """Return a person's index for each example there is; all are there from 2,000 persons and three insurers on."""
        return find_examples(self._people, self._rows.holders, number_of(self.today))

    def institutions(self, count: int) -> tuple[Institution, ...]:
        """Make hospitals, clinics, dental clinics and pharmacies.

        Raises:
            ValueError: the count is below 0 or beyond 400,000.
        """
        return make_institutions(count, self._draws)

    def linkage_codes(self, start: int, stop: int) -> pl.Series:
        """Return the linkage codes of some persons, by index."""
        return self._rows.holders.linkage_codes(np.arange(start, stop))

    def records(self, insurer: Insurer, at_once: int = _CHUNK) -> Iterator[pl.DataFrame]:
        """Yield an insurer's records as texts, in the columns of the layout; so many at once."""
        return (frame for _, frame in self.members(insurer, at_once))

    def members(self, insurer: Insurer, at_once: int = _CHUNK) -> Iterator[tuple[Ints, pl.DataFrame]]:
        """Yield an insurer's records together with the indices of the persons they are about."""
        number = self.insurers.index(insurer)
        everyone, starts = self._by_insurer
        for start in range(int(starts[number]), int(starts[number + 1]), at_once):
            person, earlier = _unpack(everyone[start : min(start + at_once, int(starts[number + 1]))])
            yield person, self._rows.records(number, person, earlier)

    def write_eligibility_file(self, insurer: Insurer, path: Path) -> int:
        """Write an insurer's full file in the eligibility layout, edition 1; return how many records it has."""
        rows = 0
        with path.open("wb") as file:
            file.write((",".join(COLUMNS) + insurer.line_end).encode(insurer.encoding))
            for frame in self.records(insurer):
                text = frame.write_csv(include_header=False, quote_style="never", line_terminator=insurer.line_end)
                file.write(text.encode(insurer.encoding))
                rows += frame.height
        return rows

    @cached_property
    def _by_insurer(self) -> tuple[Ints, Ints]:
        """Return all coverages by insurer, packed, and where each insurer's begin."""
        people = self._people
        earlier = np.flatnonzero(people.earlier_insurer != NOBODY)
        packed = np.concatenate(
            (
                _pack(people.insurer, np.arange(len(self)), earlier=False),
                _pack(people.earlier_insurer[earlier], earlier, earlier=True),
            )
        )
        packed.sort()
        starts = np.searchsorted(packed, np.arange(len(self.insurers) + 1) << 33)
        return packed & ((1 << 33) - 1), starts

    def _coverages(self, index: int) -> Iterator[HeldCoverage]:
        people = self._people
        held = [(people.insurer, people.acquired, people.lost, False)]
        if people.earlier_insurer[index] != NOBODY:
            held.append((people.earlier_insurer, people.earlier_acquired, people.earlier_lost, True))
        for insurer, acquired, lost, earlier in held:
            record = self._rows.records(int(insurer[index]), np.array([index]), np.array([earlier])).row(0, named=True)
            yield HeldCoverage(
                insurer_number=self.insurers[int(insurer[index])].number,
                symbol=record["記号"],
                number=record["番号"],
                branch_number=record["枝番"],
                acquired_on=day_of(int(acquired[index])) or date.min,
                lost_on=day_of(int(lost[index])),
            )


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `python -m loadtest population`."""
    parser.add_argument("--persons", type=int, default=10_000, help="how many persons (default: 10,000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same nation (default: 1)")
    parser.add_argument("--insurers", type=int, help="how many insurers (default: by the number of persons)")
    parser.add_argument("--today", help="the day the files are made for, YYYYMMDD (default: today in Japan)")
    parser.add_argument("--out", type=Path, required=True, help="the folder the files are written to")


def run(arguments: Namespace) -> int:
    """Write the files of all insurers, saying how many records each has and how fast it went."""
    began = time.perf_counter()
    try:
        today = parse_date(arguments.today) if arguments.today else datetime.now(_JAPAN).date()
        nation = Nation.make(arguments.persons, arguments.seed, today, arguments.insurers)
        arguments.out.mkdir(parents=True, exist_ok=True)
    except (MalformedDate, ValueError, OSError) as error:
        sys.stderr.write(f"集団を作れません / The population cannot be made: {error}\n")
        return 2
    records = 0
    for insurer in nation.insurers:
        path = arguments.out / f"{insurer.number}.csv"
        count = nation.write_eligibility_file(insurer, path)
        records += count
        sys.stdout.write(f"{path}  {count:>9,}  {insurer.encoding:<5}  {insurer.name}\n")
    seconds = time.perf_counter() - began
    sys.stdout.write(
        f"{len(nation):,} 人 persons, {records:,} 件 records, {len(nation.insurers):,} 保険者 insurers: "
        f"{seconds:.1f} s, {records / seconds:,.0f} records/s\n"
    )
    return 0


def _pack(insurer: NDArray[np.int16], person: Ints, *, earlier: bool) -> Ints:
    return (insurer.astype(np.int64) << 33) | (person << 1) | int(earlier)


def _unpack(packed: Ints) -> tuple[Ints, Flags]:
    return packed >> 1, (packed & 1).astype(np.bool_)
