"""What the guard takes for one holder, for a changed name, and for somebody else."""

import subprocess
import sys
from datetime import date
from typing import Any

import polars as pl
import pytest

from payer_sync.guard import disagreements, with_swaps

HOLDER = {"name": "髙橋　花子", "name_kana": "ﾀｶﾊｼ ﾊﾅｺ", "birth_date": date(1980, 1, 10), "sex": "2"}
OTHER = {"name": "山田　太郎", "name_kana": "ﾔﾏﾀﾞ ﾀﾛｳ", "birth_date": date(1981, 2, 20), "sex": "1"}
BUT_SEX = ["birth_date", "name", "name_kana"]
# Ten thousand records of one holder who is known as another, and as many the other way round, in half a GiB of memory
# more than polars itself has taken by then.
MANY_SWAPPED = """
from pathlib import Path
from resource import RLIMIT_AS, getpagesize, setrlimit
import polars as pl
from payer_sync.guard import with_swaps

one, other = ("1980-01-10", "2", "髙橋花子"), ("1981-02-20", "1", "山田太郎")
columns = ("birth_date", "sex", "name_key")
def sided(first, who, known):
    fields = dict(zip(columns, who)) | {f"known_{name}": value for name, value in zip(columns, known)}
    numbers = pl.int_range(first, first + 10_000, eager=True).alias("record_number")
    return numbers.to_frame().with_columns(kind=pl.lit("mismatch"), **{k: pl.lit(v) for k, v in fields.items()})

with_swaps(pl.concat([sided(1, one, other).head(1), sided(2, other, one).head(1)]))
pages = int(Path("/proc/self/statm").read_text().split()[0])
setrlimit(RLIMIT_AS, (pages * getpagesize() + (1 << 29),) * 2)
found = with_swaps(pl.concat([sided(1, one, other), sided(10_001, other, one)]))
print(found.height, found["kind"].unique().to_list(), found["lead_record"].sum())
"""


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
        ("龍ヶ崎　太郎", "竜ケ崎太郎"),
        ("茅ヶ崎　花", "茅ｹ崎　花"),
        ("スミス　ジョン", "スミス　ジヨン"),
        ("スミス　メアリー", "スミス　メアリ"),
        ("リー　メイ", "リ－メイ"),
        ("佐藤　ゆう子", "佐藤　ユウ子"),
        ("ヴィトン　花", "ビトン　花"),
        ("タナカ　アユミ", "タナカアユミ"),
        ("●ヶ崎　メアリー", "龍ケ崎　メアリ"),
    ],
)
def test_another_spelling_of_kana_in_a_name_is_the_same_holder(one: str, other: str) -> None:
    assert _judge({"name": one}, {"name": other}) is None
    assert _judge({"name": other}, {"name": one}) is None


def test_a_vowel_that_begins_a_given_name_makes_no_surname_in_kana_longer() -> None:
    one, other = ({"name": name, "name_kana": "タナカアユミ"} for name in ("タナカ　アユミ", "タナカ　ユミ"))
    assert _judge(one, other | {"name_kana": "タナカユミ"}) == ("mismatch", ["name"])


def test_another_spelling_of_kana_in_the_given_name_is_the_same_beside_another_surname() -> None:
    other = {"name": "佐藤　メアリー", "name_kana": ""}
    assert _judge(other, {"name": "髙橋　メアリ", "name_kana": ""}) == ("review", ["name"])


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


def _swaps(*pairs: tuple[dict[str, Any], dict[str, Any]]) -> list[tuple[int, int, str]]:
    rows = [
        {"record_number": number, "person_id": number} | who | {f"known_{field}": known[field] for field in known}
        for number, (who, known) in enumerate(pairs, 1)
    ]
    found = with_swaps(disagreements(pl.DataFrame(rows)))
    return found.select("record_number", "lead_record", "kind").rows()


def test_several_records_of_two_persons_swapped_have_the_first_of_the_other_side_as_their_other_half() -> None:
    one, other = (HOLDER, OTHER), (OTHER, HOLDER)
    third = (HOLDER, OTHER | {"birth_date": date(1981, 2, 21)})
    assert _swaps(one, third, one, other, other) == [
        (1, 1, "swapped"), (2, 2, "mismatch"), (3, 3, "swapped"), (4, 1, "swapped"), (5, 1, "swapped")
    ]  # fmt: skip


def test_persons_swapped_are_found_whatever_the_spelling_of_kana_in_their_names() -> None:
    one, other = (HOLDER | {"name": name} for name in ("スミス　ジョン", "スミス　ジヨン"))
    assert _swaps((one, OTHER), (OTHER, other)) == [(1, 1, "swapped"), (2, 1, "swapped")]


def test_a_record_that_differs_in_kana_alone_is_not_its_own_other_half() -> None:
    assert _swaps((HOLDER, HOLDER | {"name_kana": "コウキョウ ハナコ"})) == [(1, 1, "review")]


def test_many_records_swapped_with_many_take_memory_for_each_and_not_for_each_pair() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_SWAPPED], capture_output=True, text=True, check=False)
    leads = sum(range(1, 10_001)) + 10_000  # of the one side itself, of the other side the first of the one
    assert (done.returncode, done.stdout) == (0, f"20000 ['swapped'] {leads}\n"), done.stderr
