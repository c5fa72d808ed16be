"""The outbox as a terminal runs it: the visits of a day without a line, drained by a process that is killed often."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from eligibility.bulk_checks import work_on_bulk
from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.database import open_pool
from eligibility.storage.enrolment import enrol_terminal
from loadtest.embedded import Stores
from terminal_agent.outbox.journal import InsuredPerson, Journal, State
from terminal_agent.outbox.sealing import Seal
from tests.acceptance.conftest import PATIENT
from tests.integration.eligibility.world import INSTITUTION, INSURER, Authorities, World, running_world

VISITS = 2000
UNKNOWN = 20
BORN = date(1980, 1, 1)


@pytest.fixture
async def world(
    tmp_path: Path, authorities: Authorities, database: str, owner: Any, running_stores: Stores
) -> AsyncIterator[World]:
    budgets = {"number_checks_a_minute": 10**6, "misses_a_minute": 10**6}
    async with running_world(tmp_path, authorities, database, owner, running_stores.redis_url, **budgets) as running:
        yield running


@pytest.fixture
async def environment(world: World, tmp_path: Path) -> dict[str, str]:
    terminal_id, now = uuid4(), datetime.now(UTC)
    await enrol_terminal(world.owner, terminal_id, InstitutionCode(INSTITUTION), "受付", now)
    world.authorities.enrolment.terminal(INSTITUTION, terminal_id, now).write(world.folder, "terminal")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TERMINAL_")}
    return inherited | {
        "TERMINAL_CENTRE_URL": world.url,
        "TERMINAL_CENTRE_AUTHORITY": str(world.folder / "server_authority.crt"),
        "TERMINAL_CERTIFICATE": str(world.folder / "terminal.crt"),
        "TERMINAL_KEY": str(world.folder / "terminal.key"),
        **PATIENT,
        "TERMINAL_OUTBOX_FILE": str(tmp_path / "outbox.db"),
        "TERMINAL_OUTBOX_KEY_FILE": str(tmp_path / "outbox.key"),
        "TERMINAL_OUTBOX_CHECKS_A_SECOND": "200",
    }


def _command(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "terminal_agent", *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


async def test_a_days_visits_are_settled_once_each_however_often_the_drain_is_killed(
    world: World, environment: dict[str, str], tmp_path: Path
) -> None:
    await world.coverage(await world.person(), branch_number="01")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    known = InsuredPerson(INSURER, "12", "345", "01", BORN)
    visits = [
        (InsuredPerson(INSURER, "12", "nobody", "", BORN) if n % (VISITS // UNKNOWN) == 0 else known, yesterday)
        for n in range(VISITS)
    ]
    journal = Journal(tmp_path / "outbox.db", Seal.from_file(tmp_path / "outbox.key"))
    ids = await asyncio.to_thread(journal.add_all, visits, datetime.now(UTC) - timedelta(days=1))
    counter = await world.terminal()

    kills = 0
    while (open_before := _open(journal)) > 0:
        drain = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "terminal_agent", "outbox", "drain",
            env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        ended = asyncio.create_task(drain.communicate())
        while not ended.done() and _open(journal) > max(open_before - VISITS // 6, 0):
            # The counter is never shut out while the queue comes back.
            assert (await counter.number()).json()["outcome"] == "valid"
        if not ended.done():
            os.kill(drain.pid, signal.SIGKILL)
            kills += 1
        _, trouble = await ended
        assert drain.returncode in (0, -signal.SIGKILL), trouble

    assert kills >= 3
    counts = journal.counts()
    assert (counts[State.SETTLED], counts[State.NEEDS_STAFF]) == (VISITS - UNKNOWN, UNKNOWN)
    told = [visit.answer for visit in journal.latest(VISITS)]
    assert len({answer.verification_id for answer in told if answer}) == VISITS
    kept = await world.owner.fetch("select idempotency_key, made_id from kept_answer")
    assert {row["idempotency_key"] for row in kept} == set(ids)
    settled = await world.owner.fetch(
        "select verification_id, asked_for, method from verification where terminal_id <> $1", counter.terminal_id
    )
    assert {row["verification_id"] for row in settled} == {answer.verification_id for answer in told if answer}
    assert len(settled) == VISITS
    assert {(row["asked_for"], row["method"]) for row in settled} == {(yesterday, "number")}
    audited = await world.owner.fetchval(
        "select count(*) from audit_event where kind = 'number_verification' and code <> 'repeated' and actor <> $1",
        str(counter.terminal_id),
    )
    assert audited == VISITS
    journal.close()


def _open(journal: Journal) -> int:
    counts = journal.counts()
    return counts[State.JOURNALLED] + counts[State.SETTLING]


async def test_the_state_of_the_outbox_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "outbox.db", Seal.from_file(tmp_path / "outbox.key"))
    journal.add(None, BORN, datetime.now(UTC))
    journal.close()
    said = await asyncio.to_thread(_command, environment, "outbox", "state")
    assert json.loads(said.stdout) == {"journalled": 0, "settling": 0, "settled": 0, "needs_staff": 1}
    paper = await asyncio.to_thread(_command, environment, "outbox", "paper", tmp_path / "paper.pdf")
    assert (paper.returncode, (tmp_path / "paper.pdf").read_bytes()[:5]) == (0, b"%PDF-")


@pytest.mark.parametrize("missing", ["TERMINAL_OUTBOX_FILE", "TERMINAL_OUTBOX_KEY_FILE"])
async def test_an_outbox_without_file_or_key_is_told(environment: dict[str, str], missing: str) -> None:
    environment |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    del environment[missing]
    said = await asyncio.to_thread(_command, environment, "outbox", "state")
    assert said.returncode == 64
    assert "Traceback" not in said.stderr


async def test_a_file_of_appointments_is_checked_with_its_changes_first(
    world: World, environment: dict[str, str], database: str, tmp_path: Path
) -> None:
    stays, leaves = await world.person(), await world.person()
    await world.coverage(stays, number="1", name="=山田")
    await world.coverage(leaves, number="2")
    lines = ["患者番号,保険者番号,記号,番号,枝番,生年月日"]
    lines += [f"P{n},{INSURER},12,{n},01,1980-01-01" for n in (1, 2, 3)] + [f"P4,{INSURER},12,4,01,昨日"]
    file = tmp_path / "appointments.csv"
    file.write_text("\r\n".join(lines), encoding="cp932")
    told = asyncio.Event()
    working = asyncio.create_task(_work(database, told))
    first = await asyncio.to_thread(_command, environment, "bulk", file, "--json", "--language", "ja")
    assert (first.returncode, json.loads(first.stdout)) == (1, {"bulk": {"items": 4, "changed": 0, "problems": 1}})
    await world.owner.execute("update coverage set lost_on = '2021-01-01' where person_id = $1", leaves)
    second = await asyncio.to_thread(_command, environment, "bulk", file, "--json", "--language", "ja")
    assert json.loads(second.stdout)["bulk"]["changed"] == 1
    told.set()
    await working
    with (tmp_path / "appointments.result.csv").open(encoding="utf-8-sig", newline="") as written:
        results = list(csv.DictReader(written))
    assert [(r["患者番号"], r["変更"], r["結果"]) for r in results] == [
        ("P2", "あり", "無効(資格喪失)"), ("P1", "", "有効"), ("P3", "", "該当資格なし"), ("P4", "", ""),
    ]  # fmt: skip
    assert results[1]["氏名"] == "'=山田"
    assert results[3]["問題"]


async def _work(database: str, told: asyncio.Event) -> None:
    pool = await open_pool(database, role="eligibility_worker", size=2)
    while not told.is_set():
        if not await work_on_bulk(pool, 1000, datetime.now(UTC)):
            await asyncio.sleep(0.05)
    await pool.close()


@pytest.fixture
async def appointments(world: World, tmp_path: Path) -> Path:
    """A file with one person: the institution was told of their coverage, which has ended since."""
    person = await world.person()
    await world.coverage(person, number="1")
    assert (await (await world.terminal()).number(number="1")).json()["outcome"] == "valid"
    await world.owner.execute("update coverage set lost_on = '2021-01-01' where person_id = $1", person)
    file = tmp_path / "appointments.csv"
    file.write_text(f"患者番号,保険者番号,記号,番号,枝番,生年月日\nP1,{INSURER},12,1,01,1980-01-01\n", encoding="utf-8")
    return file


@asynccontextmanager
async def _worker(database: str) -> AsyncIterator[None]:
    told = asyncio.Event()
    working = asyncio.create_task(_work(database, told))
    try:
        yield
    finally:
        told.set()
        await working


def _left_by_a_run(file: Path) -> Path:
    return file.with_name("appointments.result.csv.state")


def _rewrite(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"P1", b"P2"))


def _changes(result: Path) -> list[str]:
    with result.open(encoding="utf-8-sig", newline="") as written:
        return [line["changed"] for line in csv.DictReader(written)]


def _of_appointments(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if "appointments" in file.name)


async def _bulk(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(_command, environment, "bulk", *arguments, "--language", "en")


async def _sent(world: World) -> None:
    async with asyncio.timeout(180):
        while not await world.owner.fetchval("select count(*) from bulk_check"):  # noqa: ASYNC110 - a table tells nobody
            await asyncio.sleep(0.02)


async def _killed_while_it_waits(environment: dict[str, str], file: Path) -> None:
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "terminal_agent", "bulk", file, env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    state = _left_by_a_run(file)
    async with asyncio.timeout(180):
        # Written down what the centre calls it: from then on nothing is written while it waits.
        while not (state.exists() and b'"bulk_id":"' in state.read_bytes()):  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.02)
    running.kill()
    await running.wait()


async def test_a_killed_run_is_taken_up_with_what_had_changed(
    world: World, environment: dict[str, str], appointments: Path, database: str
) -> None:
    await _killed_while_it_waits(environment, appointments)
    state = _left_by_a_run(appointments)
    assert state.stat().st_mode & 0o777 == 0o600
    left = json.loads(state.read_text())
    assert (left.keys(), left["parts"][0].keys()) == ({"digest", "day", "day_stated", "parts"}, {"key", "bulk_id"})
    async with _worker(database):
        again = await _bulk(environment, appointments)
    assert "taken up" in again.stderr
    assert _changes(appointments.with_suffix(".result.csv")) == ["yes"]
    assert await world.owner.fetchval("select count(*) from bulk_check") == 1
    assert _of_appointments(appointments.parent) == ["appointments.csv", "appointments.result.csv"]


async def test_a_run_that_could_not_say_its_key_was_taken_finds_its_bulk_check_by_it(
    world: World, environment: dict[str, str], appointments: Path, database: str
) -> None:
    await _killed_while_it_waits(environment, appointments)
    state = _left_by_a_run(appointments)
    left = json.loads(state.read_text())
    left["parts"][0]["bulk_id"] = None  # killed before the centre's answer came
    state.write_text(json.dumps(left))
    async with _worker(database):
        assert (await _bulk(environment, appointments)).returncode == 0
    assert _changes(appointments.with_suffix(".result.csv")) == ["yes"]
    assert await world.owner.fetchval("select count(*) from bulk_check") == 1


@pytest.mark.parametrize("kept", ["bulk_check", "nothing"])
async def test_what_the_centre_no_longer_has_is_asked_anew_and_said(
    world: World, environment: dict[str, str], appointments: Path, database: str, kept: str
) -> None:
    await _killed_while_it_waits(environment, appointments)
    pool = await open_pool(database, role="eligibility_worker", size=2)
    assert await work_on_bulk(pool, 1000, datetime.now(UTC))
    await pool.close()
    async with world.owner.transaction():
        await world.owner.execute("delete from bulk_result")
        await world.owner.execute("update bulk_check set cleared_at = now()")
        if kept == "nothing":
            await world.owner.execute("delete from bulk_check")
    async with _worker(database):
        again = await _bulk(environment, appointments)
    assert "asked anew" in again.stderr
    assert again.returncode == 0
    assert _changes(appointments.with_suffix(".result.csv")) == [""]
    assert _of_appointments(appointments.parent) == ["appointments.csv", "appointments.result.csv"]


@pytest.mark.parametrize("other", ["day", "lines", "damaged"])
async def test_what_was_begun_of_another_day_or_file_is_not_taken_up(
    world: World, environment: dict[str, str], appointments: Path, database: str, other: str
) -> None:
    await _killed_while_it_waits(environment, appointments)
    if other == "lines":
        _rewrite(appointments)
    elif other == "damaged":
        _left_by_a_run(appointments).write_bytes(b"\x00")
    async with _worker(database):
        again = await _bulk(environment, appointments, *(["--day", "2020-06-01"] if other == "day" else []))
    assert (again.returncode, "taken up" in again.stderr) == (0, False)
    assert await world.owner.fetchval("select count(*) from bulk_check") == 2


@pytest.mark.parametrize("wrong", ["missing", "a_file", "the_result_is_a_folder", "the_state_is_a_folder"])
async def test_a_result_that_cannot_be_written_is_named_before_anything_is_sent(
    world: World, environment: dict[str, str], appointments: Path, wrong: str
) -> None:
    result = appointments.parent / "results" / "out.csv"
    match wrong:
        case "a_file":
            result.parent.write_bytes(b"")
        case "the_result_is_a_folder":
            result.mkdir(parents=True)
        case "the_state_is_a_folder":
            result.with_name("out.csv.state").mkdir(parents=True)
    said = await _bulk(environment, appointments, "--out", result)
    assert said.returncode == 64
    assert "out.csv" in said.stderr
    assert await world.owner.fetchval("select count(*) from bulk_check") == 0


async def test_a_result_that_could_not_be_written_at_last_is_fetched_again(
    world: World, environment: dict[str, str], appointments: Path, database: str
) -> None:
    result = appointments.with_suffix(".result.csv")
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "terminal_agent", "bulk", appointments, "--language", "en", env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await _sent(world)
    result.mkdir()  # as if it could not be replaced
    async with _worker(database):
        _, said = await asyncio.wait_for(running.communicate(), 180)
        assert (running.returncode, b"appointments.result.csv" in said) == (64, True)
        result.rmdir()
        assert (await _bulk(environment, appointments)).returncode == 0
    assert _changes(result) == ["yes"]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2", b"\x81\x00\x81"])
async def test_a_file_that_is_none_of_appointments_sends_nothing(
    world: World, environment: dict[str, str], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    said = await asyncio.to_thread(_command, environment, "bulk", tmp_path / "a.csv")
    assert said.returncode == 64
    assert "Traceback" not in said.stderr
    assert await world.owner.fetchval("select count(*) from bulk_check") == 0
