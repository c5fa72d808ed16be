from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from eligibility.domain.checkup_items import Flag, ResultKind
from terminal_agent.records.checkup import judge, lay_out
from tests.unit.terminal_agent.records.histories import (
    HBA1C,
    HOSPITAL,
    SBP,
    TEXT,
    checkup,
    checkup_history,
    long_checkups,
    result,
)


@pytest.mark.parametrize(
    ("value", "facts", "flag"),
    [
        ("130", {"low": None, "high": Decimal(129)}, Flag.HIGH),
        ("129", {"low": None, "high": Decimal(129)}, Flag.NORMAL),  # the bound belongs to the range
        ("40", {"low": Decimal(40), "high": None}, Flag.NORMAL),
        ("39.9", {"low": Decimal(40), "high": None}, Flag.LOW),
        ("130", {"low": None, "high": Decimal(129), "flag": Flag.NORMAL}, Flag.HIGH),  # the range speaks first
        ("130", {"low": None, "high": None, "flag": Flag.HIGH}, Flag.HIGH),
        ("130", {"low": None, "high": None}, None),
        ("測定不能", {"low": None, "high": Decimal(129)}, None),
        ("NaN", {"low": None, "high": Decimal(129)}, None),
        ("Infinity", {"low": None, "high": Decimal(129), "flag": Flag.LOW}, Flag.LOW),
        ("2", {"result_kind": ResultKind.CODE, "high": Decimal(1)}, None),
    ],
)
def test_a_result_is_judged_by_its_own_range_then_by_its_flag(
    value: str, facts: dict[str, Any], flag: Flag | None
) -> None:
    assert judge(result(SBP, value, **facts)) is flag


def test_the_years_stand_side_by_side_earliest_first() -> None:
    table = lay_out(long_checkups())
    assert [day.year for day in table.days] == [2022, 2023, 2024, 2025, 2026]
    pressure = table.rows[0]
    assert pressure.name.ja == "収縮期血圧(1回目)"
    assert [cell and cell.out_of_range for cell in pressure.cells] == [False, False, True, True, False]
    assert {row.name.en for row in table.lines()} == {"systolic pressure, 1st", "HDL cholesterol", "HbA1c (NGSP)"}


def test_one_test_by_two_methods_is_one_row_and_two_units_are_two() -> None:
    table = lay_out(
        checkup_history(
            checkup(date(2025, 6, 1), result(HBA1C, "5.4")),
            checkup(date(2026, 6, 1), result("3D046000001920402", "5.6"), result(SBP, "17", unit="kPa")),
            checkup(date(2026, 6, 1), result(SBP, "120"), institution_code=HOSPITAL),
        )
    )
    assert [(row.name.en, row.unit, [cell and cell.shown for cell in row.cells]) for row in table.rows] == [
        ("systolic pressure, 1st", "kPa", [None, "17", None]),
        ("systolic pressure, 1st", "mm[Hg]", [None, None, "120"]),
        ("HbA1c (NGSP)", "%", ["5.4", "5.6", None]),
    ]


def test_two_methods_in_one_checkup_are_two_rows() -> None:
    table = lay_out(
        checkup_history(checkup(date(2026, 6, 1), result(HBA1C, "5.4"), result("3D046000001920402", "5.6")))
    )
    assert [[cell and cell.shown for cell in row.cells] for row in table.rows] == [["5.4"], ["5.6"]]


def test_unknown_items_come_last_under_their_code() -> None:
    unknown = "9Z999000000000001"
    table = lay_out(checkup_history(checkup(date(2026, 6, 1), result(unknown, "1"), result(TEXT, "良"))))
    assert [row.name.ja for row in table.rows] == ["医師の診断(判定)", unknown]


def test_nothing_is_laid_out_as_nothing() -> None:
    assert lay_out(checkup_history()).rows == ()
