"""Texts of UKE fields, read or refused."""

from datetime import date
from decimal import Decimal

import pytest

from payer_sync.claims.kinds import (
    AMOUNT,
    DAY,
    INSURER,
    MONTH,
    WHOLE,
    Kind,
    Malformed,
    code_of,
    digits,
    number_of,
    text_of,
)
from payer_sync.faults import FaultCode


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("202604", date(2026, 4, 1)),
        ("50804", date(2026, 4, 1)),
        ("50105", date(2019, 5, 1)),
        ("43104", date(2019, 4, 1)),
        ("36401", date(1989, 1, 1)),
        ("40101", date(1989, 1, 1)),  # the month in which the era began on the 8th
        ("186801", date(1868, 1, 1)),
    ],
)
def test_months_are_western_or_wareki(text: str, month: date) -> None:
    assert MONTH.read(text) == month


@pytest.mark.parametrize(
    "text",
    [
        "202600",
        "202613",
        "2026",
        "20260401",
        "60804",
        "43105",
        "50104",
        "36402",
        "2026４",
        "0-804",
        "",
        "186712",
        "000101",
    ],
)
def test_other_months_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        MONTH.read(text)


@pytest.mark.parametrize("text", ["20260431", "202604", "5080431", "4310501", "２０２６０４０１"])
def test_days_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        DAY.read(text)


def test_what_can_be_read() -> None:
    assert AMOUNT.read("1.25000") == Decimal("1.25")
    assert WHOLE.read("0012") == 12
    assert str(INSURER.read("  138057")) == str(INSURER.read("138057")) == "00138057"
    assert DAY.read("3550115") == DAY.read("19800115") == date(1980, 1, 15)


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        (AMOUNT, "1.123456", FaultCode.MALFORMED_NUMBER),
        (AMOUNT, "-1", FaultCode.MALFORMED_NUMBER),
        (AMOUNT, "1e3", FaultCode.MALFORMED_NUMBER),
        (AMOUNT, "١", FaultCode.MALFORMED_NUMBER),
        (WHOLE, "1234567890", FaultCode.MALFORMED_NUMBER),
        (INSURER, "1234567", FaultCode.MALFORMED_NUMBER),
        (digits(9), "62090010", FaultCode.MALFORMED_NUMBER),
        (code_of("1", "2"), "3", FaultCode.UNKNOWN_CODE),
        (text_of(3), "あいうえ", FaultCode.TOO_LONG),
        (text_of(30), "a\tb", FaultCode.CONTROL_CHARACTER),
        (text_of(30), "番号 123456789018", FaultCode.MY_NUMBER),
        (text_of(30), "番号 １２３４－５６７８－９０１８", FaultCode.MY_NUMBER),
        (number_of(20), "12345678 9018", FaultCode.MY_NUMBER),
        (text_of(30), "１２３４５６７８９０１８", FaultCode.MY_NUMBER),
    ],
)
def test_other_texts_are_refused_for_their_reason(kind: Kind, text: str, code: FaultCode) -> None:
    with pytest.raises(Malformed) as malformed:
        kind.read(text)

    assert malformed.value.code is code
