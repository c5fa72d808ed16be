"""Performs what the visit's machine asks for: one visit at a time, in one thread, with the card held by it alone."""

import contextlib
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import structlog

from eligibility.domain.codes import ConsentClass, Method
from eligibility.domain.dates import day_in_japan
from eligibility.wire.problems import Sentence
from eligibility.wire.staff import StaffSession
from eligibility.wire.verifications import (
    SIGNATURE_CONTEXT,
    CardProof,
    CardRegistrationRequest,
    CoverageAnswer,
    Verification,
    VerificationRequest,
)
from terminal_agent.card.connection import Connection
from terminal_agent.card.errors import (
    CardCopied,
    CardDataForged,
    CardDataMalformed,
    CardError,
    CardPhotoMissing,
    NumberBBlocked,
    NumberBWrong,
    PinBlocked,
    PinWrong,
    TextPinBlocked,
)
from terminal_agent.card.pinless import PinlessSigner
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.card.sessions import HolderAttributes, JpkiSession, TextSession
from terminal_agent.check import ALL_TRIES, prove
from terminal_agent.client import Centre, CentreError, Refused
from terminal_agent.face.mode import FaceMode
from terminal_agent.kiosk.daybook import Daybook
from terminal_agent.kiosk.differences import LastVisit, differences
from terminal_agent.kiosk.gaze import Gaze
from terminal_agent.kiosk.memory import Memory
from terminal_agent.kiosk.slot import Slot
from terminal_agent.kiosk.visit import (
    Answered,
    AskCentre,
    CardRead,
    CheckPin,
    Effect,
    Event,
    FaceNotConfirmed,
    Failed,
    Journal,
    LetGo,
    LookAtFace,
    Person,
    PinAccepted,
    ReadCard,
    Ready,
    RegisterCard,
    Registered,
    SecretRefused,
    StaffCalled,
    Stage,
    StopLooking,
    Stopped,
    TextSecretNeeded,
    TimedOut,
    Told,
    Unverified,
    VisuallyConfirmed,
    patience_s,
    step,
    unanswered,
)
from terminal_agent.language import Language
from terminal_agent.outbox.clock import Uptime
from terminal_agent.outbox.draining import LiveChecks
from terminal_agent.outbox.journal import Journal as VisitJournal
from terminal_agent.outbox.sealing import OutboxTrouble

_log = structlog.get_logger(__name__)
STOP_S: Final = 15.0  # longer than the centre's slowest answer


@dataclass(frozen=True, slots=True)
class View:
    """What the patient's screen shows: the stage, its language, and how often it has changed.

    `turn` changes with the kind of stage, so that a form of an earlier one can be told from this one's.
    """

    stage: Stage
    language: Language
    turn: int
    changes: int


@dataclass(slots=True)
class _Held:
    """A card that is held for a visit, with what only the visit may know."""

    connection: Connection
    session: JpkiSession
    certificate: bytes
    pin: Pin | None = None
    confirmed_by: StaffSession | None = None
    gaze: Gaze | None = None


@dataclass(frozen=True, slots=True)
class _ConfirmedBy:
    """Who confirmed a person by eye; no part of the machine, since only the centre is told."""

    staff: StaffSession


