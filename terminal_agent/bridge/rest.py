"""The same as REST, for software on this machine alone: a token, our own address, no browser's page.

Messages are the centre's own wire, so that there is one set of names; problems are RFC 9457 in both languages.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eligibility.domain.errors import MalformedValue
from eligibility.wire.bulk import MAX_BULK_BYTES, BulkRequest, ReferenceNumberRegistration
from eligibility.wire.checkups import CheckupHistory
from eligibility.wire.encoding import Wire
from eligibility.wire.medications import MedicationHistory
from eligibility.wire.problems import PROBLEM_MEDIA_TYPE, Fault, Problem, Sentence
from eligibility.wire.staff import StaffSession
from eligibility.wire.verifications import NumberVerificationRequest, Verification
from terminal_agent.bridge import document
from terminal_agent.bridge.errors import SecretUnusable
from terminal_agent.bridge.responder import Responder
from terminal_agent.bridge.results import SAID, NotDone, Result, not_done, told_of
from terminal_agent.bridge.text import CharacterCode
from terminal_agent.client import CentreError, Refused
from terminal_agent.durable import make_once
from terminal_agent.language import Language
from terminal_agent.records.patient import Patient
from terminal_agent.records.pdf import checkup_pdf, medication_pdf
from terminal_agent.records.xml import RecordHeader, checkup_message, medication_message

_log = structlog.get_logger(__name__)
TOKEN_BYTES: Final = 32
_PDF, _XML, _JSON = "application/pdf", "application/xml", "application/json"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_STATUS: Final = {
    Result.MALFORMED: 422,
    Result.MY_NUMBER: 422,
    Result.TOO_LARGE: 413,
    Result.NOT_SUPPORTED: 404,
    Result.RECEPTION_UNKNOWN: 404,
    Result.NO_VISIT: 404,
    Result.PATIENT_AMBIGUOUS: 409,
    Result.CENTRE_AWAY: 503,
    Result.CENTRE_BUSY: 503,
    Result.TERMINAL_NOT_ACCEPTED: 503,
    Result.INTERNAL: 500,
}
_FORBIDDEN: Final = 403  # of what is not in the table: why medical data are not shown
M = TypeVar("M", bound=Wire)
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


def own_token(file: Path) -> str:
    """Return the token in a file, made at its first use and readable by its owner alone.

    Raises:
        SecretUnusable: it is too short, the file is open to others, or it can be neither read nor made.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_once(file, f"{secrets.token_urlsafe(TOKEN_BYTES)}\n".encode("ascii"), over_empty=True)
        return _read_token(file)
    except (OSError, ValueError) as error:
        raise SecretUnusable from error


def _read_token(file: Path) -> str:
    token = file.read_text(encoding="ascii").strip()
    if len(token) < TOKEN_BYTES or file.stat().st_mode & 0o077:
        raise SecretUnusable
    return token


def make_app(responder: Responder, token: str, hosts: frozenset[str]) -> Application:
    """Return the application; `hosts` are the addresses under which it may be called."""
    routes = _Routes(responder)
    app = Starlette(
        routes=[
            Route("/v1/number-verifications", _answered(routes.verify_number), methods=["POST"]),
            Route("/v1/bulk-verifications", _answered(routes.start_bulk), methods=["POST"]),
            Route("/v1/bulk-verifications/{bulk_id:uuid}", _answered(routes.bulk_status)),
            Route("/v1/bulk-verifications/{bulk_id:uuid}/results", _answered(routes.bulk_results)),
            Route("/v1/reference-numbers", _answered(routes.register_reference_number), methods=["POST"]),
            Route("/v1/card-visits/last", _answered(routes.last_visit)),
            Route("/v1/card-visits/{verification_id:uuid}/medications", _answered(routes.medications)),
            Route("/v1/card-visits/{verification_id:uuid}/checkups", _answered(routes.checkups)),
        ],
        exception_handlers={404: _not_found, 405: _not_found, 500: _internal},
    )
    return _Guard(app, token, hosts)


# ── Who may call ────────────────────────────────────────────────────────────────────────────────────────────────


