"""A person's medicines by month and by drug, the time each lasts, and the same ingredient from two institutions.

How long a medicine lasts is known for those that are counted in days (内服, 湯薬): from the day they were given out,
for as many days. What is used up at the institution is a matter of that day. For all others (as needed, external, for
use at home …) nobody stated how long they last: they are shown for the month, and a duplicate of such a one says so.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Final

from eligibility.domain.codes import ClaimKind, UsageGroup
from eligibility.wire.medications import MedicationHistory, Medicine

# Their days_or_times are days. Of 湯薬 that is not verified against the publisher's conditions of record.
COUNTED_IN_DAYS: Final = frozenset({UsageGroup.ORAL, UsageGroup.HERBAL_TEA})
_USED_UP_AT_ONCE: Final = frozenset({UsageGroup.PROCEDURE, UsageGroup.INJECTION})
MONTHS_OF_A_YEAR: Final = 12


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of a year."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> "Month":
        """Return the month a day lies in."""
        return cls(day.year, day.month)

    @property
    def first_day(self) -> date:
        """The month's first day."""
        return date(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        """The month's last day."""
        return self.next.first_day - timedelta(days=1)

    @property
    def next(self) -> "Month":
        """The month after this one."""
        if self.number == MONTHS_OF_A_YEAR:
            return Month(self.year + 1, 1)
        return Month(self.year, self.number + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


@dataclass(frozen=True, slots=True)
class Institution:
    """Who decided on a medicine: its prescriber where one is named, else the institution that gave it."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Course:
    """One medicine given once, and the days it lasts: `first` and `last` are both days of it.

    `exact` is false where the days follow from no statement: the span is then the whole month.
    """

    medicine: Medicine
    institution: Institution
    first: date
    last: date
    exact: bool

    @property
    def month(self) -> Month:
        """The month it is shown under: that of the day it was given."""
        return Month.of(self.medicine.medicine_on)

    def overlaps(self, other: "Course") -> bool:
        """Tell whether both last on some day."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug with every course of it, earliest first."""

    code: str
    name: str
    ingredient: str | None
    usage_group: UsageGroup
    unit: str
    courses: tuple[Course, ...]

    def in_month(self, month: Month) -> tuple[Course, ...]:
        """Return the courses given in a month."""
        return tuple(course for course in self.courses if course.month == month)

    def total(self, month: Month) -> Decimal | None:
        """Return how much of it was given out in a month; None where a part has no quantity."""
        amounts = [amount_given(course.medicine) for course in self.in_month(month)]
        known = [amount for amount in amounts if amount is not None]
        return sum(known, Decimal(0)) if known and len(known) == len(amounts) else None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same ingredient from two institutions on the same days; `exact` is false where a month stands for days."""

    ingredient: str
    courses: tuple[Course, Course]
    first: date
    last: date
    exact: bool


@dataclass(frozen=True, slots=True)
class Medication:
    """A person's medicines laid out for reading: months latest first, drugs by use and latest first."""

    months: tuple[Month, ...]
    drugs: tuple[Drug, ...]
    duplicates: tuple[Duplicate, ...]

    def courses_in(self, month: Month) -> tuple[Course, ...]:
        """Return a month's courses: latest first, then by institution and name."""
        found = (course for drug in self.drugs for course in drug.in_month(month))
        return tuple(
            sorted(
                found, key=lambda c: (-c.medicine.medicine_on.toordinal(), c.institution.code, drug_name(c.medicine))
            )
        )

    def is_duplicate(self, course: Course) -> bool:
        """Tell whether a course is part of a duplicate."""
        return any(course in duplicate.courses for duplicate in self.duplicates)


def lay_out(history: MedicationHistory) -> Medication:
    """Lay a history out for reading."""
    courses = sorted(map(course_of, history.medicines), key=lambda c: (c.medicine.medicine_on, c.medicine.drug_code))
    by_drug: dict[tuple[str, UsageGroup], list[Course]] = defaultdict(list)
    for course in courses:
        by_drug[course.medicine.drug_code, course.medicine.usage_group].append(course)
    return Medication(
        months=tuple(sorted({course.month for course in courses}, reverse=True)),
        drugs=tuple(sorted(map(_drug, by_drug.values()), key=_reading_order)),
        duplicates=_duplicates(courses),
    )


def course_of(medicine: Medicine) -> Course:
    """Return the days a medicine lasts."""
    given, month = medicine.medicine_on, Month.of(medicine.medicine_on)
    institution = _institution(medicine)
    if medicine.day_stated and medicine.usage_group in COUNTED_IN_DAYS:
        last = given + timedelta(days=max(medicine.days_or_times, 1) - 1)
        return Course(medicine, institution, given, last, exact=True)
    used_up = medicine.kind is ClaimKind.MEDICAL and medicine.usage_group in _USED_UP_AT_ONCE
    if medicine.day_stated and used_up:
        return Course(medicine, institution, given, given, exact=True)
    return Course(medicine, institution, month.first_day, month.last_day, exact=False)


def amount_given(medicine: Medicine) -> Decimal | None:
    """Return how much was given out in all."""
    return None if medicine.quantity is None else medicine.quantity * medicine.days_or_times


def drug_name(medicine: Medicine) -> str:
    """Return a medicine's name; a code the drug master lacks stands for itself."""
    return medicine.drug_name or medicine.drug_code


def _institution(medicine: Medicine) -> Institution:
    if medicine.prescriber_code:
        return Institution(medicine.prescriber_code, medicine.prescriber_name or medicine.prescriber_code)
    return Institution(medicine.institution_code, medicine.institution_name)


def _drug(courses: Sequence[Course]) -> Drug:
    latest = courses[-1].medicine
    return Drug(
        latest.drug_code,
        drug_name(latest),
        latest.ingredient,
        latest.usage_group,
        latest.unit or "",
        tuple(courses),
    )


def _reading_order(drug: Drug) -> tuple[int, int, str, str]:
    return (
        list(UsageGroup).index(drug.usage_group),
        -drug.courses[-1].medicine.medicine_on.toordinal(),
        drug.name,
        drug.code,
    )


def _duplicates(courses: Iterable[Course]) -> tuple[Duplicate, ...]:
    by_ingredient: dict[str, list[Course]] = defaultdict(list)
    for course in courses:
        # An unknown drug is compared with itself alone: its code says nothing of its ingredient.
        by_ingredient[course.medicine.ingredient or course.medicine.drug_code].append(course)
    return tuple(
        Duplicate(
            ingredient=ingredient,
            courses=(one, other),
            first=max(one.first, other.first),
            last=min(one.last, other.last),
            exact=one.exact and other.exact,
        )
        for ingredient, same in sorted(by_ingredient.items())
        for one, other in combinations(same, 2)
        if one.institution.code != other.institution.code and one.overlaps(other)
    )
