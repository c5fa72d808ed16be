"""The column-wise normal forms give what the domain's functions give, for every character there is."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.domain.identifiers import contains_my_number
from eligibility.domain.names import kana_key, name_key, number_key
from payer_sync.faults import SHAPE_LENGTH, shape
from payer_sync.normal_forms import hold_my_number, kana_keys, may_hold_my_number, name_keys, number_keys, shapes

CP932 = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
CP932 = [c for c in CP932 if c.encode("cp932", "ignore")]
MY_NUMBER = "123456789018"
KEYS = [(name_keys, name_key), (kana_keys, kana_key), (number_keys, number_key)]
TEXTS = st.lists(st.text(max_size=30), max_size=30)


def _all(made: Callable[[pl.Expr], pl.Expr], texts: list[str]) -> list[str]:
    return pl.DataFrame({"x": texts}, schema={"x": pl.String}).select(made(pl.col("x"))).to_series().to_list()


@pytest.mark.parametrize(("column", "scalar"), KEYS)
def test_every_character_of_cp932_has_the_same_key(
    column: Callable[[pl.Expr], pl.Expr], scalar: Callable[[str], str]
) -> None:
    texts = [*CP932, *(f"a{c}ｶﾞ {c}1" for c in CP932)]

    assert _all(column, texts) == [scalar(text) for text in texts]


@pytest.mark.parametrize(("column", "scalar"), KEYS)
def test_naughty_strings_have_the_same_key(
    column: Callable[[pl.Expr], pl.Expr], scalar: Callable[[str], str], shared_data: Path
) -> None:
    texts = json.loads((shared_data / "naughty_strings.json").read_text("utf-8"))
    texts = [text for text in texts if isinstance(text, str)]

    assert _all(column, texts) == [scalar(text) for text in texts]


@given(TEXTS)
def test_any_text_has_the_same_keys(texts: list[str]) -> None:
    assert _all(name_keys, texts) == [name_key(text) for text in texts]
    assert _all(kana_keys, texts) == [kana_key(text) for text in texts]
    assert _all(number_keys, texts) == [number_key(text) for text in texts]
    many = [*texts, *(f"記{n}－{n}" for n in range(200))]  # a few different ones have their keys in another way
    assert _all(number_keys, many) == [number_key(text) for text in many]


def test_a_character_that_only_polars_knows_has_one_key_however_many_there_are() -> None:
    younger = "\U0001ccd6\U0001ccf1"  # outlined A and 1, of Unicode 16

    assert _all(number_keys, [younger]) == _all(number_keys, [younger, *(f"記{n}" for n in range(200))])[:1]


@given(st.lists(st.text(alphabet="アイウエオコトブヴァィォューｰﾞｶゃっ ・", max_size=12), max_size=20))
def test_kana_of_any_spelling_have_the_same_key(texts: list[str]) -> None:
    assert _all(kana_keys, texts) == [kana_key(text) for text in texts]


@given(st.lists(st.text(alphabet="0123456789０１９①㉑⒈. -−a年", max_size=30) | st.text(max_size=20), max_size=30))
def test_a_my_number_is_found_where_the_domain_finds_it(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)

    assert hold_my_number(column).to_list() == [contains_my_number(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        MY_NUMBER, f"x{MY_NUMBER}", f"番号{MY_NUMBER}です", "１２３４５６７８９０１８", "123456７８９０18",
        f"1,{MY_NUMBER}",
        "①23456789018", "㉑" * 6, "𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗𝟎𝟏𝟖", f"-{MY_NUMBER}-{MY_NUMBER}", f"{MY_NUMBER} 1234567890123",
        "1234 5678 9018", "１２３４　５６７８　９０１８", "1234‐5678‐9018", "１２３４－５６７８－９０１８",
        "x,1234-5678-9018", "①23 4567 8901 8", "1234 5678 9018 1234", "1234\u00a05678\u00a09018",
    ],
)  # fmt: skip
def test_the_quick_look_misses_no_my_number(text: str) -> None:
    column = pl.Series([text])

    assert hold_my_number(column).to_list() == [contains_my_number(text)]
    assert column.str.contains(may_hold_my_number()).to_list() == [True]


@pytest.mark.parametrize("places", [range(12), range(1)])
@pytest.mark.parametrize("written", [MY_NUMBER, "1234-5678-9018", "1234 5678 9018"])
def test_a_my_number_in_digits_that_only_polars_knows_is_found(written: str, places: range) -> None:
    younger = {str(digit): chr(0x1CCF0 + digit) for digit in range(10)}
    text = pl.Series(["".join(younger.get(c, c) if at in places else c for at, c in enumerate(written))])

    assert text.str.contains(may_hold_my_number()).to_list() == [True]
    assert hold_my_number(text).to_list() == [True]


@pytest.mark.parametrize(
    "text",
    [
        "123456789019",
        f"0{MY_NUMBER}",
        f"{MY_NUMBER}1",
        "1234-5678 9018",
        "",
        "LK-000000000001",
        "f47ac10b-1234-5678-9018-0e02b2c3d479",
    ],
)
def test_other_digits_are_no_my_number(text: str) -> None:
    assert hold_my_number(pl.Series([text])).to_list() == [False]


@given(st.lists(st.from_regex(r"[a-]?[0-9]{4}[ -－　][0-9]{4}[ -－　][0-9]{4}[a-]?", fullmatch=True), max_size=9))
def test_a_my_number_in_fours_is_found_where_the_domain_finds_it(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    found = [contains_my_number(text) for text in texts]

    assert hold_my_number(column).to_list() == found
    quick = column.str.contains(may_hold_my_number()).to_list()
    assert all(looked or not held for looked, held in zip(quick, found, strict=True))


@given(TEXTS)
def test_the_quick_look_never_contradicts_the_domain(texts: list[str]) -> None:
    quick = pl.Series(texts, dtype=pl.String).str.contains(may_hold_my_number()).to_list()

    assert all(found or not contains_my_number(text) for found, text in zip(quick, texts, strict=True))


@given(st.lists(st.text(max_size=60), max_size=20))
def test_shapes_are_drawn_alike(texts: list[str]) -> None:
    assert _all(lambda x: shapes(x, SHAPE_LENGTH), texts) == [shape(text) for text in texts]


def test_a_shape_shows_nothing_of_the_value() -> None:
    assert shape("髙橋 Hanako-12") == "あああAAAAAAあ99"
