"""A clinic's machine on which OpenCV does not load still runs the rest of the terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_WITHOUT = (
    "import sys; sys.modules['cv2'] = None; from terminal_agent.__main__ import main; sys.exit(main({arguments}))"
)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TERMINAL_")}
    command = [sys.executable, "-c", _WITHOUT.format(arguments=list(arguments))]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, env=inherited | environment,
        cwd=Path(__file__).parents[4],
    )  # fmt: skip


@pytest.mark.parametrize("command", ["check", "run", "doctor", "face"])
def test_every_command_is_there(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0, done.stderr


def test_face_mode_says_what_is_missing(tmp_path: Path) -> None:
    settings = {"ENABLED": "true", "THRESHOLD": "0.5"}
    for name in ("DETECTOR", "RECOGNIZER"):
        settings |= {f"{name}_PATH": str(tmp_path / name), f"{name}_SHA256": "0" * 64}
    done = run("face", "state", **{f"TERMINAL_FACE_{name}": value for name, value in settings.items()})
    assert done.returncode == 1
    assert "libgl1" in done.stdout
