"""Both factors of staff: judged together, sealed, and of one form."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import argon2
import pyotp
import pytest

from eligibility.identity import staff_factors
from eligibility.identity.staff_factors import (
    PasswordTooShort,
    SecretUnreadable,
    StaffFactors,
    StaffKeyRefused,
    new_passcode_secret,
    provisioning_uri,
    sign_in_key,
)

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
NOW = datetime(2026, 11, 21, 0, 0, 10, tzinfo=UTC)
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def factors() -> StaffFactors:
    return StaffFactors(KEY)


@pytest.fixture(scope="module")
def known(factors: StaffFactors) -> tuple[str, str]:
    return factors.hash_password(PASSWORD), new_passcode_secret()


def _passcode(secret: str, seconds: int = 0) -> str:
    return pyotp.TOTP(secret).at(NOW + timedelta(seconds=seconds))


def test_a_password_costs_who_guesses_it_what_rfc_9106_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staff_factors, "PasswordHasher", argon2.PasswordHasher)  # and not that of the other tests
    stored = StaffFactors(KEY).hash_password(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_both_factors_hold_and_the_step_is_told(factors: StaffFactors, known: tuple[str, str]) -> None:
    assert factors.judge(PASSWORD, _passcode(known[1]), known, NOW) == int(NOW.timestamp()) // 30


@pytest.mark.parametrize("seconds", [-30, 30])
def test_an_authenticator_may_be_one_step_off(factors: StaffFactors, known: tuple[str, str], seconds: int) -> None:
    step = factors.judge(PASSWORD, _passcode(known[1], seconds), known, NOW)
    assert step == int(NOW.timestamp()) // 30 + seconds // 30


@pytest.mark.parametrize("seconds", [-90, -60, 60, 90, 3600])
def test_but_not_two(factors: StaffFactors, known: tuple[str, str], seconds: int) -> None:
    assert factors.judge(PASSWORD, _passcode(known[1], seconds), known, NOW) is None


@pytest.mark.parametrize("password", ["", "correct horse batter", "Correct horse battery", "correct horse battery "])
def test_another_password_is_refused(factors: StaffFactors, known: tuple[str, str], password: str) -> None:
    assert factors.judge(password, _passcode(known[1]), known, NOW) is None


def test_the_same_password_in_another_width_is_the_same(factors: StaffFactors, known: tuple[str, str]) -> None:
    wide = "ｃｏｒｒｅｃｔ　ｈｏｒｓｅ　ｂａｔｔｅｒｙ"
    assert factors.judge(wide, _passcode(known[1]), known, NOW) is not None


@pytest.mark.parametrize("passcode", ["", "00000", "0000000", "abcdef", "１２３４５６"])
def test_what_is_no_passcode_is_refused(factors: StaffFactors, known: tuple[str, str], passcode: str) -> None:
    if not passcode.isascii():
        passcode = passcode.encode("ascii", "replace").decode()
    assert factors.judge(PASSWORD, passcode, known, NOW) is None


def test_nobody_is_judged_like_somebody_and_refused(factors: StaffFactors, known: tuple[str, str]) -> None:
    assert factors.judge(PASSWORD, _passcode(known[1]), None, NOW) is None


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=65536"])
def test_a_damaged_hash_lets_nobody_in(factors: StaffFactors, known: tuple[str, str], stored: str) -> None:
    assert factors.judge(PASSWORD, _passcode(known[1]), (stored, known[1]), NOW) is None


@pytest.mark.parametrize("password", ["", "x", "elevenchars"])
def test_a_short_password_is_not_taken(factors: StaffFactors, password: str) -> None:
    with pytest.raises(PasswordTooShort):
        factors.hash_password(password)


def test_a_sealed_secret_opens_for_its_own_member_alone(factors: StaffFactors) -> None:
    mine, secret = uuid4(), new_passcode_secret()
    sealed = factors.seal(secret, mine)
    assert secret.encode() not in sealed
    assert factors.open(sealed, mine) == secret
    for wrong, who in ((sealed, uuid4()), (sealed[:-1], mine), (sealed[:-1] + bytes([sealed[-1] ^ 1]), mine)):
        with pytest.raises(SecretUnreadable):
            factors.open(wrong, who)
    with pytest.raises(SecretUnreadable):
        StaffFactors(OTHER_KEY).open(sealed, mine)


def test_a_new_key_in_front_still_opens_what_the_old_one_sealed(factors: StaffFactors) -> None:
    sealed = factors.seal("SECRET", UUID(int=1))
    assert StaffFactors(OTHER_KEY, KEY).open(sealed, UUID(int=1)) == "SECRET"


@pytest.mark.parametrize("content", [b"", KEY[:-1], KEY + b"x", KEY + KEY, KEY * 5])
def test_a_key_file_of_another_form_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "staff.key").write_bytes(content)
    with pytest.raises(StaffKeyRefused):
        StaffFactors.from_file(tmp_path / "staff.key")


def test_the_uri_is_what_an_authenticator_reads() -> None:
    secret = new_passcode_secret()
    read = pyotp.parse_uri(provisioning_uri(secret, "医師 一郎", "1312345679"))
    assert isinstance(read, pyotp.TOTP)
    assert (read.secret, read.name, read.interval, read.digits) == (secret, "医師 一郎@1312345679", 30, 6)


@pytest.mark.parametrize("spelling", ["Ito Hana", "ito hana", "ＩＴＯ　ＨＡＮＡ", " itohana "])
def test_spellings_of_a_sign_in_name_are_one(spelling: str) -> None:
    assert sign_in_key(spelling) == "itohana"
