"""The terminal's line to the centre: requests over mutual TLS, each with a timeout, each answer of a known form."""

import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import ClassVar, Final, Self, TypeVar
from uuid import UUID

import httpx
from pydantic import ValidationError

from eligibility.domain.codes import ConsentClass
from eligibility.domain.errors import MalformedValue
from eligibility.domain.identifiers import InsuredNumber, InsurerNumber
from eligibility.wire.bulk import (
    BulkReceipt,
    BulkRequest,
    BulkResults,
    BulkStatus,
    ReferenceNumberRegistered,
    ReferenceNumberRegistration,
)
from eligibility.wire.checkups import CheckupHistory
from eligibility.wire.encoding import Wire
from eligibility.wire.enrolments import EnrolmentRequest, RenewalRequest, TerminalCertificate
from eligibility.wire.medications import MedicationHistory
from eligibility.wire.problems import PROBLEM_MEDIA_TYPE, Problem
from eligibility.wire.staff import StaffSession, StaffSessionRequest
from eligibility.wire.treatments import TreatmentHistory
from eligibility.wire.verifications import (
    CardRegistration,
    CardRegistrationRequest,
    Challenges,
    ChallengesRequest,
    NumberVerificationRequest,
    Verification,
    VerificationRequest,
)
from terminal_agent.line import MEBIBYTE, AnswerCompressed, AnswerTooLong, OwnCredentials, fetch
from terminal_agent.settings import TerminalSettings

# A challenge must outlive the signing and the way to the centre.
CHALLENGE_MARGIN: Final = timedelta(seconds=15)
# How the centre's codes begin where it refuses a challenge: malformed, forged, expired, replayed.
CHALLENGE_CODES: Final = "challenge_"
LONGEST_RETRY_S: Final = 5.0
# Bytes of the centre's longest answers. A page of 1,000 bulk results has 2.7 MB where each text is as long as it may
# be. Histories have no bound: 34 medicines a day over three years are 17 MB, and treatments have comments, too.
LONGEST_ANSWERS: Final[Mapping[type[Wire], int]] = {
    BulkResults: 8 * MEBIBYTE,
    MedicationHistory: 64 * MEBIBYTE,
    TreatmentHistory: 64 * MEBIBYTE,
    CheckupHistory: 64 * MEBIBYTE,
}
LONGEST_OTHER_ANSWER: Final = MEBIBYTE

Answer = TypeVar("Answer", bound=Wire)


class CentreError(Exception):
    """The centre gave no answer that can be used."""

    code: ClassVar[str] = "centre_away"

    def __str__(self) -> str:
        return (type(self).__doc__ or "").strip().splitlines()[0]


class CentreAway(CentreError):
    """The centre cannot be reached, or does not answer in time."""


class CentreHungUp(CentreError):
    """The centre ended the connection without an answer: a cut line, or a certificate it does not accept."""

    code = "centre_hung_up"


class CentreNotTrusted(CentreError):
    """The centre's certificate is not one this terminal trusts."""

    code = "centre_not_trusted"


class TerminalNotAccepted(CentreError):
    """The centre ended the connection because of this terminal's certificate."""

    code = "terminal_not_accepted"


class CentreAnswerUnreadable(CentreError):
    """The centre's answer has a form this terminal does not know, or is no answer to what was asked."""

    code = "centre_answer_unreadable"


class CentreAnswerTooLong(CentreError):
    """The centre's answer is longer than this terminal takes."""

    code = "centre_answer_too_long"


class CredentialsUnreadable(CentreError):
    """This terminal's certificate, its key, or the centre's authority cannot be read."""

    code = "credentials_unreadable"


