"""A file writer, a loader without HTTP, and an intake process with its certificates."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_insurer
from eligibility.wire.submissions import Manifest, Submission, SubmissionKind
from loadtest.pki import Enrolment
from payer_sync.layouts.register import find_layout
from payer_sync.loading import load
from payer_sync.manifest import build_manifest
from payer_sync.push import Credentials, Intake, Pushed, push
from payer_sync.submission import Filed, announce, find_submission
from tests.holders import holders_not_found

INSURERS = ("06130512", "33120015")
START_TIMEOUT_S = 240
Record = Mapping[str, str]


@pytest.fixture
async def owner(owner: Any, database: str) -> AsyncIterator[Any]:
    """The schema's owner; whatever a test has stated, its holders are found by name and birth date afterwards."""
    yield owner
    afterwards = await connect(database)  # a test may have lost the owner's own line
    not_found = await holders_not_found(afterwards)
    await afterwards.close()
    assert not_found == []


@pytest.fixture
def record() -> Callable[..., dict[str, str]]:
    """Make a good record; the arguments say what is different in it."""

    def make(person: int = 1, **different: str) -> dict[str, str]:
        filled = dict.fromkeys(find_layout("eligibility", 1).column_names, "")
        filled |= {
            "レコード種別": "1", "保険者番号": INSURERS[0], "記号": "１２", "番号": f"{person:07}", "枝番": "01",
            "紐付番号": f"LK-{person:08}", "氏名": "髙橋　花子", "氏名カナ": "ﾀｶﾊｼ ﾊﾅｺ", "生年月日": "3550110",
            "性別": "2", "郵便番号": "1000001", "住所": "東京都千代田区千代田１－１", "本人家族区分": "1",
            "被保険者証区分": "01", "資格取得日": "20240401", "負担割合": "030",
        }  # fmt: skip
        return filled | different

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write records as a file of the eligibility layout."""
    numbers = iter(range(1, 1000))

    def make(*records: Record, encoding: str = "cp932", end: str = "\r\n") -> Path:
        path = tmp_path / f"file-{next(numbers)}.csv"
        lines = [",".join(find_layout("eligibility", 1).column_names), *(",".join(r.values()) for r in records)]
        path.write_bytes((end.join(lines) + end).encode(encoding))
        return path

    return make


@pytest.fixture
async def insurers(owner: Any) -> tuple[str, ...]:
    """Two insurers that take part."""
    for number in INSURERS:
        await enrol_insurer(owner, InsurerNumber(number), f"保険者{number}", datetime.now(UTC))
    return INSURERS


@dataclass(frozen=True)
class Loaded:
    """What became of a file, and its faults."""

    submission: Submission
    faults: list[asyncpg.Record]

    @property
    def counts(self) -> tuple[int | None, ...]:
        """Records, refused, merged, unchanged."""
        s = self.submission
        return (s.records, s.refused, s.merged, s.unchanged)

    @property
    def codes(self) -> list[tuple[int | None, str]]:
        """Record and code of each fault."""
        return [(fault["record_number"], fault["code"]) for fault in self.faults]


@pytest.fixture
def take_in(database: str, owner: Any, insurers: tuple[str, ...]) -> Callable[..., Awaitable[Loaded]]:
    """Load a file as the intake does once it has arrived."""

    async def run(
        path: Path,
        *,
        kind: str = "delta",
        insurer: str = INSURERS[0],
        stated: Mapping[str, object] | None = None,
        spool: Path | None = None,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> Loaded:
        manifest = build_manifest(path, SubmissionKind(kind), "eligibility", 1)
        if stated:
            manifest = Manifest.model_validate(manifest.model_dump() | dict(stated))
        now = datetime.now(UTC)
        submission, _ = await announce(owner, uuid7(now), InsurerNumber(insurer), manifest, now)
        if before:  # what happens while the file is on its way
            await before()
        await load(database, Filed(InsurerNumber(insurer), submission), spool or path)
        found = await find_submission(owner, submission.submission_id, InsurerNumber(insurer))
        assert found
        faults = await owner.fetch(
            "select record_number, field, code, severity, value_shape, expected from feedback"
            " where submission_id = $1 order by fault_number",
            submission.submission_id,
        )
        return Loaded(found, faults)

    return run


@pytest.fixture(scope="session")
def enrolment() -> Enrolment:
    """The platform's own authorities."""
    return Enrolment.create(datetime.now(UTC))


