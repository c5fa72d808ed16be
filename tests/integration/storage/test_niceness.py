"""PostgreSQL's processes give way as the process does that they work for."""

import asyncio
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eligibility.storage import niceness
from eligibility.storage.database import open_pool
from eligibility.storage.niceness import give_way_together
from loadtest.embedded import Stores

_ROLE = "eligibility_worker"
_RELEASE = re.match(r"(\d+)\.(\d+)", platform.release())
_SLICES = (
    _RELEASE is not None
    and (int(_RELEASE[1]), int(_RELEASE[2])) >= (6, 12)
    and platform.machine() in ("x86_64", "aarch64")
    and Path("/proc/self/sched").exists()
)
# A process that opens a pool, as a service would, and tells how each of its sessions' server processes is treated.
_OPENS_A_POOL = f"""
import asyncio, json, os
from pathlib import Path
from eligibility.storage.database import open_pool

def told(process):
    shared = Path(f"/proc/{{process}}/autogroup")
    scheduled = Path(f"/proc/{{process}}/sched")
    lines = scheduled.read_text().splitlines() if scheduled.exists() else []
    return [
        os.getpriority(os.PRIO_PROCESS, process),
        shared.read_text().split()[-1] if shared.exists() else None,
        next((int(line.split()[-1]) for line in lines if line.startswith("se.slice")), None),
    ]

async def main():
    pool = await open_pool(os.environ["ADDRESS"], role="{_ROLE}", size=3)
    taken = [await pool.acquire() for _ in range(3)]
    print(json.dumps([told(c.get_server_pid()) for c in taken] + [told(os.getpid())]))

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def on_this_machine(running_stores: Stores) -> None:
    if not running_stores.embedded:
        pytest.skip("PostgreSQL's processes are another machine's or another user's")


def _niceness_beside(address: str, more: int) -> list[list[object]]:
    run = subprocess.run(
        ["nice", "-n", str(more), sys.executable, "-c", _OPENS_A_POOL],
        env=os.environ | {"ADDRESS": address}, start_new_session=True, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told: list[list[object]] = json.loads(run.stdout)
    return told


def test_the_sessions_of_a_process_with_nice_give_way_too(database: str) -> None:
    expected = min(os.getpriority(os.PRIO_PROCESS, 0) + 7, 19)
    told = _niceness_beside(database, 7)
    shared = str(expected) if Path("/proc/self/autogroup").exists() else None
    assert [each[:2] for each in told] == [[expected, shared]] * 4


@pytest.mark.skipif(not _SLICES, reason="Linux before 6.12, another kind of machine, or no look at it")
def test_they_ask_for_long_slices_of_time_and_those_of_others_do_not(database: str) -> None:
    assert [slice_ns for *_, slice_ns in _niceness_beside(database, 7)] == [100_000_000] * 4
    if os.getpriority(os.PRIO_PROCESS, 0) <= 0:  # these tests themselves may be run by `nice`
        assert 100_000_000 not in [slice_ns for *_, slice_ns in _niceness_beside(database, 0)]


def test_the_sessions_of_others_do_not(database: str) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert [told for told, *_ in _niceness_beside(database, 0)] == [own] * 4


async def test_a_process_that_is_no_session_of_the_role_is_left_alone(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "setpriority", lambda *told: asked.append(told[1]))
    monkeypatch.setattr(niceness, "_ask_for_long_slices", asked.append)
    monkeypatch.setattr(niceness, "_session_gives_way", lambda *_: True)
    pool = await open_pool(database, role=_ROLE, size=1)
    asked.clear()  # where these tests are run by `nice`
    async with pool.acquire() as connection:
        session = connection.get_server_pid()
        monkeypatch.setattr(os, "getpriority", lambda _, process: 0 if process else 7)
        await give_way_together(session, "eligibility_payer")
        bystander = await asyncio.create_subprocess_exec("sleep", "60")
        await give_way_together(bystander.pid, _ROLE)
        bystander.kill()
        await bystander.wait()
        await give_way_together(bystander.pid, _ROLE)  # it is gone
        assert set(asked) == {os.getpid()}
        await give_way_together(session, _ROLE)
        assert set(asked) == {os.getpid(), session}
    await pool.close()
