"""Turns refusals, malformed messages and trouble into RFC 9457 problems, and lets each leave its audit event."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from eligibility.domain.errors import MalformedValue, Refused
from eligibility.domain.identifiers import MyNumberRefused
from eligibility.serving.admission import Admission
from eligibility.storage.recorder import RecorderAway
from eligibility.wire.problems import PROBLEM_MEDIA_TYPE, Fault, Problem, Sentence

_log = structlog.get_logger(__name__)
MAX_FAULTS_TOLD = 20


class Refusal(Refused):
    """A request is refused at the edge, before any rule of the domain has seen it."""

    def __init__(self, code: str, *, faults: tuple[Fault, ...] = (), retry_after_s: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.faults = faults
        self.retry_after_s = retry_after_s


# Operational trouble: a timeout, an exhausted pool, a store away or only read. Nothing is known to have happened.
TROUBLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a server that has become, or is not yet, the second of two
    asyncpg.InvalidAuthorizationSpecificationError,  # a password that is being changed, a role that may not log in
    RecorderAway,
)
RETRY_AFTER_S = 2


@dataclass(frozen=True, slots=True)
class ProblemText:
    """One row of a process's table of problems."""

    status: int
    title: str
    staff: Sentence
    vendor: Sentence


_CODES: Mapping[int, str] = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 503: "overloaded"}
type_of_problem = "urn:eligibility:problem:{}".format
OnRefused = Callable[[Request, str], Awaitable[None]]

COMMON_PROBLEMS: Mapping[str, ProblemText] = {
    "caller_unknown": ProblemText(
        401,
        "The caller is not known",
        Sentence(
            ja="この端末の証明書が確認できません。システム管理者に連絡してください。",
            en="This terminal's certificate could not be confirmed. Please tell your system administrator.",
        ),
        Sentence(
            ja="有効なクライアント証明書(mTLS)で接続してください。失効・期限切れ・別の認証局の証明書は使えません。",
            en="Connect with a valid client certificate (mTLS): not expired, not revoked, from the right authority.",
        ),
    ),
    "malformed": ProblemText(
        422,
        "The message is malformed",
        Sentence(
            ja="送信内容に誤りがあります。入力を確かめて、もう一度お試しください。",
            en="Something in the entry is not right. Please check it and try again.",
        ),
        Sentence(
            ja="faults の各 pointer の値が期待される形式ではありません。OpenAPI 定義と照合してください。",
            en="Each pointer in faults names a value that is not of the expected form; compare with the OpenAPI file.",
        ),
    ),
    "my_number_refused": ProblemText(
        422,
        "A My Number is never taken",
        Sentence(
            ja="個人番号(マイナンバー)は入力しないでください。",
            en="Please do not enter a My Number (個人番号).",
        ),
        Sentence(
            ja="12桁の個人番号と判定される値が含まれています。保存も記録もされていません。",
            en="A value has the form and check digit of a My Number. It was neither stored nor logged.",
        ),
    ),
    "not_found": ProblemText(
        404,
        "There is nothing here",
        Sentence(ja="該当する情報が見つかりません。", en="Nothing was found."),
        Sentence(
            ja="URL か識別子が存在しないか、この呼出元のものではありません。",
            en="The path or identifier does not exist, or is not this caller's.",
        ),
    ),
    "method_not_allowed": ProblemText(
        405,
        "Another method is expected",
        Sentence(ja="この操作はできません。", en="This cannot be done."),
        Sentence(
            ja="HTTP メソッドが違います。OpenAPI 定義を確認してください。", en="Use the method the OpenAPI file names."
        ),
    ),
    "too_large": ProblemText(
        413,
        "The message is too large",
        Sentence(ja="送信内容が大きすぎます。", en="The message is too large."),
        Sentence(ja="本文が上限を超えています。", en="The body exceeds this route's limit."),
    ),
    "busy": ProblemText(
        503,
        "Busy",
        Sentence(
            ja="混み合っています。少し待って、もう一度お試しください。",
            en="The centre is busy. Please wait a moment and try again.",
        ),
        Sentence(
            ja="Retry-After の秒数を待って再試行してください。処理されたかどうかは不明です。",
            en="Retry after the seconds in Retry-After. Whether the request took effect is not known.",
        ),
    ),
    "overloaded": ProblemText(
        503,
        "Too many requests at once",
        Sentence(
            ja="混み合っています。少し待って、もう一度お試しください。",
            en="The centre is very busy. Please wait a moment and try again.",
        ),
        Sentence(
            ja="処理していません。Retry-After の秒数を待って、同じ内容をそのまま再送できます。",
            en="Nothing was done. After the seconds in Retry-After the same request may be sent again as it is.",
        ),
    ),
    "internal": ProblemText(
        500,
        "An error of ours",
        Sentence(
            ja="センター側で問題が起きました。しばらくしてもう一度お試しください。",
            en="Something went wrong at the centre. Please try again in a while.",
        ),
        Sentence(ja="サーバー内部の誤りです。再試行できます。", en="An internal error; the request may be retried."),
    ),
}