class IntakeProcess:
    """A real intake on a free port, which can be killed and started again with the same spool and database."""

    _command = (sys.executable, "-m", "payer_sync", "intake")

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self.url = ""
        self.log: list[str] = []

    def start(self) -> None:
        """Start it and wait until it says where it listens."""
        self._process = subprocess.Popen(self._command, env=os.environ | self._environment, stdout=subprocess.PIPE)
        listening = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(listening,))
        self._reader.start()
        assert listening.wait(START_TIMEOUT_S), self.log

    def refused_start(self) -> str:
        """Let it try to start where it cannot; return what it says to whoever set it up."""
        environment = os.environ | self._environment
        done = subprocess.run(self._command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 3, done
        return done.stderr

    def _read(self, listening: threading.Event) -> None:
        assert self._process
        assert self._process.stdout
        with self._process.stdout as lines:
            for raw in lines:
                self.log.append(raw.decode())
                said = json.loads(raw)
                if said["event"] == "listening":
                    self.url = f"https://localhost:{said['port']}"
                    listening.set()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, kindly or not."""
        if self._process and self._reader:
            self._process.send_signal(how)
            self._process.wait()
            self._reader.join()


@pytest.fixture
def credentials(tmp_path: Path, enrolment: Enrolment) -> Callable[[str], Credentials]:
    """Make an insurer's certificate files."""
    authority = tmp_path / "pki" / "server_authority.crt"
    enrolment.save(tmp_path / "pki")

    def make(insurer: str) -> Credentials:
        certificate, key = enrolment.insurer(insurer, datetime.now(UTC)).write(tmp_path / "pki", insurer)
        return Credentials(certificate, key, authority)

    return make


@pytest.fixture
def intake(tmp_path: Path, database: str, insurers: tuple[str, ...], enrolment: Enrolment) -> Iterator[IntakeProcess]:
    """A running intake."""
    folder = tmp_path / "intake"
    enrolment.save(folder)
    certificate, key = enrolment.server(datetime.now(UTC)).write(folder, "server")
    process = IntakeProcess(
        {
            "INTAKE_DATABASE_URL": database,
            "INTAKE_SPOOL_FOLDER": str(folder / "spool"),
            "INTAKE_PORT": "0",
            "INTAKE_TLS_CERTIFICATE": str(certificate),
            "INTAKE_TLS_KEY": str(key),
            "INTAKE_INSURER_AUTHORITIES": str(folder / "insurer_authority.crt"),
        }
    )
    process.start()
    yield process
    process.stop()


@pytest.fixture
def send(intake: IntakeProcess, credentials: Callable[[str], Credentials]) -> Callable[..., Awaitable[Pushed]]:
    """Push a file over mutual TLS and wait for its end."""

    async def run(path: Path, insurer: str = INSURERS[0], kind: str = "delta") -> Pushed:
        def work() -> Pushed:
            with Intake(intake.url, credentials(insurer).context()) as connection:
                manifest = build_manifest(path, SubmissionKind(kind), "eligibility", 1)
                return push(connection, path, manifest, lambda _: None)

        return await asyncio.to_thread(work)

    return run


@pytest.fixture
def upload(intake: IntakeProcess, credentials: Callable[[str], Credentials]) -> Callable[..., Awaitable[Submission]]:
    """Announce a file and send one chunk, without waiting for anything."""

    async def run(path: Path, only: int | None = None) -> Submission:
        def work() -> Submission:
            with Intake(intake.url, credentials(INSURERS[0]).context()) as connection:
                submission = connection.announce(build_manifest(path, SubmissionKind.DELTA, "eligibility", 1))
                return connection.send(submission, 0, path.read_bytes()[:only])

        return await asyncio.to_thread(work)

    return run
