"""The embedded PostgreSQL ends with its last user, whatever became of earlier ones."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

_USER = """
import sys
from pathlib import Path
from loadtest.embedded import stores
with stores(Path(sys.argv[1])):
    print((Path(sys.argv[1]) / "postgresql" / "postmaster.pid").read_text().split()[0], flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Outside pytest's own, which PostgreSQL's user may not enter.
    made = Path(tempfile.mkdtemp(prefix="eligibility-stores-"))
    yield made
    for process in psutil.process_iter(["cmdline"]):
        if str(made) in " ".join(process.info["cmdline"] or []):
            process.kill()
    shutil.rmtree(made, ignore_errors=True)


def _use(folder: Path) -> tuple["subprocess.Popen[str]", psutil.Process]:
    user = subprocess.Popen(
        [sys.executable, "-c", _USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout is not None
    return user, psutil.Process(int(user.stdout.readline()))


def test_a_server_whose_user_was_killed_ends_with_the_next(folder: Path) -> None:
    killed, server = _use(folder)
    killed.kill()
    killed.communicate()
    assert server.is_running(), "nobody is there to end it"
    user, same = _use(folder)
    assert same == server
    user.communicate("that was all\n")
    assert user.returncode == 0
    server.wait(timeout=60)
