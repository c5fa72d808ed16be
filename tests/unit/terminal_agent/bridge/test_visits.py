import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from eligibility.domain.codes import ConsentClass
from terminal_agent.bridge.errors import StateUnusable
from terminal_agent.bridge.service import Bridge, open_bridge
from terminal_agent.bridge.visits import REMEMBERED
from terminal_agent.settings import TerminalSettings
from tests.unit.terminal_agent.bridge.conftest import NOW, Desk
from tests.unit.terminal_agent.conftest import VALID, dead

LATER = VALID.model_copy(update={"verification_id": UUID("0197a3c0-0000-7000-8000-000000000002")})


def test_counters_that_share_a_state_folder_know_their_own_visits_alone(
    enrolled: Callable[[], TerminalSettings], tmp_path: Path
) -> None:
    kept = {"bridge_state": tmp_path / "state"}
    one, other = (enrolled().model_copy(update=kept) for _ in range(2))
    with open_bridge(one, lambda: None) as here, open_bridge(other, lambda: None) as there:
        here.responder.visits.remember(VALID)
        assert there.responder.visits.last() is None
        there.responder.visits.remember(LATER)
        assert here.responder.visits.last() == VALID
    with open_bridge(one, lambda: None) as again:
        assert again.responder.visits.last() == VALID


def _fill(desk: Desk) -> None:
    for number in range(1_000):
        desk.visits._store.put("filler", str(number), b"x" * 4096, NOW.replace(year=2099))


@contextmanager
def full(desk: Desk) -> Iterator[None]:
    """Leave the bridge's file no room, as a full disk does."""
    database = desk.visits._store._database
    database.execute("pragma max_page_count = 1")  # which SQLite takes for as many as there are
    with pytest.raises(sqlite3.OperationalError):
        _fill(desk)
    yield
    database.execute("pragma max_page_count = 1000000")


def until(reached: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(6_000):
        if reached():
            return
        waiting.wait(0.01)
    pytest.fail("never")


def test_a_visit_that_cannot_be_written_down_is_the_latest_all_the_same_and_trouble(
    desk: Desk, settings: TerminalSettings
) -> None:
    with (bridge := Bridge(settings, desk.responder)).running():
        bridge.card_visit(VALID)
        until(lambda: desk.visits.last() == VALID)
        assert bridge.trouble is None
        with full(desk):
            bridge.card_visit(LATER)
            until(lambda: bridge.trouble == StateUnusable.code)
            assert desk.visits.last() == LATER
            bridge.consent_withdrawn(LATER.verification_id, ConsentClass.LIMIT_CERTIFICATE)
            until(lambda: desk.visits.last() != LATER)
        latest = desk.visits.last()
        assert latest is not None
        assert (latest.verification_id, latest.consents) == (LATER.verification_id, ())
        bridge.card_visit(VALID)
        until(lambda: bridge.trouble is None)


def test_the_latest_visit_is_over_when_its_consents_are(desk: Desk) -> None:
    desk.visits.remember(VALID)
    desk.clock[0] += REMEMBERED
    assert desk.visits.last() == VALID
    desk.clock[0] += timedelta(seconds=1)
    assert desk.visits.last() is None


def test_a_share_that_does_not_answer_keeps_no_visit_from_being_the_latest(
    desk: Desk, settings: TerminalSettings, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    with (bridge := Bridge(settings.model_copy(update={"bridge_folder": share}), desk.responder)).running():
        with dead(share):
            for visit in (VALID, LATER):
                bridge.card_visit(visit)
            until(lambda: desk.visits.last() == LATER)
        until(lambda: len(list((share / "face").iterdir())) == 2)
