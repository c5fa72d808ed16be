"""`python -m terminal_agent bridge` as a clinic runs it: its own process, a shared folder, and the real centre."""

import asyncio
import io
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pypdf
import pytest

from eligibility.bulk_checks import work_on_bulk
from eligibility.domain.codes import ConsentClass, Role
from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.database import open_pool
from eligibility.storage.enrolment import enrol_terminal
from eligibility.wire.staff import StaffSession, StaffSessionRequest
from eligibility.wire.verifications import Verification
from terminal_agent.bridge import codec, document
from terminal_agent.bridge.codes import ConsentFlag, Processing, ReferenceClassification, Segment, Validity
from terminal_agent.bridge.messages import BulkMessage, EligibilityMessage, PlainMessage
from terminal_agent.bridge.results import Result
from terminal_agent.bridge.service import Bridge, open_bridge
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent
from terminal_agent.card.virtual_files import save_card
from terminal_agent.check import CheckRequest, Registering, check_card
from terminal_agent.client import Centre
from terminal_agent.settings import TerminalSettings
from tests.acceptance.test_check import HOLDER, RIGHT, TEXT, Person
from tests.integration.eligibility.world import INSTITUTION, World

SAMPLES = Path(__file__).parents[1] / "samples" / "bridge"
PATIENCE_S = 180
NAME, KANA, NUMBER = "金糸雀　花子", "ｶﾅﾘｱ ﾊﾅｺ", "70707070"
# None of them can be a part of a time.
CANARIES = ["金糸雀", "ｶﾅﾘｱ", NUMBER, "1980-01-01", "1980, 1, 1", "19800101", "患者-", "req_1"]


@pytest.fixture
async def settings(world: World, tmp_path: Path) -> TerminalSettings:
    """The settings of an enrolled terminal with a shared folder and REST."""
    terminal_id, now = uuid4(), datetime.now(UTC)
    await enrol_terminal(world.owner, terminal_id, InstitutionCode(INSTITUTION), "受付", now)
    certificate, key = world.authorities.enrolment.terminal(INSTITUTION, terminal_id, now).write(tmp_path, "terminal")
    return TerminalSettings(
        centre_url=world.url,
        centre_authority=world.folder / "server_authority.crt",
        certificate=certificate,
        key=key,
        connect_timeout_s=60,
        answer_timeout_s=60,
        bridge_folder=tmp_path / "shared",
        bridge_port=0,
        bridge_poll_s=0.05,
        bridge_state=tmp_path / "state",
    )


@dataclass
class Shared:
    """The shared folder as the clinic's software sees it."""

    root: Path

    def ask(self, name: str, content: bytes) -> None:
        """Drop a request as careful software does: under another name first."""
        partial = self.root / "req" / (name + ".tmp")
        partial.write_bytes(content)
        partial.rename(self.root / "req" / name)

    async def answer(self, name: str, part: str = "res") -> bytes:
        """Wait for a file."""
        await self.until(part, lambda names: name in names)
        return (self.root / part / name).read_bytes()

    async def until(self, part: str, enough: Callable[[list[str]], bool]) -> list[str]:
        """Wait until a part of the folder holds enough."""
        folder = self.root / part
        async with asyncio.timeout(PATIENCE_S):
            while not folder.is_dir() or not enough(sorted(os.listdir(folder))):  # noqa: ASYNC110 - a folder tells nobody
                await asyncio.sleep(0.02)
        return sorted(os.listdir(folder))


def sample(api: str, **changes: str) -> bytes:
    """Give a sample of a request with other texts in some of its elements."""
    content = (SAMPLES / api / "good.xml").read_bytes().decode("cp932")
    for name, text in changes.items():
        content = re.sub(rf"(<{name}>)[^<]*(<)", rf"\g<1>{text}\g<2>", content)
    return content.encode("cp932")


def read(content: bytes, message: Any = EligibilityMessage) -> Any:
    return codec.read(message, document.parse(content).root)


def _environment(settings: TerminalSettings) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TERMINAL_")}
    stated = settings.model_dump(exclude_defaults=True).items()
    return inherited | {f"TERMINAL_{name.upper()}": str(value) for name, value in stated}


