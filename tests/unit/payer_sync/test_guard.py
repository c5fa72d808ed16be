"""What the guard takes for one holder, for a changed name, and for somebody else."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from payer_sync.guard import disagreements

HOLDER = {"name": "髙橋　花子", "name_kana": "ﾀｶﾊｼ ﾊﾅｺ", "birth_date": date(1980, 1, 10), "sex": "2"}
BUT_SEX = ["birth_date", "name", "name_kana"]


def _judge(stated: dict[str, Any], *known: dict[str, Any]) -> tuple[str, list[str]] | None:
    rows = []
    for one in known or ({},):
        other = HOLDER | one
        row = {"record_number": 7, "person_id": 1} | HOLDER | stated
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
        ("靑戶　淸", "青戸　清"),
        ("竹內　太郞", "竹内　太郎"),
    ],
)
def test_old_forms_of_characters_are_the_same_holder(one: str, other: str) -> None:
    assert _judge({"name": one}, {"name": other}) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ｲｲﾀﾞ ﾏｱｻ", "イーダ　マーサ"),
        ("ｲｰﾀﾞﾏｰｻ", "ｲｲﾀﾞ ﾏｱｻ"),
        ("タナカ アユミ", "タナカアユミ"),
        ("ニシ　イサオ", "ﾆｼｲｻｵ"),
        ("リー　マイ　リン", "リイ　マイリン"),
    ],
)
def test_another_spelling_in_kana_is_the_same_holder(one: str, other: str) -> None:
    assert _judge({"name_kana": one}, {"name_kana": other}) is None
    assert _judge({"name_kana": other}, {"name_kana": one}) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("タナカ　アユミ", "タナカ　ユミ"),
        ("ﾆｼ ｲﾁﾛｳ", "ﾆｼ ﾁﾛｳ"),
        ("イノウエ　エリカ", "イノウエ　リカ"),
        ("サノ オリエ", "サノ リエ"),
    ],
)
def test_a_vowel_that_begins_a_given_name_makes_no_surname_longer(one: str, other: str) -> None:
    assert _judge({"name_kana": one}, {"name_kana": other, "name": "髙橋　華子"}) == ("mismatch", ["name", "name_kana"])


@pytest.mark.parametrize("changed", ["サトウ　アユミ", "サトウアユミ", "ヤマダ　アユミ", "ヤマダアユミ"])
def test_a_given_name_that_begins_with_a_vowel_is_the_same_beside_another_surname(changed: str) -> None:
    known = {"name": "田中　亜由美", "name_kana": "タナカ　アユミ"}
    assert _judge({"name": "髙橋　あゆみ", "name_kana": changed}, known) == ("review", ["name", "name_kana"])


def test_an_old_form_in_the_given_name_is_the_same_beside_another_surname() -> None:
    other = {"name": "佐藤　惠", "name_kana": ""}
    assert _judge(other, {"name": "髙橋　恵", "name_kana": ""}) == ("review", ["name"])


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
