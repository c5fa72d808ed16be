"""Locust plays ten seconds of a Monday morning against a real centre, without its page."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ = ("sign_in", "medication_reading", "checkup_reading")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="eligibility-locust-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_every_kind_of_user_is_played_and_nobody_is_refused(folder: Path) -> None:
    options = ["--persons", "300", "--cards", "20", "--users", "12", "--pause", "0.3", "--headless", "10"]
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "explore", *options, "--site", str(folder / "site")],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for operation in ("challenges", "verification", "number_verification", *READ, "push"):
        counted = re.search(rf"^\w+ +{operation} +(\d+) +(\d+)\(", said, re.MULTILINE)
        assert counted, said
        assert int(counted[1]) > 0
        assert int(counted[2]) == 0