class _Guard:
    """ASGI middleware: refuses other hosts, browsers' pages, callers without the token, and bodies too large."""

    def __init__(self, app: Application, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0

        async def receive_bounded() -> Any:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BULK_BYTES:
                raise _TooLarge
            return message

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(Headers(scope=scope))
        await (refusal or self._app)(scope, receive_bounded, send_with_headers)

    def _refusal(self, headers: Headers) -> Response | None:
        # (1) Our own address, so that no other name can be pointed at this machine (DNS rebinding).
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return _problem("not_this_host", 421, _NOT_HERE)
        # (2) No page of a browser: this is for programs, and there is no CORS.
        if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
            return _problem("no_browser", 403, _NO_BROWSER)
        # (3) The token, compared in constant time.
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            return _problem("token_missing", 401, _NO_TOKEN, {"WWW-Authenticate": "Bearer"})
        # (4) A length that is stated too large; one that is not stated is counted.
        if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > MAX_BULK_BYTES:
            return _problem_of(Result.TOO_LARGE)
        return None


class _TooLarge(Exception):
    """More body came than any message has."""


_NOT_HERE: Final = Sentence(ja="このアドレスでは応答しません。", en="This address is not served here.")
_NO_BROWSER: Final = Sentence(ja="ブラウザのページからは使えません。", en="No page of a browser may call this.")
_NO_TOKEN: Final = Sentence(
    ja="Authorization: Bearer にトークンがないか、違います。",
    en="Authorization: Bearer lacks the token, or it is wrong.",
)


# ── The routes ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request: what stands in its path and query, its headers, and its body."""

    path: Mapping[str, Any]
    query: Mapping[str, str]
    headers: Headers
    body: bytes

    def read(self, message: type[M]) -> M:
        """Read the body as a message."""
        return message.model_validate_json(self.body)

    @property
    def idempotency_key(self) -> UUID | None:
        """The caller's own id of the request."""
        stated = self.headers.get("idempotency-key")
        try:
            return None if stated is None else UUID(stated)
        except ValueError as error:
            raise not_done(Result.MALFORMED, "Idempotency-Key") from error


@dataclass(frozen=True, slots=True)
class _Routes:
    """What each route asks of the centre; all of it waits, so that it runs in threads."""

    responder: Responder

    def verify_number(self, asked: _Asked) -> Response:
        request = asked.read(NumberVerificationRequest)
        return _wire(self.responder.centre.verify_number(request, asked.idempotency_key))

    def start_bulk(self, asked: _Asked) -> Response:
        return _wire(self.responder.centre.start_bulk(asked.read(BulkRequest), asked.idempotency_key))

    def bulk_status(self, asked: _Asked) -> Response:
        return _wire(self.responder.centre.bulk_status(asked.path["bulk_id"]))

    def bulk_results(self, asked: _Asked) -> Response:
        return _wire(self.responder.centre.bulk_results(asked.path["bulk_id"]))

    def register_reference_number(self, asked: _Asked) -> Response:
        return _wire(self.responder.centre.register_reference_number(asked.read(ReferenceNumberRegistration)))

    def last_visit(self, _: _Asked) -> Response:
        visit = self.responder.visits.last()
        if visit is None:
            raise not_done(Result.NO_VISIT)
        return _wire(visit)

    def medications(self, asked: _Asked) -> Response:
        visit, staff = self._whose(asked)
        months = (asked.query.get("from"), asked.query.get("through"))
        history = self.responder.centre.medications(visit.verification_id, staff, *months)
        return self._record(asked, visit, history)

    def checkups(self, asked: _Asked) -> Response:
        visit, staff = self._whose(asked)
        return self._record(asked, visit, self.responder.centre.checkups(visit.verification_id, staff))

    def _whose(self, asked: _Asked) -> tuple[Verification, StaffSession]:
        staff = self.responder.staff()
        if staff is None:
            raise not_done(Result.NOT_SIGNED_IN)
        return self.responder.visits.by_id(asked.path["verification_id"]), staff

    def _record(self, asked: _Asked, visit: Verification, history: MedicationHistory | CheckupHistory) -> Response:
        wanted = asked.headers.get("accept", _JSON)
        if (_PDF not in wanted and _XML not in wanted) or visit.coverage is None:
            return _wire(history)
        patient, now = Patient.of(visit.coverage), self.responder.now()
        header = RecordHeader(
            self.responder.institution.code, visit.verification_id.hex, now, CharacterCode.UTF_8.value
        )
        if isinstance(history, MedicationHistory):
            if _PDF in wanted:
                return Response(medication_pdf(history, patient, now, Language.JA), media_type=_PDF)
            root = medication_message(history, patient, header)
        else:
            if _PDF in wanted:
                return Response(checkup_pdf(history, patient, now, Language.JA), media_type=_PDF)
            root = checkup_message(history, patient, header)
        document.fit_texts(root, CharacterCode.UTF_8)
        return Response(document.serialise(root, CharacterCode.UTF_8), media_type=_XML)


def _answered(work: Callable[[_Asked], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Turn a route's work into an endpoint: in a thread, and with a problem for all that can be wrong."""

    async def endpoint(request: Request) -> Response:
        try:
            asked = _Asked(request.path_params, request.query_params, request.headers, await request.body())
            return await run_in_threadpool(work, asked)
        except _TooLarge:
            return _problem_of(Result.TOO_LARGE)
        except ValidationError as error:
            return _problem_of(Result.MALFORMED, _faults(error))
        except MalformedValue:
            return _problem_of(Result.MALFORMED)
        except NotDone as error:
            return _problem_of(error.told.result)
        except Refused as refused:
            return _passed_on(refused.problem)
        except CentreError as error:
            return _problem_of(told_of(error).result)

    return endpoint


def _faults(error: ValidationError) -> tuple[Fault, ...]:
    return tuple(
        Fault(pointer="/" + "/".join(str(part) for part in fault["loc"]), expected=fault["type"])
        for fault in error.errors(include_input=False, include_url=False)
    )


def _wire(message: Wire) -> Response:
    return Response(message.model_dump_json(), media_type=_JSON)


def _passed_on(problem: Problem) -> Response:
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    return Response(problem.model_dump_json(), problem.status, headers, PROBLEM_MEDIA_TYPE)


def _problem_of(result: Result, faults: tuple[Fault, ...] = ()) -> Response:
    return _problem(result.value, _STATUS.get(result, _FORBIDDEN), SAID[result], faults=faults)


def _problem(
    code: str, status: int, said: Sentence, headers: Mapping[str, str] | None = None, faults: tuple[Fault, ...] = ()
) -> Response:
    problem = Problem(
        type=f"urn:eligibility:problem:{code}", title=said.en, status=status, code=code, staff=said, vendor=said,
        faults=faults,
    )  # fmt: skip
    return Response(problem.model_dump_json(), status, headers, PROBLEM_MEDIA_TYPE)


async def _not_found(_: Request, __: Exception) -> Response:
    return _problem_of(Result.NOT_SUPPORTED)


async def _internal(_: Request, error: Exception) -> Response:
    # The kind alone: an error's text may quote a value.
    _log.error("rest_failed", kind=type(error).__name__)
    return _problem_of(Result.INTERNAL)
