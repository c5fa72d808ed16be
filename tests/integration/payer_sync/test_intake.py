"""A real intake process over mutual TLS: whole pushes, cut lines, kills, strangers and refusals."""

import asyncio
import hashlib
import json
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from eligibility.domain.identifiers import InsurerNumber
from eligibility.storage.database import connect
from eligibility.wire.submissions import CHUNK_BYTES, Submission, SubmissionKind, SubmissionState
from payer_sync.gates import Decision, decide
from payer_sync.loading import give_up
from payer_sync.manifest import build_manifest
from payer_sync.push import Credentials, Intake
from payer_sync.submission import Filed
from tests.integration.waiting import until_left, until_waiting

pytestmark = pytest.mark.database
FIRST, SECOND = "06130512", "33120015"
# What blocks a load at a known step: no feedback can be written while it is checked, no insurer row while it merges.
HELD_AT = {
    SubmissionState.CHECKING: "lock table feedback in share row exclusive mode",
    SubmissionState.MERGING: "select from insurer for no key update",
}


FAILING = (
    "create function fail() returns trigger language plpgsql as $$ begin raise exception 'x'; end $$;"
    "create trigger fail before insert on {} for each statement execute function fail()"
)
ENDS = (
    "select state, finished_at, merged from submission",
    "select code from feedback order by fault_number",
    "select code from audit_event order by event_id",
)


async def _until(owner: Any, state: SubmissionState) -> None:
    async with asyncio.timeout(240):
        while await owner.fetchval("select count(*) from submission where state = $1", state.value) == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the other process tells nobody but the table


async def test_a_pushed_file_ends_in_the_register(send: Any, write: Any, record: Any, owner: Any) -> None:
    pushed = await send(write(*(record(person) for person in range(1, 101)), record(101, 性別="9")))

    submission = pushed.submission
    assert (submission.state, pushed.repeated) == (SubmissionState.MERGED, False)
    assert (submission.records, submission.refused, submission.merged, submission.faults) == (101, 1, 100, 1)
    assert await owner.fetchval("select count(*) from coverage") == 100


async def test_the_same_file_twice_is_answered_with_its_first_result(
    send: Any, write: Any, record: Any, owner: Any
) -> None:
    path = write(record(1))
    first = await send(path)
    again = await send(path)

    assert again.repeated
    assert again.submission == first.submission
    assert await owner.fetchval("select count(*) from submission") == 1


async def test_a_file_is_taken_again_after_it_was_refused(send: Any, write: Any, record: Any) -> None:
    path = write(record(1))
    path.write_bytes(path.read_bytes() + b"\x00\r\n")
    first = await send(path)
    again = await send(path)

    assert (first.submission.state, again.submission.state) == (SubmissionState.REFUSED, SubmissionState.REFUSED)
    assert first.submission.submission_id != again.submission.submission_id


async def test_an_upload_goes_on_where_a_killed_intake_left_it(
    intake: Any, send: Any, upload: Any, write: Any, record: Any
) -> None:
    path = write(*(record(person) for person in range(1, 51)))
    cut = await upload(path, only=1000)
    assert (cut.state, cut.received_bytes) == (SubmissionState.RECEIVING, 1000)
    intake.stop(signal.SIGKILL)
    intake.start()

    pushed = await send(path)

    assert pushed.submission.submission_id == cut.submission_id
    assert (pushed.submission.state, pushed.submission.merged) == (SubmissionState.MERGED, 50)


async def test_an_intake_whose_spool_is_not_mounted_does_not_start(
    intake: Any, upload: Any, write: Any, record: Any, tmp_path: Path
) -> None:
    await upload(write(record(1)), only=10)
    intake.stop()
    spool = tmp_path / "intake" / "spool"
    spool.rename(tmp_path / "elsewhere")

    said = await asyncio.to_thread(intake.refused_start)

    assert said.startswith(f"intake: {spool} holds none of the files that are on their way: is its volume mounted?")
    (tmp_path / "elsewhere").rename(spool)
    intake.start()