class Runner:
    """One counter's visits, from the first card to the last."""

    def __init__(
        self,
        slot: Slot,
        centre: Centre,
        *,
        daybook: Daybook,
        memory: Memory,
        language: Language = Language.JA,
        journal: VisitJournal | None = None,
        journal_lost: bool = False,
        live: LiveChecks | None = None,
        face: FaceMode | None = None,
        pinless: PinlessSigner | None = None,
    ) -> None:
        self._slot = slot
        self._centre = centre
        self._daybook = daybook
        self._memory = memory
        self._journal = journal
        self._journal_lost = journal_lost  # one is set, but could not be opened
        self._live = live or LiveChecks()
        self._certificate: bytes | None = None
        self._cards: dict[UUID, bytes] = {}  # the certificate of each of today's visits
        daybook.on_withdrawal(self._forget_agreement)
        self._face = face
        self._pinless = pinless
        self._own_language = language
        self._view = View(Ready(), language, 0, 0)
        self._view_lock = threading.Lock()  # a stage is shown by one thread, a language chosen in another
        self._events: queue.Queue[tuple[int | None, Event | _ConfirmedBy | None]] = queue.Queue()
        self._listeners: list[Callable[[], None]] = []
        self._answer_listeners: list[Callable[[Verification], None]] = []
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._stack = ExitStack()
        self._held: _Held | None = None
        self._threads = [
            threading.Thread(target=self._watch, name="card watch", daemon=True),
            threading.Thread(target=self._run, name="visits", daemon=True),
        ]

    @property
    def own_language(self) -> Language:
        """The language in which every visit begins."""
        return self._own_language

    @property
    def view(self) -> View:
        """What is shown now."""
        return self._view

    def gaze(self) -> Gaze | None:
        """What staff may see of a face that waits for them; None where there is nothing to see."""
        held = self._held
        return held.gaze if held is not None and isinstance(self._view.stage, StaffCalled) else None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this, from the runner's thread, after each change of the view."""
        self._listeners.append(listener)

    def on_answer(self, listener: Callable[[Verification], None]) -> None:
        """Call this, from the runner's thread, with each answer of the centre."""
        self._answer_listeners.append(listener)

    def start(self) -> None:
        """Begin to watch the reader."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let go of the card and end; what is under way with the centre is waited for."""
        self._stopping.set()
        self._events.put((None, None))
        for thread in self._threads:
            thread.join(STOP_S)

    def post(self, event: Event, turn: int | None = None) -> None:
        """Hand in an event; one that was meant for an earlier turn is dropped."""
        self._events.put((turn, event))

    def confirm_visually(self, staff: StaffSession, turn: int) -> None:
        """Hand in that a member of staff confirmed the person; the centre hears who it was."""
        self._events.put((turn, _ConfirmedBy(staff)))

    def stay_awake(self) -> None:
        """Somebody touches the screen: begin the stage's patience anew."""
        self._awake.set()
        self._events.put((None, None))

    def speak(self, language: Language) -> None:
        """Show this visit in another language."""
        with self._view_lock:
            view = self._view
            self._set_view(replace(view, language=language, changes=view.changes + 1))

    # ── The two threads ─────────────────────────────────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        for event in self._slot.watch(self._stopping):
            self.post(event)

    def _run(self) -> None:
        deadline = self._deadline()
        try:
            while not self._stopping.is_set():
                turn = self._view.turn
                for_turn, event = self._next(deadline)
                if isinstance(event, _ConfirmedBy):
                    if for_turn == turn and self._held is not None and isinstance(self._view.stage, StaffCalled):
                        self._held.confirmed_by = event.staff
                        self._take(VisuallyConfirmed())
                elif event is not None and for_turn in (None, turn):
                    self._take(event)
                if self._view.turn != turn or self._awake.is_set():
                    self._awake.clear()
                    deadline = self._deadline()
        finally:
            if unanswered(self._view.stage) is not None:
                self._keep_for_later()
            self._let_go()

    def _deadline(self) -> float | None:
        patience = patience_s(self._view.stage)
        return None if patience is None else time.monotonic() + patience

    def _next(self, deadline: float | None) -> "tuple[int | None, Event | _ConfirmedBy | None]":
        try:
            return self._events.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None, TimedOut()

    def _take(self, event: Event) -> None:
        pending = deque([event])
        while pending:
            stage, effects = step(self._view.stage, pending.popleft())
            self._show(stage)
            for effect in effects:
                outcome = self._perform(effect)
                if outcome is not None:
                    pending.append(outcome)

    def _show(self, stage: Stage) -> None:
        before = self._view.stage
        if stage == before:
            return
        turns = type(stage) is not type(before)
        if turns and isinstance(stage, Stopped | Unverified):
            self._daybook.add_trouble(stage.code, stage.said if isinstance(stage, Stopped) else None)
        with self._view_lock:
            view = self._view
            language = self._own_language if isinstance(stage, Ready) else view.language
            self._set_view(View(stage, language, view.turn + turns, view.changes + 1))

    def _set_view(self, view: View) -> None:
        self._view = view
        for listener in self._listeners:
            listener()

    # ── What the machine asks for ───────────────────────────────────────────────────────────────────────────────

    def _perform(self, effect: Effect) -> Event | None:
        try:
            return self._do(effect)
        except PinBlocked:
            return SecretRefused(0)
        except PinWrong as wrong:
            return SecretRefused(wrong.tries_left)
        except (CardError, CentreError) as error:
            return Failed(error.code)
        except Refused as refused:
            return Failed(refused.problem.code, refused.problem.staff)
        except Exception as error:  # noqa: BLE001 - the patient gets a screen, whatever happens
            # The kind alone: an error's text may quote a value.
            _log.error("step_failed", step=type(effect).__name__, kind=type(error).__name__)
            return Failed("unexpected")

    def _do(self, effect: Effect) -> Event | None:
        match effect:
            case ReadCard():
                return self._read_card()
            case CheckPin(pin):
                held = self._card()
                # Opening the photo selected another application.
                held.session = JpkiSession.open(held.connection)
                held.session.verify_pin(pin)
                held.pin = pin
                return PinAccepted()
            case AskCentre(consents, method):
                return self._ask(consents, method)
            case RegisterCard(secret):
                return self._register(secret)
            case Journal():
                self._keep_for_later()
            case LetGo():
                self._let_go()
            case LookAtFace(number):
                return self._look(number)
            case StopLooking():
                if self._held is not None and self._held.gaze is not None:
                    self._held.gaze.stop()
        return None

    def _card(self) -> _Held:
        if self._held is None:
            raise CardError
        return self._held

    def _read_card(self) -> Event:
        self._let_go()
        connection = self._stack.enter_context(self._slot.hold())
        session = JpkiSession.open(connection)
        self._certificate = session.auth_certificate()
        self._held = _Held(connection, session, self._certificate)
        tries_left = session.tries_left()
        # Before anybody enters a PIN, so that a line that is down is known at once.
        self._centre.fetch_challenges()
        last = self._recall(self._held.certificate)
        return CardRead(
            Person(
                tries_left,
                may_use_face=self._face is not None and self._face.state.ready,
                may_sign_without_pin=self._pinless is not None,
                agreed_before=last.agreed if last else None,
            )
        )

    def _look(self, number: NumberB | None) -> Event | None:
        """Begin to look at the face; what comes of it is posted, for this turn alone."""
        held, face, turn = self._card(), self._face, self._view.turn
        if face is None:
            return FaceNotConfirmed(may_try_again=False)
        try:
            if number is not None:
                pin_possible = JpkiSession.open(held.connection).tries_left() > 0
                session = face.visit(held.connection, number, pin_possible=pin_possible, today=day_in_japan(_now()))
                held.gaze = Gaze(session, face.camera, lambda event: self.post(event, turn))
            elif held.gaze is not None and not held.gaze.again(lambda event: self.post(event, turn)):
                return FaceNotConfirmed(may_try_again=False)
        except NumberBWrong:
            raise
        except (NumberBBlocked, CardPhotoMissing, CardDataForged, CardCopied, CardDataMalformed) as error:
            # Whatever is wrong with the photo, the PIN and staff are still there.
            _log.warning("photo_unusable", code=error.code)
            return FaceNotConfirmed(may_try_again=False)
        if held.gaze is None:
            return FaceNotConfirmed(may_try_again=False)
        held.gaze.start()
        return None

    def _ask(self, consents: tuple[ConsentClass, ...], method: Method) -> Event:
        held = self._card()
        evidence = held.gaze.evidence if held.gaze is not None and method is Method.FACE else None
        asked = VerificationRequest(
            proof=self._proof(held), method=method, face=evidence, consents=consents, asked_for=None, known_at=None
        )
        staff = held.confirmed_by if method is Method.VISUAL else None
        with self._live.check():
            verification = self._centre.verify(asked, staff)
        before = self._recall(held.certificate)
        self._daybook.add_answer(verification, differences(before, verification))
        today = {v.verification.verification_id for v in self._daybook.visits() if v.verification}
        self._cards[verification.verification_id] = held.certificate
        self._cards = {visit: card for visit, card in self._cards.items() if visit in today}
        if verification.coverage is not None:
            seen_on = day_in_japan(verification.verified_at)  # by the centre's clock
            self._remember(held.certificate, verification.coverage, consents, seen_on)
        for listener in self._answer_listeners:
            listener(verification)
        return Answered(_told(verification))

    def _recall(self, certificate: bytes) -> LastVisit | None:
        try:
            return self._memory.recall(certificate)
        except sqlite3.Error as error:
            _log.error("last_visit_unreadable", kind=type(error).__name__)
            return None

    def _remember(
        self, certificate: bytes, coverage: CoverageAnswer, consents: tuple[ConsentClass, ...], seen_on: date
    ) -> None:
        """Keep what helps the next visit; this one has its answer, whatever the disk says."""
        try:
            self._memory.remember(certificate, LastVisit.of(coverage, consents))
            if self._journal is not None:
                self._journal.remember(certificate, coverage, seen_on)
        except (OutboxTrouble, sqlite3.Error) as error:
            _log.error("visit_not_remembered", kind=type(error).__name__)

    def _forget_agreement(self, verification_id: UUID, consent_class: ConsentClass) -> None:
        """Begin the next visit without the mark of a consent that was taken back."""
        certificate = self._cards.get(verification_id)
        last = None if certificate is None else self._recall(certificate)
        if certificate is None or last is None:
            return
        agreed = tuple(one for one in last.agreed if one is not consent_class)
        try:
            self._memory.remember(certificate, last.model_copy(update={"agreed": agreed}))
        except sqlite3.Error as error:
            _log.error("withdrawal_not_remembered", kind=type(error).__name__)

    def _keep_for_later(self) -> None:
        """Journal a visit without an answer, by the number its card had here before, or for staff to enter one."""
        if self._journal is None:
            if self._journal_lost:
                self._daybook.add_trouble(OutboxTrouble.code)  # the paper is then all there is of it
            return
        try:
            person = None if self._certificate is None else self._journal.recall(self._certificate)
        except (OutboxTrouble, sqlite3.Error) as error:
            _log.error("holder_unreadable", kind=type(error).__name__)
            person = None
        try:
            now = _now()
            self._journal.add(person, day_in_japan(now), now, Uptime.now())
        except (OutboxTrouble, sqlite3.Error) as error:
            _log.error("visit_not_journalled", kind=type(error).__name__)
            self._daybook.add_trouble(OutboxTrouble.code)

    def _proof(self, held: _Held) -> CardProof:
        if held.pin is not None or self._pinless is None:
            return prove(held.session, held.certificate, self._centre)
        challenge = self._centre.take_challenge()
        signature = self._pinless.sign(held.connection, SIGNATURE_CONTEXT + challenge)
        return CardProof(challenge=challenge, certificate=held.certificate, signature=signature)

    def _register(self, secret: Pin | NumberB | None) -> Event:
        held = self._card()
        text = TextSession.open(held.connection)
        try:
            holder = _holder(text, secret, held.pin)
        except TextPinBlocked as blocked:
            # A blocked PIN leaves the number on the card's face; a blocked number leaves nothing.
            return Failed(blocked.code) if isinstance(secret, NumberB) else SecretRefused(0)
        except PinWrong:
            return SecretRefused(text.tries_left())
        if isinstance(holder, TextSecretNeeded):
            return holder
        # Reading the holder selected another application; the PIN, known to be right, uses no try.
        held.session = JpkiSession.open(held.connection)
        if held.pin is not None:
            held.session.verify_pin(held.pin)
        self._centre.register_card(
            CardRegistrationRequest(
                proof=self._proof(held),
                method=Method.PIN if held.pin is not None else Method.FACE,
                name=holder.name,
                address=holder.address,
                birth_date=holder.birth_date,
                sex=holder.sex,
            )
        )
        return Registered()

    def _let_go(self) -> None:
        if self._held is not None and self._held.gaze is not None:
            self._held.gaze.close()
        self._held = None
        with contextlib.suppress(CardError):
            self._stack.close()


def _holder(
    session: TextSession, secret: Pin | NumberB | None, auth_pin: Pin | None
) -> HolderAttributes | TextSecretNeeded:
    """Read the holder; the authentication PIN is tried unasked, but only while all three tries are there."""
    if secret is None:
        tries_left = session.tries_left()
        if auth_pin is None or tries_left < ALL_TRIES:
            return TextSecretNeeded(tries_left)
        try:
            session.verify_pin(auth_pin)
        except PinWrong as wrong:
            return TextSecretNeeded(wrong.tries_left)
    elif isinstance(secret, NumberB):
        session.verify_number_b(secret)
    else:
        session.verify_pin(secret)
    return session.attributes()


def _now() -> datetime:
    return datetime.now(UTC)


def _told(verification: Verification) -> Told:
    return Told(
        verification.verification_id,
        verification.outcome,
        tuple(consent.consent_class for consent in verification.consents),
        min((consent.expires_at for consent in verification.consents), default=None),
        tuple(Sentence(ja=notice.ja, en=notice.en) for notice in verification.notices),
    )
