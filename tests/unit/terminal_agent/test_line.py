"""The terminal's line to a peer over mutual TLS: an end to every answer, and the certificate that is there now."""

import contextlib
import gzip
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509

from eligibility.domain.codes import Role
from eligibility.wire.bulk import BulkResults, BulkState, BulkStatus
from eligibility.wire.checkups import CheckupHistory
from eligibility.wire.medications import MedicationHistory
from eligibility.wire.staff import StaffSession
from eligibility.wire.treatments import TreatmentHistory
from loadtest.pki import Enrolment, KeyPair
from terminal_agent.client import (
    LONGEST_ANSWERS,
    LONGEST_OTHER_ANSWER,
    Centre,
    CentreAnswerTooLong,
    CentreAnswerUnreadable,
    CentreAway,
)
from terminal_agent.line import MEBIBYTE, SLOWEST_LINE
from terminal_agent.settings import TerminalSettings

NOW = datetime.now(UTC)
BULK_ID = uuid4()
STATUS = BulkStatus(bulk_id=BULK_ID, state=BulkState.DONE, total=1, done=1, results_until=None).model_dump_json()
RESULTS = BulkResults(
    bulk_id=BULK_ID, asked_for=NOW.date(), finished_at=NOW, total=0, changed=0, results=(), after=None
).model_dump_json()
STAFF = StaffSession(token="t", role=Role.DOCTOR, display_name="d", expires_at=NOW)
HISTORY = {"verification_id": BULK_ID, "from_month": "2023-12", "through_month": "2026-11", "data_as_of": None}
MEDICATIONS = MedicationHistory.model_validate(HISTORY | {"medicines": ()}).model_dump_json()
TREATMENTS = TreatmentHistory.model_validate(HISTORY | {"treatments": ()}).model_dump_json()
CHECKUPS = CheckupHistory.model_validate(HISTORY | {"checkups": ()}).model_dump_json()
Talk = Callable[["Peer", ssl.SSLSocket], None]


class Peer:
    """A centre that trusts this test's terminals, and says over each connection what a test wants."""

    def __init__(self, folder: Path) -> None:
        self.enrolment = Enrolment.create(NOW)
        self.enrolment.save(folder)
        self.folder = folder
        self.talk: Talk = answering
        self.asked_by: list[int] = []  # the serial number of the certificate, for each request
        self.over = threading.Event()  # a connection was ended from the other side
        self.stopped = threading.Event()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*self.enrolment.server(NOW).write(folder, "server"))
        self._tls.load_verify_locations(folder / "terminal_authority.crt")
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """End; every connection must have ended."""
        self.stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def certified(self) -> KeyPair:
        """Certify one more key of the same terminal."""
        return self.enrolment.terminal("1312345679", BULK_ID, NOW)

    def settings(self, certificate: Path, key: Path, answer_timeout_s: float = 60) -> TerminalSettings:
        """Return the settings of a terminal whose certificate lies there."""
        return TerminalSettings(
            centre_url=f"https://127.0.0.1:{self._listener.getsockname()[1]}",
            centre_authority=self.folder / "server_authority.crt",
            certificate=certificate,
            key=key,
            connect_timeout_s=60,
            answer_timeout_s=answer_timeout_s,
        )

    @contextlib.contextmanager
    def line(self, answer_timeout_s: float = 60) -> Iterator[Centre]:
        """Give an enrolled terminal's line to this peer."""
        files = self.certified().write(self.folder, "terminal")
        with Centre.open(self.settings(*files, answer_timeout_s)) as centre:
            yield centre

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._threads.append(threading.Thread(target=self._serve, args=(self._listener.accept()[0],)))
                self._threads[-1].start()

    def _serve(self, caller: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(caller, server_side=True) as line:
                while self._request(line):
                    self.talk(self, line)
        except EOFError:  # a test has said all
            pass
        except OSError:
            self.over.set()

    def _request(self, line: ssl.SSLSocket) -> bool:
        """Read a request without a body; tell whether there is one."""
        read = b""
        while not read.endswith(b"\r\n\r\n"):
            if not (part := line.recv(65536)):
                return False
            read += part
        self.asked_by.append(x509.load_der_x509_certificate(line.getpeercert(binary_form=True) or b"").serial_number)
        return True


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    made = Peer(tmp_path)
    yield made
    made.close()


def answering(peer: Peer, line: ssl.SSLSocket) -> None:
    """Answer as the centre does, and wait for the next request."""
    line.sendall(head(f"Content-Length: {len(STATUS)}") + STATUS.encode())


def head(*headers: str, status: int = 200, kind: str = "application/json") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status} .", f"Content-Type: {kind}", *headers, "", "")).encode()