@pytest.mark.parametrize("killed_in", HELD_AT)
async def test_a_load_that_is_killed_is_done_once_by_the_next_process(
    intake: Any, send: Any, upload: Any, write: Any, record: Any, owner: Any, killed_in: SubmissionState
) -> None:
    path = write(*(record(person, 性別="1" if person % 2 else "9") for person in range(1, 201)))
    async with owner.transaction():
        await owner.execute(HELD_AT[killed_in])
        await upload(path)
        await _until(owner, killed_in)
        intake.stop(signal.SIGKILL)
        assert await owner.fetchval("select count(*) from coverage") == 0
        assert await owner.fetchval("select unended_loads from submission") == 1
    intake.start()

    pushed = await send(path)

    assert (pushed.submission.merged, pushed.submission.refused, pushed.submission.faults) == (100, 100, 100)
    assert await owner.fetchval("select count(*) from coverage") == 100
    assert await owner.fetchval("select count(*) from feedback") == 100
    assert await owner.fetchval("select count(*) from audit_event where kind = 'submission_merged'") == 1
    assert await owner.fetchval("select unended_loads from submission") == 0


async def test_a_load_that_is_stopped_in_good_order_is_not_taken_for_a_killed_one(
    intake: Any, send: Any, upload: Any, write: Any, record: Any, owner: Any
) -> None:
    path = write(record(1))
    async with owner.transaction():
        await owner.execute(HELD_AT[SubmissionState.MERGING])
        await upload(path)
        await _until(owner, SubmissionState.MERGING)
        assert await owner.fetchval("select unended_loads from submission") == 1
        intake.stop()
        assert await owner.fetchval("select unended_loads from submission") == 0
    intake.start()

    assert (await send(path)).submission.state is SubmissionState.MERGED


async def test_while_a_file_is_checked_its_state_says_how_many_of_its_records_have_been(
    intake: Any, send: Any, upload: Any, write: Any, record: Any, owner: Any, database: str, credentials: Any
) -> None:
    def stands(submission_id: UUID) -> Submission:
        with Intake(intake.url, credentials(FIRST).context()) as connection:
            return connection.submission(submission_id)

    path = write(*(record(person) for person in range(1, 31)))
    holder = await connect(database)
    async with holder.transaction():
        await holder.execute("lock table coverage in exclusive mode")  # what was checked cannot be written
        begun = await upload(path)
        await until_waiting(owner, 1)
        seen = await asyncio.to_thread(stands, begun.submission_id)
    await holder.close()

    assert (seen.state, seen.checked) == (SubmissionState.CHECKING, 30)
    assert (await send(path)).submission.checked is None


async def test_a_chunk_that_a_slow_line_brings_after_the_file_was_merged_is_kept_nowhere(
    intake: Any, send: Any, upload: Any, write: Any, record: Any, credentials: Any, tmp_path: Path
) -> None:
    path = write(*(record(person) for person in range(1, 801)))  # so much that two minutes are waited for its end
    begun, rest = threading.Event(), threading.Event()
    submission = await upload(path, only=0)

    def slowly() -> Iterator[bytes]:
        yield path.read_bytes()[:-1]
        begun.set()
        assert rest.wait(120)
        yield path.read_bytes()[-1:]

    def late() -> httpx.Response:
        context = credentials(FIRST).context()
        with httpx.Client(base_url=intake.url, verify=context, trust_env=False, timeout=60) as client:
            return client.put(
                f"/v1/submissions/{submission.submission_id}/content", params={"offset": 0}, content=slowly()
            )

    waiting = asyncio.create_task(asyncio.to_thread(late))
    try:
        assert await asyncio.to_thread(begun.wait, 120)
        assert (await send(path)).submission.state is SubmissionState.MERGED
    finally:
        rest.set()

    assert ((await waiting).status_code, (await waiting).json()["code"]) == (409, "wrong_offset")
    await until_left(tmp_path / "intake" / "spool")


@pytest.mark.parametrize("wrong", [{"content_length": 10_000}, {"content_length": 3}, {"records": 9}])
async def test_a_manifest_that_was_wrong_does_not_stand_in_the_way_of_the_right_one(
    send: Any, write: Any, record: Any, intake: Any, credentials: Any, wrong: dict[str, int]
) -> None:
    path = write(record(1))
    with Intake(intake.url, credentials(FIRST).context()) as connection:
        manifest = build_manifest(path, SubmissionKind.DELTA, "eligibility", 1).model_copy(update=wrong)
        await asyncio.to_thread(connection.announce, manifest)

    assert (await send(path)).submission.state is SubmissionState.MERGED


