"""Each kind of column: what it reads, and what it does not."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.domain.codes import CardClass, LossReason, Sex
from eligibility.domain.dates import MalformedDate, parse_date
from payer_sync.layouts.columns import Code, Column, Day, Flag, InsurerDigits, Kind, Percent, Text, Yen
from payer_sync.layouts.register import find_layout


def _read(kind: Kind, *texts: str) -> list[object]:
    return (
        pl.DataFrame({"x": list(texts)}, schema={"x": pl.String}).select(kind.read(pl.col("x"))).to_series().to_list()
    )


_LAYOUT = find_layout("eligibility", 1)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Code(Sex), "1", "1"),
        (Code(CardClass), "A1", "A1"),
        (Flag(), "1", True),
        (Flag(), "0", False),
        (Flag(), "", False),
        (Day(), "20240229", date(2024, 2, 29)),
        (Day(), "5010501", date(2019, 5, 1)),
        (Day(), "4310430", date(2019, 4, 30)),
        (Day(), "1010125", date(1868, 1, 25)),
        (Day(), "18680125", date(1868, 1, 25)),
        (Day(), "99991231", date(9999, 12, 31)),
        (Percent(), "030", 30),
        (Percent(), "000", 0),
        (Percent(), "100", 100),
        (Yen(), "10000", 10000),
        (Yen(), "999999999", 999999999),
        (InsurerDigits(), "06130512", "06130512"),
        (InsurerDigits(), "138057", "00138057"),
        (Text(3), "髙橋花", "髙橋花"),
        (_LAYOUT.column("branch_number").kind, "00", "00"),
        (_LAYOUT.column("postal_code").kind, "100-0001", "100-0001"),
        (_LAYOUT.column("name_kana").kind, "ｻﾝﾄｽ･O'BRIEN ﾏﾘｱ", "ｻﾝﾄｽ･O'BRIEN ﾏﾘｱ"),
        (_LAYOUT.column("linkage_code").kind, "a" * 64, "a" * 64),
    ],
)
def test_a_good_text_has_its_value(kind: Kind, text: str, value: object) -> None:
    assert _read(kind, text) == [value]


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (Code(Sex), ("", "0", "4", "01", " 1", "男", "1\n")),
        (Code(LossReason), ("1", "04", "99 ", "９９")),
        (Flag(), ("2", "01", "true", " ")),
        (
            Day(),
            (
                "", "20010229", "20240431", "00000101", "20241301", "2024-04-01", "2024041", "202404011", "+2024041",
                "5010430", "4310501", "4010107", "3640108", "1010124", "0010101", "6010101", "5000101", "5010230",
                "18680124", "10800110", "00010101",
                "２０２４０４０１", "20240401\n", "令和6年",
            ),
        ),
        (Percent(), ("", "30", "3", "3割", "101", "200", "0300", "-10", "１００", "03.")),
        (Yen(), ("", "-1", "1,000", "1万", "1e3", "1234567890", "１０")),
        (InsurerDigits(), ("", "6130512", "061305120", "0613051X", "  138057", "06-30512")),
        (_LAYOUT.column("branch_number").kind, ("", "1", "001", "ab", "-1")),
        (_LAYOUT.column("postal_code").kind, ("", "100-001", "10000011", "1000-001", "〒1000001")),
        (_LAYOUT.column("name_kana").kind, ("", "高橋", "ﾀｶﾊｼ@", "ﾀ=ﾀ", "ﾀ\x00")),
        (_LAYOUT.column("linkage_code").kind, ("", "a b", "紐付", "a" * 65, "ａ", "a\n")),
        (Text(3), ("",)),
    ],
)  # fmt: skip
def test_a_bad_or_empty_text_has_no_value(kind: Kind, texts: tuple[str, ...]) -> None:
    assert _read(kind, *texts) == [None] * len(texts)


def _parsed(text: str) -> date | None:
    try:
        return parse_date(text)
    except MalformedDate:
        return None


@given(st.lists(st.text(alphabet="0123456789", min_size=6, max_size=9) | st.text(max_size=9), max_size=50))
def test_days_are_read_as_the_domain_reads_them(texts: list[str]) -> None:
    many = [*texts, *(f"2024{n:04}" for n in range(2000))]  # few are read in another way

    assert _read(Day(), *texts) == [_parsed(text) for text in texts]
    assert _read(Day(), *many) == [_parsed(text) for text in many]


@pytest.mark.parametrize("era", "12345")
def test_every_day_of_every_era_is_read_as_the_domain_reads_it(era: str) -> None:
    texts = [f"{era}{year:02}{month:02}{day:02}" for year in (*range(9), 14, 15, 31, 44, 45, 63, 64, 99)
             for month in range(14) for day in (0, 1, 7, 8, 24, 25, 29, 30, 31, 32)]  # fmt: skip

    assert _read(Day(), *texts) == [_parsed(text) for text in texts]


def test_western_days_about_the_first_are_read_as_the_domain_reads_them() -> None:
    texts = [f"{year:04}{month:02}{day:02}" for year in (1, 999, 1080, 1867, 1868, 1869)
             for month in range(14) for day in range(33)]  # fmt: skip

    assert _read(Day(), *texts) == [_parsed(text) for text in texts]


def test_a_column_makes_its_value_and_its_normal_forms() -> None:
    column = Column("番号", "number", Text(20), number_key="number_key", blank="")

    made = pl.DataFrame({"番号": ["１２－３", ""]}).select(column.values())

    assert made.to_dicts() == [{"number": "１２－３", "number_key": "12-3"}, {"number": "", "number_key": ""}]