def dripping(at_once: bytes, again: bytes) -> Talk:
    """Say something at once, and then a little again and again, for far longer than anybody would wait."""

    def talk(peer: Peer, line: ssl.SSLSocket) -> None:
        line.sendall(at_once)
        for _ in range(200):
            peer.stopped.wait(0.05)
            line.sendall(again)
        raise EOFError

    return talk


@pytest.mark.parametrize(
    ("at_once", "again"),
    [
        (head("Content-Length: 100000"), b" "),
        (head("Content-Length: 100000", status=503, kind="application/problem+json"), b" "),
        (head("Transfer-Encoding: chunked"), b"1\r\n \r\n"),
        (b"HTTP/1.1 200 .\r\nX-Slow: ", b"x"),
        (b"", b"HTTP/1.1 103 .\r\n\r\n"),
    ],
)
def test_an_answer_that_only_drips_is_the_centre_away(peer: Peer, at_once: bytes, again: bytes) -> None:
    peer.talk = dripping(at_once, again)
    with peer.line(answer_timeout_s=1) as line:
        with pytest.raises(CentreAway) as raised:
            line.bulk_status(BULK_ID)
        assert type(raised.value) is CentreAway
        assert peer.over.wait(60)  # though the line is still open
        peer.talk = answering
        assert line.bulk_status(BULK_ID).state is BulkState.DONE


def test_a_long_answer_over_a_slow_line_is_waited_for(peer: Peer) -> None:
    pieces = 10

    def slowly(peer: Peer, line: ssl.SSLSocket) -> None:
        line.sendall(head(f"Content-Length: {pieces * SLOWEST_LINE}"))
        for number in range(pieces):
            line.sendall((STATUS if number == 0 else "").ljust(SLOWEST_LINE).encode())
            peer.stopped.wait(0.4)

    peer.talk = slowly
    with peer.line(answer_timeout_s=3) as line:
        assert line.bulk_status(BULK_ID).state is BulkState.DONE


@pytest.mark.parametrize(("status", "kind"), [(200, "application/json"), (403, "application/problem+json")])
def test_an_answer_without_an_end_is_given_up(peer: Peer, status: int, kind: str) -> None:
    said = 0

    def endless(peer: Peer, line: ssl.SSLSocket) -> None:
        nonlocal said
        line.sendall(head(f"Content-Length: {1000 * MEBIBYTE}", status=status, kind=kind))
        while said < 64 * MEBIBYTE:
            line.sendall(b" " * SLOWEST_LINE)
            said += SLOWEST_LINE
        raise EOFError

    peer.talk = endless
    with peer.line() as line:
        with pytest.raises(CentreAnswerTooLong):
            line.bulk_status(BULK_ID)
        assert peer.over.wait(60)
    assert said < 64 * MEBIBYTE


