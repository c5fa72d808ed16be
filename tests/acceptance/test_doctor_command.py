"""`python -m terminal_agent doctor` as an administrator runs it: its own process, the real centre, the real pcscd."""

import asyncio
import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import cv2
import pytest

from terminal_agent.card.pcscd import OwnPcscd
from tests.unit.terminal_agent.face import networks
from tests.unit.terminal_agent.face.networks import scene

pytestmark = [pytest.mark.database, pytest.mark.pcsc]


async def doctor(settings: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, str]]:
    """Return the exit code, and each part's level."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TERMINAL_")}
    command = [sys.executable, "-m", "terminal_agent", "doctor", "--json", "--settings", str(settings), *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=300, check=False, env=inherited | environment
    )
    findings = json.loads(done.stdout)["findings"]
    return done.returncode, {finding["part"]: finding["level"] for finding in findings}


def face_settings(folder: Path) -> str:
    lines = ["TERMINAL_FACE_ENABLED=true", "TERMINAL_FACE_THRESHOLD=0.9", f"TERMINAL_FACE_CAMERA=folder:{folder}"]
    cv2.imwrite(str(folder / "1.png"), scene((6, 9)))
    for name, content in (("DETECTOR", networks.detector()), ("RECOGNIZER", networks.embedder())):
        (folder / f"{name}.onnx").write_bytes(content)
        lines.append(f"TERMINAL_FACE_{name}_PATH={folder}/{name}.onnx")
        lines.append(f"TERMINAL_FACE_{name}_SHA256={sha256(content).hexdigest()}")
    return "\n".join(lines) + "\n"


def add(settings: Path, lines: str) -> None:
    settings.write_text(settings.read_text() + lines)


async def test_an_enrolled_terminal_with_everything_connected_is_well(
    settings: Path, pcscd: OwnPcscd, tmp_path: Path
) -> None:
    code, levels = await doctor(settings, **pcscd.environment)
    assert code == 0
    assert {levels.pop(part) for part in ("face", "camera", "bridge", "outbox")} == {"unused"}
    assert set(levels.values()) <= {"fine", "warning"}  # the test's certificates may be short-lived
    add(settings, face_settings(tmp_path))
    for _ in range(5):
        code, levels = await doctor(settings, **pcscd.environment)
        if levels["clock"] == "fine":  # one slow answer makes it look wrong, and no more than one
            break
    assert (code, levels["face"], levels["camera"], levels["clock"]) == (0, "fine", "fine", "fine")


async def test_a_terminal_whose_parts_are_missing_is_told_each_of_them(settings: Path, tmp_path: Path) -> None:
    wrong = face_settings(tmp_path).replace("SHA256=", "SHA256=" + "0" * 64 + "\n#")
    add(settings, wrong + "TERMINAL_CENTRE_URL=https://127.0.0.1:9\n")
    code, levels = await doctor(settings, PCSCLITE_CSOCK_NAME=str(tmp_path / "pcscd.comm"))
    assert code == 1
    assert (levels["service"], levels["reader"], levels["centre"]) == ("broken", "unused", "broken")
    assert (levels["face"], levels["camera"], levels["clock"]) == ("warning", "unused", "unused")
