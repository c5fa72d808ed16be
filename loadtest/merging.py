"""An insurer's file that is pushed and merged while counters ask; what it brought is taken away again afterwards."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

from eligibility.domain.identifiers import InsurerNumber
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_insurer
from loadtest.processes import BESIDE_COUNTERS, server
from loadtest.pushing import Push, write_file
from loadtest.site import Site

_TAKEN_AWAY: Final = (
    "delete from limit_certificate where person_id > $1",
    "delete from specific_disease_certificate where person_id > $1",
    "delete from elderly_certificate where person_id > $1",
    "delete from coverage where person_id > $1",
    "delete from stated_holder where person_id > $1",
    "delete from person where person_id > $1",
)


@dataclass(slots=True)
class Merging:
    """A push that runs beside; `start` begins it, `wait` ends with what it came to."""

    begin: Callable[[], Push]
    asked: int
    rows: int = 0
    seconds: float = float("nan")
    said: list[str] = field(default_factory=list)
    _push: Push | None = None
    _began: float = 0.0

    def start(self) -> None:
        """Begin to push."""
        self._began = time.monotonic()
        self._push = self.begin()

    def wait(self) -> "Merging":
        """Wait for the outcome."""
        assert self._push is not None  # noqa: S101 (who waits has started it)
        self.rows, said = self._push.wait()
        self.seconds = time.monotonic() - self._began
        if said:
            self.said.append(said)
        return self


@contextmanager
def merge_meanwhile(site: Site, rows: int, number: int, *, vacuum: bool) -> Iterator[Merging]:
    """Write the file of an insurer that the site does not have yet, and run the intake that takes it.

    What it brought is taken away at the end, what a killed run has left, its file too, at the beginning; `vacuum` says
    whether its room is, too, or left to autovacuum.
    """
    asyncio.run(_take_away(site, vacuum=vacuum))
    insurer = asyncio.run(enrol_stranger(site))
    file = site.folder / "files" / f"{insurer.digits}-{number}.csv"
    file.parent.mkdir(exist_ok=True)
    for left in file.parent.iterdir():
        left.unlink()
    certificate, _ = site.enrolment.insurer(insurer.digits, datetime.now(UTC)).write(
        site.folder / "insurers", insurer.digits
    )
    with ExitStack() as stack:
        stack.callback(file.unlink, missing_ok=True)
        write_file(file, insurer, rows, number)
        environment, log = site.intake_environment(), site.folder / "intake.log"
        intake = stack.enter_context(server("payer_sync", ["intake"], environment, log, BESIDE_COUNTERS))
        stack.callback(lambda: asyncio.run(_take_away(site, vacuum=vacuum)))
        authority = site.folder / "pki" / "server_authority.crt"
        yield Merging(partial(Push.begin, file, certificate, authority, intake.url), rows)


async def enrol_stranger(site: Site) -> InsurerNumber:
    """Take in an insurer that has no members here yet; the same one each time."""
    connection = await connect(site.database)
    try:
        known = {row[0] for row in await connection.fetch("select insurer_number from insurer where name <> '負荷'")}
        drawn = (InsurerNumber.parse(f"06{n:06}") for n in range(999_999, 0, -1))
        insurer = next(i for i in drawn if i.check_digit_holds and i.digits not in known)
        await enrol_insurer(connection, insurer, "負荷", datetime.now(UTC))
    finally:
        await connection.close()
    return insurer


async def _take_away(site: Site, *, vacuum: bool) -> None:
    connection = await connect(site.database, command_timeout_s=None)
    try:
        persons = await connection.fetchval("select persons from load_nation")
        # Only rows that nothing refers to are taken away; asking for each would read the claims each time.
        await connection.execute("set session_replication_role = replica")
        done = [await connection.execute(statement, persons) for statement in _TAKEN_AWAY]
        anything = any(tag != "DELETE 0" for tag in done)
        for table in ("person", "coverage", "stated_holder", "limit_certificate") if vacuum and anything else ():
            await connection.execute(f"vacuum (analyze) {table}")
    finally:
        await connection.close()