@asynccontextmanager
async def process(settings: TerminalSettings, log: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m terminal_agent` until the block ends; SIGTERM ends it well."""
    with log.open("ab") as written:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "terminal_agent", *(arguments or ("bridge",)),
            stdout=written, stderr=written, env=_environment(settings),
        )  # fmt: skip
    try:
        await Shared(settings.bridge_folder or Path()).until("req", lambda _: True)
        yield running
    finally:
        if running.returncode is None:
            running.terminate()
            assert await asyncio.wait_for(running.wait(), PATIENCE_S) == 0


@pytest.fixture
def shared(settings: TerminalSettings) -> Shared:
    assert settings.bridge_folder is not None
    return Shared(settings.bridge_folder)


async def test_a_check_by_number_and_the_institution_s_own_number(
    world: World, settings: TerminalSettings, shared: Shared, tmp_path: Path
) -> None:
    await world.coverage(await world.person(), name=NAME, name_kana=KANA, number=NUMBER)
    of_card = {"InsuredIdentificationNumber": NUMBER}
    async with process(settings, tmp_path / "log"):
        shared.ask("OQSsiimm01req_1.xml", sample("OQSsiimm01", **of_card))
        unknown = read(await shared.answer("OQSsiimm01res_1.xml"), PlainMessage)
        assert unknown.header.error_code == Result.PATIENT_NOT_CHECKED

        shared.ask("OQSsiquc01req_1.xml", sample("OQSsiquc01", **of_card))
        answer = read(await shared.answer("OQSsiquc01res_1.xml"))
        assert (answer.header.segment, answer.header.classification) == (Segment.DONE, ReferenceClassification.NUMBER)
        assert (answer.body.validity, answer.body.result_code) == (Validity.VALID, Result.LIMIT_NEEDS_CARD)
        assert (answer.body.results[0].name, answer.body.results[0].name_kana) == (NAME, KANA)
        assert answer.body.results[0].limit_consent is ConsentFlag.NO

        shared.ask("OQSsiimm01req_2.xml", sample("OQSsiimm01", **of_card))
        assert read(await shared.answer("OQSsiimm01res_2.xml"), PlainMessage).header.error_code is None
        shared.ask("OQSsiquc01req_2.xml", sample("OQSsiquc01", **of_card))
        again = read(await shared.answer("OQSsiquc01res_2.xml"))
        assert again.body.results[0].reference_number == "患者-0042"

        shared.ask("OQSsiquc01req_3.xml", sample("OQSsiquc01", **of_card, Birthdate="19800102"))
        nobody = read(await shared.answer("OQSsiquc01res_3.xml"))
        assert (nobody.body.validity, nobody.body.results) == (Validity.NONE, ())
    log = (tmp_path / "log").read_text()
    assert "request_answered" in log
    assert not [canary for canary in CANARIES if canary in log]


async def test_a_number_with_the_form_of_a_my_number_is_kept_nowhere(
    world: World, settings: TerminalSettings, shared: Shared, tmp_path: Path
) -> None:
    async with process(settings, tmp_path / "log"):
        shared.ask("OQSsiquc01req_1.xml", sample("OQSsiquc01", InsuredIdentificationNumber="123456789018"))
        answer = read(await shared.answer("OQSsiquc01res_1.xml"), PlainMessage)
    assert answer.header.error_code == Result.MY_NUMBER
    assert not [file for file in shared.root.rglob("*") if file.is_file() and b"123456789018" in file.read_bytes()]


async def test_a_killed_bridge_answers_every_request_once(
    world: World, settings: TerminalSettings, shared: Shared, tmp_path: Path
) -> None:
    await world.coverage(await world.person())
    requests = 30
    async with process(settings, tmp_path / "log") as running:
        for number in range(requests):
            shared.ask(f"OQSsiquc01req_{number}.xml", sample("OQSsiquc01", ArbitraryIdentifier=str(number)))
        await shared.until("res", lambda names: len(names) >= 3)
        running.send_signal(signal.SIGKILL)
        await running.wait()
    async with process(settings, tmp_path / "log"):
        await shared.until("res", lambda names: len(names) == requests)
        await shared.until(".bridge/work", lambda names: not names)
    for number in range(requests):
        answer = read((shared.root / "res" / f"OQSsiquc01res_{number}.xml").read_bytes())
        assert answer.body.search.identifier == str(number)
    # The centre did each once, too, though some were asked twice.
    assert (await world.events()).count(("number_verification", "valid")) == requests
    assert os.listdir(shared.root / "err") == []


async def test_a_centre_that_is_away_is_said_at_once(
    settings: TerminalSettings, shared: Shared, tmp_path: Path
) -> None:
    away = settings.model_copy(update={"centre_url": "https://127.0.0.1:1"})
    async with process(away, tmp_path / "log"):
        shared.ask("OQSsiquc01req_1.xml", sample("OQSsiquc01"))
        answer = read(await shared.answer("OQSsiquc01res_1.xml"), PlainMessage)
        assert (answer.header.segment, answer.header.error_code) == (Segment.FAILED, Result.CENTRE_AWAY)
        shared.ask("YZKsiquc01req_1.xml", sample("YZKsiquc01"))
        root = document.parse(await shared.answer("YZKsiquc01res_1.xml")).root
        assert (root.findtext(".//MessageContents") or "").startswith(Result.NOT_SIGNED_IN)
    assert os.listdir(shared.root / "err") == []


@pytest.mark.parametrize("broken", ["bridge_folder", "certificate", "bridge_state"])
async def test_a_bridge_that_cannot_serve_says_why_and_ends(
    settings: TerminalSettings, tmp_path: Path, broken: str
) -> None:
    (tmp_path / "file").write_bytes(b"no folder, no certificate")
    wrong = settings.model_copy(update={broken: tmp_path / "file"})
    ended = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "terminal_agent", "bridge", env=_environment(wrong),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(ended.communicate(), PATIENCE_S)
    assert ended.returncode == 64
    assert b"Traceback" not in said


# ── Beside the kiosk ────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def beside_the_kiosk(settings: TerminalSettings, staff: list[StaffSession]) -> Iterator[Bridge]:
    """Give the bridge as `run` has it, in this process."""
    with open_bridge(settings, lambda: staff[-1] if staff else None) as bridge, bridge.running():
        yield bridge


async def visit(settings: TerminalSettings, card: VirtualCard, *agreed: ConsentClass) -> Verification:
    """Let somebody visit with their card, for the first time."""

    def check() -> Verification:
        with Centre.open(settings) as centre:
            wanted = CheckRequest(consents=agreed, registering=Registering.YES)
            return check_card(card, centre, Person([RIGHT], [TEXT]), wanted)

    return await asyncio.to_thread(check)


async def test_a_card_visit_lies_in_face_unasked_and_is_rest_s_last(
    world: World, settings: TerminalSettings, shared: Shared, card: VirtualCard, content: CardContent
) -> None:
    await world.coverage(await world.person(), **HOLDER)
    with beside_the_kiosk(settings, []) as bridge:
        answered = await visit(settings, card, ConsentClass.MEDICATION)
        bridge.card_visit(answered)
        (name,) = await shared.until("face", lambda names: len(names) == 1)
        assert re.fullmatch(r"OQSsiquc01res_face_[0-9a-f]{12}_[0-9]{14}\.xml", name)
        laid = read((shared.root / "face" / name).read_bytes())
        assert laid.header.classification is ReferenceClassification.CARD
        (result,) = laid.body.results
        assert (result.name, result.birth_date) == ("髙橋　花子", date(1985, 4, 12))
        assert (result.medication_consent, result.checkup_consent) == (ConsentFlag.YES, ConsentFlag.NO)
        assert (result.medication_until - result.medication_consent_at).total_seconds() == 24 * 3600

        token = (settings.bridge_state or Path()).joinpath("rest.token").read_text().strip()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{bridge.port}", timeout=60, trust_env=False) as rest:
            assert (await rest.get("/v1/card-visits/last")).status_code == 401
            found = await rest.get("/v1/card-visits/last", headers={"Authorization": f"Bearer {token}"})
            assert Verification.model_validate_json(found.content) == answered
    # What is remembered is not readable.
    for file in (settings.bridge_state or Path()).iterdir():
        assert "髙橋".encode() not in file.read_bytes()


async def test_run_serves_the_folder_beside_the_screens(
    world: World, settings: TerminalSettings, shared: Shared, card: VirtualCard, content: CardContent, tmp_path: Path
) -> None:
    await world.coverage(await world.person(), **HOLDER)
    await visit(settings, card)  # the card is known from now on
    save_card(tmp_path / "card", content)
    beside = settings.model_copy(update={"screens_port": 0, "run_folder": tmp_path / "run"})
    async with process(beside, tmp_path / "log", "run", "--virtual", str(tmp_path / "card")):
        await shared.until("../run", lambda names: "patient-url" in names)
        address = (tmp_path / "run" / "patient-url").read_text().strip()
        origin = address.partition("/enter/")[0]
        async with httpx.AsyncClient(follow_redirects=True, headers={"Origin": origin}, timeout=60) as browser:
            page = await browser.get(address)
            for wanted, done in (
                ('name="secret"', {"action": "enter", "secret": RIGHT}),
                ('value="agree_all"', {"action": "agree_all"}),
            ):
                async with asyncio.timeout(PATIENCE_S):
                    while wanted not in page.text:
                        page = await browser.get(origin)
                turn = re.search(r'name="turn" value="([0-9]+)"', page.text)
                assert turn
                page = await browser.post(f"{origin}/act", data={"turn": turn[1], **done})
        (name,) = await shared.until("face", lambda names: len(names) == 1)
        (result,) = read((shared.root / "face" / name).read_bytes()).body.results
        assert (result.name, result.checkup_consent) == ("髙橋　花子", ConsentFlag.YES)
        # Nobody is signed in at the staff's screen yet.
        shared.ask("TKKsiquc01req_1.xml", sample("TKKsiquc01"))
        root = document.parse(await shared.answer("TKKsiquc01res_1.xml")).root
        assert (root.findtext(".//MessageContents") or "").startswith(Result.NOT_SIGNED_IN)
    assert "髙橋" not in (tmp_path / "log").read_text()


# ── Many persons ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_bulk_check_in_two_steps_is_found_again_after_a_restart(
    world: World, settings: TerminalSettings, shared: Shared, tmp_path: Path, database: str
) -> None:
    await world.coverage(await world.person(), name=NAME, name_kana=KANA)
    async with process(settings, tmp_path / "log"):
        shared.ask("OQSmuquc01req_1.xml", sample("OQSmuquc01"))
        accepted = read(await shared.answer("OQSmuquc01res_1.xml"), BulkMessage)
        number = accepted.header.reception_number
        shared.ask("OQSmuquc02req_1.xml", sample("OQSmuquc02", ReceptionNumber=number))
        working = read(await shared.answer("OQSmuquc02res_1.xml"), BulkMessage)
        assert (working.header.segment, working.units) == (Segment.WORKING, ())
    pool = await open_pool(database, role="eligibility_worker", size=2)
    while await work_on_bulk(pool, 1000, datetime.now(UTC)):
        pass
    await pool.close()
    async with process(settings, tmp_path / "log"):
        shared.ask("OQSmuquc02req_2.xml", sample("OQSmuquc02", ReceptionNumber=number))
        done = read(await shared.answer("OQSmuquc02res_2.xml"), BulkMessage)
    assert (done.header.segment, done.header.results, done.header.results_wrong) == (Segment.DONE, 3, 1)
    found = {unit.search.identifier: unit for unit in done.units if unit.search}
    assert (found["P-1"].validity, found["P-1"].results[0].name) == (Validity.VALID, NAME)
    assert (found["P-2"].validity, found["P-2"].results) == (Validity.NONE, ())
    assert found["P-3"].processing is Processing.ERROR


# ── Medical data ────────────────────────────────────────────────────────────────────────────────────────────────


async def _signed_in(world: World, settings: TerminalSettings, role: Role) -> StaffSession:
    member = await world.staff(role)
    asked = StaffSessionRequest(name=member.name, password=member.password, passcode=member.passcode())
    with Centre.open(settings) as centre:
        return await asyncio.to_thread(centre.sign_in, asked)


HOLDER_NUMBER = {"symbol": "12", "number": "345", "branch_number": "01"}
AGREED = (ConsentClass.MEDICATION, ConsentClass.CHECKUP)


async def test_medication_and_checkups_of_a_visit_for_a_doctor_who_is_signed_in(
    world: World, settings: TerminalSettings, shared: Shared, card: VirtualCard, content: CardContent
) -> None:
    person = await world.person()
    await world.coverage(person, **HOLDER, **HOLDER_NUMBER)
    await world.drug()
    await world.medicine(person, medicine_on=date(2026, 11, 2))
    await world.medicine(person, medicine_on=date(2026, 2, 2))
    await world.checkup(person, date(2026, 6, 1), {"value": "26.1", "flag": "H"})
    staff: list[StaffSession] = []
    with beside_the_kiosk(settings, staff) as bridge:
        bridge.card_visit(await visit(settings, card, *AGREED))
        await shared.until("face", lambda names: len(names) == 1)
        for number, (role, said) in enumerate(((None, Result.NOT_SIGNED_IN), (Role.CLERK, Result.ROLE_MAY_NOT))):
            staff[:] = [await _signed_in(world, settings, role)] if role else []
            for api in ("YZKsiquc01", "TKKsiquc01"):
                shared.ask(f"{api}req_{number}.xml", sample(api))
                root = document.parse(await shared.answer(f"{api}res_{number}.xml")).root
                assert (root.findtext(".//ResultCode"), root.find(".//Name")) == ("2", None)
                assert (root.findtext(".//MessageContents") or "").startswith(said)

        staff[:] = [await _signed_in(world, settings, Role.DOCTOR)]
        shared.ask("YZKsiquc01req_d.xml", sample("YZKsiquc01", StartDate="202606"))
        root = document.parse(await shared.answer("YZKsiquc01res_d.xml")).root
        assert [one.text for one in root.iterfind(".//DiDate")] == ["20261102"]
        assert root.findtext(".//DrugInf/DrugN") == "アサガオ錠５ｍｇ"
        assert root.findtext("MessageHeader/QuaInf/Name") == "髙橋　花子"
        shared.ask("TKKsiquc01req_d.xml", sample("TKKsiquc01"))
        root = document.parse(await shared.answer("TKKsiquc01res_d.xml")).root
        assert root.findtext(".//DataValue") == "26.1"
        shared.ask("TKKsiquc01req_p.xml", sample("TKKsiquc01", FileCategory="1"))
        pages = pypdf.PdfReader(io.BytesIO(await shared.answer("TKKsiquc01res_p.pdf")))
        assert "26.1 ▲" in pages.pages[0].extract_text()


@pytest.mark.parametrize("withdrawn", [True, False])
async def test_what_the_patient_did_not_agree_to_or_took_back_is_not_given(
    world: World,
    settings: TerminalSettings,
    shared: Shared,
    card: VirtualCard,
    content: CardContent,
    withdrawn: bool,
) -> None:
    await world.coverage(await world.person(), **HOLDER, **HOLDER_NUMBER)
    staff = [await _signed_in(world, settings, Role.DOCTOR)]
    with beside_the_kiosk(settings, staff) as bridge:
        answered = await visit(settings, card, *(AGREED if withdrawn else ()))
        bridge.card_visit(answered)
        await shared.until("face", lambda names: len(names) == 1)
        if withdrawn:
            counter = await world.terminal()
            path = f"/v1/verifications/{answered.verification_id}/consents/medication"
            assert (await counter.http.delete(path)).status_code == 204
        shared.ask("YZKsiquc01req_1.xml", sample("YZKsiquc01"))
        root = document.parse(await shared.answer("YZKsiquc01res_1.xml")).root
    assert (root.findtext(".//MessageContents") or "").startswith(
        Result.CONSENT_OVER if withdrawn else Result.NO_CONSENT
    )
    assert root.find(".//Name") is None
