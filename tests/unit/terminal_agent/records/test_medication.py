from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from eligibility.domain.codes import ClaimKind, UsageGroup
from terminal_agent.records.medication import Month, course_of, lay_out
from tests.unit.terminal_agent.records.histories import (
    CLINIC,
    HOSPITAL,
    long_medication,
    medication_history,
    medicine,
)

OCTOBER = Month(2026, 10)
HOSPITALS = {"prescriber_code": HOSPITAL, "prescriber_name": "架空総合病院"}


@pytest.mark.parametrize(
    ("facts", "first", "last", "exact"),
    [
        ({"days_or_times": 28}, date(2026, 10, 1), date(2026, 10, 28), True),
        ({"days_or_times": 1}, date(2026, 10, 1), date(2026, 10, 1), True),
        ({"days_or_times": 0}, date(2026, 10, 1), date(2026, 10, 1), True),
        ({"usage_group": UsageGroup.HERBAL_TEA, "days_or_times": 7}, date(2026, 10, 1), date(2026, 10, 7), True),
        ({"usage_group": UsageGroup.AS_NEEDED, "days_or_times": 5}, date(2026, 10, 1), date(2026, 10, 31), False),
        ({"usage_group": UsageGroup.EXTERNAL}, date(2026, 10, 1), date(2026, 10, 31), False),
        ({"usage_group": UsageGroup.DECOCTION}, date(2026, 10, 1), date(2026, 10, 31), False),
        ({"day_stated": False}, date(2026, 10, 1), date(2026, 10, 31), False),
        (
            {"usage_group": UsageGroup.INJECTION, "kind": ClaimKind.MEDICAL},
            date(2026, 10, 1), date(2026, 10, 1), True,
        ),
        (
            {"usage_group": UsageGroup.INJECTION, "kind": ClaimKind.DISPENSING},
            date(2026, 10, 1), date(2026, 10, 31), False,
        ),
    ],
)  # fmt: skip
def test_how_long_a_medicine_lasts(facts: dict[str, Any], first: date, last: date, exact: bool) -> None:
    course = course_of(medicine(date(2026, 10, 1), **facts))
    assert (course.first, course.last, course.exact) == (first, last, exact)


def test_months_end_on_their_last_day() -> None:
    assert Month(2024, 2).last_day == date(2024, 2, 29)
    assert Month(2026, 12).last_day == date(2026, 12, 31)
    assert str(Month(2026, 12).next) == "2027-01"


@pytest.mark.parametrize(
    ("one", "other", "duplicates"),
    [
        ({}, HOSPITALS, 1),
        ({}, {}, 0),  # one institution's refill
        ({}, HOSPITALS | {"ingredient": "2171099"}, 0),
        ({"days_or_times": 4}, HOSPITALS, 0),  # over before the other begins
        ({"days_or_times": 5}, HOSPITALS, 1),  # the last day is the other's first
        ({"ingredient": None, "drug_code": "1"}, HOSPITALS | {"ingredient": None, "drug_code": "2"}, 0),
        ({"ingredient": None, "drug_code": "1"}, HOSPITALS | {"ingredient": None, "drug_code": "1"}, 1),
        ({"usage_group": UsageGroup.EXTERNAL}, HOSPITALS | {"usage_group": UsageGroup.EXTERNAL}, 1),
    ],
)  # fmt: skip
def test_the_same_ingredient_from_two_institutions(one: dict[str, Any], other: dict[str, Any], duplicates: int) -> None:
    history = medication_history(medicine(date(2026, 10, 1), **one), medicine(date(2026, 10, 5), **other))
    assert len(lay_out(history).duplicates) == duplicates


def test_two_clinics_medicines_from_one_pharmacy_are_a_duplicate() -> None:
    found = lay_out(medication_history(medicine(date(2026, 10, 1)), medicine(date(2026, 10, 20), **HOSPITALS)))
    (duplicate,) = found.duplicates
    assert {c.institution.code for c in duplicate.courses} == {CLINIC, HOSPITAL}
    assert (duplicate.first, duplicate.last, duplicate.exact) == (date(2026, 10, 20), date(2026, 10, 28), True)
    assert all(map(found.is_duplicate, duplicate.courses))


def test_a_duplicate_that_rests_on_a_month_says_so() -> None:
    patch = {"usage_group": UsageGroup.EXTERNAL}
    history = medication_history(medicine(date(2026, 10, 1)), medicine(date(2026, 10, 30), **patch, **HOSPITALS))
    (duplicate,) = lay_out(history).duplicates
    assert not duplicate.exact


def test_what_a_month_holds() -> None:
    found = lay_out(long_medication())
    assert [str(month) for month in found.months] == ["2026-10", "2026-09", "2026-08"]
    days = [course.medicine.medicine_on.day for course in found.courses_in(OCTOBER)]
    assert days == sorted(days, reverse=True)
    assert [drug.usage_group for drug in found.drugs] == sorted(
        (drug.usage_group for drug in found.drugs), key=list(UsageGroup).index
    )
    amlodipine = next(drug for drug in found.drugs if drug.code == "620098401")
    assert amlodipine.total(OCTOBER) == Decimal(28)
    assert amlodipine.total(Month(2026, 1)) is None
    unknown = next(drug for drug in found.drugs if drug.code == "699999999")
    assert (unknown.name, unknown.total(Month(2026, 8))) == ("699999999", None)


def test_nothing_is_laid_out_as_nothing() -> None:
    found = lay_out(medication_history())
    assert (found.months, found.drugs, found.duplicates) == ((), (), ())
