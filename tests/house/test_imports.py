"""Imports run one way: import-linter's contracts in pyproject.toml hold; and a check loads what it needs."""

import subprocess
import sys
from pathlib import Path


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_check_at_the_counter_loads_nothing_that_only_other_commands_need() -> None:
    heavy = {"asyncpg", "cv2", "fastapi", "matplotlib", "numpy", "polars", "uvicorn"}
    found = f"import sys, terminal_agent.__main__; print(*sorted({heavy!r} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", found], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (run.stdout.strip(), run.returncode) == ("", 0), run.stdout + run.stderr
