"""What the guard takes for one holder, for a changed name, and for somebody else."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from eligibility.domain.names import name_key
from payer_sync.guard import disagreements

HOLDER = {"name": "髙橋　花子", "name_kana": "ﾀｶﾊｼ ﾊﾅｺ", "birth_date": date(1980, 1, 10), "sex": "2"}
BUT_SEX = ["birth_date", "name", "name_kana"]


def _judge(stated: dict[str, Any], *known: dict[str, Any]) -> tuple[str, list[str]] | None:
    rows = []
    for one in known or ({},):
        other = HOLDER | one
        row = {"record_number": 7, "person_id": 1} | HOLDER | stated
        row |= {"name_key": name_key(str(row["name"])), "known_name_key": name_key(str(other["name"]))}
        rows.append(row | {f"known_{field}": value for field, value in other.items()})
    found = disagreements(pl.DataFrame(rows))
    return (found["kind"][0], found["reasons"][0].to_list()) if found.height else None


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"name": "高橋花子"},
        {"name": "髙橋 花子"},
        {"name": "●橋　花子"},
        {"name": "\ue000橋　花子"},
        {"name_kana": "タカハシ　ハナコ"},
        {"name_kana": "たかはしはなこ"},
        {"name_kana": "タカハシー ハナコ"},
        {"sex": "3"},
    ],
)
def test_another_spelling_is_the_same_holder(stated: dict[str, Any]) -> None:
    assert _judge(stated) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("大野　徹", "大野　徹"),
        ("齋藤　櫻", "斎藤　桜"),
        ("渡邉　惠", "渡辺　恵"),
        ("廣瀨　學", "広瀬　学"),
    ],
)
def test_old_forms_of_characters_are_the_same_holder(one: str, other: str) -> None:
    assert _judge({"name": one}, {"name": other}) is None


@pytest.mark.parametrize(
    ("stated", "reasons"),
    [
        ({"name": "佐藤　花子", "name_kana": "ｻﾄｳ ﾊﾅｺ"}, ["name", "name_kana"]),
        ({"name": "佐藤花子", "name_kana": "サトウハナコ"}, ["name", "name_kana"]),
        ({"name": "髙橋　華子"}, ["name"]),
        ({"name_kana": "コウキョウ ハナコ"}, ["name_kana"]),
        ({"name": "佐藤　花子", "name_kana": "ｻﾄｳ ｶｺ"}, ["name", "name_kana"]),
    ],
)
def test_a_changed_name_of_the_same_birth_date_sex_and_given_name_is_a_review(
    stated: dict[str, Any], reasons: list[str]
) -> None:
    assert _judge(stated) == ("review", reasons)


@pytest.mark.parametrize(
    ("stated", "reasons"),
    [
        ({"birth_date": date(1980, 10, 1)}, ["birth_date"]),
        ({"sex": "1"}, ["sex"]),
        ({"name": "髙橋　桜", "name_kana": "ﾀｶﾊｼ ｻｸﾗ"}, ["name", "name_kana"]),
        ({"name": "髙橋　明美", "name_kana": "ﾀｶﾊｼ ｱｹﾐ", "birth_date": date(1982, 5, 5)}, BUT_SEX),
        ({"name": "佐藤　花子", "name_kana": "ｻﾄｳ ﾊﾅｺ", "birth_date": date(1990, 1, 10)}, BUT_SEX),
        ({"name": "佐藤　美花子", "name_kana": "ｻﾄｳ ﾐﾊﾅｺ"}, ["name", "name_kana"]),
        ({"name": "●●　●子", "name_kana": "ｻﾄｳ ｺ"}, ["name_kana"]),
    ],
)  # fmt: skip
def test_anything_else_is_somebody_else(stated: dict[str, Any], reasons: list[str]) -> None:
    assert _judge(stated) == ("mismatch", reasons)


def test_one_statement_that_agrees_is_enough() -> None:
    assert _judge({}, {"name": "佐藤　花子", "name_kana": "ｻﾄｳ ﾊﾅｺ"}, {"name": "高橋 花子"}) is None


def test_the_nearest_statement_gives_the_reasons() -> None:
    far = {"name": "佐藤　太郎", "name_kana": "ｻﾄｳ ﾀﾛｳ", "sex": "1"}
    assert _judge({"birth_date": date(1981, 1, 10)}, far, {}) == ("mismatch", ["birth_date"])
