from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.domain.codes import CardClass, Outcome, Relation, Sex
from eligibility.domain.coverage import Coverage, Standing, standing_of_number, standing_of_person
from eligibility.domain.identifiers import InsuredNumber, PersonId

DAY = date(2026, 11, 21)
COVERAGE = Coverage(
    coverage_id=1,
    person_id=PersonId(1),
    insured=InsuredNumber.parse("06130512", "12", "345", "01"),
    insurer_name="第一健康保険組合",
    name="山田　太郎",
    name_kana="ﾔﾏﾀﾞ ﾀﾛｳ",
    birth_date=date(1980, 1, 1),
    sex=Sex.MALE,
    postal_code="100-0001",
    address="東京都千代田区千代田1-1",
    relation=Relation.INSURED,
    card_class=CardClass.GENERAL,
    acquired_on=date(2020, 4, 1),
    lost_on=None,
    loss_reason=None,
    copayment_percent=30,
    issued_on=None,
    valid_from=None,
    valid_through=None,
    preschool=False,
    viewing_suspended=False,
    known_from=datetime(2026, 1, 1, tzinfo=UTC),
    data_as_of=None,
)
OTHER = replace(
    COVERAGE,
    coverage_id=2,
    insured=InsuredNumber.parse("133066", "国", "9", "01"),
    acquired_on=date(2024, 4, 1),
)
LAPSED = replace(COVERAGE, lost_on=date(2024, 4, 1))


@pytest.mark.parametrize(
    ("day", "outcome"),
    [
        (date(2020, 3, 31), Outcome.NONE),
        (date(2020, 4, 1), Outcome.VALID),
        (date(2024, 3, 31), Outcome.VALID),
        (date(2024, 4, 1), Outcome.LAPSED),
        (DAY, Outcome.LAPSED),
    ],
)
def test_a_coverage_is_in_force_from_its_acquisition_to_the_day_before_its_loss(day: date, outcome: Outcome) -> None:
    assert standing_of_person([LAPSED], day).outcome is outcome


def test_nobody_without_a_coverage_is_insured() -> None:
    assert standing_of_person([], DAY).outcome is Outcome.NONE


def test_of_two_insurers_the_later_acquisition_holds_and_the_other_is_named() -> None:
    standing = standing_of_person([COVERAGE, OTHER], DAY)
    assert (standing.outcome, standing.coverage, standing.conflicts) == (Outcome.VALID, OTHER, (COVERAGE,))


def test_a_loss_that_arrives_ends_the_conflict() -> None:
    standing = standing_of_person([LAPSED, OTHER], DAY)
    assert (standing.coverage, standing.conflicts) == (OTHER, ())


def test_a_coverage_lost_on_the_day_it_began_was_never_in_force() -> None:
    assert standing_of_person([replace(COVERAGE, lost_on=COVERAGE.acquired_on)], COVERAGE.acquired_on).outcome is (
        Outcome.LAPSED
    )


def test_one_suspended_coverage_suspends_the_person() -> None:
    standing = standing_of_person([replace(COVERAGE, viewing_suspended=True), OTHER], DAY)
    assert (standing.outcome, standing.coverage) == (Outcome.SUSPENDED, None)


def test_a_suspension_holds_after_the_loss() -> None:
    standing = standing_of_person([replace(LAPSED, viewing_suspended=True)], DAY)
    assert (standing.outcome, standing.coverage) == (Outcome.SUSPENDED, None)


def test_a_suspension_at_another_insurer_suspends_the_answer_by_number() -> None:
    elsewhere = replace(OTHER, viewing_suspended=True)
    for asked in (COVERAGE, LAPSED):
        standing = standing_of_number([asked], [elsewhere], DAY)
        assert (standing.outcome, standing.coverage) == (Outcome.SUSPENDED, None)


def test_a_lapsed_number_of_one_insured_elsewhere_tells_no_detail_of_the_newer() -> None:
    standing = standing_of_number([LAPSED], [OTHER], DAY)
    assert (standing.outcome, standing.coverage) == (Outcome.LAPSED_NEWER_EXISTS, LAPSED)


def test_a_number_in_force_names_every_other_insurer_that_claims_the_person() -> None:
    third = replace(OTHER, coverage_id=7, insured=InsuredNumber.parse("39131156", "1", "2", ""))
    later = replace(OTHER, coverage_id=8, acquired_on=third.acquired_on + timedelta(days=1))
    standing = standing_of_number([COVERAGE], [third, later], DAY)
    assert (standing.coverage, standing.conflicts) == (COVERAGE, (later, third))


def test_a_number_without_branch_that_names_twins_is_several() -> None:
    twin = replace(COVERAGE, person_id=PersonId(2), coverage_id=9)
    assert standing_of_number([COVERAGE, twin], [], DAY).outcome is Outcome.SEVERAL


def test_a_number_that_stands_for_too_many_is_several_whoever_was_found() -> None:
    assert standing_of_number([COVERAGE], [], DAY, crowded=True) == Standing(Outcome.SEVERAL)


def test_a_number_that_only_one_of_two_still_holds_is_theirs() -> None:
    earlier_holder = replace(LAPSED, person_id=PersonId(2), coverage_id=9)
    standing = standing_of_number([COVERAGE, earlier_holder], [], DAY)
    assert (standing.outcome, standing.coverage) == (Outcome.VALID, COVERAGE)


def test_a_number_not_yet_in_force_is_none() -> None:
    assert standing_of_number([COVERAGE], [], date(2019, 1, 1)).outcome is Outcome.NONE


_coverages = st.lists(
    st.builds(
        lambda n, start, length, insurer: replace(
            COVERAGE,
            coverage_id=n,
            insured=InsuredNumber.parse(insurer, "1", str(n), ""),
            acquired_on=date.fromordinal(date(2020, 1, 1).toordinal() + start),
            lost_on=None if length is None else date.fromordinal(date(2020, 1, 1).toordinal() + start + length),
        ),
        st.integers(1, 50),
        st.integers(0, 60),
        st.none() | st.integers(0, 30),
        st.sampled_from(["06130512", "133066", "01130012"]),
    ),
    max_size=6,
    unique_by=lambda c: c.coverage_id,
)


@given(_coverages, st.integers(0, 100), st.randoms(use_true_random=False))
def test_the_answer_is_one_and_does_not_depend_on_the_order_of_rows(
    coverages: list[Coverage], offset: int, random: object
) -> None:
    day = date.fromordinal(date(2020, 1, 1).toordinal() + offset)
    standing = standing_of_person(coverages, day)
    shuffled = list(coverages)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert standing_of_person(shuffled, day) == standing
    assert (standing.outcome is Outcome.VALID) == any(c.in_force_on(day) for c in coverages)
    if standing.coverage:
        assert standing.coverage.in_force_on(day) == (standing.outcome is Outcome.VALID)
