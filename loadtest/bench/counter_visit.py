"""The visit's part of the counter's bench: from the PIN's last digit, and the tap of consent, to the answer on screen.

The whole way counts: browser, local pages, card, mutual TLS, centre, durable record. What the patient takes to choose
does not: the tap follows at once. With the card in the process, its own time (two signatures' worth of RSA in Python)
is taken off; with the card in a PC/SC reader it is part of the time.
"""

import asyncio
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from eligibility.domain.codes import Sex
from eligibility.storage.database import connect
from loadtest.bench.counter_centre import INSTITUTION, BenchCentre, insure, open_centre
from loadtest.bench.counter_part import NotMeasured, figures_of
from loadtest.cards import issue_card
from loadtest.hand_slot import HandSlot
from loadtest.verdict import Measured
from terminal_agent.card.errors import CardError
from terminal_agent.card.pcscd import PcscdUnavailable, own_pcscd
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent, CardHolder, CardPins
from terminal_agent.card.vpcd import CardInVpcd
from terminal_agent.client import Centre
from terminal_agent.kiosk.serving import Screens
from terminal_agent.kiosk.slot import ReaderSlot, Slot
from terminal_agent.settings import TerminalSettings

_TIMES, _TIMES_WITH_READER = 20, 8  # pcscd takes seconds to see a card come and go
_PIN: Final = "2741"  # of a card that was made for this bench and opens nothing else
_HOLDER: Final = CardHolder("架空 花子", "架空市", date(1985, 4, 12), Sex.FEMALE, date(2034, 4, 12), "8123")
# Presses the last digit, waits for the consents, agrees, and waits for the answer; returns milliseconds.
_VISIT: Final = """async (digit) => {
  const shown = (selector) => new Promise((found) => {
    const look = () => document.querySelector(selector) && found();
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
    look();
  });
  const began = performance.now();
  document.querySelector(`[data-key="${digit}"]`).click();
  await shown('button[value="agree_all"]');
  document.querySelector('button[value="agree_all"]').click();
  await shown('.take');
  return performance.now() - began;
}"""


class _TimedSlot(HandSlot):
    """A reader in the process that knows how long its card took."""

    def __init__(self, card: VirtualCard) -> None:
        super().__init__()
        self._card = card
        self.card_s = 0.0

    @contextmanager
    def hold(self) -> Iterator["_TimedSlot"]:
        """Hold the card."""
        self._card.reset()
        yield self

    def transmit(self, apdu: bytes) -> bytes:
        """Answer one command, and count the time."""
        began = time.perf_counter()
        try:
            return self._card.transmit(apdu)
        finally:
            self.card_s += time.perf_counter() - began


def measure_visit(_: Path) -> Measured | NotMeasured:
    """Measure with the card in the process, without the card's own time."""
    with ExitStack() as stack:
        if shutil.which("chromium") is None:
            return NotMeasured("chromium is not installed")
        settings, content = _counter(stack)
        slot = _TimedSlot(VirtualCard(content))
        times = _visits(stack, settings, slot, slot.insert, slot.remove, lambda: slot.card_s, _TIMES)
    return figures_of("visit", "answer", times)


def measure_visit_with_reader(_: Path) -> Measured | NotMeasured:
    """Measure with the virtual card in a PC/SC reader, all of its time included."""
    with ExitStack() as stack:
        if shutil.which("chromium") is None:
            return NotMeasured("chromium is not installed")
        try:
            pcscd = stack.enter_context(own_pcscd())
            stack.enter_context(_environment(pcscd.environment))
            settings, content = _counter(stack)
            card = CardInVpcd(VirtualCard(content), pcscd.vpcd_port)
            stack.callback(card.remove)
            times = _visits(
                stack, settings, ReaderSlot(None), card.insert, card.remove, lambda: 0.0, _TIMES_WITH_READER
            )
        except (PcscdUnavailable, CardError) as missing:
            return NotMeasured(str(missing))
    return figures_of("visit_with_reader", "answer", times)


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    os.environ.update(wanted)  # before pyscard is first used: its library reads it once
    yield
    for name in wanted:
        os.environ.pop(name, None)


def _visits(
    stack: ExitStack,
    settings: TerminalSettings,
    slot: Slot,
    insert: Callable[[], None],
    remove: Callable[[], None],
    card_s: Callable[[], float],
    count: int,
) -> list[float]:
    from playwright.sync_api import sync_playwright

    screens = Screens(settings, stack.enter_context(Centre.open(settings)), slot)
    started = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(screens.serve(started.set)), name="screens")
    thread.start()
    stack.callback(thread.join)
    stack.callback(screens.stop)
    started.wait(30)
    playwright = stack.enter_context(sync_playwright())
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    stack.callback(browser.close)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(screens.patient_url)
    times = []
    for _ in range(count):
        page.wait_for_selector('#screen[data-kind="Ready"]')
        insert()
        page.wait_for_selector('#screen[data-kind="EnteringPin"] .pad:not([hidden])')
        for digit in _PIN[:-1]:
            page.click(f'[data-key="{digit}"]')
        before = card_s()
        total_ms = float(page.evaluate(_VISIT, _PIN[-1]))
        times.append(total_ms - (card_s() - before) * 1000)
        remove()
    return times


def _counter(stack: ExitStack) -> tuple[TerminalSettings, CardContent]:
    """Start a centre that knows one person and her card, and enrol a terminal."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eligibility-bench-")))
    centre = stack.enter_context(open_centre(folder))
    pins = CardPins(auth=_PIN, sign="KARUTA77", text=_PIN)
    content = issue_card(centre.site.jpki, "BENCH", _HOLDER, pins, datetime.now(UTC))
    asyncio.run(_register(centre, content))
    return asyncio.run(centre.enrol("terminal")), content


async def _register(centre: BenchCentre, content: CardContent) -> None:
    owner = await connect(centre.site.database)
    (person,) = await insure(owner, _HOLDER.name, _HOLDER.birth_date, _HOLDER.sex, ["345"])
    await owner.execute(
        "insert into card (card_key, person_id, registered_at, institution_code) values ($1, $2, $3, $4)",
        _card_key(content), person, datetime.now(UTC), INSTITUTION,
    )  # fmt: skip
    await owner.close()


def _card_key(content: CardContent) -> bytes:
    certificate = x509.load_der_x509_certificate(content.auth.certificate)
    issuer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    serial = certificate.serial_number
    return (issuer or b"") + serial.to_bytes((serial.bit_length() + 7) // 8, "big")
