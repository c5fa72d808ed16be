"""Whose record it is, as it stands at the head of every printed page and of the clinics' XML."""

from dataclasses import dataclass
from datetime import date
from typing import Self

from eligibility.domain.codes import Sex
from eligibility.wire.verifications import CoverageAnswer


@dataclass(frozen=True, slots=True)
class Patient:
    """The person of a record."""

    name: str
    name_kana: str
    birth_date: date
    sex: Sex

    @classmethod
    def of(cls, coverage: CoverageAnswer) -> Self:
        """Return the person a coverage is of."""
        return cls(coverage.name, coverage.name_kana, coverage.birth_date, coverage.sex)

    def __repr__(self) -> str:
        return "Patient(*)"
