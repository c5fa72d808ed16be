"""What is new about a person since the last visit to this terminal."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict

from eligibility.domain.codes import ConsentClass
from eligibility.wire.verifications import CoverageAnswer, Verification


class Difference(StrEnum):
    """What reception must change in its own records."""

    INSURER = "insurer"
    INSURED_NUMBER = "insured_number"
    BRANCH_NUMBER = "branch_number"
    COPAYMENT = "copayment"
    NAME = "name"
    ADDRESS = "address"


class LastVisit(BaseModel):
    """What is kept of a visit to compare the next with; it never leaves this terminal's encrypted memory."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    insurer_number: str
    symbol: str
    number: str
    branch_number: str
    copayment_percent: int | None
    name: str
    address: str
    agreed: tuple[ConsentClass, ...]

    def __repr__(self) -> str:
        return "LastVisit(***)"

    __str__ = __repr__

    @classmethod
    def of(cls, coverage: CoverageAnswer, agreed: tuple[ConsentClass, ...]) -> Self:
        """Return what is kept of this answer."""
        return cls(
            insurer_number=coverage.insurer_number,
            symbol=coverage.symbol,
            number=coverage.number,
            branch_number=coverage.branch_number,
            copayment_percent=coverage.copayment_percent,
            name=coverage.name,
            address=coverage.address,
            agreed=agreed,
        )


def differences(before: LastVisit | None, now: Verification) -> frozenset[Difference]:
    """Return what differs from the last visit; nothing does at a first visit, or without a coverage."""
    if before is None or now.coverage is None:
        return frozenset()
    coverage = now.coverage
    compared = {
        Difference.INSURER: before.insurer_number != coverage.insurer_number,
        Difference.INSURED_NUMBER: (before.symbol, before.number) != (coverage.symbol, coverage.number),
        Difference.BRANCH_NUMBER: before.branch_number != coverage.branch_number,
        Difference.COPAYMENT: before.copayment_percent != coverage.copayment_percent,
        Difference.NAME: before.name != coverage.name,
        Difference.ADDRESS: before.address != coverage.address,
    }
    return frozenset(difference for difference, differs in compared.items() if differs)
