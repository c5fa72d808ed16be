"""REST on this machine: who may call, and the same answers as the folder's."""

import io
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pypdf
import pytest

from eligibility.domain.codes import ConsentClass
from eligibility.wire.bulk import MAX_BULK_BYTES, BulkReceipt, BulkResults
from eligibility.wire.checkups import CheckupHistory
from eligibility.wire.medications import MedicationHistory
from eligibility.wire.problems import Problem
from eligibility.wire.verifications import Verification
from terminal_agent.bridge import document
from terminal_agent.bridge.errors import SecretUnusable
from terminal_agent.bridge.rest import own_token
from terminal_agent.bridge.results import Result
from terminal_agent.bridge.service import Bridge
from terminal_agent.settings import TerminalSettings
from tests.unit.terminal_agent.bridge.conftest import BULK_ID, Desk, card_visit, problem
from tests.unit.terminal_agent.conftest import VALID

TOKEN = "t" * 43
NUMBER = {
    "insurer_number": "06130512",
    "symbol": "12",
    "number": "345",
    "branch_number": "01",
    "birth_date": "1980-01-01",
}
EARLIER = VALID.model_copy(update={"verification_id": UUID("0197a3c0-0000-7000-8000-000000000000")})
VISIT = f"/v1/card-visits/{VALID.verification_id}"
ROUTES = [
    ("POST", "/v1/number-verifications"), ("POST", "/v1/bulk-verifications"), ("POST", "/v1/reference-numbers"),
    ("GET", f"/v1/bulk-verifications/{BULK_ID}"), ("GET", f"/v1/bulk-verifications/{BULK_ID}/results"),
    ("GET", "/v1/card-visits/last"), ("GET", f"{VISIT}/medications"), ("GET", f"{VISIT}/checkups"),
]  # fmt: skip


@pytest.fixture
def rest(desk: Desk, tmp_path: Path) -> Iterator[httpx.Client]:
    nowhere = tmp_path / "none.pem"
    token = tmp_path / "rest.token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    settings = TerminalSettings(
        centre_url="https://centre.test", centre_authority=nowhere, certificate=nowhere, key=nowhere, bridge_port=0,
        bridge_token=token,
    )  # fmt: skip
    bridge = Bridge(settings, desk.responder)
    with (
        bridge.running(),
        httpx.Client(
            base_url=f"http://127.0.0.1:{bridge.port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
            timeout=60,
        ) as client,
    ):
        yield client


def _code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    told = Problem.model_validate_json(answer.content)
    assert told.status == answer.status_code
    assert any(character > "぀" for character in told.staff.ja)
    return told.code


# ── Who may call ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, "token_missing"),
        ({"Authorization": "Bearer"}, 401, "token_missing"),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401, "token_missing"),
        ({"Authorization": f"Bearer {TOKEN[:-1]}"}, 401, "token_missing"),
        ({"Authorization": f"Basic {TOKEN}"}, 401, "token_missing"),
        ({"Authorization": "Bearer 漢字".encode()}, 401, "token_missing"),
        ({"Host": "evil.example"}, 421, "not_this_host"),
        ({"Host": "127.0.0.1:9"}, 421, "not_this_host"),
        ({"Host": "127.0.0.1"}, 421, "not_this_host"),
        ({"Origin": "http://localhost:8480"}, 403, "no_browser"),
        ({"Origin": "null"}, 403, "no_browser"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "no_browser"),
    ],
)
def test_nobody_else_may_call_anything(
    rest: httpx.Client, desk: Desk, headers: dict[str, str | bytes], status: int, code: str
) -> None:
    for method, path in ROUTES:
        answer = rest.request(method, path, headers=headers, content=b"{}")
        assert (answer.status_code, _code(answer)) == (status, code), path
        assert "access-control-allow-origin" not in answer.headers
    assert desk.centre.asked == []


