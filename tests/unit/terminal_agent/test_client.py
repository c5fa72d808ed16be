"""The terminal's line to a peer at the other end of a real socket that sends whatever bytes a test gives it."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from eligibility.domain.codes import Method, Outcome
from eligibility.wire.encoding import b64url
from eligibility.wire.verifications import CardProof, NumberVerificationRequest, VerificationRequest
from terminal_agent.client import (
    Centre,
    CentreAnswerUnreadable,
    CentreAway,
    CentreError,
    CentreHungUp,
    CredentialsUnreadable,
    Refused,
)
from terminal_agent.settings import TerminalSettings
from tests.unit.terminal_agent.conftest import VALID

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
ASKED = NumberVerificationRequest(insurer_number="06139463", number="4567", birth_date=date(1985, 4, 12))
PROOF = CardProof(challenge=b"c", certificate=b"c", signature=b"s")
PROBLEM = "application/problem+json"


def answer(status: int, body: str = "", kind: str = "application/json", headers: str = "") -> bytes:
    """Return an HTTP answer as it goes over the line."""
    content = body.encode()
    head = f"HTTP/1.1 {status} .\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{headers}"
    return f"{head}Connection: close\r\n\r\n".encode() + content


def challenges(count: int, at: datetime = NOW, headers: str = "") -> bytes:
    issued = [b64url(bytes([number]) * 48) for number in range(count)]
    told = {"challenges": issued, "expires_at": (at + timedelta(seconds=120)).isoformat()}
    return answer(200, json.dumps(told), headers=headers)


def problem(status: int, retry_after_s: int | None = None, code: str = "busy") -> bytes:
    said = {"ja": "受付の方へ。", "en": "For reception."}
    sent = {"type": "urn:eligibility:problem:busy", "title": "busy", "status": status, "code": code, "staff": said}
    return answer(status, json.dumps(sent | {"vendor": said, "faults": [], "retry_after_s": retry_after_s}), PROBLEM)


@dataclass
class Peer:
    """What is at the other end: one answer for each connection; with none left it listens and says nothing."""

    listener: socket.socket
    answers: list[bytes] = field(default_factory=list)
    asked: int = 0
    waited: list[float] = field(default_factory=list)
    now: datetime = NOW
    steady_s: float = 1000.0

    def age(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self.steady_s += seconds

    @contextlib.contextmanager
    def line(self, count: int = 4, timeout_s: float = 60) -> Iterator[Centre]:
        """Give a terminal's line to this peer."""
        url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        with Centre(
            httpx.Client(base_url=url, timeout=timeout_s),
            count,
            lambda: self.now,
            self.waited.append,
            lambda: self.steady_s,
        ) as centre:
            yield centre

    def serve(self) -> None:
        """Answer until the listener is closed."""
        silent = []
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self.listener.accept()
                self.asked += 1
                if not self.answers:
                    silent.append(caller)
                    continue
                with caller:
                    caller.recv(65536)
                    caller.sendall(self.answers.pop(0))
        for caller in silent:
            caller.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Peer(listener)
        serving = threading.Thread(target=made.serve)
        serving.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()


def test_challenges_are_fetched_ahead_and_each_is_given_once(peer: Peer) -> None:
    peer.answers = [challenges(3), challenges(3)]
    with peer.line(count=3) as line:
        assert len({line.take_challenge() for _ in range(3)}) == 3
        assert peer.asked == 1
        line.take_challenge()
        assert peer.asked == 2


@pytest.mark.parametrize("behind_s", [-86_400, -600, -90, 0, 90, 600, 86_400])
def test_a_wrong_clock_uses_no_challenge_that_has_expired_and_wastes_none(peer: Peer, behind_s: int) -> None:
    centre = NOW + timedelta(seconds=behind_s)
    named = f"Date: {format_datetime(centre, usegmt=True)}\r\n"
    peer.answers = [challenges(4, centre, named), challenges(4, centre, named)]
    with peer.line() as line:
        line.take_challenge()
        peer.age(100)
        line.take_challenge()
        assert peer.asked == 1
        peer.age(10)
        line.fetch_challenges()
        assert peer.asked == 2


