"""The local web application: the patient's screen, its form, and the stream that says when to look again."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from eligibility.domain.codes import ConsentClass
from terminal_agent.card.errors import MalformedNumberB, MalformedPin
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.kiosk.catalogues import LANGUAGES
from terminal_agent.kiosk.guard import Cookies, Guard, Keys
from terminal_agent.kiosk.rendering import PAGES, Renderer
from terminal_agent.kiosk.runner import Runner, View
from terminal_agent.kiosk.trouble import trouble
from terminal_agent.kiosk.visit import (
    Asking,
    Cancelled,
    CheckingPin,
    Choosing,
    Consenting,
    ConsentsGiven,
    Continued,
    EnteringNumberB,
    EnteringPin,
    EnteringTextSecret,
    EntryMalformed,
    Event,
    FaceChosen,
    FaceUnsure,
    Farewell,
    Looking,
    NumberBEntered,
    OfferingRegistration,
    PinChosen,
    PinEntered,
    ReaderOut,
    Reading,
    Ready,
    Registering,
    RegistrationWanted,
    Retried,
    StaffCalled,
    StaffWanted,
    Stage,
    StillThere,
    Stopped,
    TakingCard,
    TextPinEntered,
    Told,
    Unverified,
)
from terminal_agent.language import Language

HEARTBEAT_S: Final = 15.0
MAX_FORM_BYTES: Final = 4096
_PIN_DIGITS: Final = 4
# Most steps end sooner: then the first page after a tap is the next question or the answer, and not "please wait".
_ANSWER_AWAITED_S: Final = 0.3
_BUSY: Final = (Reading, CheckingPin, Asking, Registering)

_TEMPLATES: Final[dict[type[Stage], str]] = {
    ReaderOut: "trouble.html",
    Ready: "ready.html",
    Reading: "busy.html",
    Choosing: "choosing.html",
    EnteringPin: "pin.html",
    CheckingPin: "busy.html",
    EnteringNumberB: "number_b.html",
    Looking: "looking.html",
    FaceUnsure: "face_unsure.html",
    StaffCalled: "staff_called.html",
    Consenting: "consent.html",
    Asking: "busy.html",
    OfferingRegistration: "registration.html",
    EnteringTextSecret: "text_secret.html",
    Registering: "busy.html",
    Told: "told.html",
    Unverified: "trouble.html",
    Stopped: "trouble.html",
    TakingCard: "taking_card.html",
    Farewell: "farewell.html",
    StillThere: "still_there.html",
}
# Which of the visit's four parts a stage belongs to: card, who you are, what may be shown, answer.
_PARTS: Final[dict[type[Stage], int]] = {
    **dict.fromkeys((Ready, Reading), 1),
    **dict.fromkeys((Choosing, EnteringPin, CheckingPin, EnteringNumberB, Looking, FaceUnsure, StaffCalled), 2),
    **dict.fromkeys((Consenting, Asking, OfferingRegistration, EnteringTextSecret, Registering), 3),
    **dict.fromkeys((Told, TakingCard, Farewell), 4),
}
_PLAIN_EVENTS: Final[dict[str, Callable[[], Event]]] = {
    "pin": PinChosen,
    "face": FaceChosen,
    "staff": StaffWanted,
    "register": RegistrationWanted,
    "retry": Retried,
    "continue": Continued,
    "cancel": Cancelled,
}


@dataclass(slots=True)
class Changes:
    """Wakes the event streams of one screen when something changed; told from any thread."""

    loop: asyncio.AbstractEventLoop
    closing: bool = False
    _waiting: set[asyncio.Event] = field(default_factory=set)

    def tell(self) -> None:
        """Wake every stream."""
        with suppress(RuntimeError):  # the loop has ended: nobody listens any more
            self.loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """End every stream."""
        self.closing = True
        self._wake()

    async def stream(
        self, message: Callable[[], str], lasts_s: Callable[[], float | None] = lambda: None
    ) -> AsyncIterator[str]:
        """Give the message at once and after each change, with a comment now and then to keep the line open.

        `lasts_s` says after how many seconds the message may be another one without anybody telling.
        """
        said = ""
        with self._listening() as changed:
            while not self.closing:
                changed.clear()
                if (now := message()) != said:
                    said = now
                    yield f"data: {now}\n\n"
                try:
                    lasts = lasts_s()
                    async with asyncio.timeout(HEARTBEAT_S if lasts is None else min(lasts, HEARTBEAT_S)):
                        await changed.wait()
                except TimeoutError:
                    yield ": still here\n\n"

    async def until(self, reached: Callable[[], bool], at_most_s: float) -> None:
        """Wait until something holds that only a change can bring about, but no longer than this."""
        with self._listening() as changed, suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                while not reached() and not self.closing:
                    await changed.wait()
                    changed.clear()

    @contextmanager
    def _listening(self) -> Iterator[asyncio.Event]:
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            yield changed
        finally:
            self._waiting.discard(changed)

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()


@dataclass(frozen=True, slots=True)
class PatientScreen:
    """The routes of the patient's screen."""

    runner: Runner
    renderer: Renderer
    classes: tuple[ConsentClass, ...]
    changes: Changes

    def routes(self) -> list[BaseRoute]:
        """Return them."""
        return [
            Route("/", self.show),
            Route("/act", self.act, methods=["POST"]),
            Route("/language", self.speak, methods=["POST"]),
            Route("/awake", self.stay_awake, methods=["POST"]),
            Route("/events", self.events),
        ]

    async def show(self, request: Request) -> Response:
        """Show the stage the visit is in."""
        view = self.runner.view
        return HTMLResponse(self.renderer.page(_TEMPLATES[type(view.stage)], view.language, **self._facts(view)))

    async def act(self, request: Request) -> Response:
        """Take what the patient did, and wait a moment for what follows; a form of an earlier turn changes nothing."""
        async with request.form(max_fields=20, max_files=0, max_part_size=MAX_FORM_BYTES) as form:
            turn = str(form.get("turn", ""))
            before = self.runner.view
            event = _event(form, before.stage, self.classes)
        if event is not None and turn == str(before.turn):
            self.runner.post(event, before.turn)
            await self.changes.until(lambda: self._settled_since(before), _ANSWER_AWAITED_S)
        return RedirectResponse("/", 303)

    async def speak(self, request: Request) -> Response:
        """Go on in another language."""
        async with request.form(max_fields=5, max_files=0) as form:
            wanted = str(form.get("language", ""))
        if wanted in [language.value for language in LANGUAGES]:
            self.runner.speak(Language(wanted))
        return RedirectResponse("/", 303)

    async def stay_awake(self, request: Request) -> Response:
        """Somebody touches the screen."""
        self.runner.stay_awake()
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        """Say how often the view has changed: nothing of what is in it."""
        return event_stream(self.changes, lambda: str(self.runner.view.changes))

    def _settled_since(self, before: View) -> bool:
        now = self.runner.view
        return now.changes != before.changes and not isinstance(now.stage, _BUSY)

    def _facts(self, view: View) -> dict[str, object]:
        stage = view.stage
        code = stage.code if isinstance(stage, ReaderOut | Unverified | Stopped) else ""
        return {
            "stage": stage,
            "kind": type(stage).__name__,
            "turn": view.turn,
            "changes": view.changes,
            "part": _PARTS.get(type(stage), 0),
            "classes": self.classes,
            "trouble": trouble(code) if code else None,
        }


