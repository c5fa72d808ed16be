from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from terminal_agent.bridge.service import open_bridge
from terminal_agent.settings import TerminalSettings
from tests.unit.terminal_agent.conftest import VALID


def test_counters_that_share_a_state_folder_know_their_own_visits_alone(
    enrolled: Callable[[], TerminalSettings], tmp_path: Path
) -> None:
    kept = {"bridge_state": tmp_path / "state"}
    one, other = (enrolled().model_copy(update=kept) for _ in range(2))
    later = VALID.model_copy(update={"verification_id": UUID("0197a3c0-0000-7000-8000-000000000002")})
    with open_bridge(one, lambda: None) as here, open_bridge(other, lambda: None) as there:
        here.responder.visits.remember(VALID)
        assert there.responder.visits.last() is None
        there.responder.visits.remember(later)
        assert here.responder.visits.last() == VALID
    with open_bridge(one, lambda: None) as again:
        assert again.responder.visits.last() == VALID
