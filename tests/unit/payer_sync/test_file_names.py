"""Names of files as they are told."""

import os

import pytest

from payer_sync.file_names import legible


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("資格　゙①.csv", "資格　゙①.csv"),
        (os.fsdecode("資格.csv".encode("cp932")), "資格.csv"),
        ("\x1b]0;owned\x07y.csv", "\\x1b]0;owned\\x07y.csv"),
        (os.fsdecode("資\x1b[2J\x85.csv".encode("cp932", errors="ignore")), "資\\x1b[2J.csv"),
        ("a\nb\x9b2J", "a\\nb\\x9b2J"),
        ("a\u202evsc.exe", "a\\u202evsc.exe"),
    ],
)
def test_a_name_is_told_without_what_steers_a_terminal(name: str, told: str) -> None:
    assert legible(name) == told