async def test_two_insurers_do_not_wait_for_each_other(
    send: Any, write: Any, record: Any, owner: Any, database: str
) -> None:
    async with owner.transaction():
        await owner.execute("select pg_advisory_xact_lock($1::text::bigint)", FIRST)  # as the merges of this insurer do
        held = asyncio.create_task(send(write(record(1))))
        await _until(owner, SubmissionState.RECEIVED)

        other = await send(write(record(2, 保険者番号=SECOND)), insurer=SECOND)

        assert other.submission.state is SubmissionState.MERGED
        assert not held.done()
    assert (await held).submission.state is SubmissionState.MERGED


async def test_every_refused_request_says_why_and_is_audited(
    intake: Any, write: Any, record: Any, owner: Any, credentials: Callable[[str], Credentials]
) -> None:
    path = write(record(1))
    manifest = json.loads(build_manifest(path, SubmissionKind.DELTA, "eligibility", 1).model_dump_json())
    own, other, stranger = (credentials(number).context() for number in (FIRST, SECOND, "39131156"))
    nobody = ssl.create_default_context(cafile=credentials(FIRST).authority)

    def ask(context: ssl.SSLContext, method: str, path: str, **arguments: Any) -> httpx.Response:
        with httpx.Client(base_url=intake.url, verify=context, trust_env=False, timeout=60) as client:
            return client.request(method, path, **arguments)

    announced = await asyncio.to_thread(ask, own, "POST", "/v1/submissions", json=manifest)
    assert announced.status_code == 201
    one = f"/v1/submissions/{announced.json()['submission_id']}"
    length = manifest["content_length"]
    absent = f"/v1/submissions/{UUID(int=7)}"
    chunk = b"x" * (CHUNK_BYTES + 1)
    table: list[tuple[ssl.SSLContext, str, str, dict[str, Any], int, str]] = [
        (nobody, "POST", "/v1/submissions", {"json": manifest}, 401, "caller_unknown"),
        (stranger, "POST", "/v1/submissions", {"json": manifest}, 403, "insurer_unknown"),
        (own, "POST", "/v1/submissions", {"content": b"{"}, 422, "malformed"),
        (own, "POST", "/v1/submissions", {"json": manifest | {"insurer_number": SECOND}}, 422, "malformed"),
        (own, "POST", "/v1/submissions", {"json": manifest | {"content_digest": "AA"}}, 422, "malformed"),
        (own, "POST", "/v1/submissions", {"json": manifest | {"file_name": "a\x00b"}}, 422, "malformed"),
        (own, "POST", "/v1/submissions", {"json": manifest | {"file_name": "123456789018"}}, 422, "my_number_refused"),
        (own, "POST", "/v1/submissions", {"json": manifest | {"layout": "nonsense"}}, 422, "layout_unknown"),
        (own, "POST", "/v1/submissions", {"json": manifest | {"edition": 99}}, 422, "layout_unknown"),
        (own, "POST", "/v1/submissions", {"json": manifest | {"content_length": 2**40}}, 413, "file_too_large"),
        (other, "GET", one, {}, 404, "not_found"),
        (other, "GET", f"{one}/feedback", {}, 404, "not_found"),
        (other, "PUT", f"{one}/content?offset=0", {"content": b"x"}, 404, "not_found"),
        (own, "GET", absent, {}, 404, "not_found"),
        (own, "PUT", f"{one}/content?offset=7", {"content": b"x"}, 409, "wrong_offset"),
        (own, "PUT", f"{one}/content?offset=-1", {"content": b"x"}, 422, "malformed"),
        (own, "PUT", f"{one}/content?offset=0", {"content": b"x" * (length + 1)}, 422, "chunk_beyond_end"),
        (own, "PUT", f"{one}/content?offset=0", {"content": chunk}, 413, "too_large"),
    ]
    for context, method, url, arguments, status, code in table:
        answer = await asyncio.to_thread(ask, context, method, url, **arguments)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (method, url)
        assert "123456789018" not in answer.text
    assert (await asyncio.to_thread(ask, own, "PUT", f"{one}/content?offset=7", content=b"x")).json()["faults"] == [
        {"pointer": "/offset", "expected": "0"}
    ]

    codes = await owner.fetch("select code from audit_event where kind = 'request_refused'")
    assert {row["code"] for row in codes} >= {code for *_, code in table if code not in ("too_large",)}
    assert await owner.fetchval("select count(*) from submission") == 1


