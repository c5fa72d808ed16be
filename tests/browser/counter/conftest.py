"""A centre, a counter and a browser: the real ones, each in a thread or process of its own."""

import asyncio
import contextlib
import itertools
import os
import shutil
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from cryptography import x509
from playwright.sync_api import Browser, Page, expect, sync_playwright

from eligibility.domain.codes import Sex
from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_terminal
from loadtest import hand_slot
from loadtest.cards import issue_card
from loadtest.embedded import Stores, database_url
from loadtest.pki import KeyPair
from terminal_agent.card.connection import Connection
from terminal_agent.card.errors import CardMissing, CardRemoved
from terminal_agent.card.pcscd import OwnPcscd
from terminal_agent.card.pinless import PinlessSigner
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent, CardHolder, CardPins
from terminal_agent.card.vpcd import CardInVpcd
from terminal_agent.client import Centre
from terminal_agent.face.mode import FaceMode
from terminal_agent.kiosk import runner
from terminal_agent.kiosk.passcode import write_passcode
from terminal_agent.kiosk.runner import View
from terminal_agent.kiosk.serving import Screens
from terminal_agent.kiosk.slot import ReaderSlot, Slot, SlotEvent
from terminal_agent.kiosk.visit import Farewell, ReaderFound, ReaderLost, Stage, patience_s
from terminal_agent.language import Language
from terminal_agent.settings import TerminalSettings
from tests.browser.counter.line import Line
from tests.integration.eligibility.world import INSTITUTION, Authorities, World, make_authorities, running_world
from tests.integration.terminal_agent.conftest import wait_until_empty

PIN, TEXT_PIN, PASSCODE = "2741", "5906", "松竹梅246"
PATIENCE_S = 120  # for what is waited for, on a machine of any speed
expect.set_options(timeout=60_000)  # as for the other pages
VIEWPORT: Any = {"width": 1280, "height": 800}
STAFF_VIEWPORT: Any = {"width": 1440, "height": 1000}
_CHROMIUM = ("chromium", "chromium-browser")
_OPTIONS = (
    "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
)  # fmt: skip
_numbers = itertools.count(1)


