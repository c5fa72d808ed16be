from datetime import UTC, datetime, timedelta

import pytest

from terminal_agent.outbox.clock import CentreTime, Uptime

AT = datetime(2026, 11, 21, 9, tzinfo=UTC)  # 18:00 in Japan
UP = Uptime("this boot", 10_000_000.0)
MIDNIGHT = datetime(2026, 11, 20, 15, tzinfo=UTC)  # in Japan
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def since(moment: datetime) -> Uptime:
    """Return what the machine's own count was at a moment."""
    return Uptime(UP.boot, UP.seconds - (AT - moment).total_seconds())


@pytest.mark.parametrize(
    ("was_at", "clock_then", "wrong"),
    [
        (AT, AT, False),
        (AT - timedelta(days=30), AT - timedelta(days=30), False),
        (AT - timedelta(hours=4), LONG_AGO, True),
        (AT - timedelta(days=1), AT, True),
        (AT - timedelta(hours=4), AT + timedelta(hours=1), False),
        (MIDNIGHT + timedelta(minutes=20), MIDNIGHT - timedelta(minutes=20), True),
        (MIDNIGHT + timedelta(seconds=30), MIDNIGHT - timedelta(seconds=30), False),
    ],
)
@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=-9000), timedelta(hours=12)])
def test_a_visit_since_the_machine_was_started_is_dated_whatever_the_clock_says_now(
    was_at: datetime, clock_then: datetime, wrong: bool, ahead: timedelta
) -> None:
    assert CentreTime(AT, UP, ahead).puts_elsewhere(clock_then, since(was_at)) is wrong


@pytest.mark.parametrize(
    ("clock_then", "ahead", "wrong"),
    [
        (AT - timedelta(days=30), timedelta(0), False),
        (AT - timedelta(days=30), timedelta(hours=1), False),
        (AT - timedelta(days=30), timedelta(days=365), True),
        (LONG_AGO, LONG_AGO + timedelta(days=2) - AT, True),
        (AT + timedelta(days=2), timedelta(0), True),  # nobody was here tomorrow
        (AT + timedelta(hours=2), timedelta(0), False),
        (MIDNIGHT - timedelta(minutes=20), timedelta(minutes=-40), True),
        (MIDNIGHT - timedelta(minutes=1), timedelta(minutes=-2), False),
    ],
)
@pytest.mark.parametrize("up", [None, Uptime("another boot", 7.0)])
def test_of_an_earlier_start_it_is_presumed_that_the_clock_was_off_as_it_is_now(
    clock_then: datetime, ahead: timedelta, wrong: bool, up: Uptime | None
) -> None:
    assert CentreTime(AT, UP, ahead).puts_elsewhere(clock_then, up) is wrong


def test_the_centres_time_goes_on_by_the_machines_own_count() -> None:
    assert CentreTime(AT, UP, timedelta(days=365)).later(Uptime(UP.boot, UP.seconds + 90)) == AT + timedelta(seconds=90)
    assert Uptime.now().boot == Uptime.now().boot
    assert Uptime.now().seconds > 0