def install_problem_handlers(
    app: FastAPI, table: Mapping[str, ProblemText], on_refused: OnRefused, most_at_once: int | None = None
) -> None:
    """Answer every error of the app as a problem of the table; `on_refused` leaves the audit event of each refusal.

    With `most_at_once`, requests beyond so many are turned away before anything is done for them; who serves the app
    has `app.state.admission.turn_away` do so, too.
    """

    def answer(code: str, faults: tuple[Fault, ...] = (), retry_after_s: int | None = None) -> Response:
        text = table[code]
        problem = Problem(
            type=type_of_problem(code),
            title=text.title,
            status=text.status,
            code=code,
            staff=text.staff,
            vendor=text.vendor,
            faults=faults,
            retry_after_s=retry_after_s,
        )
        headers = {"Cache-Control": "no-store"}
        if retry_after_s is not None:
            headers["Retry-After"] = str(retry_after_s)
        return Response(problem.model_dump_json(), text.status, headers, PROBLEM_MEDIA_TYPE)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        if not error.audited:
            await on_refused(request, error.code)
        retry_after_s = getattr(error, "retry_after_s", None) or (
            RETRY_AFTER_S if table[error.code].status >= 500 else None
        )
        return answer(error.code, getattr(error, "faults", ()), retry_after_s)

    @app.exception_handler(MalformedValue)
    async def malformed_value(request: Request, error: MalformedValue) -> Response:
        code = "my_number_refused" if isinstance(error, MyNumberRefused) else "malformed"
        await on_refused(request, code)
        pointer = f"/{error.field}" if error.field else ""
        return answer(code, (Fault(pointer=pointer, expected=(type(error).__doc__ or "").splitlines()[0]),))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        await on_refused(request, "malformed")
        return answer("malformed", _faults(error))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, ClientDisconnect):
            raise error.__cause__
        code = _CODES.get(error.status_code, "malformed")
        if code in ("malformed", "too_large"):
            await on_refused(request, code)
        return answer(code, (), int(error.headers["Retry-After"]) if code == "overloaded" and error.headers else None)

    @app.exception_handler(asyncpg.DataError)
    async def unstorable(request: Request, error: asyncpg.DataError) -> Response:
        await on_refused(request, "malformed")
        return answer("malformed")

    async def trouble(request: Request, error: Exception) -> Response:
        _log.warning("operational_trouble", error=type(error).__qualname__)
        return answer("busy", (), RETRY_AFTER_S)

    for kind in TROUBLE:
        app.add_exception_handler(kind, trouble)
    app.add_middleware(_UnexpectedErrors, answer=answer("internal"))
    if most_at_once is not None:
        app.state.admission = Admission(most_at_once, lambda wait_s: answer("overloaded", (), wait_s))
        app.add_middleware(app.state.admission.around)


class _UnexpectedErrors:
    """ASGI middleware: ends an unforeseen error here; the server would log its text, which may quote a value."""

    def __init__(self, app: Callable[..., Awaitable[None]], answer: Response) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        begun = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            return  # there is nobody to answer
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            route = getattr(scope.get("route"), "path", "unknown")
            _log.error("unexpected_error", error=type(error).__qualname__, route=route)
            await self._answer(scope, receive, send)


def _faults(error: RequestValidationError) -> tuple[Fault, ...]:
    return tuple(
        Fault(pointer="/" + "/".join(str(step) for step in found["loc"][1:]), expected=found["msg"])
        for found in error.errors()[:MAX_FAULTS_TOLD]
    )
