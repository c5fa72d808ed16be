"""`python -m terminal_agent run` as a service runs it: its own process, one settings file, ended by a signal."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.enrolment import enrol_terminal
from terminal_agent.card.virtual_content import CardContent
from terminal_agent.card.virtual_files import save_card
from terminal_agent.kiosk.passcode import Passcode
from tests.integration.eligibility.world import INSTITUTION, World

START_S = 180.0


@pytest.fixture
async def settings(world: World, tmp_path: Path) -> Path:
    """One settings file, in TOML."""
    terminal_id, now = uuid4(), datetime.now(UTC)
    await enrol_terminal(world.owner, terminal_id, InstitutionCode(INSTITUTION), "受付", now)
    world.authorities.enrolment.terminal(INSTITUTION, terminal_id, now).write(world.folder, "terminal")
    file = tmp_path / "terminal.toml"
    file.write_text(
        f"centre_url = '{world.url}'\n"
        f"centre_authority = '{world.folder / 'server_authority.crt'}'\n"
        f"certificate = '{world.folder / 'terminal.crt'}'\n"
        f"key = '{world.folder / 'terminal.key'}'\n"
        f"run_folder = '{tmp_path / 'run'}'\n"
        "screens_port = 0\n"
        "connect_timeout_s = 60\n"
        "answer_timeout_s = 60\n"
    )
    return file


@contextmanager
def running(*arguments: str | Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TERMINAL_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "terminal_agent", "run", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=inherited | environment,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    async with asyncio.timeout(START_S):
        return await asyncio.to_thread(process.stdout.readline)


async def test_it_serves_until_a_signal_and_leaves_nothing(
    world: World, settings: Path, content: CardContent, tmp_path: Path
) -> None:
    save_card(tmp_path / "card", content)
    with running("--settings", settings, "--virtual", tmp_path / "card") as process:
        line = await first_line(process)
        assert json.loads(line)["event"] == "listening", line
        address = (tmp_path / "run" / "patient-url").read_text().strip()
        assert (tmp_path / "run" / "patient-url").stat().st_mode & 0o007 == 0
        async with httpx.AsyncClient(follow_redirects=True, timeout=60) as browser:
            async with asyncio.timeout(120):
                page = await browser.get(address)
                while "暗証番号を入力してください" not in page.text:
                    await asyncio.sleep(0.05)
                    page = await browser.get(address)
            staff = await browser.get((tmp_path / "run" / "staff-url").read_text().strip())
            assert "サインイン" in staff.text
        process.send_signal(signal.SIGTERM)
        said, complained = await asyncio.to_thread(process.communicate, timeout=120)
        assert process.returncode == 0, complained
    assert "Traceback" not in said + complained
    assert address.rpartition("/")[2] not in line + said + complained
    assert list((tmp_path / "run").iterdir()) == []


def rewrite(file: Path, without: str, added: str = "") -> None:
    kept = [line for line in file.read_text().splitlines() if not line.startswith(without)]
    file.write_text("\n".join([*kept, added]))


async def test_without_a_run_folder_the_two_addresses_are_told(settings: Path, tmp_path: Path) -> None:
    rewrite(settings, "run_folder")
    with running("--settings", settings, "--virtual", tmp_path) as process:
        told = [await first_line(process) for _ in range(3)]
        assert [line.split()[0] for line in told[1:]] == ["patient", "staff"]


@pytest.mark.parametrize(
    ("written", "code", "named"),
    [
        ("screens_prot = 1\n", 64, "screens_prot"),
        ("screens_port = 70000\n", 64, "TERMINAL_SCREENS_PORT"),
        ("consents_asked = ['everything']\n", 64, "TERMINAL_CONSENTS_ASKED"),
        ("screens_port = \n", 64, "terminal.toml"),
        ("visual_passcode = '/nowhere/passcode'\n", 64, "TERMINAL_VISUAL_PASSCODE"),
    ],
)
async def test_what_is_wrong_in_the_file_is_named(settings: Path, written: str, code: int, named: str) -> None:
    rewrite(settings, "screens_port", written)
    with running("--settings", settings) as process:
        _, complained = await asyncio.to_thread(process.communicate, timeout=START_S)
    assert process.returncode == code
    assert named in complained
    assert "Traceback" not in complained


async def test_a_port_that_is_taken_is_said(settings: Path) -> None:
    with running("--settings", settings) as one:
        port = json.loads(await first_line(one))["port"]
        with running("--settings", settings, TERMINAL_SCREENS_PORT=str(port)) as other:
            _, complained = await asyncio.to_thread(other.communicate, timeout=START_S)
    assert other.returncode == 64
    assert "TERMINAL_SCREENS_PORT" in complained


async def test_a_bridge_that_cannot_run_keeps_no_counter_shut(settings: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no folder")
    rewrite(settings, "bridge", f"bridge_folder = '{tmp_path}/file/share'\nbridge_state = '{tmp_path}/state'\n")
    with running("--settings", settings, "--virtual", tmp_path) as process:
        said = [json.loads(await first_line(process)) for _ in range(2)]
    assert {(line["event"], line.get("code")) for line in said} == {
        ("listening", None), ("bridge_not_running", "bridge_folder_unusable"),
    }  # fmt: skip


def test_a_passcode_is_set_from_standard_input(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "terminal_agent", "passcode", str(tmp_path / "passcode")]
    short = subprocess.run(command, input="12345\n", capture_output=True, text=True, check=False)
    assert (short.returncode, "at least six" in short.stderr) == (64, True)
    subprocess.run(command, input="松竹梅246\n", capture_output=True, text=True, check=True)
    assert Passcode.read(tmp_path / "passcode", lambda: datetime.now(UTC)).is_right("松竹梅246")
