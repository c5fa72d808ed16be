"""Bytes travel as base64url in exactly one spelling, and what comes in holds no NUL."""

import base64
import json
import os
from typing import Any

import pytest
from pydantic import ValidationError

from eligibility.wire.encoding import MAX_STRAY_FIELDS, Incoming, Wire, b64url, b64url_decode


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 95, 96, 97, 1700])
def test_what_was_encoded_is_decoded(length: int) -> None:
    data = os.urandom(length)
    assert b64url_decode(b64url(data)) == data
    assert b64url(data) == base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


@pytest.mark.parametrize(
    "text",
    [
        "A", "AAAAA",  # one character is no byte
        "AB", "AAAAAB", "AAB", "A-", "A_", "AA_",  # bits left over
        "AA==", "AA=", "=", "====", "=AAA", "AA=A",  # padding
        "+AAA", "AAA/", "AA+A", "*AAA",  # another alphabet
        "AAAA\n", " AAAA", "AA AA", "\x00AAA",
        "AAAé", "AAAあ", "\ud800AAA",
    ],
)  # fmt: skip
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not base64url without padding$"):
        b64url_decode(text)


class _Asked(Incoming):
    words: str


class _Told(Wire):
    words: str


@pytest.mark.parametrize("words", ["\x00", "a\x00", "\x00山"])
def test_only_what_comes_in_is_searched_for_nul(words: str) -> None:
    with pytest.raises(ValidationError, match="text without NUL"):
        _Asked(words=words)
    assert _Told(words=words).words == words


def test_what_a_newer_server_adds_to_an_answer_is_passed_over() -> None:
    assert _Told.model_validate_json('{"words": "a", "more": 1}') == _Told(words="a")


def test_a_server_takes_nothing_that_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        _Asked.model_validate_json('{"words": "a", "more": 1}')


def _faults_of_strays(count: int) -> list[Any]:
    message = {"words": "a"} | {str(stray): 0 for stray in range(count)}
    faults = []
    for read, said in ((_Asked.model_validate, message), (_Asked.model_validate_json, json.dumps(message))):
        with pytest.raises(ValidationError) as refused:
            read(said)
        faults.append([fault["loc"] for fault in refused.value.errors()])
    assert faults[0] == faults[1]
    return faults[0]


def test_what_a_server_does_not_know_is_named_unless_it_is_very_much() -> None:
    assert _faults_of_strays(MAX_STRAY_FIELDS) == [(str(stray),) for stray in range(MAX_STRAY_FIELDS)]
    assert _faults_of_strays(MAX_STRAY_FIELDS + 1) == [()]
