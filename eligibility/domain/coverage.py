"""What an insurer states about an insured individual, and what follows from it on a given day."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from eligibility.domain.codes import CardClass, Disease, LimitCategory, LimitClass, LossReason, Outcome, Relation, Sex
from eligibility.domain.identifiers import InsuredNumber, PersonId


@dataclass(frozen=True, slots=True)
class LimitCertificate:
    """Limits what the patient pays in a month (限度額適用認定証). Days are inclusive."""

    limit_class: LimitClass
    category: LimitCategory
    valid_from: date
    valid_through: date | None
    long_term_on: date | None


@dataclass(frozen=True, slots=True)
class SpecificDiseaseCertificate:
    """Caps what the patient pays in a month for one disease, in yen (特定疾病療養受療証). Days are inclusive."""

    disease: Disease
    monthly_cap_yen: int | None
    valid_from: date
    valid_through: date | None


@dataclass(frozen=True, slots=True)
class ElderlyCertificate:
    """States the share a person of 70 to 74 pays (高齢受給者証). Days are inclusive."""

    copayment_percent: int
    valid_from: date
    valid_through: date | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """One coverage as its insurer states it now, or stated it at an earlier known time.

    In force from `acquired_on` up to, not including, `lost_on`.
    """

    coverage_id: int
    person_id: PersonId
    insured: InsuredNumber
    insurer_name: str
    name: str = field(repr=False)
    name_kana: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: Sex
    postal_code: str = field(repr=False)
    address: str = field(repr=False)
    relation: Relation
    card_class: CardClass
    acquired_on: date
    lost_on: date | None
    loss_reason: LossReason | None
    copayment_percent: int | None
    issued_on: date | None
    valid_from: date | None
    valid_through: date | None
    preschool: bool
    viewing_suspended: bool
    known_from: datetime
    data_as_of: datetime | None
    limit_certificates: tuple[LimitCertificate, ...] = ()
    specific_disease_certificates: tuple[SpecificDiseaseCertificate, ...] = ()
    elderly_certificates: tuple[ElderlyCertificate, ...] = ()

    def in_force_on(self, day: date) -> bool:
        """Tell whether the person is covered by this insurer on the day."""
        return self.acquired_on <= day and (self.lost_on is None or day < self.lost_on)

    def lapsed_on(self, day: date) -> bool:
        """Tell whether this coverage had ended by the day."""
        return self.lost_on is not None and self.lost_on <= day


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force on a day: the outcome, the coverage it rests on, and coverages that contradict it."""

    outcome: Outcome
    coverage: Coverage | None = None
    conflicts: tuple[Coverage, ...] = ()
    data_as_of: datetime | None = None  # of the insurer it rests on; None where no insurer has stated anything


def standing_of_person(coverages: Sequence[Coverage], day: date) -> Standing:
    """Decide what a person's coverages mean on a day.

    Of several in force the one acquired later holds, and of those acquired on one day the one stated later, until the
    earlier insurer's loss arrives; the rest are named as conflicts. A coverage that ended is `lapsed`; one that has
    not begun is none at all. A suspension at any insurer concerned suspends the whole answer.
    """
    in_force = sorted(
        (c for c in coverages if c.in_force_on(day)),
        key=lambda c: (c.acquired_on, c.known_from, c.coverage_id),
        reverse=True,
    )
    lapsed = None if in_force else _latest_lapsed(coverages, day)
    relevant = in_force or ([lapsed] if lapsed else [])
    if any(c.viewing_suspended for c in relevant):
        return Standing(Outcome.SUSPENDED, data_as_of=relevant[0].data_as_of)
    if in_force:
        holding, *others = in_force
        others = [c for c in others if c.insured.insurer != holding.insured.insurer]
        return Standing(Outcome.VALID, holding, tuple(others), holding.data_as_of)
    return Standing(Outcome.LAPSED, lapsed, data_as_of=lapsed.data_as_of) if lapsed else Standing(Outcome.NONE)


def standing_of_number(
    asked: Sequence[Coverage], others: Sequence[Coverage], day: date, *, crowded: bool = False
) -> Standing:
    """Decide what an insured number means on a day.

    `asked` are the coverages that carry the number and the birth date, `others` the remaining coverages of the same
    persons. Details of a newer coverage are not given to one who holds only the old number. A number that is `crowded`,
    for want of its symbol, stands for more than were looked through: it is not said to name nobody.
    """
    if crowded:
        return Standing(Outcome.SEVERAL)
    candidates = [c for c in asked if c.in_force_on(day)] or [c for c in asked if c.lapsed_on(day)]
    if not candidates:
        return Standing(Outcome.NONE)
    if len({c.person_id for c in candidates}) > 1:
        return Standing(Outcome.SEVERAL)
    person = candidates[0].person_id
    standing = standing_of_person([c for c in asked if c.person_id == person], day)
    elsewhere = standing_of_person([c for c in others if c.person_id == person and c.in_force_on(day)], day)
    if elsewhere.outcome is Outcome.SUSPENDED:
        return Standing(Outcome.SUSPENDED, data_as_of=standing.data_as_of)
    if standing.outcome is Outcome.LAPSED and elsewhere.outcome is Outcome.VALID:
        return replace(standing, outcome=Outcome.LAPSED_NEWER_EXISTS)
    if standing.outcome is Outcome.VALID and elsewhere.coverage:
        return replace(standing, conflicts=(elsewhere.coverage, *elsewhere.conflicts))
    return standing


def suspended_since(coverage_id: int, present: Sequence[Coverage], day: date) -> bool:
    """Tell whether what was known earlier of a coverage must not be shown because of a suspension that came later.

    `present` are the coverages, as they are known now, of everybody who has had this one since. The doubt is about who
    a person is, so about all of theirs.
    """
    return any(c.viewing_suspended for c in present if c.coverage_id == coverage_id) or any(
        standing_of_person([c for c in present if c.person_id == person], day).outcome is Outcome.SUSPENDED
        for person in {c.person_id for c in present}
    )


def _latest_lapsed(coverages: Sequence[Coverage], day: date) -> Coverage | None:
    ended = [c for c in coverages if c.lapsed_on(day)]
    return max(ended, key=lambda c: (c.lost_on or date.max, c.known_from, c.coverage_id), default=None)
