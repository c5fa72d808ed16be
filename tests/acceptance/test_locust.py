"""Locust plays ten seconds of a Monday morning against a real centre, without its page."""

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ = ("sign_in", "medication_reading", "checkup_reading")
OPERATIONS = ("challenges", "verification", "number_verification", *READ, "push")
SMALL = ("--persons", "300", "--cards", "20")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="eligibility-locust-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture(scope="module")
def explored(folder: Path) -> str:
    options = [*SMALL, "--users", "12", "--pause", "0.3", "--site", str(folder / "site")]
    command = [sys.executable, "-m", "loadtest", "explore", *options, "--headless"]
    return _played(lambda seconds: _said([*command, seconds]))


def _played(play: Callable[[str], str]) -> str:
    """Play for ten seconds; for two minutes where the machine is so slow that some kind of user did not get to it."""
    said = play("10")
    return said if _counted(said).keys() == set(OPERATIONS) else play("120")


def _counted(said: str) -> dict[str, tuple[int, int]]:
    """How often each operation was asked for, and how often it failed."""
    lines = re.findall(r"^\w+ +(\w+) +(\d+) +(\d+)\(", said, re.MULTILINE)
    return {operation: (int(asked), int(failed)) for operation, asked, failed in lines if operation in OPERATIONS}


def _said(command: list[str], exit_code: int = 0) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == exit_code, said
    return said


def _assert_all_played(said: str) -> None:
    counted = _counted(said)
    assert counted.keys() == set(OPERATIONS), said
    assert all(asked > 0 and failed == 0 for asked, failed in counted.values()), said


def test_every_kind_of_user_is_played_and_nobody_is_refused(explored: str) -> None:
    _assert_all_played(explored)


def test_revocation_lists_are_no_older_than_what_filling_took(explored: str, folder: Path) -> None:
    published = [file.stat().st_mtime_ns for file in (folder / "site" / "crl").glob("*.crl")]
    assert published
    assert min(published) > (folder / "site" / "deck-20.json").stat().st_mtime_ns


def test_the_command_that_was_printed_works_on_its_own(explored: str, folder: Path) -> None:
    printed = next(line for line in explored.splitlines() if " -m locust -f " in line)
    before, run_time, rest = re.split(r"(?<= --run-time )(\d+)(?=s )", printed)
    assert run_time in ("10", "120")
    _assert_all_played(_played(lambda seconds: _said(shlex.split(before + seconds + rest))))
    assert not (folder / "site" / "served.json").exists(), "what it served has ended with it"


def test_locust_without_a_site_ends_at_once_and_says_why(folder: Path) -> None:
    options = [*SMALL, "--site", str(folder / "a space"), "--headless", "--run-time", "60s"]
    said = _said([sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", *options], exit_code=1)
    assert "PostgreSQL cannot keep its data below a path with a space" in said
    assert "python -m loadtest explore --serve" in said