@pytest.mark.parametrize("named", ["", "Date: yesterday\r\n", "Date: Sat, 21 Nov 2026 09:00:00 -0000\r\n"])
def test_a_centre_that_names_no_time_is_believed_about_the_expiry(peer: Peer, named: str) -> None:
    peer.answers = [challenges(4, NOW, named), challenges(4, NOW, named)]
    with peer.line() as line:
        line.take_challenge()
        peer.age(110)
        line.take_challenge()
        assert peer.asked == 2


def test_challenges_about_to_expire_are_not_used(peer: Peer) -> None:
    peer.answers = [challenges(4), challenges(4)]
    with peer.line() as line:
        line.take_challenge()
        peer.age(110)
        line.fetch_challenges()
        assert peer.asked == 2


@pytest.mark.parametrize("set_by", [timedelta(minutes=-30), timedelta(days=-365), timedelta(minutes=30)])
def test_a_clock_set_meanwhile_keeps_no_dead_challenge_and_wastes_none(peer: Peer, set_by: timedelta) -> None:
    peer.answers = [challenges(4), challenges(4)]
    with peer.line() as line:
        line.take_challenge()
        peer.now += set_by
        peer.age(100)
        line.take_challenge()
        assert peer.asked == 1
        peer.age(10)
        line.take_challenge()
        assert peer.asked == 2


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("challenge_malformed", 3),
        ("challenge_forged", 3),
        ("challenge_expired", 3),
        ("challenge_replayed", 3),
        ("card_not_registered", 2),
    ],
)
def test_after_a_challenge_was_refused_the_next_is_a_fresh_one(peer: Peer, code: str, asked: int) -> None:
    peer.answers = [challenges(4), problem(403, code=code), challenges(4)]
    with peer.line() as line:
        question = VerificationRequest(proof=PROOF, method=Method.PIN)
        line.take_challenge()
        with pytest.raises(Refused):
            line.verify(question)
        line.take_challenge()
        assert peer.asked == asked


def test_a_busy_centre_is_asked_for_challenges_once_more_after_the_time_it_names(peer: Peer) -> None:
    peer.answers = [problem(503, 2), challenges(4)]
    with peer.line() as line:
        line.fetch_challenges()
    assert peer.waited == [2]


@pytest.mark.parametrize(("named", "waited"), [(3600, 5.0), (None, 1)])
def test_the_wait_for_a_busy_centre_is_bounded(peer: Peer, named: int | None, waited: float) -> None:
    peer.answers = [problem(503, named), problem(503, named)]
    with peer.line() as line, pytest.raises(Refused, match="busy"):
        line.fetch_challenges()
    assert peer.waited == [waited]


@pytest.mark.parametrize("status", [401, 429, 500])
def test_another_refusal_of_challenges_is_not_asked_again(peer: Peer, status: int) -> None:
    peer.answers = [problem(status)]
    with peer.line() as line, pytest.raises(Refused):
        line.fetch_challenges()
    assert peer.asked == 1


def test_a_verification_is_never_sent_twice(peer: Peer) -> None:
    peer.answers = [problem(503, 1)]
    with peer.line() as line, pytest.raises(Refused) as refused:
        line.verify_number(ASKED)
    assert refused.value.problem.retry_after_s == 1
    assert peer.asked == 1


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (None, CentreAway),
        (b"", CentreHungUp),
        (b"HTTP/1.1 200", CentreHungUp),
        (b"SSH-2.0-OpenSSH_9.9\r\n", CentreHungUp),
        (answer(502, "Bad Gateway", "text/plain"), CentreAway),
        (answer(404, "not ours", "text/plain"), CentreAnswerUnreadable),
        (answer(302, headers="Location: https://elsewhere.test\r\n"), CentreAnswerUnreadable),
        (answer(200, "not JSON"), CentreAnswerUnreadable),
        (answer(200, "{}"), CentreAnswerUnreadable),
        (answer(200), CentreAnswerUnreadable),
        (answer(403, "{}", PROBLEM), CentreAnswerUnreadable),
    ],
)
def test_each_trouble_on_the_line_has_its_error(peer: Peer, sent: bytes | None, error: type[CentreError]) -> None:
    peer.answers = [] if sent is None else [sent]
    with peer.line(timeout_s=60 if peer.answers else 0.5) as line, pytest.raises(error) as raised:
        line.verify_number(ASKED)
    assert type(raised.value) is error


