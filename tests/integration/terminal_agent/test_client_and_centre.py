"""The terminal's client and the real centre: staff sign in, read, and sign out; a patient withdraws a consent."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from eligibility.domain.codes import ConsentClass, Role, Sex
from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.enrolment import enrol_terminal
from eligibility.wire.staff import StaffSessionRequest
from loadtest.medical_record import Patient, give_medical_record
from terminal_agent.client import Centre, Refused
from terminal_agent.settings import TerminalSettings
from tests.integration.eligibility.conftest import authorities, counter, world
from tests.integration.eligibility.test_medical import visit
from tests.integration.eligibility.world import INSTITUTION, INSURER, Counter, World

__all__ = ["authorities", "counter", "world"]


async def _line(world: World, folder: Path) -> Centre:
    terminal_id = uuid4()
    now = datetime.now(UTC)
    await enrol_terminal(world.owner, terminal_id, InstitutionCode(INSTITUTION), "診察室", now)
    certificate, key = world.authorities.enrolment.terminal(INSTITUTION, terminal_id, now).write(folder, "room")
    authority = world.folder / "server_authority.crt"
    return Centre.open(
        TerminalSettings(centre_url=world.url, centre_authority=authority, certificate=certificate, key=key)
    )


async def test_a_doctor_reads_until_the_patient_withdraws_and_signs_out(
    world: World, counter: Counter, database: str, tmp_path: Path
) -> None:
    was = await visit(world, counter)
    await give_medical_record(database, Patient(INSURER, "12", "345", "01", date(1980, 1, 1), Sex.MALE), tmp_path)
    member = await world.staff(Role.DOCTOR)
    said = StaffSessionRequest(name=member.name, password=member.password, passcode=member.passcode())
    line = await _line(world, tmp_path)

    def at_the_counter() -> tuple[int, int, str, str, str]:
        verification = UUID(was.verification_id)
        with line as centre:
            session = centre.sign_in(said)
            medicines = len(centre.medications(verification, session).medicines)
            checkups = len(centre.checkups(verification, session).checkups)
            centre.withdraw_consent(verification, ConsentClass.MEDICATION)
            with pytest.raises(Refused) as withdrawn:
                centre.medications(verification, session)
            centre.sign_out(session)
            with pytest.raises(Refused) as ended:
                centre.checkups(verification, session)
            with pytest.raises(Refused) as unknown:
                centre.withdraw_consent(uuid4(), ConsentClass.CHECKUP)
            return medicines, checkups, *(str(refused.value) for refused in (withdrawn, ended, unknown))

    assert await asyncio.to_thread(at_the_counter) == (
        7, 3, "not_shown_withdrawn", "staff_session_needed", "verification_not_found",
    )  # fmt: skip
