"""A newcomer's terminal: the operator issues a code, the terminal enrols itself, checks, and renews."""

import asyncio
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.embedded import Stores
from tests.acceptance.conftest import PATIENT
from tests.integration.eligibility.world import INSTITUTION, Authorities, World, running_world


@pytest.fixture
async def world(
    tmp_path: Path, authorities: Authorities, database: str, owner: Any, running_stores: Stores
) -> AsyncIterator[World]:
    files = {
        "terminal_authority_certificate": tmp_path / "terminal_authority.crt",
        "terminal_authority_key": tmp_path / "terminal_authority.key",
    }
    async with running_world(tmp_path, authorities, database, owner, running_stores.redis_url, **files) as running:
        yield running


async def _run(module: str, *arguments: str | Path, fed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(("TERMINAL_", "ELIGIBILITY_"))}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", module, *map(str, arguments)],
        input=fed, capture_output=True, text=True, timeout=300, check=False, env=inherited | PATIENT | more,
    )  # fmt: skip


async def test_a_terminal_enrols_checks_and_renews(world: World, database: str, tmp_path: Path) -> None:
    await world.coverage(await world.person())
    issued = await _run("eligibility", "enrolment-code", INSTITUTION, "受付1", ELIGIBILITY_DATABASE_URL=database)
    code = issued.stdout.splitlines()[0]
    assert re.fullmatch(r"([0-9A-Z]{5}-){3}[0-9A-Z]{5}", code)

    folder = tmp_path / "terminal"
    options = ["--centre", world.url, "--authority", world.folder / "server_authority.crt", "--folder", folder]
    wrong = await _run("terminal_agent", "enrol", *options, "--code", "wrong")
    assert wrong.returncode == 2
    assert not (folder / "terminal.pem").exists()
    enrolled = await _run("terminal_agent", "enrol", *options, fed=f"{code}\n")
    assert enrolled.returncode == 0, enrolled.stderr
    assert "試験医院" in enrolled.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["terminal.pem", "terminal.toml"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert tomllib.loads((folder / "terminal.toml").read_text("utf-8"))["centre_url"] == world.url

    # What a kill leaves that comes between the certificate and the settings: run again as it was.
    (folder / "terminal.pem.new").write_bytes((folder / "terminal.pem").read_bytes())
    (folder / "terminal.toml").unlink()
    cut = await _run("terminal_agent", "enrol", *options, "--code", code)
    assert cut.returncode == 0, cut.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["terminal.pem", "terminal.toml"]

    settings = ["--settings", folder / "terminal.toml"]
    number = ["--number", "06130512", "12", "345", "01", "--birth-date", "1980-01-01"]
    assert (await _run("terminal_agent", "check", *number, *settings)).returncode == 0

    again = await _run("terminal_agent", "enrol", *options, "--code", code)
    assert (again.returncode, "Traceback" in again.stderr) == (64, False)

    before = (folder / "terminal.pem").read_bytes()
    assert (await _run("terminal_agent", "renew", *settings)).returncode == 0
    assert (folder / "terminal.pem").read_bytes() == before  # it does not end soon
    assert (await _run("terminal_agent", "renew", *settings, "--now")).returncode == 0
    assert (folder / "terminal.pem").read_bytes() != before
    assert (await _run("terminal_agent", "check", *number, *settings)).returncode == 0


@pytest.mark.parametrize("institution", ["9999999999", "131234567", "x"])
async def test_no_code_is_issued_for_an_institution_that_is_not_enrolled(
    world: World, database: str, institution: str
) -> None:
    said = await _run("eligibility", "enrolment-code", institution, "受付", ELIGIBILITY_DATABASE_URL=database)
    assert (said.returncode, said.stdout, "Traceback" in said.stderr) == (1, "", False)


@pytest.mark.parametrize("wrong", [("--authority", "missing.pem"), ("--centre", "http://localhost:1")])
async def test_a_wrong_option_is_told_and_leaves_no_key(world: World, tmp_path: Path, wrong: tuple[str, str]) -> None:
    options = {"--centre": world.url, "--authority": str(world.folder / "server_authority.crt")} | dict([wrong])
    arguments = [part for pair in options.items() for part in pair]
    said = await _run("terminal_agent", "enrol", *arguments, "--folder", tmp_path / "t", "--code", "x")
    assert (said.returncode, "Traceback" in said.stderr) == (64, False)
    assert not list((tmp_path / "t").glob("*"))
