import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eligibility.domain.names import NAME_VARIANTS, address_key, kana_key, name_key, number_key
from loadtest.nation.names import given_names, surnames

KANA = "".join(map(chr, range(ord("ァ"), ord("ヶ") + 1))) + "ーｱｲｳｴｵｶｰぁあいうえおっ・ 　"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("髙橋　花子", "高橋花子"),
        ("山﨑 太郎", "山崎太郎"),
        ("渡邉　一郎", "渡辺一郎"),
        ("𠮷田　茂", "吉田茂"),
        ("ＳＭＩＴＨ　ＪＯＨＮ", "Smith John"),
        ("ﾔﾏﾀﾞ ﾀﾛｳ", "ヤマダタロウ"),
        ("葛\U000e0100西", "葛西"),
        ("山田　太郞", "山田太郎"),
        ("淸水　悅子", "清水悦子"),
        ("靑戶　尙美", "青戸尚美"),
        ("竹內　志穗", "竹内志穂"),
        ("吳　姬子", "呉姫子"),
        ("檜山　卷男", "桧山巻男"),
        ("巢鴨　禰", "巣鴨祢"),
        ("藤原　瑶", "藤原瑤"),
        ("園田　亘", "薗田亙"),
        ("晉　舍人", "晋舎人"),
        ("\ufa19\ufa1b　\ufa12", "神福晴"),
    ],
)
def test_two_spellings_of_one_name_are_equal(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("斎藤", "斉藤"), ("齋藤", "齊藤"), ("太田", "大田"), ("伊東", "伊藤"), ("か", "が"), ("太郎", "太朗"),
        ("士", "土"), ("渡辺", "渡部"), ("菊地", "菊池"), ("呂", "宮"), ("己", "巳"),
    ],
)  # fmt: skip
def test_different_names_stay_apart(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


def test_no_variant_leads_to_another_variant() -> None:
    assert not set(NAME_VARIANTS) & set(NAME_VARIANTS.values())


def test_every_variant_is_a_pair_of_characters_that_nfkc_keeps_apart() -> None:
    for old, new in NAME_VARIANTS.items():
        assert (len(old), len(new)) == (1, 1)
        assert unicodedata.normalize("NFKC", old + new) == old + new


def test_common_surnames_have_keys_of_their_own() -> None:
    families: dict[str, set[str]] = {}
    for surname in surnames(foreign_share=0.1):
        families.setdefault(name_key(surname.registered), set()).add(surname.common)

    assert [names for names in families.values() if len(names) > 1] == []


def test_common_surnames_in_kana_differ_but_for_long_vowels() -> None:
    families: dict[str, set[str]] = {}
    for surname in surnames(foreign_share=0.1):
        families.setdefault(kana_key(surname.kana), set()).add(surname.kana)

    assert [names for names in families.values() if len(names) > 1] == [{"ｵﾉ", "ｵｵﾉ"}]


def test_common_given_names_have_keys_of_their_own() -> None:
    names = given_names()
    families: dict[tuple[str, str], set[str]] = {}
    for written, kana in zip(names.written, names.kana, strict=True):
        families.setdefault((name_key(written), kana_key(kana)), set()).add(written)

    assert sorted(sorted(names) for names in families.values() if len(names) > 1) == [["凛", "凜"], ["恵子", "惠子"]]


@given(st.text(alphabet=[*NAME_VARIANTS, *NAME_VARIANTS.values(), *"山田ヤﾔﾞあＡa 　●", "\ufa19", "\U000e0100"]))
def test_a_key_of_a_name_is_its_own_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@given(st.text(alphabet=KANA))
@example("ヴウア")
def test_a_key_of_a_name_in_kana_is_its_own_key(kana: str) -> None:
    assert kana_key(kana_key(kana)) == kana_key(kana)


@given(st.text(alphabet=KANA), st.sampled_from([*zip("カキクケコ", "アイウエオ", strict=True)]), st.text(alphabet=KANA))
def test_a_dash_and_a_vowel_make_a_sound_as_long_in_every_row(before: str, row: tuple[str, str], after: str) -> None:
    sound, vowel = row

    assert kana_key(f"{before}{sound}ー{after}") == kana_key(f"{before}{sound}{vowel}{after}")


@pytest.mark.parametrize("hyphen", list("-－‐‑–—―−ーｰ"))
def test_every_hyphen_between_digits_is_one(hyphen: str) -> None:
    assert number_key(f"１２{hyphen} 34") == "12-34"


@pytest.mark.parametrize(
    "spelling",
    [
        "東京都千代田区一番町１丁目２番地３号",
        "東京都千代田区一番町1-2-3",
        "東京都千代田区一番町１－２－３",
        "東京都 千代田区 一番町1丁目2番3号",
    ],
)
def test_one_address_has_one_form(spelling: str) -> None:
    assert address_key(spelling) == address_key("東京都千代田区一番町1-2-3")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ﾀｶﾊｼ ﾊﾅｺ", "タカハシ　ハナコ"),
        ("たかはし はなこ", "タカハシハナコ"),
        ("コータ", "コウタ"),
        ("オオノ トオル", "オーノ トウル"),
        ("ショウコ", "シヨウコ"),
        ("ヒデキッチ", "ヒデキツチ"),
        ("ヴァレリー", "バレリ"),
        ("ヴィクトル", "ビクトル"),
        ("カヅオ", "カズオ"),
        ("カヲル", "カオル"),
        ("タロ－", "タロー"),
        ("マイ・リン", "マイリン"),
        ("ｲｲﾀﾞ", "ｲｰﾀﾞ"),
        ("シイナ", "シーナ"),
        ("ニイナ", "ニーナ"),
        ("フジイ", "フジー"),
        ("マアサ", "マーサ"),
        ("シャアリー", "シャーリイ"),
        ("ヴーア", "ヴウア"),
        ("ケイコ", "ケーコ"),
    ],
)
def test_two_spellings_of_one_name_in_kana_are_equal(one: str, other: str) -> None:
    assert kana_key(one) == kana_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ハナコ", "ハナエ"), ("カキ", "ガキ"), ("ヒロシ", "ヒロ"), ("サトウ", "カトウ"), ("ユキ", "ミユキ"),
        ("", "ア"), ("アライ", "アラ"), ("マイ", "マ"), ("ナオ", "ナ"), ("アオイ", "アオ"), ("ルイ", "ル"),
        ("シオン", "シン"),
    ],
)  # fmt: skip
def test_different_names_in_kana_stay_apart(one: str, other: str) -> None:
    assert kana_key(one) != kana_key(other)
