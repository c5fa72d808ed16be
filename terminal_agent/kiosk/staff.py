"""The staff's screen: sign-in, today's visits as they happen, the answer in full, medical data."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import structlog
from markupsafe import Markup
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from eligibility.domain.codes import ConsentClass
from eligibility.wire.problems import Sentence
from eligibility.wire.staff import StaffSession, StaffSessionRequest
from eligibility.wire.verifications import NumberVerificationRequest
from terminal_agent.client import Centre, CentreError, Refused
from terminal_agent.face.showing import as_jpeg
from terminal_agent.health import Finding
from terminal_agent.kiosk.app import Changes, event_stream
from terminal_agent.kiosk.catalogues import LANGUAGES
from terminal_agent.kiosk.daybook import Daybook, Visit
from terminal_agent.kiosk.desks import Desks
from terminal_agent.kiosk.guard import Cookies
from terminal_agent.kiosk.passcode import Passcode
from terminal_agent.kiosk.rendering import Renderer
from terminal_agent.kiosk.runner import Runner
from terminal_agent.kiosk.visit import StaffCalled
from terminal_agent.language import Language
from terminal_agent.messages import ADVICE
from terminal_agent.outbox.journal import Journal, person_from, trouble_of
from terminal_agent.outbox.paper import Statement, print_statement
from terminal_agent.outbox.sealing import OutboxTrouble
from terminal_agent.records import charts, checkup, medication, treatment
from terminal_agent.records.patient import Patient
from terminal_agent.records.pdf import checkup_pdf, medication_pdf

_log = structlog.get_logger(__name__)
LOOKS_AGAIN: Final = "Counter-Looks-Again"  # counter.js says so when the event stream made it fetch a page
_ENDED: Final = "ended"
_YEAR_S: Final = 365 * 24 * 3600
UNAUTHORISED: Final = 401
Show = Callable[["StaffScreen", Request, StaffSession], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class StaffScreen:
    """The routes of the staff's screen."""

    runner: Runner
    daybook: Daybook
    centre: Centre
    desks: Desks
    passcode: Passcode | None
    renderer: Renderer
    changes: Changes
    examine: Callable[[], tuple[Finding, ...]]
    journal: Journal | None
    now: Callable[[], datetime]
    cookies: Cookies

    def routes(self) -> list[BaseRoute]:
        """Return them."""
        return [
            Route("/staff", self._signed_in(StaffScreen.show)),
            Route("/staff/visits/{visit:int}", self._signed_in(StaffScreen.show)),
            Route("/staff/visits/{verification:uuid}/medications", self._signed_in(StaffScreen.medications)),
            Route("/staff/visits/{verification:uuid}/medications.pdf", self._signed_in(StaffScreen.medications)),
            Route("/staff/visits/{verification:uuid}/checkups", self._signed_in(StaffScreen.checkups)),
            Route("/staff/visits/{verification:uuid}/checkups.pdf", self._signed_in(StaffScreen.checkups)),
            Route("/staff/visits/{verification:uuid}/treatments", self._signed_in(StaffScreen.treatments)),
            Route("/staff/number", self._signed_in(StaffScreen.number), methods=["GET", "POST"]),
            Route("/staff/withdraw", self._signed_in(StaffScreen.withdraw), methods=["POST"]),
            Route("/staff/confirm", self._signed_in(StaffScreen.confirm), methods=["POST"]),
            Route("/staff/pictures/{which}.jpg", self._signed_in(StaffScreen.picture)),
            Route("/staff/health", self.health),
            Route("/staff/outbox", self._signed_in(StaffScreen.outbox), methods=["GET", "POST"]),
            Route("/staff/paper.pdf", self.paper),
            Route("/staff/sign-in", self.sign_in, methods=["GET", "POST"]),
            Route("/staff/sign-out", self.sign_out, methods=["POST"]),
            Route("/staff/language", self.speak, methods=["POST"]),
            Route("/staff/events", self.events),
        ]

    # ── Who is there ────────────────────────────────────────────────────────────────────────────────────────────

    async def sign_in(self, request: Request) -> Response:
        """Ask for name, password and passcode, and have the centre judge them."""
        if request.method == "GET":
            return self._page(request, "staff_sign_in.html", None, problem=None, name="")
        async with request.form(max_fields=5, max_files=0) as form:
            name, password, passcode = (str(form.get(field, "")) for field in ("name", "password", "passcode"))
        try:
            asked = StaffSessionRequest(name=name.strip(), password=password, passcode=passcode.strip())
            session = await asyncio.to_thread(self.centre.sign_in, asked)
        except ValidationError:
            return self._page(request, "staff_sign_in.html", None, problem=_INCOMPLETE, name=name, status=422)
        except (Refused, CentreError) as error:
            return self._page(
                request, "staff_sign_in.html", None, problem=_said(error), name=name, status=_status(error)
            )
        await self._stand_up(request)  # whoever sat there before has left
        answer = RedirectResponse("/staff", 303)
        answer.set_cookie(
            self.cookies.session, self.desks.sit_down(session), httponly=True, samesite="strict", path="/staff"
        )
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session here."""
        await self._stand_up(request)
        answer = RedirectResponse("/staff/sign-in", 303)
        answer.delete_cookie(self.cookies.session, path="/staff")
        return answer

    async def _stand_up(self, request: Request) -> None:
        """End the session of this browser, if it has one."""
        cookie = self._seat(request)
        session = self.desks.who(cookie)
        self.desks.stand_up(cookie)
        self.changes.tell()  # to this browser's other pages
        if session is not None:
            # At the centre too; if it cannot be reached, its half hour ends what nobody here can use any more.
            with suppress(Refused, CentreError):
                await asyncio.to_thread(self.centre.sign_out, session)

    async def speak(self, request: Request) -> Response:
        """Show this browser's pages in another language."""
        async with request.form(max_fields=5, max_files=0) as form:
            wanted, back = str(form.get("language", "")), str(form.get("back", ""))
        answer = RedirectResponse(back if back.startswith("/staff") else "/staff", 303)
        if wanted in [language.value for language in LANGUAGES]:
            answer.set_cookie(
                self.cookies.language, wanted, max_age=_YEAR_S, httponly=True, samesite="strict", path="/staff"
            )
        return answer

    async def events(self, request: Request) -> Response:
        """Say how often something changed, nothing of what; and when the session of this browser has ended."""
        cookie = self._seat(request)

        def left() -> float | None:
            return self.desks.seconds_left(cookie)

        return event_stream(self.changes, lambda: _ENDED if left() is None else str(self._changes()), left)

    # ── What staff see ──────────────────────────────────────────────────────────────────────────────────────────

    async def show(self, request: Request, session: StaffSession) -> Response:
        """Show today's visits, and one of them in full."""
        visits = self.daybook.visits()
        wanted = request.path_params.get("visit")
        chosen = next((visit for visit in visits if visit.number == wanted), None) if wanted else None
        return self._page(request, "staff_visits.html", session, visits=visits, chosen=chosen, problem=None)

    async def confirm(self, request: Request, session: StaffSession) -> Response:
        """Take a member of staff's word, with the passcode, that face and card belong together."""
        async with request.form(max_fields=5, max_files=0) as form:
            entered, turn = str(form.get("passcode", "")), str(form.get("turn", ""))
        if self.passcode is None:
            problem = _NO_PASSCODE
        elif not self.passcode.may_be_tried():
            problem = _PASSCODE_PAUSE
        elif not await asyncio.to_thread(self.passcode.is_right, entered):
            problem = _PASSCODE_WRONG
        else:
            if turn.isascii() and turn.isdigit():
                self.runner.confirm_visually(session, int(turn))
            return RedirectResponse("/staff", 303)
        visits = self.daybook.visits()
        return self._page(
            request, "staff_visits.html", session, visits=visits, chosen=None, problem=problem, status=403
        )

    async def withdraw(self, request: Request, session: StaffSession) -> Response:
        """End a consent at once, as the patient asks at the desk."""
        async with request.form(max_fields=5, max_files=0) as form:
            verification, wanted = str(form.get("verification", "")), str(form.get("class", ""))
        try:
            verification_id, consent_class = UUID(verification), ConsentClass(wanted)
        except ValueError:
            return RedirectResponse("/staff", 303)
        await asyncio.to_thread(self.centre.withdraw_consent, verification_id, consent_class)
        visit = self.daybook.withdraw(verification_id, consent_class)
        return RedirectResponse("/staff" if visit is None else f"/staff/visits/{visit.number}", 303)

    async def picture(self, request: Request, session: StaffSession) -> Response:
        """Show the card's photo, or the last frame of the camera, while somebody waits for staff; never kept."""
        gaze = self.runner.gaze()
        both = None if gaze is None else gaze.pictures
        if both is None:
            return Response(status_code=404)
        chosen = both.card if request.path_params["which"] == "card" else both.live
        return Response(await asyncio.to_thread(as_jpeg, chosen), media_type="image/jpeg")

    async def number(self, request: Request, session: StaffSession) -> Response:
        """Ask by insured number, for whoever has no card that can be used."""
        if request.method == "GET":
            return self._page(
                request, "staff_number.html", session, problem=None, entered=dict.fromkeys(_NUMBER_FIELDS, "")
            )
        async with request.form(max_fields=10, max_files=0) as form:
            entered = {name: str(form.get(name, "")).strip() for name in _NUMBER_FIELDS}
        try:
            asked = NumberVerificationRequest(
                insurer_number=entered["insurer_number"],
                symbol=entered["symbol"],
                number=entered["number"],
                branch_number=entered["branch_number"],
                birth_date=date.fromisoformat(entered["birth_date"]),
                asked_for=None,
                known_at=None,
            )
            verification = await asyncio.to_thread(self.centre.verify_number, asked)
        except ValueError:  # a ValidationError is one
            return self._page(request, "staff_number.html", session, problem=_INCOMPLETE, entered=entered, status=422)
        except (Refused, CentreError) as error:
            return self._page(
                request, "staff_number.html", session, problem=_said(error), entered=entered, status=_status(error)
            )
        visit = self.daybook.add_answer(verification)
        return RedirectResponse(f"/staff/visits/{visit.number}", 303)

    async def medications(self, request: Request, session: StaffSession) -> Response:
        """Show, or print, the medicines of a visit's patient."""
        visit = self._visit(request)
        if visit is None:
            return RedirectResponse("/staff", 303)
        verification_id = UUID(str(request.path_params["verification"]))
        history = await asyncio.to_thread(self.centre.medications, verification_id, session)
        language, patient = self._language(request), _patient(visit)
        if request.url.path.endswith(".pdf"):
            return _pdf(await asyncio.to_thread(medication_pdf, history, patient, self.now(), language), "medications")
        table = medication.lay_out(history)
        bars = Markup(await asyncio.to_thread(charts.period_bars, table, language))  # noqa: S704 - our own drawing
        return self._page(
            request, "staff_medications.html", session, visit=visit, table=table, bars=bars, history=history
        )

    async def checkups(self, request: Request, session: StaffSession) -> Response:
        """Show, or print, the check-ups of a visit's patient."""
        visit = self._visit(request)
        if visit is None:
            return RedirectResponse("/staff", 303)
        verification_id = UUID(str(request.path_params["verification"]))
        history = await asyncio.to_thread(self.centre.checkups, verification_id, session)
        language, patient = self._language(request), _patient(visit)
        if request.url.path.endswith(".pdf"):
            return _pdf(await asyncio.to_thread(checkup_pdf, history, patient, self.now(), language), "checkups")
        table = checkup.lay_out(history)
        drawn = await asyncio.to_thread(charts.checkup_lines, table, language)
        lines = [Markup(svg) for _, svg in drawn]  # noqa: S704 - our own drawing
        return self._page(
            request, "staff_checkups.html", session, visit=visit, table=table, lines=lines, history=history
        )

    async def treatments(self, request: Request, session: StaffSession) -> Response:
        """Show what was done to a visit's patient."""
        visit = self._visit(request)
        if visit is None:
            return RedirectResponse("/staff", 303)
        verification_id = UUID(str(request.path_params["verification"]))
        history = await asyncio.to_thread(self.centre.treatments, verification_id, session)
        stays = treatment.lay_out(history)
        return self._page(request, "staff_treatments.html", session, visit=visit, stays=stays, history=history)

    async def outbox(self, request: Request, session: StaffSession) -> Response:
        """Show the visits of a line that was down, and take the number of one whose card nobody here knew."""
        if self.journal is None:
            return RedirectResponse("/staff", 303)
        problem, status = None, 200
        if request.method == "POST":
            async with request.form(max_fields=10, max_files=0) as form:
                entered = {name: str(form.get(name, "")).strip() for name in (*_NUMBER_FIELDS, "visit", "day")}
            try:
                visit_id = UUID(entered["visit"])
                if entered["day"]:
                    await asyncio.to_thread(self.journal.enter_day, visit_id, date.fromisoformat(entered["day"]))
                else:
                    await asyncio.to_thread(self.journal.enter_number, visit_id, person_from(entered))
                return RedirectResponse("/staff/outbox", 303)
            except ValueError:
                problem, status = _INCOMPLETE, 422
        visits = await asyncio.to_thread(self.journal.latest)
        return self._page(request, "staff_outbox.html", session, visits=visits, problem=problem, status=status)

    async def paper(self, request: Request) -> Response:
        """Print the field's form for a visit that cannot be verified; it holds nothing of anybody."""
        return _pdf(await asyncio.to_thread(print_statement, Statement(visited_at=self.now())), "statement")

    async def health(self, request: Request) -> Response:
        """Show how every part of this terminal is, and how to mend it; nothing of a patient, so nobody need sign in."""
        findings = await asyncio.to_thread(self.examine)
        session = self.desks.who(self._seat(request), by_hand=_by_hand(request))
        return self._page(request, "staff_health.html", session, findings=findings, at=self.now())

    # ── How ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _signed_in(self, show: Show) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler that runs for who is signed in, and turns a refusal of the centre into a page."""

        async def handle(request: Request) -> Response:
            cookie = self._seat(request)
            session = self.desks.who(cookie, by_hand=_by_hand(request))
            if session is None:
                return RedirectResponse("/staff/sign-in", 303)
            try:
                return await show(self, request, session)
            except Refused as refused:
                if refused.problem.status == UNAUTHORISED:
                    self.desks.stand_up(cookie)
                    self.changes.tell()
                    return RedirectResponse("/staff/sign-in", 303)
                return self._page(
                    request, "staff_refused.html", session, problem=_said(refused), status=_status(refused)
                )
            except CentreError as error:
                return self._page(request, "staff_refused.html", session, problem=_said(error), status=502)
            except sqlite3.Error as error:  # of the outbox: the rest of the screen goes on
                problem = _said(trouble_of(error))
                return self._page(request, "staff_refused.html", session, problem=problem, status=503)

        return handle

    def _page(
        self, request: Request, template: str, session: StaffSession | None, *, status: int = 200, **facts: Any
    ) -> HTMLResponse:
        view, gaze = self.runner.view, self.runner.gaze()
        page = self.renderer.page(
            template,
            self._language(request),
            session=session,
            ends_in=self.desks.seconds_left(self._seat(request)) if session is not None else None,
            changes=self._changes(),
            view=view,
            kind=type(view.stage).__name__,
            may_confirm=self.passcode is not None and isinstance(view.stage, StaffCalled),
            with_outbox=self.journal is not None,
            why_look=gaze and gaze.said_to_staff,
            with_pictures=gaze is not None and gaze.pictures is not None,
            path=request.url.path if request.method == "GET" else "/staff",
            **facts,
        )
        return HTMLResponse(page, status)

    def _seat(self, request: Request) -> str:
        return request.cookies.get(self.cookies.session, "")

    def _changes(self) -> int:
        return self.runner.view.changes + self.daybook.last

    def _language(self, request: Request) -> Language:
        wanted = request.cookies.get(self.cookies.language)
        return next((language for language in LANGUAGES if language.value == wanted), self.runner.own_language)

    def _visit(self, request: Request) -> Visit | None:
        return self.daybook.find(UUID(str(request.path_params["verification"])))


