"""A database with an intake before it, files pushed to it by the real client, and what became of them."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from eligibility.domain.identifiers import InsurerNumber
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_insurer
from eligibility.storage.migrate import migrate
from eligibility.wire.submissions import Submission, SubmissionState
from loadtest.bench.counters import Number
from loadtest.bench.files import Sent
from loadtest.embedded import create_database, database_url
from loadtest.pki import Enrolment
from loadtest.processes import BESIDE_COUNTERS, server
from payer_sync.push import ExitCode

_LOOK_EVERY_S: Final = 0.05
_TAKEN: Final = (ExitCode.MERGED, ExitCode.MERGED_IN_PART)
_COPY_TIMEOUT_S: Final = 3600.0
_NUMBERS: Final = 1_000
_BEFORE_LOADER: Final = (SubmissionState.RECEIVING, SubmissionState.RECEIVED)


class WrongOutcome(Exception):
    """A merge did not come to what its file states."""


@dataclass(frozen=True, slots=True)
class PushedFile:
    """A file's way: from when and how long in the hands of the loader, of this while it was checked, and as a whole."""

    submission: Submission
    began: float  # a moment of `time.monotonic`
    load_s: float
    checking_s: float
    whole_s: float


@dataclass(frozen=True, slots=True)
class Intake:
    """A running intake and the database behind it."""

    address: str
    url: str
    pid: int
    pki: Path

    def push(self, path: Path, insurer: str, on_started: Callable[[int], None]) -> PushedFile:
        """Push a file as an insurer's office does, and follow it from outside.

        Raises:
            WrongOutcome: it was not merged.
        """
        certificate = self.pki / f"{insurer}.crt"
        command = [sys.executable, "-m", "payer_sync", "push", str(path), "--to", self.url, "--json"]
        command += ["--certificate", str(certificate), "--key", str(certificate.with_suffix(".key"))]
        command += ["--authority", str(self.pki / "server_authority.crt")]
        began = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as client:  # noqa: S603
            on_started(client.pid)
            steps = asyncio.run(_follow(self.address, client))
            said, _ = client.communicate()
        if client.returncode not in _TAKEN:
            raise WrongOutcome(f"push ended with {client.returncode}: {said}")
        submission = Submission.model_validate_json(said)
        return PushedFile(submission, steps.started, steps.load_s, steps.checking_s, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class _Steps:
    """When a submission was last seen before its loader took it, first seen as staged, and first seen at its end.

    A step may last for less than a look: both spans hold at least what lies between two looks, never less than it took.
    """

    started: float
    staged: float
    ended: float

    @property
    def checking_s(self) -> float:
        return self.staged - self.started

    @property
    def load_s(self) -> float:
        return self.ended - self.started


@contextmanager
def database(administrator_url: str, name: str, insurers: Iterable[str]) -> Iterator[str]:
    """Make a migrated database with some insurers; drop it at the end."""
    address = database_url(administrator_url, name)
    asyncio.run(_create(administrator_url, name, address, insurers))
    try:
        yield address
    finally:
        asyncio.run(_drop(administrator_url, name))


@contextmanager
def running_intake(address: str, folder: Path, enrolment: Enrolment, insurers: Iterable[str]) -> Iterator[Intake]:
    """Run an intake that keeps its files in the folder, and make the certificates of both sides."""
    pki, now = folder / "pki", datetime.now(UTC)
    enrolment.save(pki)
    certificate, key = enrolment.server(now).write(pki, "server")
    for insurer in insurers:
        enrolment.insurer(insurer, now).write(pki, insurer)
    environment = {
        "INTAKE_DATABASE_URL": address,
        "INTAKE_SPOOL_FOLDER": str(folder / "spool"),
        "INTAKE_PORT": "0",
        "INTAKE_TLS_CERTIFICATE": str(certificate),
        "INTAKE_TLS_KEY": str(key),
        "INTAKE_INSURER_AUTHORITIES": str(pki / "insurer_authority.crt"),
    }
    with server("payer_sync", ["intake"], environment, folder / "intake.log", BESIDE_COUNTERS) as running:
        yield Intake(address, running.url, running.pid, pki)


async def postmaster_pid(administrator_url: str) -> int:
    """Return the process that starts all of PostgreSQL's."""
    async with _owner(administrator_url) as owner:
        data = await owner.fetchval("select current_setting('data_directory')")
    return int((await asyncio.to_thread((Path(data) / "postmaster.pid").read_text)).splitlines()[0])


async def copy_bare(address: str, folder: Path) -> tuple[int, float]:
    """Copy the coverages' rows, as they stand, into a bare table with one key; return how many and the seconds."""
    file = folder / "coverages.copy"
    async with _owner(address) as owner:
        await owner.copy_from_table("coverage", output=file, format="text", timeout=_COPY_TIMEOUT_S)
        await owner.execute("create table bare (like coverage)")
        await owner.execute("alter table bare add primary key (person_id, coverage_id, known_from)")
        await owner.execute("checkpoint")
        began = time.perf_counter()
        await owner.copy_to_table("bare", source=file, format="text", timeout=_COPY_TIMEOUT_S)
        seconds = time.perf_counter() - began
        copied = await owner.fetchval("select count(*) from bare")
        await owner.execute("drop table bare")
    file.unlink()
    return copied, seconds


async def settle(address: str) -> None:
    """Do what autovacuum would at no set moment, and bring all to disk: nobody who is measured next waits for either.

    A register's next file comes a day after its last: it meets one that is vacuumed, and each page that it touches is
    logged whole once.
    """
    async with _owner(address) as owner:
        await owner.execute("vacuum")
        await owner.execute("checkpoint")
    await asyncio.to_thread(os.sync)


async def insured_numbers(address: str) -> list[Number]:
    """Return some of the insured numbers that are known, each with the birth date that a counter would ask with."""
    async with _owner(address) as owner:
        rows = await owner.fetch(
            "select insurer_number, symbol, number, branch_number, birth_date from coverage"
            " where known_to = 'infinity' and lost_on is null order by md5(coverage_id::text) limit $1",
            _NUMBERS,
        )
    return [[*tuple(row)[:4], row["birth_date"].isoformat()] for row in rows]


async def verify(address: str, submission: Submission, sent: Sent) -> None:
    """Hold what was merged against what the file states.

    Raises:
        WrongOutcome: it is something else.
    """
    async with _owner(address) as owner:
        found = dict(await owner.fetchrow(_MERGED, submission.submission_id, sent.insurer))
    taken = sent.records - sent.refused
    expected = {
        "written": taken,
        "closed": taken - sent.added,
        "certificates": sent.certificates,
        "not_found": 0,  # by name and birth date, at a card's registration; of every sixteenth person
        "faults": sent.refused,
        "cases": 0,
    }
    told = (submission.records, submission.refused, submission.merged)
    if found != expected or told != (sent.records, sent.refused, taken):
        raise WrongOutcome(f"{sent.path.name}: {found} and {told} instead of {expected} and {sent}")


# What one merge, the latest of its insurer, has written: a coverage's row is its own, what it closed has its time.
_MERGED: Final = """
with merged as (select data_as_of as at from insurer where insurer_number = $2)
select (select count(*) from coverage where submission_id = $1 and known_to = 'infinity') as written,
    (select count(*) from coverage, merged where insurer_number = $2 and known_to = at) as closed,
    (select count(*) from limit_certificate, merged where known_from = at)
        + (select count(*) from specific_disease_certificate, merged where known_from = at)
        + (select count(*) from elderly_certificate, merged where known_from = at) as certificates,
    (select count(*) from coverage c
        where submission_id = $1 and known_to = 'infinity' and person_id % 16 = 0 and not exists (
            select from stated_holder h
            where h.holder_hash = holder_hash(c.name_key, c.birth_date) and h.person_id = c.person_id
        )) as not_found,
    (select count(*) from feedback where submission_id = $1) as faults,
    (select count(*) from mislink_case where submission_id = $1) as cases
"""


async def _follow(address: str, client: subprocess.Popen[str]) -> _Steps:
    """Look at the newest submission until the client has ended, and once more."""
    started, staged = time.monotonic(), None
    async with _owner(address) as owner:
        known = await owner.fetchval("select count(*) from submission")
        while True:
            ended = client.poll() is not None
            state = await owner.fetchval("select state from submission order by created_at offset $1 limit 1", known)
            now = time.monotonic()
            if state is None or state in _BEFORE_LOADER:
                started = now
            elif state != SubmissionState.CHECKING:
                staged = staged or now
            if ended or state == SubmissionState.MERGED:
                return _Steps(started, staged or now, now)
            await asyncio.sleep(_LOOK_EVERY_S)


async def _create(administrator_url: str, name: str, address: str, insurers: Iterable[str]) -> None:
    async with _owner(administrator_url) as administrator:
        await create_database(administrator, name)
    async with _owner(address) as owner:
        await migrate(owner)
        for insurer in insurers:
            await enrol_insurer(owner, InsurerNumber(insurer), insurer, datetime.now(UTC))


async def _drop(administrator_url: str, name: str) -> None:
    async with _owner(administrator_url) as administrator:
        await administrator.execute(f"drop database if exists {name} with (force)")


@asynccontextmanager
async def _owner(address: str) -> AsyncIterator[Any]:
    owner = await connect(address, command_timeout_s=None)
    try:
        yield owner
    finally:
        await owner.close()