def test_there_is_no_cors(rest: httpx.Client) -> None:
    answer = rest.options("/v1/card-visits/last", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_localhost_is_us_too_and_nothing_is_kept_by_caches(rest: httpx.Client) -> None:
    answer = rest.get("/v1/card-visits/last", headers={"Host": f"localhost:{rest.base_url.port}"})
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/v1/"), ("DELETE", "/v1/card-visits/last"), ("GET", "/v1/card-visits/1/checkups")],
)
def test_what_is_not_there(rest: httpx.Client, method: str, path: str) -> None:
    assert rest.request(method, path).status_code in (404, 405)


def test_the_token_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "state" / "rest.token"
    token = own_token(file)
    assert own_token(file) == token
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(SecretUnusable):
        own_token(file)
    file.chmod(0o600)
    for malformed in ("short\n", "漢字" * 20):
        file.write_text(malformed)
        with pytest.raises(SecretUnusable):
            own_token(file)


def test_an_empty_token_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "rest.token"
    file.touch(mode=0o600)  # as a power cut leaves it
    assert len(own_token(file)) > 40
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_token_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretUnusable):
        own_token(tmp_path / "file" / "rest.token")


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_check_by_number(rest: httpx.Client, desk: Desk) -> None:
    key = "0197a3c0-0000-7000-8000-0000000000ff"
    answer = rest.post("/v1/number-verifications", json=NUMBER, headers={"Idempotency-Key": key})
    assert Verification.model_validate_json(answer.content).outcome == "valid"
    assert desk.centre.keys == [key]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", {}),
        (b"[]", {}),
        (b'{"number": "345"', {}),
        (b'{"insurer_number": "061305121234", "number": "1", "birth_date": "1980-01-01"}', {}),
        (b'{"insurer_number": "06130512", "number": "1", "birth_date": "1980-02-30"}', {}),
        (b'{"insurer_number": "06130512", "number": "1", "birth_date": "1980-01-01", "institution": "1"}', {}),
        (b'{"insurer_number": "06130512", "number": "\\u0000", "birth_date": "1980-01-01"}', {}),
        (b'{"insurer_number": "06130512", "number": "1", "birth_date": "1980-01-01"}', {"Idempotency-Key": "x"}),
    ],
)
def test_a_malformed_question_reaches_nobody_and_is_not_quoted(
    rest: httpx.Client, desk: Desk, content: bytes, headers: dict[str, str]
) -> None:
    answer = rest.post("/v1/number-verifications", content=content, headers=headers)
    assert (answer.status_code, _code(answer)) == (422, Result.MALFORMED)
    assert desk.centre.asked == []
    assert "061305121234" not in answer.text
    assert "1980-02-30" not in answer.text