async def test_a_certificate_of_another_authority_cannot_connect(
    intake: Any, credentials: Callable[[str], Credentials], tmp_path: Path, enrolment: Any
) -> None:
    terminal = enrolment.terminal("1310000016", UUID(int=1), datetime.now(UTC)).write(tmp_path, "terminal")
    context = Credentials(*terminal, credentials(FIRST).authority).context()

    def ask() -> None:
        with httpx.Client(verify=context, trust_env=False, timeout=60) as client:
            client.get(f"{intake.url}/v1/submissions/{UUID(int=1)}")

    with pytest.raises(httpx.TransportError):
        await asyncio.to_thread(ask)


class TestCommandLine:
    """`python -m payer_sync push`, as an insurer's office runs it."""

    @pytest.fixture
    def run(self, intake: Any, credentials: Callable[[str], Credentials]) -> Callable[..., Any]:
        async def start(*arguments: str, to: str = "") -> subprocess.CompletedProcess[str]:
            files = credentials(FIRST)
            command = [
                sys.executable, "-m", "payer_sync", "push", *arguments, "--to", to or intake.url,
                "--certificate", str(files.certificate), "--key", str(files.key), "--authority", str(files.authority),
            ]  # fmt: skip
            return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)

        return start

    async def test_a_good_file_ends_with_0_and_its_counts(self, run: Any, write: Any, record: Any) -> None:
        done = await run(str(write(record(1), record(2))), "--json")

        assert (done.returncode, json.loads(done.stdout)["merged"]) == (0, 2)

    async def test_refused_records_end_with_1_and_are_shown_and_filed(self, run: Any, write: Any, record: Any) -> None:
        path = write(*(record(person, 性別="7") for person in range(1, 31)), record(31))

        done = await run(str(path))

        lines = (path.parent / (path.name + ".feedback.jsonl")).read_text("utf-8").splitlines()
        assert done.returncode == 1
        assert "unknown_code" in done.stdout
        assert "faults: 30" in done.stdout
        assert "more: 27" in done.stdout  # alike ones are shown as one, with the first three records
        assert [json.loads(line)["record"] for line in lines] == list(range(1, 31))

    async def test_a_refused_file_ends_with_2(self, run: Any, tmp_path: Path) -> None:
        path = tmp_path / "no-header.csv"
        path.write_bytes(b"1,2,3\n")

        done = await run(str(path))

        assert done.returncode == 2
        assert "header_missing" in done.stdout

    @pytest.mark.parametrize("name", ["no-header.csv", "無" * 80 + ".csv"])
    async def test_a_refused_file_ends_with_2_whatever_becomes_of_its_feedback(
        self, run: Any, tmp_path: Path, name: str
    ) -> None:
        path = tmp_path / name
        path.write_bytes(b"1,2,3\n")
        (tmp_path / "no-header.csv.feedback.csv.part").mkdir()

        done, told = await run(str(path), "--json"), await run(str(path))

        assert (done.returncode, told.returncode) == (2, 2)
        assert json.loads(done.stdout)["state"] == "refused"
        assert "header_missing" in told.stdout
        assert ("The result stands" in done.stderr) is (name == "no-header.csv")

    async def test_an_unknown_layout_ends_with_2_and_both_languages(self, run: Any, write: Any, record: Any) -> None:
        done = await run(str(write(record(1))), "--layout", "nonsense")

        assert done.returncode == 2
        assert "layout_unknown" in done.stderr

    async def test_a_missing_file_ends_with_64(self, run: Any, tmp_path: Path) -> None:
        done = await run(str(tmp_path / "absent.csv"))

        assert done.returncode == 64
        assert "読めません" in done.stderr
        assert "Traceback" not in done.stderr

    async def test_a_stopped_intake_ends_with_4(self, run: Any, intake: Any, write: Any, record: Any) -> None:
        intake.stop()
        done = await run(str(write(record(1))))

        assert done.returncode == 4
        assert "cannot be reached" in done.stderr
        assert "Traceback" not in done.stderr

    async def test_an_intake_of_an_unknown_authority_ends_with_4(
        self, run: Any, write: Any, record: Any, credentials: Callable[[str], Credentials]
    ) -> None:
        files = credentials(FIRST)
        files.authority.write_bytes(files.certificate.read_bytes())
        done = await run(str(write(record(1))))

        assert done.returncode in (4, 64)
        assert "Traceback" not in done.stderr


