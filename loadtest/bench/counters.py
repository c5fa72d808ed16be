"""Counters that ask at a steady pace, as a process of its own: `python -m loadtest.bench.counters PACE`.

Each question is what the API does in the database for one by number, with the counter's role, statements and pool:
the look-up, then the record and its audit event, durable. A question is due at its time whether or not the one before
was answered, and its time counts from when it was due, so that a stall shows in every question it delays.

It reads lines: first the insured numbers to ask for, as JSON; from then on each line is answered with what was answered
since the line before: when each question was due, in seconds of the machine's own clock (`time.monotonic`), and how
long it took, in milliseconds. The database's address comes in an environment variable, since it may hold a secret.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import IO, Any, Final, cast

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.codes import Method, Outcome
from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InstitutionCode, InsuredNumber, InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import open_pool
from eligibility.storage.lookups import NumberAsked, matches_of, rows_of_numbers
from eligibility.storage.recorder import Entry, Recorder, VerificationRecord

PACE: Final = 100.0  # questions a second
_ADDRESS: Final = "BENCH_DATABASE_URL"
_ROLE: Final = "eligibility_counter"
_POOL: Final = 4
_LONGEST_LINE: Final = 16 * 1024 * 1024
_INSTITUTION: Final = "1310000001"
_LOOK_AGAIN_S: Final = 0.1
Number = list[str]  # insurer, symbol, number, branch number, birth date


class CountersEnded(Exception):
    """The counters' process has ended, since a question failed; its own last words stand on standard error."""

    def __init__(self) -> None:
        super().__init__("a question of the counters failed, and with it all of them; why stands on standard error")


@dataclass(frozen=True, slots=True)
class Answered:
    """What counters met in a time: when each question was due, in seconds, and how long it took, in milliseconds."""

    questions: list[tuple[float, float]]

    def during(self, begin: float, end: float) -> "Answered":
        """Return those that were due from one moment until another."""
        return Answered([(due, took_ms) for due, took_ms in self.questions if begin <= due < end])

    def percentile(self, percent: float) -> float:
        """Return the time within which so many percent of the questions were answered."""
        ordered = sorted(took_ms for _, took_ms in self.questions)
        return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


class Counters:
    """The other end of the process: tell it a line, read its answer."""

    def __init__(self, said: IO[str], heard: IO[str]) -> None:
        self._said, self._heard = said, heard

    def take(self) -> Answered:
        """Return what was answered since the last time; where that is nothing yet, wait for the first answer.

        Raises:
            CountersEnded: no answer will come.
        """
        while not (questions := self._questions()):
            time.sleep(_LOOK_AGAIN_S)
        return Answered(questions)

    def _questions(self) -> list[tuple[float, float]]:
        self.tell("take")
        heard = self._heard.readline()
        if not heard.endswith("\n"):
            raise CountersEnded
        return [(due, took_ms) for due, took_ms in json.loads(heard)]

    def tell(self, line: str) -> None:
        """Tell the process a line; that it has ended is only seen when nothing is answered."""
        with suppress(BrokenPipeError):
            self._said.write(line + "\n")
            self._said.flush()


@contextmanager
def counters(address: str, numbers: list[Number], pace: float = PACE) -> Iterator[Counters]:
    """Let counters ask until the end.

    Raises:
        CountersEnded: they could not begin.
    """
    process = subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-m", "loadtest.bench.counters", str(pace)],
        env=os.environ | {_ADDRESS: address}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    said, heard = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
    with process:
        try:
            asking = Counters(said, heard)
            asking.tell(json.dumps(numbers))
            asking.take()  # it has connected and warmed up when it answers
            yield asking
        finally:
            process.terminate()
            with suppress(BrokenPipeError):  # it has ended, and never read what it was told last
                said.close()


async def ask(address: str, pace: float) -> None:
    """Ask until nobody reads any more."""
    lines = asyncio.StreamReader(limit=_LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    numbers: list[Number] = json.loads(await lines.readline())
    pool = await open_pool(address, role=_ROLE, size=_POOL)
    recorder = Recorder(pool)
    chance = random.Random(1)  # noqa: S311 (nothing secret is drawn)
    answered: list[tuple[float, float]] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(recorder.run())
        tasks.create_task(_answer(lines, answered))
        due = time.monotonic()
        while True:
            due += 1 / pace
            await asyncio.sleep(max(due - time.monotonic(), 0))
            tasks.create_task(_question(pool, recorder, chance.choice(numbers), due, answered))


async def _answer(lines: asyncio.StreamReader, answered: list[tuple[float, float]]) -> None:
    while await lines.readline():
        sys.stdout.write(json.dumps([(round(due, 3), round(took_ms, 3)) for due, took_ms in answered]) + "\n")
        sys.stdout.flush()
        answered.clear()


async def _question(
    pool: Any, recorder: Recorder, number: Number, due: float, answered: list[tuple[float, float]]
) -> None:
    insurer, symbol, own, branch, born = number
    now = datetime.now(UTC)
    insured = InsuredNumber(InsurerNumber(insurer), symbol, own, branch)
    asked = NumberAsked(insured, date.fromisoformat(born), now, InstitutionCode(_INSTITUTION))
    [rows] = await rows_of_numbers(pool, [asked])
    found = matches_of(rows).asked
    if not found:
        raise AssertionError("a number of the register was not found")
    event = AuditEvent(
        uuid7(now), now, EventKind.NUMBER_VERIFICATION, Outcome.VALID.value, ActorKind.TERMINAL, "bench",
        institution_code=_INSTITUTION, person_id=found[0].person_id,
    )  # fmt: skip
    record = VerificationRecord(
        uuid7(now), uuid7(now), Method.NUMBER, day_in_japan(now), now, Outcome.VALID, found[0].person_id,
        found[0].coverage_id, None,
    )  # fmt: skip
    await recorder.record(Entry(event, verification=record))
    answered.append((due, (time.monotonic() - due) * 1000))


if __name__ == "__main__":
    asyncio.run(ask(os.environ[_ADDRESS], float(sys.argv[1])))