def test_a_body_beyond_any_message(rest: httpx.Client, desk: Desk) -> None:
    stated = rest.post("/v1/bulk-verifications", content=b" " * (MAX_BULK_BYTES + 1))
    assert (stated.status_code, _code(stated)) == (413, Result.TOO_LARGE)

    def unstated() -> Iterator[bytes]:
        for _ in range(MAX_BULK_BYTES // 65536 + 2):
            yield b" " * 65536

    counted = rest.post("/v1/bulk-verifications", content=unstated())
    assert (counted.status_code, _code(counted)) == (413, Result.TOO_LARGE)
    assert desk.centre.asked == []


def test_a_bulk_check(rest: httpx.Client) -> None:
    items = [{"item_id": "a", "insurer_number": "06130512", "number": "345", "birth_date": "1980-01-01"}]
    receipt = BulkReceipt.model_validate_json(rest.post("/v1/bulk-verifications", json={"items": items}).content)
    assert rest.get(f"/v1/bulk-verifications/{receipt.bulk_id}").json()["state"] == "done"
    results = rest.get(f"/v1/bulk-verifications/{receipt.bulk_id}/results")
    assert BulkResults.model_validate_json(results.content).changed == 1


def test_a_reference_number(rest: httpx.Client) -> None:
    registered = rest.post(
        "/v1/reference-numbers", json={"reference_number": "42", "insurer_number": "06130512", "number": "345"}
    )
    assert registered.json()["replaced"] is False


@pytest.mark.parametrize("taken_back_at", [VALID.verification_id, EARLIER.verification_id])
def test_a_consent_that_is_withdrawn_is_told_no_more(desk: Desk, tmp_path: Path, taken_back_at: UUID) -> None:
    nowhere = tmp_path / "none.pem"
    bridge = Bridge(
        TerminalSettings(centre_url="https://c.test", centre_authority=nowhere, certificate=nowhere, key=nowhere),
        desk.responder,
    )
    assert VALID.coverage is not None
    with bridge.running():
        bridge.card_visit(EARLIER)
        bridge.card_visit(VALID)
        bridge.consent_withdrawn(UUID(int=1), ConsentClass.SPECIFIC_DISEASE)
        bridge.consent_withdrawn(taken_back_at, ConsentClass.LIMIT_CERTIFICATE)
    last = desk.visits.last()
    assert last is not None
    assert (last.verification_id, last.consents) == (VALID.verification_id, ())
    assert last.coverage == VALID.coverage.model_copy(update={"limit_certificates": ()})


def test_the_last_card_visit(rest: httpx.Client, desk: Desk) -> None:
    assert _code(rest.get("/v1/card-visits/last")) == Result.NO_VISIT
    visit = card_visit(ConsentClass.MEDICATION)
    desk.visits.remember(visit)
    assert Verification.model_validate_json(rest.get("/v1/card-visits/last").content) == visit


def test_the_centre_s_problem_is_passed_on_as_it_came(rest: httpx.Client, desk: Desk) -> None:
    desk.centre.answers["/v1/number-verifications"] = (429, problem("rate_limited", 429))
    answer = rest.post("/v1/number-verifications", json=NUMBER)
    assert (answer.status_code, _code(answer)) == (429, "rate_limited")
    desk.centre.answers["/v1/number-verifications"] = (200, b"{}")
    answer = rest.post("/v1/number-verifications", json=NUMBER)
    assert (answer.status_code, _code(answer)) == (503, Result.CENTRE_AWAY)


# ── Medical data ────────────────────────────────────────────────────────────────────────────────────────────────


def test_medical_data_as_json_xml_and_pages(rest: httpx.Client, desk: Desk) -> None:
    desk.visits.remember(card_visit(ConsentClass.MEDICATION, ConsentClass.CHECKUP))
    for name, history in (("medications", MedicationHistory), ("checkups", CheckupHistory)):
        assert history.model_validate_json(rest.get(f"{VISIT}/{name}").content).from_month
        as_xml = rest.get(f"{VISIT}/{name}", headers={"Accept": "application/xml"})
        assert as_xml.headers["content-type"].startswith("application/xml")
        assert document.parse(as_xml.content).root.findtext(".//Name") == "診療　太郎"
        pages = rest.get(f"{VISIT}/{name}", headers={"Accept": "application/pdf"})
        assert "診療　太郎" in pypdf.PdfReader(io.BytesIO(pages.content)).pages[0].extract_text()
    rest.get(f"{VISIT}/medications?from=2026-01&through=2026-02")
    assert desk.centre.asked[-1][0].endswith("?from=2026-01&through=2026-02")


@pytest.mark.parametrize("name", ["medications", "checkups"])
def test_no_medical_data_without_somebody_signed_in_or_a_visit(rest: httpx.Client, desk: Desk, name: str) -> None:
    assert _code(rest.get(f"{VISIT}/{name}")) == Result.NO_VISIT
    desk.visits.remember(card_visit(ConsentClass.MEDICATION))
    desk.staff.clear()
    assert _code(rest.get(f"{VISIT}/{name}")) == Result.NOT_SIGNED_IN
    assert desk.centre.asked == []
