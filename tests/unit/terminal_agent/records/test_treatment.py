"""What was done, as a doctor reads it: by month and institution, in the words of the field where they are certain."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from eligibility.domain.codes import ClaimKind, TreatmentRecord
from eligibility.wire.treatments import Treatment, TreatmentHistory
from terminal_agent.records.treatment import lay_out
from tests.unit.terminal_agent.records.histories import AS_OF, CLINIC, HOSPITAL, VERIFICATION_ID


def treatment(**facts: Any) -> Treatment:
    usual: dict[str, Any] = {
        "care_month": "2026-10",
        "days": (date(2026, 10, 3), date(2026, 10, 17)),
        "kind": ClaimKind.MEDICAL,
        "record": TreatmentRecord.PROCEDURE,
        "service_class": "60",
        "code": "160008010",
        "name": None,
        "quantity": None,
        "unit": None,
        "times": 2,
        "comment": None,
        "institution_code": CLINIC,
        "institution_name": "見本クリニック",
    }
    return Treatment(**usual | facts)


def history(*treatments: Treatment) -> TreatmentHistory:
    return TreatmentHistory(
        verification_id=VERIFICATION_ID,
        from_month="2023-11",
        through_month="2026-11",
        data_as_of=AS_OF,
        treatments=treatments,
    )


def test_nothing_is_nothing() -> None:
    assert lay_out(history()) == ()


def test_the_latest_month_comes_first_and_each_institutions_lines_stay_together_in_their_order() -> None:
    hospital = {"institution_code": HOSPITAL, "institution_name": "見本病院"}
    stays = lay_out(
        history(
            treatment(code="1"),
            treatment(code="2", **hospital),
            treatment(code="3"),
            treatment(code="4", care_month="2026-09"),
            treatment(code="5", care_month="2026-11", **hospital),
        )
    )
    assert [(stay.month, stay.institution_name, [line.name for line in stay.lines]) for stay in stays] == [
        ("2026-11", "見本病院", ["5"]),
        ("2026-10", "見本クリニック", ["1", "3"]),
        ("2026-10", "見本病院", ["2"]),
        ("2026-09", "見本クリニック", ["4"]),
    ]


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({}, "160008010"),
        ({"name": "検査器材", "quantity": Decimal(1)}, "検査器材"),
        ({"record": TreatmentRecord.COMMENT, "comment": "実施日は５日", "code": "810000001"}, "実施日は５日"),
        ({"record": TreatmentRecord.COMMENT, "comment": None, "code": "810000001"}, "810000001"),
        ({"name": "", "comment": "実施日は５日"}, "160008010"),
    ],
)
def test_a_line_is_called_what_the_claim_calls_it_or_by_its_code(facts: dict[str, Any], name: str) -> None:
    (stay,) = lay_out(history(treatment(**facts)))
    assert stay.lines[0].name == name


@pytest.mark.parametrize(
    ("quantity", "unit", "ja", "en"),
    [
        (Decimal("2.00"), "4", "2(単位コード 4)", "2 (unit code 4)"),
        (Decimal(10), None, "10", "10"),
        (Decimal("1.5"), "", "1.5", "1.5"),
        (None, "4", "—", "—"),
    ],
)
def test_a_code_for_the_unit_is_not_shown_as_the_unit(
    quantity: Decimal | None, unit: str | None, ja: str, en: str
) -> None:
    (stay,) = lay_out(history(treatment(quantity=quantity, unit=unit)))
    assert (stay.lines[0].amount.ja, stay.lines[0].amount.en) == (ja, en)


@pytest.mark.parametrize(
    ("service_class", "ja"), [("60", "検査"), ("11", "初診"), ("54", "54"), ("", ""), (None, ""), ("xx", "xx")]
)
def test_a_class_whose_meaning_is_not_certain_is_shown_as_it_came(service_class: str | None, ja: str) -> None:
    (stay,) = lay_out(history(treatment(service_class=service_class)))
    assert stay.lines[0].part_of.ja == ja


def test_days_are_those_of_the_month_or_none() -> None:
    (stay,) = lay_out(history(treatment(), treatment(days=())))
    assert [line.days for line in stay.lines] == ["3, 17", ""]