def make_app(
    patient: PatientScreen, keys: Keys, cookies: Cookies, hosts: frozenset[str], more: list[BaseRoute]
) -> Starlette:
    """Put the screens together behind the guard."""

    async def enter(request: Request) -> Response:
        """Give the browser that was opened with this start's address its cookie."""
        given = str(request.path_params["key"])
        for key, cookie, page in ((keys.patient, cookies.patient, "/"), (keys.staff, cookies.staff, "/staff")):
            if hmac.compare_digest(given.encode(), key.encode()):
                answer = RedirectResponse(page, 303)
                answer.set_cookie(cookie, key, httponly=True, samesite="strict", path="/")
                return answer
        return PlainTextResponse("This address is of an earlier start.\n", 403)

    app = Starlette(
        routes=[
            Route("/enter/{key}", enter),
            Mount("/static", StaticFiles(directory=PAGES / "static")),
            *patient.routes(),
            *more,
        ]
    )
    app.add_middleware(Guard, hosts=hosts, keys=keys, cookies=cookies)
    return app


def event_stream(
    changes: Changes, message: Callable[[], str], lasts_s: Callable[[], float | None] = lambda: None
) -> StreamingResponse:
    """Answer with server-sent events."""
    return StreamingResponse(changes.stream(message, lasts_s), media_type="text/event-stream")


def _event(form: FormData, stage: Stage, classes: tuple[ConsentClass, ...]) -> Event | None:
    """Return what the form says, in the stage it is for."""
    action = str(form.get("action", ""))
    if action in _PLAIN_EVENTS:
        return _PLAIN_EVENTS[action]()
    secret = str(form.get("secret", ""))
    match action, stage:
        case "enter", EnteringPin():
            return _entered(lambda: PinEntered(Pin.parse(secret)))
        case "enter", EnteringNumberB():
            return _entered(lambda: NumberBEntered(NumberB.parse(secret)))
        case "enter", EnteringTextSecret(tries_left=left):
            if left and len(secret.strip()) == _PIN_DIGITS:
                return _entered(lambda: TextPinEntered(Pin.parse(secret)))
            return _entered(lambda: NumberBEntered(NumberB.parse(secret)))
        case "agree_all", Consenting():
            return ConsentsGiven(classes)
        case "agree_none", Consenting():
            return ConsentsGiven(())
        case "agree_chosen", Consenting():
            return ConsentsGiven(tuple(c for c in classes if form.get(f"consent_{c.value}") == "yes"))
        case _:
            return None


def _entered(event: Callable[[], Event]) -> Event:
    try:
        return event()
    except (MalformedPin, MalformedNumberB):
        return EntryMalformed()