NUMBER = {"insurer_number": "00139469", "symbol": "１２－Ａ", "number": "４５ ６７", "branch_number": "01"}
BORN = date(1985, 4, 12)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, {}),
        ({"insurer_number": " 139469", "symbol": "12-a", "number": "4567"}, {}),
        ({"insurer_number": "１３９４６９", "symbol": "12ーA ", "branch_number": "０１"}, {"number": "4567"}),
        ({"symbol": "", "branch_number": ""}, {}),
        ({"symbol": "", "branch_number": ""}, {"symbol": "", "branch_number": ""}),
        ({"asked_for": date(2026, 11, 21)}, {}),
    ],
)
def test_an_answer_may_write_the_number_as_the_insurer_does(
    peer: Peer, asked: dict[str, object], told: dict[str, object]
) -> None:
    peer.answers = [about(NUMBER | told)]
    with peer.line() as line:
        assert line.verify_number(number_asked(NUMBER | asked)).coverage is not None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, {"insurer_number": "06139469"}),
        ({}, {"symbol": "13"}),
        ({}, {"symbol": ""}),
        ({}, {"number": "4568"}),
        ({}, {"number": "04567"}),
        ({}, {"branch_number": "02"}),
        ({}, {"branch_number": ""}),
        ({}, {"birth_date": date(1985, 4, 13)}),
        ({"asked_for": date(2026, 11, 20)}, {}),
        ({"insurer_number": "1"}, {"insurer_number": "1"}),
    ],
)
def test_an_answer_about_another_number_birth_date_or_day_is_not_shown(
    peer: Peer, asked: dict[str, object], told: dict[str, object]
) -> None:
    peer.answers = [about(NUMBER | told)]
    with peer.line() as line, pytest.raises(CentreAnswerUnreadable):
        line.verify_number(number_asked(NUMBER | asked))


def test_an_answer_that_names_nobody_is_of_the_day_that_was_asked(peer: Peer) -> None:
    nobody = VALID.model_copy(update={"outcome": Outcome.NONE, "coverage": None}).model_dump_json()
    peer.answers = [answer(200, nobody), answer(200, nobody)]
    with peer.line() as line:
        assert line.verify_number(number_asked(NUMBER)).outcome is Outcome.NONE
        with pytest.raises(CentreAnswerUnreadable):
            line.verify_number(number_asked(NUMBER | {"asked_for": date(2026, 11, 20)}))


def test_an_answer_to_a_card_is_of_the_day_that_was_asked(peer: Peer) -> None:
    peer.answers = [answer(200, VALID.model_dump_json())] * 2
    with peer.line() as line:
        assert line.verify(VerificationRequest(proof=PROOF, method=Method.PIN, asked_for=VALID.asked_for)).coverage
        with pytest.raises(CentreAnswerUnreadable):
            line.verify(VerificationRequest(proof=PROOF, method=Method.PIN, asked_for=date(2026, 11, 20)))


def about(coverage: dict[str, object]) -> bytes:
    """Answer of a coverage."""
    assert VALID.coverage is not None
    told = VALID.coverage.model_copy(update={"birth_date": BORN} | coverage)
    return answer(200, VALID.model_copy(update={"coverage": told}).model_dump_json())


def number_asked(parts: dict[str, object]) -> NumberVerificationRequest:
    return NumberVerificationRequest.model_validate({"birth_date": BORN} | parts)


def test_nobody_listening_is_the_centre_away() -> None:
    with Centre(httpx.Client(base_url="http://127.0.0.1:9", timeout=0.5)) as line, pytest.raises(CentreAway):
        line.verify_number(ASKED)


def test_a_name_that_cannot_be_looked_up_is_the_centre_away() -> None:
    with Centre(httpx.Client(base_url="http://centre..test", trust_env=False)) as line, pytest.raises(CentreAway):
        line.verify_number(ASKED)


def test_an_empty_hand_of_challenges_is_no_answer(peer: Peer) -> None:
    peer.answers = [challenges(0)]
    with peer.line() as line, pytest.raises(CentreAnswerUnreadable):
        line.take_challenge()


def test_a_terminal_without_readable_credentials_says_so(tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled.pem"
    spoiled.write_text("not PEM")
    for file in (tmp_path / "none", spoiled):
        settings = TerminalSettings(centre_url="https://centre.test", centre_authority=file, certificate=file, key=file)
        with pytest.raises(CredentialsUnreadable):
            Centre.open(settings)