_NUMBER_FIELDS: Final = ("insurer_number", "symbol", "number", "branch_number", "birth_date")
_INCOMPLETE: Final = Sentence(
    ja="入力に誤りがあります。確かめてください。", en="Something in the entry is not right; please check it."
)
_NO_PASSCODE: Final = Sentence(
    ja="目視確認のパスコードがこの端末に設定されていません。",
    en="No passcode for visual checks is set on this terminal.",
)
_PASSCODE_WRONG: Final = Sentence(ja="パスコードが違います。", en="The passcode is wrong.")
_PASSCODE_PAUSE: Final = Sentence(
    ja="間違いが続いたため、5分間は使えません。", en="It was wrong too often; please wait five minutes."
)


def _by_hand(request: Request) -> bool:
    """Tell what somebody did from what a page fetches by itself: itself again, and the pictures on it."""
    return LOOKS_AGAIN not in request.headers and not request.url.path.startswith("/staff/pictures/")


def _said(error: Refused | CentreError | OutboxTrouble) -> Sentence:
    if isinstance(error, Refused):
        return error.problem.staff
    advice = ADVICE[error.code]
    return Sentence(ja=advice.happened.ja + advice.next_step.ja, en=f"{advice.happened.en} {advice.next_step.en}")


def _status(error: Refused | CentreError) -> int:
    return error.problem.status if isinstance(error, Refused) else 502


def _patient(visit: Visit) -> Patient:
    if visit.verification is None or visit.verification.coverage is None:
        raise ValueError("a visit without a coverage has no patient")
    return Patient.of(visit.verification.coverage)


def _pdf(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}.pdf"}
    return Response(content, media_type="application/pdf", headers=headers)