class Town:
    """The centre, with an event loop in a thread of its own, as the tests of the screens are not asynchronous."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="town", daemon=True)
        self._thread.start()
        self.world: World
        self.database = ""

    def wait(self, work: Awaitable[Any]) -> Any:
        """Have the town's loop do something, and return what comes of it."""

        async def done() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(PATIENCE_S)

    @contextmanager
    def running(
        self, run: Callable[[asyncio.Event, "asyncio.Future[World]"], Coroutine[Any, Any, None]]
    ) -> Iterator[None]:
        """Keep the centre running for the block."""
        started: asyncio.Future[World] = self._loop.create_future()
        ending = asyncio.Event()
        task = asyncio.run_coroutine_threadsafe(run(ending, started), self._loop)
        try:
            self.world = self.wait(started)
            yield
        finally:
            self._loop.call_soon_threadsafe(ending.set)
            task.result(PATIENCE_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


@pytest.fixture(scope="session")
def authorities() -> Authorities:
    return make_authorities()


@pytest.fixture(scope="session")
def town(
    running_stores: Stores, template: str, authorities: Authorities, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    """One centre for all tests of the screens; each has its own person and card."""
    folder = tmp_path_factory.mktemp("centre")
    name = f"eligibility_browser_{os.getpid()}"

    async def run(ending: asyncio.Event, started: "asyncio.Future[World]") -> None:
        administrator = await asyncpg.connect(running_stores.database_url)
        await administrator.execute(f"create database {name} template {template}")
        try:
            address = database_url(running_stores.database_url, name)
            owner = await connect(address)
            async with running_world(folder, authorities, address, owner, running_stores.redis_url) as world:
                started.set_result(world)
                await ending.wait()
            await owner.close()
        finally:
            await administrator.execute(f"drop database {name} with (force)")
            await administrator.close()

    town = Town()
    town.database = database_url(running_stores.database_url, name)
    with town.running(run):
        yield town


@pytest.fixture
def world(town: Town) -> World:
    return town.world


@pytest.fixture(scope="session", autouse=True)
def reader_service(request: pytest.FixtureRequest) -> None:
    """Begin this run's pcscd, where one can run, before any page asks for readers: its address is read only once."""
    with contextlib.suppress(pytest.skip.Exception):
        request.getfixturevalue("pcscd")


class HandSlot(hand_slot.HandSlot):
    """A reader in the test's hand, whose card can be gone, or another kind of card."""

    def __init__(self, card: VirtualCard) -> None:
        super().__init__()
        self._card = card
        self._there = self._other = False

    def insert(self) -> None:
        self._there = True
        super().insert()

    def insert_another(self) -> None:
        """Put a driver's licence on the reader: it knows none of the applications."""
        self.misreads(True)
        self.insert()

    def misreads(self, does: bool) -> None:
        """Have the reader find none of the applications on the card that lies there, or find them again."""
        self._other = does

    def remove(self) -> None:
        self._there = False
        super().remove()

    def break_down(self) -> None:
        self._there = False
        self.tell(ReaderLost("reader_missing"))

    def mend(self) -> None:
        self.tell(ReaderFound())

    @contextmanager
    def hold(self) -> Iterator["HandSlot"]:
        self._card.reset()
        yield self
        self._card.reset()

    def transmit(self, apdu: bytes) -> bytes:
        if not self._there:
            raise CardRemoved
        return bytes.fromhex("6A82") if self._other else self._card.transmit(apdu)


@dataclass(frozen=True, slots=True)
class Counter:
    """What stands at one counter: the screens, a card, the slot it goes into, and the line to the centre."""

    screens: Screens
    card: VirtualCard
    slot: Any
    line: Line

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.screens.port}"


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody with a card that nobody has seen before."""

    content: CardContent
    card: VirtualCard

    @property
    def facts(self) -> dict[str, Any]:
        """What an insurer states of the holder."""
        holder = self.content.holder
        return {
            "name": "髙橋　花子", "name_kana": "タカハシ ハナコ", "birth_date": holder.birth_date,
            "sex": holder.sex.value, "address": holder.address, "number": f"{holder.birth_date:%y%m%d}",
        }  # fmt: skip


@pytest.fixture
def patient(request: pytest.FixtureRequest, authorities: Authorities) -> Patient:
    """A patient of 85, give or take: each test's has a birth date of her own, by which she is told from the others.

    An indirect parameter is in how many days her certificate expires.
    """
    birth_date = date(1940, 1, 1) + timedelta(days=next(_numbers))
    address = "東京都千代田区霞が関１丁目２番２号"
    holder = CardHolder("髙橋 花子", address, birth_date, Sex.FEMALE, date(2034, 4, 12), "8123")
    pins, now = CardPins(auth=PIN, sign="KARUTA77", text=TEXT_PIN), datetime.now(UTC)
    content = issue_card(authorities.jpki, f"B{birth_date:%y%m%d}", holder, pins, now)
    if (days := getattr(request, "param", None)) is not None:
        begun, ends = now - timedelta(days=300), now + timedelta(days=days)
        serial = f"E{birth_date:%y%m%d}"
        issued = authorities.jpki.issue_auth(serial, now, not_before=begun, not_after=ends, key=content.auth.key)
        content = replace(content, auth=replace(content.auth, certificate=issued.der))
    return Patient(content, VirtualCard(content))


@pytest.fixture
def card(patient: Patient) -> VirtualCard:
    return patient.card


@pytest.fixture
def insured(town: Town, patient: Patient) -> int:
    """The person, known to an insurer."""
    person = int(town.wait(town.world.person()))
    town.wait(town.world.coverage(person, **patient.facts))
    return person


@pytest.fixture
def known(town: Town, patient: Patient, insured: int) -> int:
    """The person, with the card registered."""
    certificate = x509.load_der_x509_certificate(patient.content.auth.certificate)
    town.wait(town.world.register(KeyPair(certificate, patient.content.auth.key), insured))
    return insured


@pytest.fixture
def line(town: Town) -> Iterator[Line]:
    with Line(int(town.world.url.rpartition(":")[2])) as whole:
        yield whole


@pytest.fixture(scope="session")
def passcode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the passcode with which staff confirm a face."""
    file = tmp_path_factory.mktemp("passcode") / "passcode"
    write_passcode(file, PASSCODE)
    return file


@pytest.fixture
def settings(town: Town, line: Line, tmp_path: Path, passcode: Path) -> TerminalSettings:
    """The settings of an enrolled terminal."""
    terminal_id, now, world = uuid4(), datetime.now(UTC), town.world
    town.wait(enrol_terminal(world.owner, terminal_id, InstitutionCode(INSTITUTION), "受付", now))
    certificate, key = world.authorities.enrolment.terminal(INSTITUTION, terminal_id, now).write(tmp_path, "terminal")
    return TerminalSettings(
        centre_url=f"https://127.0.0.1:{line.port}",
        centre_authority=world.folder / "server_authority.crt",
        certificate=certificate,
        key=key,
        screens_port=0,
        connect_timeout_s=60,  # a line that is cut fails at once
        answer_timeout_s=60,
        visual_passcode=passcode,
    )


@pytest.fixture(autouse=True)
def stages_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a stage that ends by itself wait until a slow machine has seen it."""
    monkeypatch.setattr(runner, "patience_s", _long_patience_s)


def _long_patience_s(stage: Stage) -> float | None:
    own = patience_s(stage)
    return None if own is None else max(own, 600.0)


@pytest.fixture
def brief_farewells(stages_that_wait: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a farewell its own patience, for a test that waits until the screen is ready again by itself."""

    def patience(stage: Stage) -> float | None:
        return patience_s(stage) if isinstance(stage, Farewell) else _long_patience_s(stage)

    monkeypatch.setattr(runner, "patience_s", patience)


@contextmanager
def running_counter(
    settings: TerminalSettings,
    slot: Slot,
    card: VirtualCard,
    line: Line,
    *,
    face: FaceMode | None = None,
    pinless: PinlessSigner | None = None,
) -> Iterator[Counter]:
    """Serve one counter's screens for the block."""
    with Centre.open(settings) as centre:
        screens = Screens(settings, centre, slot, face=face, pinless=pinless)
        with serving(screens):
            yield Counter(screens, card, slot, line)


@contextmanager
def serving(screens: Screens) -> Iterator[None]:
    """Serve screens from a thread for the block."""
    started = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(screens.serve(started.set)), name="screens")
    thread.start()
    try:
        assert started.wait(PATIENCE_S)
        yield
    finally:
        screens.stop()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


