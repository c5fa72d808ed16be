"""`make demo ONCE=1`, as a newcomer runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.acceptance.conftest import PATIENT

ROOT = Path(__file__).parents[2]


def test_the_demo_shows_the_main_job_and_leaves_nothing_behind() -> None:
    before = set((ROOT / "build").glob("demo-*"))
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "demo", "--once"],
        cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
        env=os.environ | PATIENT,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Traceback" not in said
    for shown in (
        r"PostgreSQL 1\d.*synchronous_commit=on",
        r"取込完了 / merged",
        r"[\d,]+ 件/秒 rows/s",
        r"PIN: \*\*\*\*",
        r"資格確認",
        r'"outcome": "valid"',
        r"registration +registered",
        r"verification +valid",
    ):
        assert re.search(shown, said), shown
    assert set((ROOT / "build").glob("demo-*")) == before