class Refused(Exception):
    """The centre refused the request and said why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Centre:
    """The centre as one terminal sees it, with a few challenges fetched ahead."""

    def __init__(
        self,
        http: httpx.Client,
        challenges: int = 4,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait: Callable[[float], None] = time.sleep,
        # Since the machine's start, its sleep included: nobody sets it, and it does not stop while challenges age.
        steady: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._http = http
        self._count = challenges
        self._now = now
        self._wait = wait
        self._steady = steady
        self._pool: list[bytes] = []
        self._pool_ends_at_s = 0.0  # by `steady`

    @classmethod
    def open(cls, settings: TerminalSettings) -> Self:
        """Make ready to speak to the centre; nothing is sent yet.

        Raises:
            CredentialsUnreadable: a certificate or key file is missing or malformed.
        """
        try:
            line = OwnCredentials(settings)
        except OSError as error:  # ssl.SSLError is one too
            raise CredentialsUnreadable from error
        timeout = httpx.Timeout(settings.answer_timeout_s, connect=settings.connect_timeout_s)
        # trust_env off: a proxy of the environment would see patients' data, and mutual TLS would end at it.
        http = httpx.Client(base_url=settings.centre_url, transport=line, timeout=timeout, trust_env=False)
        return cls(http, settings.challenges)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def fetch_challenges(self) -> None:
        """Fill the pool if it is empty or stale; a busy centre is asked once more after the time it names.

        Raises:
            Refused, CentreError: as every request.
        """
        if self._pool and self._steady() < self._pool_ends_at_s:
            return
        try:
            fetched, response = self._challenges(self._count)
        except Refused as refused:
            # Asking for challenges changes nothing at the centre, so it alone may be asked twice.
            if refused.problem.status != httpx.codes.SERVICE_UNAVAILABLE:
                raise
            self._wait(min(refused.problem.retry_after_s or 1, LONGEST_RETRY_S))
            fetched, response = self._challenges(self._count)
        if not fetched.challenges:
            raise CentreAnswerUnreadable
        self._pool = list(fetched.challenges)
        # By the centre's own time: this machine's may differ from it by more than a challenge lives.
        life = fetched.expires_at - (_named_time(response) or self._now()) - CHALLENGE_MARGIN
        self._pool_ends_at_s = self._steady() + life.total_seconds()

    def clock_offset_s(self) -> float | None:
        """Ask for one challenge, as only an enrolled terminal may, and return this clock less the centre's.

        Good to a second or so: the centre's answer names whole seconds. None where it names no time.

        Raises:
            Refused, CentreError: as every request.
        """
        asked = self._now()
        centre = _named_time(self._challenges(1)[1])
        return None if centre is None else (asked + (self._now() - asked) / 2 - centre).total_seconds()

    def take_challenge(self) -> bytes:
        """Return a challenge that nobody else gets.

        Raises:
            Refused, CentreError: as every request.
        """
        self.fetch_challenges()
        return self._pool.pop()

    def verify(self, request: VerificationRequest, staff: StaffSession | None = None) -> Verification:
        """Ask whether a card's holder is insured; the method `visual` needs the session of who confirmed.

        Raises:
            Refused: with the centre's problem.
            CentreError: it could not be reached or understood; whether the request took effect is not known.
        """
        told = self._post("/v1/verifications", request, Verification, staff=staff)
        # The card is asked, not a number: whose coverage it is the centre alone knows.
        if request.asked_for not in (None, told.asked_for):
            raise CentreAnswerUnreadable
        return told

    def verify_number(self, request: NumberVerificationRequest, idempotency_key: UUID | None = None) -> Verification:
        """Ask the same by insured number; sent again with the same key, the request has one effect and one answer.

        Raises:
            Refused, CentreError: as `verify`.
        """
        told = self._post("/v1/number-verifications", request, Verification, idempotency_key)
        if not _is_about(told, request):
            raise CentreAnswerUnreadable
        return told

    def start_bulk(self, request: BulkRequest, idempotency_key: UUID | None = None) -> BulkReceipt:
        """Hand in many insured numbers; once this returns the centre will check them all.

        Raises:
            Refused, CentreError: as `verify`.
        """
        return self._post("/v1/bulk-verifications", request, BulkReceipt, idempotency_key)

    def bulk_status(self, bulk_id: UUID) -> BulkStatus:
        """Ask how far a bulk check is.

        Raises:
            Refused, CentreError: as `verify`.
        """
        return self._get(f"/v1/bulk-verifications/{bulk_id}", BulkStatus)

    def bulk_results(self, bulk_id: UUID) -> BulkResults:
        """Fetch all results of a bulk check that is done, page by page.

        Raises:
            Refused, CentreError: as `verify`.
        """
        path = f"/v1/bulk-verifications/{bulk_id}/results"
        page = self._get(path, BulkResults)
        results = list(page.results)
        while page.after is not None:
            page = self._get(f"{path}?after={page.after}", BulkResults)
            results += page.results
        return page.model_copy(update={"results": tuple(results)})

    def register_reference_number(self, request: ReferenceNumberRegistration) -> ReferenceNumberRegistered:
        """Register the institution's own number of a patient it has checked before.

        Raises:
            Refused, CentreError: as `verify`.
        """
        return self._post("/v1/reference-numbers", request, ReferenceNumberRegistered)

    def register_card(self, request: CardRegistrationRequest) -> CardRegistration:
        """Register a card at its first use.

        Raises:
            Refused, CentreError: as `verify`.
        """
        return self._post("/v1/card-registrations", request, CardRegistration)

    def enrol(self, request: EnrolmentRequest) -> TerminalCertificate:
        """Have a key certified by a code the operator issued; needs no certificate yet.

        Raises:
            Refused, CentreError: as `verify`.
        """
        return self._post("/v1/enrolments", request, TerminalCertificate)

    def renew(self, request: RenewalRequest) -> TerminalCertificate:
        """Have a new key certified while this terminal's certificate is still good.

        Raises:
            Refused, CentreError: as `verify`.
        """
        return self._post("/v1/renewals", request, TerminalCertificate)

    def sign_in(self, request: StaffSessionRequest) -> StaffSession:
        """Sign a member of staff in.

        Raises:
            Refused, CentreError: as `verify`.
        """
        return self._post("/v1/staff-sessions", request, StaffSession)

    def medications(
        self,
        verification_id: UUID,
        staff: StaffSession,
        from_month: str | None = None,
        through_month: str | None = None,
    ) -> MedicationHistory:
        """Ask for the medicines of a verified person, as somebody who may see them; months are YYYY-MM.

        Raises:
            Refused, CentreError: as `verify`.
        """
        months = {"from": from_month, "through": through_month}
        asked = {name: month for name, month in months.items() if month is not None}
        return self._get(f"/v1/verifications/{verification_id}/medications", MedicationHistory, staff, asked)

    def checkups(self, verification_id: UUID, staff: StaffSession) -> CheckupHistory:
        """Ask for the check-ups of a verified person, as somebody who may see them.

        Raises:
            Refused, CentreError: as `verify`.
        """
        return self._get(f"/v1/verifications/{verification_id}/checkups", CheckupHistory, staff)

    def treatments(self, verification_id: UUID, staff: StaffSession) -> TreatmentHistory:
        """Ask for what was done to a verified person, as somebody who may see it.

        Raises:
            Refused, CentreError: as `verify`.
        """
        return self._get(f"/v1/verifications/{verification_id}/treatments", TreatmentHistory, staff)

    def sign_out(self, staff: StaffSession) -> None:
        """End a member of staff's session at the centre.

        Raises:
            Refused, CentreError: as `verify`; a session that has ended already is refused.
        """
        self._delete("/v1/staff-sessions/current", staff)

    def withdraw_consent(self, verification_id: UUID, consent_class: ConsentClass) -> None:
        """End at once what a patient agreed to show this institution of a class; nobody of staff is needed.

        Raises:
            Refused, CentreError: as `verify`.
        """
        self._delete(f"/v1/verifications/{verification_id}/consents/{consent_class.value}")

    def _challenges(self, count: int) -> tuple[Challenges, httpx.Response]:
        content = ChallengesRequest(count=count).model_dump_json()
        headers = {"Content-Type": "application/json"}
        sent = self._http.build_request("POST", "/v1/challenges", content=content, headers=headers)
        return self._response(sent, Challenges)

    def _post(
        self,
        path: str,
        message: Wire,
        answer: type[Answer],
        idempotency_key: UUID | None = None,
        staff: StaffSession | None = None,
    ) -> Answer:
        headers = {"Content-Type": "application/json"} | _bearer(staff)
        if idempotency_key is not None:
            headers["Idempotency-Key"] = str(idempotency_key)
        return self._ask(
            self._http.build_request("POST", path, content=message.model_dump_json(), headers=headers), answer
        )

    def _get(
        self,
        path: str,
        answer: type[Answer],
        staff: StaffSession | None = None,
        asked: Mapping[str, str] | None = None,
    ) -> Answer:
        # None and not an empty table: that would take away what a path states behind its question mark.
        return self._ask(self._http.build_request("GET", path, params=asked or None, headers=_bearer(staff)), answer)

    def _delete(self, path: str, staff: StaffSession | None = None) -> None:
        self._send(self._http.build_request("DELETE", path, headers=_bearer(staff)))

    def _ask(self, request: httpx.Request, answer: type[Answer]) -> Answer:
        return self._response(request, answer)[0]

    def _response(self, request: httpx.Request, answer: type[Answer]) -> tuple[Answer, httpx.Response]:
        response, content = self._send(request, LONGEST_ANSWERS.get(answer, LONGEST_OTHER_ANSWER))
        try:
            return answer.model_validate_json(content), response
        except ValidationError as error:
            raise CentreAnswerUnreadable from error

    def _send(self, request: httpx.Request, longest: int = LONGEST_OTHER_ANSWER) -> tuple[httpx.Response, bytes]:
        try:
            response, content = fetch(self._http, request, longest)
        except httpx.HTTPError as error:
            raise _connection_error(error) from error
        except UnicodeError as error:  # no name that could be looked up
            raise CentreAway from error
        except AnswerTooLong as error:
            raise CentreAnswerTooLong from error
        except AnswerCompressed as error:
            raise CentreAnswerUnreadable from error
        if response.is_success:
            return response, content
        try:
            if response.headers.get("content-type", "").partition(";")[0] == PROBLEM_MEDIA_TYPE:
                problem = Problem.model_validate_json(content)
                if problem.code.startswith(CHALLENGE_CODES):
                    self._pool.clear()  # the others of its age would be refused like it
                raise Refused(problem)
        except ValidationError as error:
            raise CentreAnswerUnreadable from error
        raise CentreAway if response.is_server_error else CentreAnswerUnreadable


def _is_about(told: Verification, asked: NumberVerificationRequest) -> bool:
    """Tell whether an answer is of the day, and its coverage of the number and birth date, that were asked.

    As the centre looks a number up: by normal forms, and an empty symbol or branch number stands for any.
    """
    if asked.asked_for not in (None, told.asked_for):
        return False
    if (found := told.coverage) is None:
        return True
    try:
        wanted = InsuredNumber.parse(asked.insurer_number, asked.symbol, asked.number, asked.branch_number)
    except MalformedValue:
        return False
    stated = InsuredNumber(InsurerNumber(found.insurer_number), found.symbol, found.number, found.branch_number)
    return (
        (stated.insurer, stated.number_key, found.birth_date) == (wanted.insurer, wanted.number_key, asked.birth_date)
        and wanted.symbol_key in ("", stated.symbol_key)
        and wanted.branch_number in ("", stated.branch_number)
    )


def _named_time(response: httpx.Response) -> datetime | None:
    """Return the centre's time as its answer names it; None where it names none."""
    try:
        named = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    return named if named.tzinfo is not None else None


def _bearer(staff: StaffSession | None) -> dict[str, str]:
    return {} if staff is None else {"Authorization": f"Bearer {staff.token}"}


def _connection_error(error: BaseException) -> CentreError:
    """Tell apart who was not trusted; the TLS error lies somewhere down the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CentreNotTrusted()
        if isinstance(cause, ssl.SSLError) and "ALERT" in (cause.reason or ""):
            return TerminalNotAccepted()
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return CentreHungUp()
    return CentreAway()
