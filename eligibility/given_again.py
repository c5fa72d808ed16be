"""What was answered before and is given out again: nothing of a coverage that was suspended since."""

from dataclasses import dataclass
from datetime import date, datetime

from eligibility.domain.coverage import suspended_since
from eligibility.domain.identifiers import InstitutionCode, InsuredNumber, InsurerNumber
from eligibility.storage.lookups import NumberAsked, NumberMatches
from eligibility.wire.verifications import CoverageAnswer


@dataclass(frozen=True, slots=True)
class Shown:
    """A coverage as an answer showed it: for a day, and as known at a time or later."""

    coverage_id: int
    coverage: CoverageAnswer
    asked_for: date
    known_at: datetime

    def question(self, institution: InstitutionCode) -> NumberAsked:
        """Return how an institution asks for what is known now of everybody who has had the coverage since."""
        stated = self.coverage
        insured = InsuredNumber(
            InsurerNumber(stated.insurer_number), stated.symbol, stated.number, stated.branch_number
        )
        return NumberAsked(insured, stated.birth_date, self.known_at, institution, self.coverage_id)

    def is_suspended(self, present: NumberMatches) -> bool:
        """Tell by the answer to `question` whether the coverage must not be shown any more."""
        return suspended_since(self.coverage_id, (*present.asked, *present.others), self.asked_for)
