"""A Monday morning has its shape, and locust's monkey patching stays in locust's own process."""

import subprocess
import sys

import pytest


def test_the_command_line_never_imports_locust() -> None:
    # It patches sockets and threads of the whole process, which the driver's figures would not survive.
    code = "import sys, loadtest.__main__ as m; m.main(['--help'])"
    found = subprocess.run(
        [sys.executable, "-c", f"import atexit, sys; atexit.register(lambda: print('gevent' in sys.modules)); {code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.rstrip().endswith("False")


@pytest.mark.parametrize("second", [-1.0, 0.0, 100.0, 599.0, 600.0, 10_000.0])
def test_there_is_always_somebody_and_never_more_than_asked(second: float) -> None:
    code = f"from loadtest.users import monday; print(monday({second}, 40, 600.0))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 1 <= int(found.stdout) <= 40
