"""Staff sign in with two factors, are bounded in their attempts, and are out the moment their session is."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
from structlog.testing import capture_logs

from eligibility.__main__ import main as centre_command
from eligibility.domain.codes import Role
from eligibility.domain.identifiers import InstitutionCode
from eligibility.identity.staff_factors import STEP_S, sign_in_key
from eligibility.staff import ATTEMPTS_OF_A_NAME, ATTEMPTS_OF_A_TERMINAL
from eligibility.storage.database import connect
from eligibility.storage.staff import change_role, disable_staff
from tests.integration.eligibility.test_medical import Visit, visit
from tests.integration.eligibility.world import INSTITUTION, OTHER_INSTITUTION, PASSWORD, Counter, Member, World
from tests.integration.waiting import until_waiting


async def _sees(counter: Counter, was: Visit, token: dict[str, str]) -> tuple[int, str]:
    answer = await counter.http.get(was.medications(), headers=token)
    return answer.status_code, answer.json().get("code", "shown")


async def test_both_factors_begin_a_session(world: World, counter: Counter) -> None:
    member = await world.staff(Role.NURSE, name="看護師 花子")
    answer = await counter.sign_in(member, name="　看護師花子 ")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["role"], body["display_name"]) == ("nurse", "看護師 花子")
    ends = datetime.fromisoformat(body["expires_at"])
    assert timedelta(hours=11, minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=12)
    assert ("staff_session", "began") in await world.events()


async def test_neither_token_nor_factor_stands_in_the_database(world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    token = (await counter.token(member))["Authorization"].removeprefix("Bearer ")
    rows = await world.owner.fetch(
        "select row_to_json(s)::text || coalesce(t::text, '') as text from staff s left join staff_session t using"
        " (staff_id) union all select detail::text || actor from audit_event"
    )
    for row in rows:
        for secret in (token, member.password, member.secret, token.encode().hex(), member.secret.encode().hex()):
            assert secret not in row["text"]
    assert (await world.owner.fetchval("select password_hash from staff")).startswith("$argon2id$")


WRONG: dict[str, dict[str, str]] = {
    "password": {"password": "correct horse batterx"},
    "passcode": {"passcode": "000000"},
    "both": {"password": "x", "passcode": "000000"},
    "name": {"name": "nobody"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
async def test_whatever_is_wrong_the_answer_is_the_same(wrong: dict[str, str], world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    answer = await counter.sign_in(member, **wrong)
    reference = await counter.sign_in(member, name="somebody else", password="y", passcode="111111")
    assert answer.status_code == 401
    assert (answer.status_code, answer.text) == (reference.status_code, reference.text)
    assert {name: value for name, value in answer.headers.items() if name != "date"} == {
        name: value for name, value in reference.headers.items() if name != "date"
    }
    assert [code for kind, code in await world.events() if kind == "request_refused"] == ["sign_in_refused"] * 2


async def test_whose_passcode_secret_no_key_opens_is_answered_like_nobody(world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    await world.owner.execute("update staff set passcode_secret = $1", bytes(60))
    with capture_logs() as logs:
        answer = await counter.sign_in(member)
    nobody = await counter.sign_in(member, name="somebody else")
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_refused")
    assert answer.text == nobody.text
    assert [code for _, code in await world.events()] == ["sign_in_refused"] * 2
    told = [log for log in logs if log["log_level"] == "error"]
    assert told == [{"event": "passcode_secret_unreadable", "log_level": "error", "staff": str(member.staff_id)}]


@pytest.mark.parametrize("left_out", ["name", "password", "passcode"])
async def test_no_factor_can_be_left_out(left_out: str, world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    said = {"name": member.name, "password": member.password, "passcode": member.passcode()}
    answer = await counter.http.post("/v1/staff-sessions", json={k: v for k, v in said.items() if k != left_out})
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    answer = await counter.http.post("/v1/staff-sessions", json=said | {left_out: ""})
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert await world.owner.fetchval("select count(*) from staff_session") == 0


async def test_a_passcode_works_once_however_many_try_at_once(world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    passcode = member.passcode()
    answers = await asyncio.gather(*(counter.sign_in(member, passcode=passcode) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, *[401] * 5]


async def test_a_passcode_before_the_last_used_is_over(world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    early, late = member.passcode(), member.passcode()
    assert (await counter.sign_in(member, passcode=late)).status_code == 201
    assert (await counter.sign_in(member, passcode=early)).status_code == 401


async def test_a_passcode_of_two_steps_ago_is_refused(world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    passcode = member.passcode(datetime.now(UTC) - timedelta(seconds=2 * STEP_S))
    assert (await counter.sign_in(member, passcode=passcode)).status_code == 401


async def test_guessing_is_bounded_for_a_name_even_all_at_once(world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    counters = [counter, await world.terminal(), await world.terminal(), await world.terminal()]
    answers = await asyncio.gather(
        *(counters[n % 4].sign_in(member, password=f"guess number {n}", passcode="123456") for n in range(100))
    )
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (ATTEMPTS_OF_A_NAME, 100 - ATTEMPTS_OF_A_NAME)
    throttled = await counter.sign_in(member)
    assert (throttled.status_code, throttled.json()["code"]) == (429, "sign_in_throttled")
    assert 0 < int(throttled.headers["retry-after"]) <= 15 * 60
    world.clock.offset = timedelta(minutes=16)
    assert (await counter.sign_in(member, world.clock.now())).status_code == 201


async def test_guessing_is_bounded_for_a_terminal_over_names_known_and_unknown(world: World, counter: Counter) -> None:
    member, elsewhere = await world.staff(Role.DOCTOR), await world.terminal()
    answers = [
        await counter.http.post("/v1/staff-sessions", json={"name": f"name {n}", "password": "x", "passcode": "123456"})
        for n in range(ATTEMPTS_OF_A_TERMINAL + 2)
    ]
    assert [a.status_code for a in answers] == [401] * ATTEMPTS_OF_A_TERMINAL + [429] * 2
    assert (await counter.sign_in(member)).status_code == 429
    assert (await elsewhere.sign_in(member)).status_code == 201


async def test_a_good_sign_in_gives_the_name_its_attempts_back(world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    for _ in range(ATTEMPTS_OF_A_NAME - 1):
        await counter.sign_in(member, password="wrong", passcode="123456")
    assert (await counter.sign_in(member)).status_code == 201
    assert (await counter.sign_in(member, password="wrong")).status_code == 401
    attempts = await world.owner.fetch("select attempts from sign_in_budget order by attempts")
    assert [row["attempts"] for row in attempts] == [1, ATTEMPTS_OF_A_NAME]


async def test_staff_of_another_institution_are_nobody_here(world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR, OTHER_INSTITUTION)
    assert (await counter.sign_in(member)).status_code == 401
    there = await world.terminal(OTHER_INSTITUTION)
    assert (await there.sign_in(member)).status_code == 201


@pytest.mark.parametrize("where", [INSTITUTION, OTHER_INSTITUTION])
async def test_a_token_is_good_for_its_own_terminal_alone(where: str, world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    token = await counter.token(await world.staff(Role.DOCTOR))
    neighbour = await world.terminal(where)
    assert await _sees(neighbour, was, token) == (401, "staff_session_needed")
    assert await _sees(counter, was, token) == (200, "shown")


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": ""}, {"Authorization": "Bearer"},
        {"Authorization": "Bearer x"}, {"Authorization": "Bearer " + "A" * 43}, {"Authorization": "Basic QTpC"},
        {"Authorization": "Bearer " + "A" * 5000}, {"X-Staff-Token": "x"}, {"Cookie": "token=x"},
    ],
)  # fmt: skip
async def test_no_token_no_medical_data(headers: dict[str, str], world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    assert await _sees(counter, was, headers) == (401, "staff_session_needed")


async def test_two_tokens_are_none(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    token = (await counter.token(await world.staff(Role.DOCTOR)))["Authorization"]
    answer = await counter.http.get(was.medications(), headers=[("Authorization", token), ("Authorization", token)])
    assert answer.status_code == 401


async def _idle(world: World, counter: Counter, member: Member, token: dict[str, str]) -> None:
    world.clock.offset = timedelta(minutes=30)


async def _signed_out(world: World, counter: Counter, member: Member, token: dict[str, str]) -> None:
    assert (await counter.http.delete("/v1/staff-sessions/current", headers=token)).status_code == 204


async def _disabled(world: World, counter: Counter, member: Member, token: dict[str, str]) -> None:
    assert await disable_staff(world.owner, InstitutionCode(INSTITUTION), sign_in_key(member.name), datetime.now(UTC))


async def _terminal_revoked(world: World, counter: Counter, member: Member, token: dict[str, str]) -> None:
    await world.owner.execute("update terminal set revoked_at = now() where terminal_id = $1", counter.terminal_id)


@pytest.mark.parametrize("ending", [_idle, _signed_out, _disabled, _terminal_revoked])
async def test_a_session_that_has_ended_is_refused_at_the_next_request(
    ending: Any, world: World, counter: Counter
) -> None:
    was = await visit(world, counter)
    member = await world.staff(Role.DOCTOR)
    token = await counter.token(member)
    assert await _sees(counter, was, token) == (200, "shown")
    await ending(world, counter, member, token)
    status, code = await _sees(counter, was, token)
    assert (status, code) == (401, "caller_unknown" if ending is _terminal_revoked else "staff_session_needed")


async def test_a_session_ends_after_twelve_hours_however_busy(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    token = await counter.token(await world.staff(Role.DOCTOR))
    began = datetime.now(UTC)
    while world.clock.offset < timedelta(hours=12) - timedelta(minutes=1):
        answer = await counter.http.delete(was.consent("treatment"), headers=token)
        assert answer.status_code == 204
        status, code = await _sees(counter, was, token)
        assert code in ("shown", "not_shown_revocation_unknown"), (status, world.clock.offset)
        world.clock.offset += timedelta(minutes=29)
    world.clock.offset = timedelta(hours=12) - (datetime.now(UTC) - began)
    world.clock.offset += timedelta(seconds=1)
    assert await _sees(counter, was, token) == (401, "staff_session_needed")


@pytest.mark.parametrize("over", ["expires_at = now()", "last_used_at = now() - interval '30 minutes'"])
async def test_a_session_that_is_over_does_not_come_back_where_a_clock_is_behind(
    over: str, world: World, counter: Counter
) -> None:
    was = await visit(world, counter)
    token = await counter.token(await world.staff(Role.DOCTOR))
    await world.owner.execute(f"update staff_session set {over}")  # noqa: S608 (one of the above)
    world.clock.offset = timedelta(minutes=-5)
    assert await _sees(counter, was, token) == (401, "staff_session_needed")


async def test_another_role_holds_from_the_next_request_on(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    member = await world.staff(Role.DOCTOR)
    token = await counter.token(member)
    assert await _sees(counter, was, token) == (200, "shown")
    name = sign_in_key(member.name)
    assert await change_role(world.owner, InstitutionCode(INSTITUTION), name, Role.CLERK, datetime.now(UTC))
    assert await _sees(counter, was, token) == (403, "not_shown_role")


async def test_who_is_disabled_cannot_sign_in(world: World, counter: Counter) -> None:
    member = await world.staff(Role.DOCTOR)
    await _disabled(world, counter, member, {})
    assert (await counter.sign_in(member)).status_code == 401


async def test_who_is_given_new_factors_is_not_signed_in_by_the_old_ones_that_are_being_judged(
    world: World, counter: Counter, database: str
) -> None:
    member = await world.staff(Role.DOCTOR)
    passcode = member.passcode()
    watch = await connect(database)
    async with world.owner.transaction():
        # The old factors hold; what is left is to use the passcode up, which waits for the new ones' transaction.
        await world.owner.execute("select from staff where staff_id = $1 for update", member.staff_id)
        signing_in = asyncio.create_task(counter.sign_in(member, passcode=passcode))
        await until_waiting(watch, 1)
        await world.enrol_again(member, Role.CLERK)
    await watch.close()
    assert (await signing_in).status_code == 401
    assert await world.owner.fetchval("select count(*) from staff_session") == 0
    answer = await counter.sign_in(member)
    assert (answer.status_code, answer.json()["role"]) == (201, "clerk")


async def test_a_visual_check_needs_and_names_a_member_of_staff(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    member = await world.staff(Role.CLERK)
    token = await counter.token(member)
    without = await counter.verify(was.card, method="visual")
    assert (without.status_code, without.json()["code"]) == (401, "staff_session_needed")
    proof = counter.proof(was.card, await counter.challenge())
    answer = await counter.http.post("/v1/verifications", json={"proof": proof, "method": "visual"}, headers=token)
    assert (answer.status_code, answer.json()["method"]) == (200, "visual")
    event = await world.owner.fetchrow(
        "select actor_kind, detail from audit_event where kind = 'verification' order by event_id desc limit 1"
    )
    assert event["actor_kind"] == "terminal"
    assert event["detail"] == {"method": "visual", "staff": str(member.staff_id), "role": "clerk"}


async def test_a_visual_check_by_staff_of_elsewhere_is_refused(world: World, counter: Counter) -> None:
    was, there = await visit(world, counter), await world.terminal(OTHER_INSTITUTION)
    token = await there.token(await world.staff(Role.CLERK, OTHER_INSTITUTION))
    proof = counter.proof(was.card, await counter.challenge())
    answer = await counter.http.post("/v1/verifications", json={"proof": proof, "method": "visual"}, headers=token)
    assert (answer.status_code, answer.json()["code"]) == (401, "staff_session_needed")


async def test_a_face_leaves_its_rounded_evidence_and_nothing_else(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    face = {"score": "0.65", "threshold": "0.363", "model_sha256": "ab" * 32, "calibrated": True}
    answer = await counter.verify(was.card, method="face", face=face)
    assert answer.status_code == 200
    detail = await world.owner.fetchval(
        "select detail from audit_event where kind = 'verification' order by event_id desc limit 1"
    )
    assert detail == {"method": "face", "face": face}


# ── The operator's commands ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def operator(world: World, database: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ELIGIBILITY_DATABASE_URL", database)
    monkeypatch.setenv("ELIGIBILITY_STAFF_KEY_FILE", str(world.folder / "keys" / "staff.key"))

    async def run(*command: str, said: str = "") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(said))
        return await asyncio.to_thread(centre_command, list(command))

    return run


async def test_an_operator_enrols_changes_and_disables(
    operator: Any, world: World, counter: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await operator("enrol-staff", INSTITUTION, "薬剤師 次郎", "pharmacist", said=f"{PASSWORD}\n") == 0
    printed = capsys.readouterr().out
    assert PASSWORD not in printed
    authenticator = pyotp.parse_uri(next(line for line in printed.splitlines() if line.startswith("otpauth://")))
    assert isinstance(authenticator, pyotp.TOTP)
    said = {"name": "薬剤師 次郎", "password": PASSWORD, "passcode": authenticator.now()}
    answer = await counter.http.post("/v1/staff-sessions", json=said)
    assert (answer.status_code, answer.json()["role"]) == (201, "pharmacist")
    token = {"Authorization": f"Bearer {answer.json()['token']}"}
    was = await visit(world, counter)
    assert await _sees(counter, was, token) == (200, "shown")
    assert await operator("change-role", INSTITUTION, "薬剤師次郎", "clerk") == 0
    assert await _sees(counter, was, token) == (403, "not_shown_role")
    assert await operator("enrol-staff", INSTITUTION, "薬剤師 次郎", "pharmacist", said=f"{PASSWORD}\n") == 0
    assert await _sees(counter, was, token) == (401, "staff_session_needed")
    assert await operator("disable-staff", INSTITUTION, "薬剤師 次郎") == 0
    assert await operator("disable-staff", INSTITUTION, "薬剤師 次郎") == 1
    codes = await world.owner.fetch(
        "select code from audit_event where kind = 'enrolment' and code like 'staff%' order by event_id"
    )
    assert [row["code"] for row in codes] == [
        "staff_enrolled", "staff_role_changed", "staff_enrolled", "staff_disabled",
    ]  # fmt: skip


@pytest.mark.parametrize("password", ["", "short", "eleven char"])
async def test_a_short_password_is_refused(password: str, operator: Any, world: World) -> None:
    assert await operator("enrol-staff", INSTITUTION, "x", "clerk", said=f"{password}\n") == 1
    assert await world.owner.fetchval("select count(*) from staff") == 0


async def test_nobody_is_enrolled_where_there_is_no_institution(operator: Any, world: World) -> None:
    assert await operator("enrol-staff", "0110119070", "x", "clerk", said=f"{PASSWORD}\n") == 3
    assert await operator("change-role", INSTITUTION, "nobody", "doctor") == 1


async def test_events_are_listed_with_the_time_in_japan(
    operator: Any, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await operator("enrol-staff", INSTITUTION, "x", "clerk", said=f"{PASSWORD}\n") == 0

    assert await operator("audit", "--limit", "1") == 0

    at = await world.owner.fetchval("select max(occurred_at) from audit_event")
    listed = capsys.readouterr().out.splitlines()[-1]
    assert listed.startswith(f"{at.astimezone(UTC) + timedelta(hours=9):%Y-%m-%d %H:%M:%S.%f}+09:00  ")


def test_the_password_is_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        centre_command(["enrol-staff", INSTITUTION, "x", "clerk", PASSWORD])
    assert "unrecognized arguments" in capsys.readouterr().err


async def test_a_hundred_requests_of_one_session_at_once_are_one_session(world: World, counter: Counter) -> None:
    was = await visit(world, counter)
    token = await counter.token(await world.staff(Role.DOCTOR))
    answers = await asyncio.gather(*(counter.http.get(was.medications(), headers=token) for _ in range(100)))
    assert [answer.status_code for answer in answers] == [200] * 100
