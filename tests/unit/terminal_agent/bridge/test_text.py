import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.bridge.text import (
    CharacterCode,
    Undecodable,
    decode,
    fit,
    full_width,
    half_width_kana,
    postal_code,
)

SJIS, UTF8 = CharacterCode.SHIFT_JIS, CharacterCode.UTF_8


@pytest.mark.parametrize(
    ("text", "written", "lost"),
    [
        ("診療　太郎", "診療　太郎", False),
        ("髙﨑", "髙﨑", False),  # IBM's extensions
        ("①Ⅲ㈱", "①Ⅲ㈱", False),  # NEC's row 13
        ("𠮷田", "●田", True),
        ("葛\U000e0100飾", "葛飾", True),  # the selector is left out, and told of
        ("か\u309a", "か●", True),
        ("\U0001f600", "●", True),
        ("한", "●", True),
        ("a\x00b\x1fc", "a●b●c", True),
        ("\x80\xa0", "●●", True),  # which Python writes as bytes that mean nothing
        ("\ue000", "\ue000", False),  # gaiji: the clinic's own
        ("〜−‖—", "～－∥―", False),  # the same shapes
        ("１丁目−２", "１丁目－２", False),
        ("?", "?", False),
        ("\ufffd", "●", True),
    ],
)
def test_what_shift_jis_lacks_becomes_a_black_circle_and_is_told_of(text: str, written: str, lost: bool) -> None:
    assert fit(text, SJIS) == (written, lost)


@pytest.mark.parametrize(
    ("text", "written", "lost"),
    [
        ("𠮷田", "𠮷田", False),
        ("葛\U000e0100飾", "葛\U000e0100飾", False),
        ("〜", "〜", False),
        ("a\x01\uffff", "a●●", True),
    ],
)
def test_utf_8_keeps_all_that_xml_allows(text: str, written: str, lost: bool) -> None:
    assert fit(text, UTF8) == (written, lost)


def test_half_of_a_pair_is_no_character() -> None:
    assert fit("\ud800", SJIS) == fit("\ud800", UTF8) == ("●", True)


@given(st.text())
def test_nothing_becomes_a_question_mark_and_what_fits_comes_back(text: str) -> None:
    for code in CharacterCode:
        fitted, lost = fit(text, code)
        assert fitted.count("?") == text.count("?")
        again, _ = decode(fitted.encode(code.codec), code)
        assert again == fitted.removeprefix("\ufeff") or "\ufeff" in text
        assert fit(fitted, code) == (fitted, False)
        assert lost or len(fitted) == len(text)


@pytest.mark.parametrize("wrong", [b"\x80", b"a\xa0", b"\xfd", b"\xfe", b"\xff", b"\x81", b"\x81\x20", b"\xfc\xfc"])
def test_bytes_that_mean_nothing_in_shift_jis_are_refused(wrong: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(wrong, SJIS)
    with pytest.raises(Undecodable):
        decode(b"\x93\xfa\x96{" + wrong, None)


def test_without_a_declaration_utf_8_is_tried_first() -> None:
    assert decode("診療".encode(), None) == ("診療", UTF8)
    assert decode("診療".encode("cp932"), None) == ("診療", SJIS)
    assert decode(b"\xef\xbb\xbf" + "診療".encode(), SJIS) == ("診療", UTF8)
    with pytest.raises(Undecodable):
        decode("診療".encode("cp932"), UTF8)


@pytest.mark.parametrize(
    ("written", "half"),
    [
        ("シンリョウ　タロウ", "ｼﾝﾘｮｳ ﾀﾛｳ"),
        ("ｼﾝﾘｮｳ ﾀﾛｳ", "ｼﾝﾘｮｳ ﾀﾛｳ"),
        ("ガギグ　パピプ", "ｶﾞｷﾞｸﾞ ﾊﾟﾋﾟﾌﾟ"),
        ("ヴァン・ダイク", "ｳﾞｧﾝ･ﾀﾞｲｸ"),
        ("たかはし　はなこ", "ﾀｶﾊｼ ﾊﾅｺ"),
        ("カ\u3099", "ｶﾞ"),  # a mark of its own is joined first
        ("マリー", "ﾏﾘｰ"),
        ("李", "李"),
        ("ヰヱ", "ヰヱ"),  # there is no half-width form
        ("", ""),
    ],
)
def test_kana_in_half_width(written: str, half: str) -> None:
    assert half_width_kana(written) == half


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("診療 太郎", "診療　太郎"),
        ("SMITH John-P.", "ＳＭＩＴＨ　Ｊｏｈｎ－Ｐ．"),
        ("ﾏﾘｱ ｶﾞﾙｼｱ", "マリア　ガルシア"),
        ("診療　太郎", "診療　太郎"),
        ("𠮷田", "𠮷田"),
        ("㈱", "㈱"),  # only what is half as wide is widened
    ],
)
def test_names_in_full_width(written: str, full: str) -> None:
    assert full_width(written) == full


@pytest.mark.parametrize(
    ("written", "postal"),
    [
        ("1000013", "100-0013"),
        ("100-0013", "100-0013"),
        ("１００－００１３", "100-0013"),
        ("", ""),
        ("100", "100"),
        ("abcdefg", "abcdefg"),
        ("百００００１３", "百００００１３"),
    ],
)
def test_postal_codes(written: str, postal: str) -> None:
    assert postal_code(written) == postal
