"""A counter that starts: with an outbox that cannot be used, and beside another one on the same machine."""

import asyncio
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from eligibility.domain.codes import ConsentClass
from loadtest.hand_slot import HandSlot
from terminal_agent import probing
from terminal_agent.bridge import beside
from terminal_agent.bridge.service import open_bridge
from terminal_agent.client import Centre
from terminal_agent.kiosk.serving import Screens
from terminal_agent.kiosk.visit import Unverified
from terminal_agent.language import Language
from terminal_agent.outbox.journal import Journal
from terminal_agent.outbox.sealing import Seal
from terminal_agent.settings import TerminalSettings
from tests.unit.terminal_agent.conftest import VALID, dead


@pytest.fixture
def keeping(settings: TerminalSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TerminalSettings:
    """The settings of a terminal with an outbox."""
    monkeypatch.setattr(probing, "reader_names", lambda: ["Counter Reader 00 00"])
    kept = {"outbox_file": tmp_path / "outbox.db", "outbox_key_file": tmp_path / "outbox.key", "screens_port": 0}
    return settings.model_copy(update=kept)


@contextmanager
def serving(settings: TerminalSettings) -> Iterator[Screens]:
    screens = Screens(settings, Centre(httpx.Client()), HandSlot())
    started = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(screens.serve(started.set)), name="screens")
    thread.start()
    try:
        assert started.wait(120)
        yield screens
    finally:
        screens.stop()
        thread.join(120)


def health(screens: Screens) -> str:
    """Return the health panel, as a browser gets it that was opened with the staff's address."""
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=120) as browser:
        browser.get(screens.staff_url)
        answer = browser.get(f"http://127.0.0.1:{screens.port}/staff/health")
    assert answer.status_code == 200
    return answer.text


def test_a_damaged_outbox_keeps_no_counter_shut_and_the_health_panel_says_so(
    keeping: TerminalSettings, tmp_path: Path
) -> None:
    (tmp_path / "outbox.db").write_bytes(b"what a broken disk left " * 400)
    with serving(keeping) as screens:
        assert screens.journal is not None
        screens.journal.add(None, date(2026, 11, 21), datetime.now(UTC))
        said = health(screens)
    (aside,) = (file.name for file in tmp_path.iterdir() if "damaged" in file.name)
    assert aside in said
    assert "番号で確認" in said
    (tmp_path / aside).rename(tmp_path / "taken-away")
    with serving(keeping) as again:
        assert again.journal is not None
        assert sum(again.journal.counts().values()) == 1
        assert "来院を記録できます" in health(again)


def test_an_outbox_of_another_key_is_untouched_and_its_visits_are_on_paper_alone(
    keeping: TerminalSettings, tmp_path: Path
) -> None:
    with closing(Journal(tmp_path / "outbox.db", Seal.from_file(tmp_path / "first.key"))) as journal:
        kept = journal.add(None, date(2026, 11, 21), datetime.now(UTC))
    with serving(keeping) as screens:
        assert "別の鍵で封じられています" in health(screens)
        screens.runner._show(Unverified("centre_away"))
        screens.runner._keep_for_later()
        assert [visit.trouble for visit in screens.daybook.visits()] == ["outbox_unusable", "centre_away"]
        (tmp_path / "first.key").rename(tmp_path / "outbox.key")
        assert "起動し直してください" in health(screens)  # its own journal is still not open
    with serving(keeping) as again:
        assert again.journal is not None
        assert again.journal.visit(kept) is not None


def test_without_an_outbox_nothing_is_said_to_be_lost(keeping: TerminalSettings) -> None:
    with serving(keeping.model_copy(update={"outbox_file": None})) as screens:
        screens.runner._show(Unverified("centre_away"))
        screens.runner._keep_for_later()
        assert [visit.trouble for visit in screens.daybook.visits()] == ["centre_away"]
        assert screens.runner.own_language is Language.JA


