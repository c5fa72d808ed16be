"""What was done to a person, by month and by institution, with the words for what the field's codes say."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from eligibility.domain.codes import ServiceClass, TreatmentRecord
from eligibility.wire.problems import Sentence
from eligibility.wire.treatments import Treatment, TreatmentHistory


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a claim, as it is shown."""

    treatment: Treatment
    part_of: Sentence

    @property
    def days(self) -> str:
        """The days of the month, or nothing where none is stated."""
        return ", ".join(str(day.day) for day in self.treatment.days)

    @property
    def amount(self) -> Sentence:
        """How much of it; the claim states a code for the unit, whose table is not kept here."""
        stated = self.treatment
        if stated.quantity is None:
            return Sentence(ja="—", en="—")
        number = f"{stated.quantity.normalize():f}"
        if not stated.unit:
            return Sentence(ja=number, en=number)
        return Sentence(ja=f"{number}(単位コード {stated.unit})", en=f"{number} (unit code {stated.unit})")

    @property
    def name(self) -> str:
        """What the claim calls it, or the code: the master of procedures is not kept here."""
        stated = self.treatment
        if stated.record is TreatmentRecord.COMMENT:
            return stated.comment or stated.code
        return stated.name or stated.code


@dataclass(frozen=True, slots=True)
class Stay:
    """What one institution did in one month."""

    month: str
    institution_code: str
    institution_name: str
    lines: tuple[Line, ...]


def lay_out(history: TreatmentHistory) -> tuple[Stay, ...]:
    """Return what was done, latest month first, each institution's together and in the order of its claims."""
    together = sorted(history.treatments, key=lambda t: t.institution_code)
    together.sort(key=lambda t: t.care_month, reverse=True)
    return tuple(
        _stay(month, code, list(stated))
        for (month, code), stated in groupby(together, key=lambda t: (t.care_month, t.institution_code))
    )


def _stay(month: str, code: str, stated: Sequence[Treatment]) -> Stay:
    return Stay(month, code, stated[0].institution_name, tuple(Line(each, _part_of(each)) for each in stated))


def _part_of(treatment: Treatment) -> Sentence:
    try:
        known = ServiceClass(treatment.service_class or "")
    except ValueError:
        # A class whose meaning is not certain is shown as it came.
        text = treatment.service_class or ""
        return Sentence(ja=text, en=text)
    return Sentence(ja=known.ja, en=known.en)
