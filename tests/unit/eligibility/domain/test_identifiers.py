import sys
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.domain.identifiers import (
    InstitutionCode,
    InsuredNumber,
    InsurerNumber,
    MalformedInstitutionCode,
    MalformedInsuredNumber,
    MalformedInsurerNumber,
    MyNumberRefused,
    contains_my_number,
    has_valid_check_digit,
    luhn_check_digit,
)

# A made-up number whose eleven first digits yield this check digit (weights 6 5 4 3 2 7 6 5 4 3 2, modulus 11).
MY_NUMBER = "123456789018"


@pytest.mark.parametrize(
    "number",
    [
        "33120015",
        "01130012",
        "06130512",
        "07130024",
        "02199990",
        "39131156",
        "133066",
        "138057",
        "110080",
        "21136015",
        "0110113719",
        "2714206386",
        "9918000010",
        "2612800710",
        "0110119070",
    ],
)
def test_numbers_in_real_use_carry_a_valid_check_digit(number: str) -> None:
    assert has_valid_check_digit(number)


def test_a_made_up_institution_fails_its_check_digit_but_is_still_read() -> None:
    assert not InstitutionCode.parse("1311111111").check_digit_holds


@given(st.text(alphabet="0123456789", min_size=1, max_size=12), st.data())
def test_any_single_wrong_digit_is_noticed(payload: str, data: st.DataObject) -> None:
    whole = payload + luhn_check_digit(payload)
    position = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != whole[position]]))
    assert not has_valid_check_digit(whole[:position] + other + whole[position + 1 :])


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("06130512", "06130512"),
        ("133066", "00133066"),
        ("  133066", "00133066"),
        ("０６１３０５１２", "06130512"),
        ("00133066", "00133066"),
    ],
)
def test_an_insurer_number_has_eight_digits_however_it_is_written(text: str, digits: str) -> None:
    assert InsurerNumber.parse(text).digits == digits


@pytest.mark.parametrize("text", ["", "0613051", "061305120", "0613051A", "133 066", "-1330661", "\x00133066"])
def test_other_forms_of_insurer_numbers_are_refused(text: str) -> None:
    with pytest.raises(MalformedInsurerNumber):
        InsurerNumber.parse(text)


@pytest.mark.parametrize("text", ["", "131234567", "13123456789", "13X2345678", "B311111111"])
def test_other_forms_of_institution_codes_are_refused(text: str) -> None:
    with pytest.raises(MalformedInstitutionCode):
        InstitutionCode.parse(text)


def test_a_long_term_care_hospital_has_a_b_in_its_code() -> None:
    assert InstitutionCode.parse("13B1234567").code == "13B1234567"


@pytest.mark.parametrize(
    ("symbol", "number", "branch", "jp_core"),
    [
        ("あいう", "187", "05", "00012345:あいう:187:05"),
        ("", "１８７", "", "00012345::187:"),
        ("１２－３４", "5678", "00", "00012345:１２－３４:5678:00"),
        ("杉　並", "00 12", "01", "00012345:杉並:0012:01"),
    ],
)
def test_the_identity_string_follows_jp_core(symbol: str, number: str, branch: str, jp_core: str) -> None:
    assert InsuredNumber.parse("00012345", symbol, number, branch).jp_core() == jp_core


@pytest.mark.parametrize(
    ("symbol", "number", "branch"),
    [
        ("", "", ""),
        ("x" * 21, "1", ""),
        ("", "1" * 21, ""),
        ("", "1", "1"),
        ("", "1", "AB"),
        ("", "1\x00", ""),
        ("", " ", ""),
    ],
)
def test_malformed_insured_numbers_are_refused(symbol: str, number: str, branch: str) -> None:
    with pytest.raises(MalformedInsuredNumber):
        InsuredNumber.parse("06130512", symbol, number, branch)


@pytest.mark.parametrize(
    ("symbol", "number"), [("", MY_NUMBER), (MY_NUMBER, "1"), ("", "１２３４５６７８９０１８"), ("", "12345678 9018")]
)
def test_a_my_number_is_refused_as_symbol_or_number(symbol: str, number: str) -> None:
    with pytest.raises(MyNumberRefused):
        InsuredNumber.parse("06130512", symbol, number, "")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (MY_NUMBER, True),
        (f"住所 {MY_NUMBER} 番", True),
        ("１２３４５６７８９０１８", True),
        ("1234 5678 9018", True),
        ("番号は1234-5678-9018。", True),
        ("１２３４　５６７８　９０１８", True),
        ("1234−5678−9018", True),
        ("⑫㉞567890⑱", True),
        ("1234 5678-9018", False),
        ("1234-5678-9012", False),
        ("550e8400-1234-5678-9018-446655440000", False),
        ("20260401 0900", False),
        ("123456789012", False),
        (MY_NUMBER + "1", False),
        ("", False),
    ],
)
def test_a_my_number_is_found_by_form_and_check_digit(text: str, found: bool) -> None:
    assert contains_my_number(text) is found


def test_no_character_is_more_than_three_digits_so_that_short_texts_hold_no_my_number() -> None:
    digits = (sum(map(str.isdigit, normalize("NFKC", chr(point)))) for point in range(sys.maxunicode + 1))
    assert max(digits) == 3  # ⅒


@pytest.mark.parametrize("shown", [repr, str])
def test_identifiers_of_persons_mask_themselves(shown: type) -> None:
    insured = shown(InsuredNumber.parse("06130512", "SYMBOL", "98765432", "01"))
    assert "SYMBOL" not in insured
    assert "9876543" not in insured