@pytest.fixture
def bridged(
    enrolled: Callable[[], TerminalSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TerminalSettings:
    """The settings of a counter with a bridge that is tried again at once."""
    monkeypatch.setattr(probing, "reader_names", lambda: ["Counter Reader 00 00"])
    monkeypatch.setattr(beside, "TRY_AGAIN_S", 0.01)
    served = {"bridge_folder": tmp_path / "share", "bridge_port": 0, "bridge_state": tmp_path / "state"}
    return enrolled().model_copy(update={"screens_port": 0, **served})


def until(reached: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(12_000):
        if reached():
            return
        waiting.wait(0.01)
    pytest.fail("never")


def trouble(screens: Screens) -> str | None:
    assert screens.bridge is not None
    return screens.bridge.trouble


@pytest.mark.parametrize(
    ("in_the_way", "content", "code", "said"),
    [
        ("share", b"no folder", "bridge_folder_unusable", "TERMINAL_BRIDGE_FOLDER"),
        ("state", b"no folder", "bridge_state_unusable", "TERMINAL_BRIDGE_STATE"),
        ("state/rest.token", b"short", "bridge_secret_unusable", "TERMINAL_BRIDGE_TOKEN"),
        ("state/bridge.key", b"k" * 31, "bridge_secret_unusable", "TERMINAL_BRIDGE_STATE"),
    ],
)
def test_what_keeps_the_bridge_from_running_keeps_no_counter_shut(
    bridged: TerminalSettings, tmp_path: Path, in_the_way: str, content: bytes, code: str, said: str
) -> None:
    file = tmp_path / in_the_way
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    file.chmod(0o600)
    with serving(bridged) as screens:
        until(lambda: trouble(screens) == code)
        assert said in health(screens)
        assert screens.bridge is not None
        screens.bridge.card_visit(VALID)
        screens.bridge.consent_withdrawn(VALID.verification_id, ConsentClass.LIMIT_CERTIFICATE)
        file.unlink()
        until(lambda: trouble(screens) is None)
        assert "フォルダやポートを使えます" in health(screens)
    assert len(list((tmp_path / "share" / "face").iterdir())) == 1
    with open_bridge(bridged, lambda: None) as bridge:
        last = bridge.responder.visits.last()
    assert last is not None
    assert (last.verification_id, last.consents) == (VALID.verification_id, ())


def test_a_share_that_hangs_takes_neither_the_staff_s_screen_nor_the_visit_in_hand(
    bridged: TerminalSettings, tmp_path: Path
) -> None:
    outbox = {"outbox_file": tmp_path / "outbox.db", "outbox_key_file": tmp_path / "outbox.key"}
    with serving(bridged.model_copy(update=outbox)) as screens:
        until(lambda: trouble(screens) is None)
        with dead(tmp_path / "share"):
            for _ in range(2):
                assert "共有が応答しません" in health(screens)
            screens.runner._show(Unverified("centre_away"))
            screens.stop()
            with closing(sqlite3.connect(tmp_path / "outbox.db")) as kept:
                until(lambda: kept.execute("select count(*) from visit").fetchone() == (1,))


def test_a_bridge_whose_own_part_is_deleted_starts_anew_and_lays_down_what_waits(
    bridged: TerminalSettings, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    with serving(bridged) as screens:
        until(lambda: trouble(screens) is None)
        assert screens.bridge is not None
        first = screens.bridge._bridge
        shutil.rmtree(share / ".bridge")
        screens.bridge.card_visit(VALID)
        until(lambda: trouble(screens) is None and screens.bridge is not None and screens.bridge._bridge is not first)
        until(lambda: len(list((share / "face").iterdir())) == 1)
        (share / "req" / "OQSsiquc01req_1.xml").write_bytes(b"<XmlMsg></XmlMsg>")
        until(lambda: (share / "res" / "OQSsiquc01res_1.xml").exists())


def test_what_waits_for_the_bridge_at_the_end_is_counted(
    bridged: TerminalSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "share").write_bytes(b"no folder")
    with serving(bridged) as screens:
        until(lambda: trouble(screens) == "bridge_folder_unusable")
        assert screens.bridge is not None
        for _ in range(3):
            screens.bridge.card_visit(VALID)
    assert re.search(r"visits_not_laid_down +waiting=3", re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out))


def test_empty_secrets_that_a_power_cut_left_are_made_anew(bridged: TerminalSettings, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    for name in ("rest.token", "bridge.key"):
        (tmp_path / "state" / name).touch(mode=0o600)
    with serving(bridged) as screens:
        until(lambda: trouble(screens) is None)


def test_one_browser_may_be_at_two_counters_of_one_machine(settings: TerminalSettings) -> None:
    apart = settings.model_copy(update={"screens_port": 0})
    with serving(apart) as one, serving(apart) as other, httpx.Client(trust_env=False, timeout=60) as browser:
        for address in (one.patient_url, one.staff_url, other.patient_url, other.staff_url):
            assert browser.get(address).status_code == 303
        for counter in (one, other):
            assert browser.get(f"http://127.0.0.1:{counter.port}/").status_code == 200
            assert browser.get(f"http://127.0.0.1:{counter.port}/staff/sign-in").status_code == 200
