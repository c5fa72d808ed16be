"""Who is signed in at a terminal, and the passcode with which staff confirm a face by eye."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eligibility.domain.codes import Role
from eligibility.wire.staff import SESSION_IDLE_LIFE, SESSION_LIFE, StaffSession
from terminal_agent.kiosk.app import Changes
from terminal_agent.kiosk.desks import Desks
from terminal_agent.kiosk.passcode import PAUSE, TRIES, Passcode, PasscodeTooShort, PasscodeUnreadable, write_passcode


@dataclass
class Clock:
    moment: datetime = datetime(2026, 11, 21, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


def session(clock: Clock) -> StaffSession:
    return StaffSession(token="t" * 40, role=Role.DOCTOR, display_name="医師", expires_at=clock.moment + SESSION_LIFE)


def test_a_session_holds_while_it_is_used_and_no_longer_than_the_centre_says() -> None:
    clock = Clock()
    desks = Desks(clock.now)
    name = desks.sit_down(session(clock))
    end = clock.moment + SESSION_LIFE
    while clock.moment + SESSION_IDLE_LIFE / 2 < end:
        clock.moment += SESSION_IDLE_LIFE / 2
        assert desks.who(name) is not None
    clock.moment = end
    assert desks.who(name) is None


def test_half_an_hour_without_a_request_ends_it() -> None:
    clock = Clock()
    desks = Desks(clock.now)
    name = desks.sit_down(session(clock))
    clock.moment += SESSION_IDLE_LIFE
    assert desks.who(name) is None
    clock.moment -= timedelta(minutes=1)
    assert desks.who(name) is None


def test_a_page_that_looks_again_by_itself_is_no_use_of_a_session() -> None:
    clock = Clock()
    desks = Desks(clock.now)
    away = desks.sit_down(session(clock))
    clock.moment += timedelta(minutes=1)
    here = session(clock).model_copy(update={"display_name": "事務"})
    desks.sit_down(here)
    for _ in range(28):
        clock.moment += timedelta(minutes=1)
        assert desks.who(away, by_hand=False) is not None
    assert desks.latest() == here
    clock.moment += timedelta(minutes=1)
    assert desks.who(away, by_hand=False) is None


def test_how_long_a_session_lasts_is_told_without_using_it() -> None:
    clock = Clock()
    desks = Desks(clock.now)
    name = desks.sit_down(session(clock))
    assert desks.seconds_left(name) == SESSION_IDLE_LIFE.total_seconds()
    clock.moment += timedelta(minutes=20)
    assert desks.seconds_left(name) == 600
    desks.who(name)
    assert desks.seconds_left(name) == SESSION_IDLE_LIFE.total_seconds()
    clock.moment += SESSION_IDLE_LIFE
    assert desks.seconds_left(name) is None
    assert desks.seconds_left("guessed") is None


def test_the_centres_end_comes_before_half_an_hour_of_idleness() -> None:
    clock = Clock()
    desks = Desks(clock.now)
    name = desks.sit_down(session(clock).model_copy(update={"expires_at": clock.moment + timedelta(minutes=5)}))
    assert desks.seconds_left(name) == 300
    desks.stand_up(name)
    assert desks.seconds_left(name) is None


async def test_the_stream_says_by_itself_what_nobody_tells() -> None:
    said = iter(["1", "ended"])
    stream = Changes(asyncio.get_running_loop()).stream(lambda: next(said), lambda: 0.01)
    assert [await anext(stream), await anext(stream)] == ["data: 1\n\n", ": still here\n\n"]
    assert await anext(stream) == "data: ended\n\n"
    await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["", "guessed", "t" * 40])
def test_nobody_else_is_signed_in(name: str) -> None:
    clock = Clock()
    desks = Desks(clock.now)
    mine = desks.sit_down(session(clock))
    assert desks.who(name) is None
    desks.stand_up(mine)
    assert desks.who(mine) is None


def test_a_passcode_is_kept_as_a_hash_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "passcode"
    write_passcode(file, "松竹梅246")
    assert "松竹梅" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    passcode = Passcode.read(file, Clock().now)
    assert passcode.is_right("松竹梅246")
    assert not passcode.is_right("松竹梅245")
    assert not passcode.is_right("")
    write_passcode(file, "another one")
    assert Passcode.read(file, Clock().now).is_right("another one")


def test_after_five_wrong_ones_even_the_right_one_waits(tmp_path: Path) -> None:
    clock = Clock()
    write_passcode(tmp_path / "passcode", "松竹梅246")
    passcode = Passcode.read(tmp_path / "passcode", clock.now)
    for _ in range(TRIES):
        assert not passcode.is_right("wrong one")
    assert not passcode.is_right("松竹梅246")
    clock.moment += PAUSE
    assert passcode.is_right("松竹梅246")


def test_many_at_once_are_as_many_tries(tmp_path: Path) -> None:
    write_passcode(tmp_path / "passcode", "松竹梅246")
    compared = []

    class Counted(Passcode):
        """Counts what is compared: who may not try any more has nothing compared."""

        def may_be_tried(self) -> bool:
            may = Passcode.may_be_tried(self)
            compared.append(may)
            return may

    passcode = Counted.read(tmp_path / "passcode", Clock().now)
    with ThreadPoolExecutor(4 * TRIES) as many:
        assert not any(many.map(passcode.is_right, [f"wrong {n}" for n in range(4 * TRIES)]))
    assert compared.count(True) == TRIES


@pytest.mark.parametrize("written", ["", "scrypt", "scrypt zz zz", "md5 00 00", "scrypt 00 00 00", "\xff"])
def test_a_malformed_file_is_no_passcode(tmp_path: Path, written: str) -> None:
    (tmp_path / "passcode").write_text(written, encoding="latin-1")
    with pytest.raises(PasscodeUnreadable):
        Passcode.read(tmp_path / "passcode", Clock().now)
    with pytest.raises(PasscodeUnreadable):
        Passcode.read(tmp_path / "none", Clock().now)


def test_a_short_passcode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PasscodeTooShort):
        write_passcode(tmp_path / "passcode", "12345")
