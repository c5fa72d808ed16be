"""What was answered stays: group commit under kill -9 of the API."""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.settings import ApiSettings
from eligibility.storage.enrolment import enrol_institution, enrol_insurer
from loadtest.embedded import Stores
from tests.integration.eligibility.world import (
    INSTITUTION,
    INSURER,
    Authorities,
    Clock,
    Counter,
    World,
    api_settings,
)

KILLS = 20
COUNTERS = 16
ANSWERS_BEFORE_KILL = 40


async def test_no_acknowledged_record_is_lost_over_twenty_kills(
    tmp_path: Path, authorities: Authorities, database: str, owner: Any, running_stores: Stores
) -> None:
    settings = api_settings(tmp_path, authorities, database, None)
    await enrol_institution(owner, InstitutionCode(INSTITUTION), "試験医院", datetime.now(UTC))
    await enrol_insurer(owner, InsurerNumber(INSURER), "保険者", datetime.now(UTC))
    world = World(None, tmp_path, owner, authorities, Clock())  # type: ignore[arg-type]
    world.write_crl()
    card = world.card()
    person = await world.person()
    await world.register(card, person)
    await world.coverage(person)

    acknowledged: set[UUID] = set()
    for _ in range(KILLS):
        process, world.url = await _start(settings)
        logs = asyncio.create_task(_read_on(process))
        counter = await world.terminal()
        enough = asyncio.Event()
        asking = [asyncio.create_task(_ask(counter, card, acknowledged, enough)) for _ in range(COUNTERS)]
        await enough.wait()
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        await asyncio.gather(logs, *asking)
        await counter.http.aclose()

    async with owner.transaction(isolation="repeatable_read"):  # what was killed last may still be at its commit
        stored = {r["verification_id"] for r in await owner.fetch("select verification_id from verification")}
        audited = {
            r["verification_id"]
            for r in await owner.fetch("select verification_id from audit_event where kind = 'verification'")
        }
        used = await owner.fetchval("select count(*) from used_challenge")
    assert len(acknowledged) >= KILLS * ANSWERS_BEFORE_KILL
    assert acknowledged - stored == set()
    assert stored == audited
    assert used == len(stored)


async def _start(settings: ApiSettings) -> tuple[asyncio.subprocess.Process, str]:
    environment = {
        f"ELIGIBILITY_{name.upper()}": str(getattr(value, "get_secret_value", lambda v=value: v)())
        for name, value in settings
        if value is not None
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "eligibility", "api", env=os.environ | environment, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    assert process.stdout is not None
    async for line in process.stdout:
        said = json.loads(line)
        if said["event"] == "listening":
            return process, f"https://127.0.0.1:{said['port']}"
    raise AssertionError("the API did not start")


async def _read_on(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    while await process.stdout.read(65536):
        pass


async def _ask(counter: Counter, card: Any, acknowledged: set[UUID], enough: asyncio.Event) -> None:
    before = len(acknowledged)
    while True:
        try:
            answer = await counter.verify(card)
        except httpx.TransportError:
            return
        except AssertionError:  # no challenge: it is busy
            continue
        if answer.status_code == 200:
            acknowledged.add(UUID(answer.json()["verification_id"]))
        if len(acknowledged) - before >= ANSWERS_BEFORE_KILL:
            enough.set()