def test_the_manifest_of_a_file_is_its_digest_length_and_records(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"header\r\na\r\nb")

    manifest = build_manifest(path, SubmissionKind.FULL, "eligibility", 1)

    assert manifest.content_digest == hashlib.sha256(path.read_bytes()).digest()
    assert (manifest.content_length, manifest.records) == (12, 2)


async def test_a_file_sent_again_after_a_later_one_changes_things_back(
    send: Any, write: Any, record: Any, owner: Any
) -> None:
    first, second = record(1), record(1, 負担割合="020")
    for stated in (first, second, first):
        pushed = await send(write(stated))
        assert (pushed.repeated, pushed.submission.merged) == (False, 1)
    now = "select copayment_percent from coverage where known_to = 'infinity'"
    assert await owner.fetchval(now) == 30
    assert await owner.fetchval("select count(*) from coverage") == 3


async def test_a_file_whose_lines_end_in_carriage_returns_alone_is_refused(send: Any, write: Any, record: Any) -> None:
    path = write(record(1))
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\r"))
    assert (await send(path)).submission.state is SubmissionState.REFUSED
    assert (await send(write(record(2)))).submission.state is SubmissionState.MERGED


async def test_a_failure_of_our_own_over_one_file_holds_up_nobody_for_long(
    send: Any, write: Any, record: Any, owner: Any
) -> None:
    await owner.execute(FAILING.format("person"))
    failed = (await send(write(record(1)))).submission
    assert (failed.state, failed.faults) == (SubmissionState.REFUSED, 1)
    assert await owner.fetchval("select code from feedback") == "centre_failed"
    await owner.execute("drop trigger fail on person")
    assert (await send(write(record(2)))).submission.state is SubmissionState.MERGED


async def test_a_failure_of_our_own_over_an_approved_file_holds_up_nobody_for_long(
    send: Any, write: Any, record: Any, owner: Any
) -> None:
    await send(write(*(record(n) for n in range(1, 5))))
    held = (await send(write(record(1, 性別="9"), record(2, 住所="東京都")), kind="full")).submission
    assert (held.state, held.faults) == (SubmissionState.HELD, 2)
    await owner.execute(FAILING.format("coverage"))

    await decide(owner, held.submission_id, Decision.APPROVED, "operator", "telephoned", datetime.now(UTC))

    await _until(owner, SubmissionState.REFUSED)
    assert [row["code"] for row in await owner.fetch("select code from feedback")] == ["centre_failed"]
    await owner.execute("drop trigger fail on coverage")
    assert (await send(write(record(5)))).submission.state is SubmissionState.MERGED


@pytest.mark.parametrize("state", [SubmissionState.MERGED, SubmissionState.HELD, SubmissionState.REFUSED])
async def test_a_file_that_another_process_has_brought_to_its_end_is_not_given_up(
    take_in: Any, write: Any, record: Any, owner: Any, database: str, state: SubmissionState
) -> None:
    different = {SubmissionState.HELD: {"content_digest": bytes(32)}, SubmissionState.REFUSED: {"records": 9}}
    path = write(record(1), record(2, 性別="9"))
    loaded = await take_in(path, stated=different.get(state))
    before = [await owner.fetch(query) for query in ENDS]

    assert await give_up(database, Filed(InsurerNumber(FIRST), loaded.submission), path) is state

    assert loaded.submission.state is state
    assert [await owner.fetch(query) for query in ENDS] == before
