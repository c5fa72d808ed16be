"""A site is one process's at a time."""

import os
from pathlib import Path

import pytest

from loadtest.site import SiteTaken, _held


def test_a_site_that_is_in_use_is_not_opened_and_the_process_is_named(tmp_path: Path) -> None:
    with (
        _held(tmp_path / "taken"),
        pytest.raises(SiteTaken, match=f"process {os.getpid()}$"),
        _held(tmp_path / "taken"),
    ):
        raise AssertionError("it was opened twice")
    with _held(tmp_path / "taken"):
        pass  # free again
