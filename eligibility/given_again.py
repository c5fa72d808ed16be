"""What is shown as it was known or answered before: nothing of a coverage that was suspended since."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from eligibility.domain.coverage import Coverage, suspended_since
from eligibility.domain.identifiers import InstitutionCode, InsuredNumber, InsurerNumber
from eligibility.storage.lookups import NumberAsked, NumberMatches
from eligibility.wire.verifications import CoverageAnswer


@dataclass(frozen=True, slots=True)
class Shown:
    """A coverage as an answer shows it: for a day, and as known at a time or later."""

    coverage_id: int
    insured: InsuredNumber
    birth_date: date
    asked_for: date
    known_at: datetime

    @classmethod
    def by_coverage(cls, coverage: Coverage, asked_for: date, known_at: datetime) -> Self:
        """Return a coverage that is about to be shown."""
        return cls(coverage.coverage_id, coverage.insured, coverage.birth_date, asked_for, known_at)

    @classmethod
    def by_answer(cls, coverage_id: int, stated: CoverageAnswer, asked_for: date, known_at: datetime) -> Self:
        """Return what a kept answer shows."""
        insured = InsuredNumber(
            InsurerNumber(stated.insurer_number), stated.symbol, stated.number, stated.branch_number
        )
        return cls(coverage_id, insured, stated.birth_date, asked_for, known_at)

    def question(self, institution: InstitutionCode) -> NumberAsked:
        """Return how an institution asks for what is known now of everybody who has had the coverage since."""
        return NumberAsked(self.insured, self.birth_date, self.known_at, institution, self.coverage_id)

    def is_suspended(self, present: NumberMatches) -> bool:
        """Tell by the answer to `question` whether the coverage must not be shown any more."""
        return suspended_since(self.coverage_id, (*present.asked, *present.others), self.asked_for)
