"""A centre that runs, a card that is in a reader, and a terminal that is run as staff run it."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.enrolment import enrol_terminal
from loadtest.pki import Jpki
from tests.cards import card, content
from tests.integration.eligibility.conftest import authorities, world
from tests.integration.eligibility.world import INSTITUTION, Authorities, World
from tests.integration.terminal_agent.conftest import inserted, slot

# A terminal that waits for its centre as long as a busy machine takes.
PATIENT = {"TERMINAL_CONNECT_TIMEOUT_S": "60", "TERMINAL_ANSWER_TIMEOUT_S": "60"}

__all__ = ["authorities", "card", "content", "inserted", "slot", "world"]


@pytest.fixture(scope="session")
def jpki(authorities: Authorities) -> Jpki:
    """The hierarchy whose user-authentication generations the centre trusts."""
    return authorities.jpki


@pytest.fixture
async def settings(world: World, tmp_path: Path) -> Path:
    """The settings of an enrolled terminal."""
    terminal_id, now = uuid4(), datetime.now(UTC)
    await enrol_terminal(world.owner, terminal_id, InstitutionCode(INSTITUTION), "受付", now)
    world.authorities.enrolment.terminal(INSTITUTION, terminal_id, now).write(world.folder, "terminal")
    file = tmp_path / "terminal.env"
    file.write_text(
        f"TERMINAL_CENTRE_URL={world.url}\n"
        f"TERMINAL_CENTRE_AUTHORITY={world.folder / 'server_authority.crt'}\n"
        f"TERMINAL_CERTIFICATE={world.folder / 'terminal.crt'}\n"
        f"TERMINAL_KEY={world.folder / 'terminal.key'}\n"
        "TERMINAL_CARD_WAIT_S=0\n" + "".join(f"{name}={value}\n" for name, value in PATIENT.items())
    )
    return file
