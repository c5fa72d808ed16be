"""Challenges: recognised by nobody but who issued them, for nobody but whom they were issued to, in time."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.identity.challenge import (
    CHALLENGE_LIFETIME,
    CLOCK_DIFFERENCE,
    NONCE_BYTES,
    ChallengeKey,
    ChallengeKeyRefused,
    ChallengeKeys,
)
from eligibility.identity.refusals import ChallengeExpired, ChallengeForged, ChallengeMalformed, ChallengeRefused
from eligibility.wire.verifications import CHALLENGE_BYTES
from tests.vectors.forging import flip
from tests.vectors.generate import NOW, OTHER_TERMINAL, SECRET, TERMINAL

NEWER = bytes(reversed(range(32)))
KEYS = ChallengeKeys(ChallengeKey(SECRET))
CHALLENGE = KEYS.issue(TERMINAL, NOW, 1, lambda size: b"\x5a" * size)[0]


def test_a_challenge_gives_its_nonce_back_to_its_terminal() -> None:
    opened = KEYS.open(CHALLENGE, TERMINAL, NOW + timedelta(seconds=60))

    assert opened.nonce == b"\x5a" * NONCE_BYTES
    assert opened.expires_at == NOW + CHALLENGE_LIFETIME == KEYS.expires_at(NOW)
    assert len(CHALLENGE) <= CHALLENGE_BYTES


@pytest.mark.parametrize("bit", range(8, 8 * len(CHALLENGE), 5))
def test_no_bit_can_be_changed(bit: int) -> None:
    with pytest.raises(ChallengeForged):
        KEYS.open(flip(CHALLENGE, bit), TERMINAL, NOW)


def test_another_terminal_cannot_use_it() -> None:
    with pytest.raises(ChallengeForged):
        KEYS.open(CHALLENGE, OTHER_TERMINAL, NOW)


@pytest.mark.parametrize("length", [0, 1, 28, 29, 60, 62, 96, 10_000])
def test_what_has_another_length_is_no_challenge(length: int) -> None:
    with pytest.raises(ChallengeMalformed):
        KEYS.open((CHALLENGE * 200)[:length], TERMINAL, NOW)


def test_what_has_another_version_is_no_challenge() -> None:
    with pytest.raises(ChallengeMalformed):
        KEYS.open(b"\x02" + CHALLENGE[1:], TERMINAL, NOW)


@pytest.mark.parametrize(
    "later",
    [
        CHALLENGE_LIFETIME + timedelta(microseconds=1),
        timedelta(days=400),
        -CLOCK_DIFFERENCE - timedelta(microseconds=1),  # opened by a process whose clock stepped back
        -timedelta(minutes=10),
    ],
)
def test_it_is_good_only_in_its_time(later: timedelta) -> None:
    with pytest.raises(ChallengeExpired):
        KEYS.open(CHALLENGE, TERMINAL, NOW + later)


@pytest.mark.parametrize("later", [timedelta(0), CHALLENGE_LIFETIME, -CLOCK_DIFFERENCE])
def test_it_is_good_to_the_last_moment_of_its_time(later: timedelta) -> None:
    assert KEYS.open(CHALLENGE, TERMINAL, NOW + later)


def test_a_rotated_key_still_recognises_but_no_longer_issues() -> None:
    rotated = ChallengeKeys(ChallengeKey(NEWER), ChallengeKey(SECRET))

    assert rotated.open(CHALLENGE, TERMINAL, NOW).nonce == b"\x5a" * NONCE_BYTES
    with pytest.raises(ChallengeForged):
        KEYS.open(rotated.issue(TERMINAL, NOW, 1, bytes)[0], TERMINAL, NOW)
    with pytest.raises(ChallengeForged):
        ChallengeKeys(ChallengeKey(NEWER)).open(CHALLENGE, TERMINAL, NOW)


def test_keys_are_read_from_a_file_newest_first(tmp_path: Path) -> None:
    file = tmp_path / "challenge.key"
    file.write_bytes(NEWER + SECRET)
    keys = ChallengeKeys.from_file(file)

    assert keys.open(CHALLENGE, TERMINAL, NOW)
    issued = keys.issue(TERMINAL, NOW, 1, bytes)[0]
    assert ChallengeKeys(ChallengeKey(NEWER)).open(issued, TERMINAL, NOW)


@pytest.mark.parametrize("content", [b"", SECRET[:31], SECRET + b"\n", SECRET * 2, bytes(range(160))], ids=len)
def test_a_file_with_anything_but_different_secrets_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "challenge.key"
    file.write_bytes(content)
    with pytest.raises(ChallengeKeyRefused):
        ChallengeKeys.from_file(file)


def test_a_key_does_not_show_its_secret() -> None:
    assert SECRET.hex() not in repr(ChallengeKey(SECRET))
    assert repr(SECRET) not in repr(ChallengeKey(SECRET))


@given(st.binary(max_size=128) | st.binary(min_size=60, max_size=60).map(lambda rest: b"\x01" + rest))
def test_no_bytes_do_anything_but_refuse(challenge: bytes) -> None:
    with pytest.raises(ChallengeRefused):
        KEYS.open(challenge, TERMINAL, NOW)
