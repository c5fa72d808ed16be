import ssl
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from eligibility.wire.verifications import NumberVerificationRequest
from terminal_agent.client import (
    Centre,
    CentreAnswerUnreadable,
    CentreAway,
    CentreError,
    CentreHungUp,
    CentreNotTrusted,
    CredentialsUnreadable,
    Refused,
    TerminalNotAccepted,
)
from terminal_agent.settings import TerminalSettings

ASKED = NumberVerificationRequest(insurer_number="06139463", number="4567", birth_date=date(1985, 4, 12))
MakeProblem = Callable[..., httpx.Response]


def _caused_by(cause: Exception) -> httpx.HTTPError:
    error = httpx.ConnectError("no")
    error.__cause__ = cause
    return error


def _alert() -> ssl.SSLError:
    error = ssl.SSLError(1, "alert")
    error.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    return error


def test_challenges_are_fetched_ahead_and_each_is_given_once(centre: Any) -> None:
    with centre.line(count=3) as line:
        taken = {line.take_challenge() for _ in range(3)}
        assert len(taken) == 3
        assert len(centre.seen) == 1
        assert line.take_challenge() not in taken
        assert len(centre.seen) == 2


def test_challenges_about_to_expire_are_not_used(centre: Any) -> None:
    with centre.line() as line:
        old = line.take_challenge()
        centre.now += timedelta(seconds=110)
        line.take_challenge()
        assert old is not None
        assert len(centre.seen) == 2


def test_a_busy_centre_is_asked_for_challenges_once_more_after_the_time_it_names(
    centre: Any, make_problem: MakeProblem
) -> None:
    centre.prepared = [make_problem("busy", 503, 2)]
    with centre.line() as line:
        line.fetch_challenges()
    assert centre.waited == [2]


@pytest.mark.parametrize(("named", "waited"), [(3600, 5.0), (None, 1)])
def test_the_wait_for_a_busy_centre_is_bounded(
    centre: Any, make_problem: MakeProblem, named: int | None, waited: float
) -> None:
    centre.prepared = [make_problem("busy", 503, named), make_problem("busy", 503, named)]
    with centre.line() as line, pytest.raises(Refused, match="busy"):
        line.fetch_challenges()
    assert centre.waited == [waited]


@pytest.mark.parametrize("status", [401, 429, 500])
def test_another_refusal_of_challenges_is_not_asked_again(centre: Any, make_problem: MakeProblem, status: int) -> None:
    centre.prepared = [make_problem("refused", status)]
    with centre.line() as line, pytest.raises(Refused):
        line.fetch_challenges()
    assert len(centre.seen) == 1


def test_a_verification_is_never_sent_twice(centre: Any, make_problem: MakeProblem) -> None:
    centre.prepared = [make_problem("busy", 503, 1)]
    with centre.line() as line, pytest.raises(Refused) as refused:
        line.verify_number(ASKED)
    assert refused.value.problem.retry_after_s == 1
    assert len(centre.seen) == 1


@pytest.mark.parametrize(
    ("prepared", "error"),
    [
        (httpx.ConnectError("refused"), CentreAway),
        (httpx.ConnectTimeout("slow"), CentreAway),
        (httpx.ReadTimeout("slow"), CentreAway),
        (httpx.RemoteProtocolError("cut"), CentreHungUp),
        (_caused_by(ssl.SSLCertVerificationError(1, "unknown CA")), CentreNotTrusted),
        (_caused_by(_alert()), TerminalNotAccepted),
        (httpx.Response(502, text="Bad Gateway"), CentreAway),
        (httpx.Response(404, text="not ours"), CentreAnswerUnreadable),
        (httpx.Response(302, headers={"Location": "https://elsewhere.test"}), CentreAnswerUnreadable),
        (httpx.Response(200, text="not JSON"), CentreAnswerUnreadable),
        (httpx.Response(200, text="{}"), CentreAnswerUnreadable),
        (httpx.Response(200, text=""), CentreAnswerUnreadable),
        (
            httpx.Response(403, text="{}", headers={"Content-Type": "application/problem+json"}),
            CentreAnswerUnreadable,
        ),
    ],
)
def test_each_trouble_on_the_line_has_its_error(
    centre: Any, prepared: httpx.Response | httpx.HTTPError, error: type[CentreError]
) -> None:
    centre.prepared = [prepared]
    with centre.line() as line, pytest.raises(error) as raised:
        line.verify_number(ASKED)
    assert type(raised.value) is error


def test_an_empty_hand_of_challenges_is_no_answer(centre: Any) -> None:
    centre.prepared = [httpx.Response(200, json={"challenges": [], "expires_at": "2026-11-21T00:00:00Z"})]
    with centre.line() as line, pytest.raises(CentreAnswerUnreadable):
        line.take_challenge()


def test_a_terminal_without_readable_credentials_says_so(tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled.pem"
    spoiled.write_text("not PEM")
    for file in (tmp_path / "none", spoiled):
        settings = TerminalSettings(centre_url="https://centre.test", centre_authority=file, certificate=file, key=file)
        with pytest.raises(CredentialsUnreadable):
            Centre.open(settings)