@pytest.mark.parametrize(
    ("ask", "answer", "longest"),
    [
        (lambda line: line.bulk_status(BULK_ID), STATUS, LONGEST_OTHER_ANSWER),
        (lambda line: line.bulk_results(BULK_ID), RESULTS, LONGEST_ANSWERS[BulkResults]),
    ],
)
def test_the_longest_answer_of_its_kind_is_taken_and_a_byte_more_is_not(
    peer: Peer, ask: Callable[[Centre], object], answer: str, longest: int
) -> None:
    def long(length: int) -> Talk:
        return lambda peer, line: line.sendall(head(f"Content-Length: {length}") + answer.ljust(length).encode())

    with peer.line() as line:
        peer.talk = long(longest)
        assert ask(line)
        peer.talk = long(longest + 1)
        with pytest.raises(CentreAnswerTooLong):
            ask(line)


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda line: line.medications(BULK_ID, STAFF), MEDICATIONS),
        (lambda line: line.treatments(BULK_ID, STAFF), TREATMENTS),
        (lambda line: line.checkups(BULK_ID, STAFF), CHECKUPS),
    ],
)
def test_a_history_as_long_as_three_years_in_hospital_is_taken(
    peer: Peer, ask: Callable[[Centre], object], answer: str
) -> None:
    length = 458 * 34 * 3 * 366  # bytes a medicine, medicines a day, days
    peer.talk = lambda peer, line: line.sendall(head(f"Content-Length: {length}") + answer.ljust(length).encode())
    with peer.line() as line:
        assert ask(line)


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_a_compressed_answer_which_nobody_asked_for_is_not_unpacked(peer: Peer, coding: str) -> None:
    packed = STATUS.ljust(1000).encode()
    for _ in coding.split(","):
        packed = gzip.compress(packed)
    sent = head(f"Content-Encoding: {coding}", f"Content-Length: {len(packed)}") + packed
    peer.talk = lambda peer, line: line.sendall(sent)
    with peer.line() as line, pytest.raises(CentreAnswerUnreadable):
        line.bulk_status(BULK_ID)


def test_a_renewed_certificate_is_used_from_the_next_request_on(peer: Peer, tmp_path: Path) -> None:
    old, new = peer.certified(), peer.certified()
    file = both_in_one(old, tmp_path / "terminal.pem")
    with Centre.open(peer.settings(file, file)) as line:
        for _ in range(2):
            line.bulk_status(BULK_ID)
        both_in_one(new, file)
        line.bulk_status(BULK_ID)
    assert peer.asked_by == [serial(old), serial(old), serial(new)]


def test_half_replaced_credentials_are_not_used(peer: Peer, tmp_path: Path) -> None:
    old, new = peer.certified(), peer.certified()
    certificate, key = old.write(tmp_path, "terminal")
    new_certificate, new_key = new.write(tmp_path, "renewed")
    with Centre.open(peer.settings(certificate, key)) as line:
        for change in (
            lambda: certificate.unlink(),
            lambda: certificate.write_bytes(new_certificate.read_bytes()[:200]),
            lambda: certificate.write_bytes(new_certificate.read_bytes()),
            lambda: new_key.replace(key),
        ):
            change()
            line.bulk_status(BULK_ID)
    assert peer.asked_by == [serial(old)] * 3 + [serial(new)]


def test_counters_that_ask_while_certificates_are_renewed_are_all_answered(peer: Peer, tmp_path: Path) -> None:
    pairs = [peer.certified() for _ in range(5)]
    file = both_in_one(pairs[0], tmp_path / "terminal.pem")
    with Centre.open(peer.settings(file, file)) as line, ThreadPoolExecutor(4) as counters:
        asked = [counters.submit(line.bulk_status, BULK_ID) for _ in range(100)]
        for pair in pairs[1:]:
            both_in_one(pair, file)
            asked += [counters.submit(line.bulk_status, BULK_ID) for _ in range(20)]
        assert {each.result().state for each in asked} == {BulkState.DONE}
        line.bulk_status(BULK_ID)
    assert peer.asked_by[-1] == serial(pairs[-1])


def both_in_one(pair: KeyPair, file: Path) -> Path:
    """Put certificate and key in place in one step, as `renew` does."""
    certificate, key = pair.write(file.parent, "ready")
    ready = file.with_name("ready.pem")
    ready.write_bytes(certificate.read_bytes() + key.read_bytes())
    os.replace(ready, file)
    return file


def serial(pair: KeyPair) -> int:
    return pair.certificate.serial_number
