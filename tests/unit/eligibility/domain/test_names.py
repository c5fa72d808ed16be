import pytest

from eligibility.domain.names import NAME_VARIANTS, address_key, kana_key, name_key, number_key


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
    ],
)
def test_two_spellings_of_one_name_are_equal(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("斎藤", "斉藤"), ("太田", "大田"), ("伊東", "伊藤"), ("か", "が")])
def test_different_names_stay_apart(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


def test_no_variant_leads_to_another_variant() -> None:
    assert not set(NAME_VARIANTS) & set(NAME_VARIANTS.values())


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
    ],
)
def test_two_spellings_of_one_name_in_kana_are_equal(one: str, other: str) -> None:
    assert kana_key(one) == kana_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("ハナコ", "ハナエ"), ("カキ", "ガキ"), ("ヒロシ", "ヒロ"), ("サトウ", "カトウ"), ("ユキ", "ミユキ"), ("", "ア")],
)
def test_different_names_in_kana_stay_apart(one: str, other: str) -> None:
    assert kana_key(one) != kana_key(other)
