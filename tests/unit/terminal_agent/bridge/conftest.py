"""A responder over a real socket, at whose other end a test says what comes back."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from eligibility.domain.codes import ConsentClass, Method, Outcome, Role
from eligibility.domain.identifiers import InstitutionCode
from eligibility.wire.bulk import (
    BulkReceipt,
    BulkResult,
    BulkResults,
    BulkState,
    BulkStatus,
    ItemProblem,
    ReferenceNumberRegistered,
)
from eligibility.wire.encoding import Wire
from eligibility.wire.problems import Problem, Sentence
from eligibility.wire.staff import StaffSession
from eligibility.wire.verifications import ConsentAnswer, Verification
from terminal_agent.bridge.responder import Responder
from terminal_agent.bridge.sealed import SealedStore
from terminal_agent.bridge.visits import VisitBook
from terminal_agent.client import Centre
from tests.unit.terminal_agent.conftest import VALID
from tests.unit.terminal_agent.records.histories import long_checkups, long_medication

NOW = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
INSTITUTION = InstitutionCode("1312345679")
TERMINAL_ID = UUID("0197a3c0-0000-7000-8000-0000000000aa")
BULK_ID = UUID("0197a3c0-0000-7000-8000-000000000001")
DOCTOR = StaffSession(
    token="token-of-a-doctor", role=Role.DOCTOR, display_name="医師", expires_at=NOW + timedelta(hours=12)
)


def problem(code: str, status: int) -> bytes:
    """Make a problem as it travels."""
    said = Sentence(ja="受付の方へ。", en="For reception.")
    return Problem(
        type=f"urn:eligibility:problem:{code}", title=code, status=status, code=code, staff=said, vendor=said
    ).model_dump_json().encode()  # fmt: skip


HANG_UP = (0, b"")
# Whom the samples of messages ask about.
OF_THE_SAMPLES = {
    "insurer_number": "06130512", "symbol": "12", "number": "345", "branch_number": "01",
    "birth_date": date(1980, 1, 1),
}  # fmt: skip


@dataclass
class Peer:
    """What is at the other end of a real socket: prepared answers by path, and what was asked."""

    answers: dict[str, Wire | tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)

    def answer(self, path: str, headers: Message, body: bytes) -> tuple[int, bytes]:
        """Return the status and body prepared for a path."""
        self.asked.append((path, json.loads(body) if body else None))
        self.keys.append(headers.get("Idempotency-Key"))
        self.tokens.append(headers.get("Authorization"))
        prepared = self.answers.get(path.partition("?")[0], (404, problem("not_found", 404)))
        return (200, prepared.model_dump_json().encode()) if isinstance(prepared, Wire) else prepared


@contextmanager
def serving(peer: Peer) -> Iterator[str]:
    """Let a peer answer on a port of its own; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = peer.answer(self.path, self.headers, body)
            self.close_connection = True
            if (status, content) == HANG_UP:
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def verification(**changes: Any) -> Verification:
    """Make an answer of the centre by card; the changes replace those of the usual one."""
    return VALID.model_copy(update=changes)


def card_visit(*agreed: ConsentClass, at: datetime = NOW, **coverage: Any) -> Verification:
    """Make a card visit of who has the number of the samples."""
    assert VALID.coverage is not None
    facts = OF_THE_SAMPLES | {"name": "診療　太郎", "name_kana": "シンリョウ　タロウ"}
    return verification(
        verified_at=at,
        method=Method.PIN,
        coverage=VALID.coverage.model_copy(update=facts | coverage),
        consents=tuple(ConsentAnswer(consent_class=one, expires_at=at + timedelta(hours=24)) for one in agreed),
        conflicting_insurers=(),
        notices=(),
    )


def by_number(**changes: Any) -> Verification:
    """Make an answer of the centre by number, of who has that of the samples."""
    made = verification(
        **{"method": Method.NUMBER, "consents": (), "notices": (), "conflicting_insurers": ()} | changes
    )
    return made.model_copy(update={"coverage": made.coverage and made.coverage.model_copy(update=OF_THE_SAMPLES)})


def bulk_results() -> BulkResults:
    """Make the results of the bulk sample: changed ones first, so not in the order asked."""
    coverage = VALID.coverage
    common = {"changed": False, "last_checked_at": None, "reference_number": None, "problem": None, "coverage": None}
    said = Sentence(ja="保険者番号を確かめてください。", en="Please check the insurer number.")
    wrong = ItemProblem(code="malformed", field="insurer_number", staff=said)
    return BulkResults(
        bulk_id=BULK_ID, asked_for=date(2026, 11, 22), finished_at=NOW, total=3, changed=1, after=None,
        results=(
            BulkResult(**common | {
                "item_id": "1", "outcome": Outcome.VALID, "coverage": coverage, "changed": True,
                "reference_number": "P-9",
            }),
            BulkResult(**common | {"item_id": "0", "outcome": Outcome.NONE}),
            BulkResult(**common | {"item_id": "2", "outcome": None, "problem": wrong}),
        ),
    )  # fmt: skip


def bulk_status(state: BulkState) -> BulkStatus:
    """Say how far the bulk check is."""
    return BulkStatus(bulk_id=BULK_ID, state=state, total=3, done=0, results_until=None)


@dataclass
class Desk:
    """A responder with its centre, its visits, and who is signed in."""

    centre: Peer
    responder: Responder
    visits: VisitBook
    staff: list[StaffSession]
    clock: list[datetime]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Give a desk with a doctor signed in and a centre that answers everything well."""
    visit_id = VALID.verification_id
    centre = Peer(
        {
            "/v1/number-verifications": by_number(),
            "/v1/bulk-verifications": BulkReceipt(bulk_id=BULK_ID, accepted_at=NOW, items=3),
            f"/v1/bulk-verifications/{BULK_ID}": bulk_status(BulkState.DONE),
            f"/v1/bulk-verifications/{BULK_ID}/results": bulk_results(),
            "/v1/reference-numbers": ReferenceNumberRegistered(registered_at=NOW, replaced=False),
            f"/v1/verifications/{visit_id}/medications": long_medication(),
            f"/v1/verifications/{visit_id}/checkups": long_checkups(),
        }
    )
    staff, clock = [DOCTOR], [NOW]
    store = SealedStore(tmp_path / "state", lambda: clock[0])
    visits = VisitBook(store, TERMINAL_ID, lambda: clock[0])
    with serving(centre) as url, Centre(httpx.Client(base_url=url, timeout=60)) as line:
        responder = Responder(line, INSTITUTION, visits, store, lambda: staff[0] if staff else None, lambda: clock[0])
        yield Desk(centre, responder, visits, staff, clock)
    store.close()
