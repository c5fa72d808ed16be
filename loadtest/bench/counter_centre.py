"""The centre that the counter's benches ask: a real one of its own, with few persons and one institution in it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from eligibility.domain.codes import Sex
from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.domain.names import name_key, number_key
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_institution, enrol_insurer, enrol_terminal
from eligibility.storage.migrate import migrate
from loadtest.processes import ServerProcess, server
from loadtest.site import Site, make_database, open_site
from terminal_agent.settings import TerminalSettings

INSTITUTION: Final = "1312345679"
INSURER: Final = "06130512"
SYMBOL, BRANCH_NUMBER = "12", "01"


@dataclass(frozen=True, slots=True)
class BenchCentre:
    """A centre that listens; `folder` is where it and its terminals keep their files."""

    folder: Path
    site: Site
    process: ServerProcess

    async def enrol(self, name: str) -> TerminalSettings:
        """Enrol another terminal of the institution; return the settings it asks with."""
        terminal, now = uuid4(), datetime.now(UTC)
        owner = await connect(self.site.database)
        await enrol_terminal(owner, terminal, InstitutionCode.parse(INSTITUTION), name, now)
        await owner.close()
        certificate, key = self.site.enrolment.terminal(INSTITUTION, terminal, now).write(self.folder, name)
        return TerminalSettings(
            centre_url=self.process.url,
            centre_authority=self.site.folder / "pki" / "server_authority.crt",
            certificate=certificate,
            key=key,
            screens_port=0,
        )


@contextmanager
def open_centre(folder: Path, workers: int = 1) -> Iterator[BenchCentre]:
    """Start a centre, which nobody is insured in yet, in an empty folder."""
    folder.chmod(0o711)  # PostgreSQL's own user passes through it where this runs as root
    with open_site(folder / "site") as site:
        asyncio.run(_make(site))
        with server("eligibility", ["api"], site.api_environment(workers), folder / "api.log") as process:
            yield BenchCentre(folder, site, process)


async def insure(owner: Any, name: str, birth_date: date, sex: Sex, numbers: Sequence[str]) -> list[int]:
    """Insure a person under each number; return the persons."""
    persons, now = [], datetime.now(UTC)
    for number in numbers:
        person = await owner.fetchval("insert into person (linkage_code) values ($1) returning person_id", number)
        await owner.execute(
            "insert into coverage (person_id, coverage_id, known_from, submission_id, insurer_number, symbol, number,"
            " branch_number, symbol_key, number_key, name, name_kana, name_key, birth_date, sex, postal_code, address,"
            " relation, card_class, acquired_on, copayment_percent, preschool, viewing_suspended) values ($1,"
            " nextval('coverage_id_seq'), $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11, $12, $13, '', '', '1', '01',"
            " '2020-04-01', 30, false, false)",
            person, now, UUID(int=0), INSURER, SYMBOL, number, BRANCH_NUMBER, number_key(SYMBOL), number_key(number),
            name, name_key(name), birth_date, sex.value,
        )  # fmt: skip
        await owner.execute(
            "insert into stated_holder (holder_hash, person_id) values (holder_hash($1, $2), $3)",
            name_key(name), birth_date, person,
        )  # fmt: skip
        persons.append(int(person))
    return persons


async def _make(site: Site) -> None:
    await make_database(site)
    owner, now = await connect(site.database), datetime.now(UTC)
    await migrate(owner)
    await enrol_insurer(owner, InsurerNumber.parse(INSURER), "架空健康保険組合", now)
    await enrol_institution(owner, InstitutionCode.parse(INSTITUTION), "架空医院", now)
    await owner.close()