@pytest.fixture
def counter(settings: TerminalSettings, card: VirtualCard, line: Line) -> Iterator[Counter]:
    """A counter with a reader in the test's hand."""
    with running_counter(settings, HandSlot(card), card, line) as running:
        yield running


@pytest.fixture
def pcsc_counter(settings: TerminalSettings, card: VirtualCard, line: Line, pcscd: OwnPcscd) -> Iterator[Counter]:
    """A counter with a real PC/SC reader; its `slot` takes the virtual card."""
    with ExitStack() as stack:
        vpcd = CardInVpcd(card, pcscd.vpcd_port)
        stack.callback(wait_until_empty)
        stack.callback(vpcd.remove)
        running = stack.enter_context(running_counter(settings, ReaderSlot(None), card, line))
        yield Counter(running.screens, card, vpcd, line)


@pytest.fixture(scope="module")
def browser(town: Town) -> Iterator[Browser]:
    """Debian's Chromium.

    For a module at a time, and after the town: while Playwright's blocking interface is open, nothing else in this
    thread can run an event loop.
    """
    program = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_OPTIONS))
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, **window: Any) -> Iterator[Page]:
    """A fresh browser window; what goes wrong in its scripts or against its policy fails the test."""
    context = browser.new_context(locale="ja-JP", **window)
    context.set_default_timeout(60_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """The patient's browser."""
    with watched(browser, viewport=VIEWPORT, reduced_motion="reduce") as page:
        yield page


class Gallery:
    """The patient's screen without a visit behind it: shows whichever stage a test asks for."""

    def __init__(self, screens: Screens) -> None:
        self._screens = screens

    def arrive(self, page: Page) -> None:
        """Wait until the page, told by its event stream, shows the stage."""
        page.wait_for_selector(f'#screen[data-changes="{self._screens.runner.view.changes}"]')

    def show(self, stage: Stage, language: Language) -> None:
        runner = self._screens.runner
        view = runner.view
        runner._set_view(View(stage, language, view.turn + 1, view.changes + 1))


class _Nothing:
    """No card comes and none goes."""

    def watch(self, stopping: threading.Event) -> Iterator[SlotEvent]:
        yield from ()

    def hold(self) -> AbstractContextManager[Connection]:
        raise CardMissing


@pytest.fixture(scope="module")
def gallery() -> Iterator[Gallery]:
    settings = TerminalSettings(
        centre_url="https://127.0.0.1:9", centre_authority=Path(), certificate=Path(), key=Path(), screens_port=0
    )
    screens = Screens(settings, Centre(httpx.Client()), _Nothing())
    with serving(screens):
        yield Gallery(screens)


@pytest.fixture(scope="module")
def gallery_page(browser: Browser, gallery: Gallery) -> Iterator[Page]:
    context = browser.new_context(viewport=VIEWPORT, locale="ja-JP", reduced_motion="reduce")
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(gallery._screens.patient_url)
    yield page
    context.close()


@pytest.fixture
def staff_page(browser: Browser) -> Iterator[Page]:
    """The staff's browser."""
    with watched(browser, viewport=STAFF_VIEWPORT, permissions=["clipboard-read", "clipboard-write"]) as page:
        yield page


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with the page as it is."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(Axe().axe_script)
    found = page.evaluate("() => axe.run({resultTypes: ['violations']})")
    return [f"{fault['id']}: {node['html']}" for fault in found["violations"] for node in fault["nodes"]]


def picture(page: Page, name: str) -> None:
    """Keep a picture of the screen where `make screens` asks for it."""
    if folder := os.environ.get("ELIGIBILITY_SCREENS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")
