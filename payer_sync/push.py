"""Pushes a file to an intake: manifest, chunks that resume after a cut line, the result, and every fault."""

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, Final, Self, TypeVar
from uuid import UUID

import httpx
from cryptography import x509
from pydantic import BaseModel, ValidationError

from eligibility.wire.problems import PROBLEM_MEDIA_TYPE, Problem
from eligibility.wire.submissions import (
    CHUNK_BYTES,
    FeedbackLine,
    FeedbackPage,
    Manifest,
    Submission,
    SubmissionState,
)
from payer_sync.file_names import legible

REQUEST_TIMEOUT_S: Final = 60.0
CONNECT_TIMEOUT_S: Final = 10.0
RESULT_TIMEOUT_S: Final = 4 * 3600.0  # how long a merge may take; the file stays on its way when it is longer
TRIES: Final = 6  # of one request, before the server is said to be away
FIRST_TRIES: Final = 3  # the same, while it has not answered at all: then an address is more likely to be wrong
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0
POLL_S: Final = (0.05, 2.0)  # between looks at the state: the first pause, and the longest


Answer = TypeVar("Answer", bound=BaseModel)


class ExitCode(IntEnum):
    """What `push` ends with."""

    MERGED = 0  # all of it; there may be warnings
    MERGED_IN_PART = 1  # some records were refused
    REFUSED = 2  # the file, or the request
    HELD = 3  # for approval by the centre's operator; the old data stand until then
    SERVER_AWAY = 4  # or its certificate, or ours, does not hold
    CERTIFICATE_EXPIRED = 5  # ours; nothing was sent
    USAGE = 64  # a file or an option is wrong


class PushFailed(Exception):
    """The push ended early; both sentences say why and what to do."""

    def __init__(self, exit_code: ExitCode, ja: str, en: str) -> None:
        super().__init__(en)
        self.exit_code = exit_code
        self.ja = ja
        self.en = en


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files: the insurer's certificate and key, and the authority of the intake's certificate."""

    certificate: Path
    key: Path
    authority: Path

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings of the connection.

        Raises:
            PushFailed: a file is missing or is no PEM, key and certificate do not belong together, or it has expired.
        """
        try:
            context = ssl.create_default_context(cafile=self.authority)
            context.load_cert_chain(self.certificate, self.key)
            until = x509.load_pem_x509_certificate(self.certificate.read_bytes()).not_valid_after_utc
        except (OSError, ValueError) as error:
            raise PushFailed(
                ExitCode.USAGE,
                "証明書・鍵・認証局のファイルを読めません。--certificate、--key、--authority を確かめてください。",
                "The certificate, key or authority file cannot be used. Check --certificate, --key and --authority.",
            ) from error
        if until < datetime.now(UTC):
            raise PushFailed(
                ExitCode.CERTIFICATE_EXPIRED,
                f"保険者証明書の有効期限が {until:%Y-%m-%d %H:%M} (UTC) に切れました。新しい証明書を指定してください。",
                f"The insurer's certificate expired at {until:%Y-%m-%d %H:%M} UTC; give --certificate a new one.",
            )
        return context


@dataclass(frozen=True, slots=True)
class Pushed:
    """A finished submission, and whether this very file had been merged before."""

    submission: Submission
    repeated: bool


class Intake:
    """A connection to an intake; a request that the line cuts is tried again."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        timeout = httpx.Timeout(REQUEST_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self._tries = FIRST_TRIES
        self._client = httpx.Client(base_url=url, verify=context, timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def announce(self, manifest: Manifest) -> Submission:
        """Announce a file; the same file again is answered with its earlier submission."""
        return _parsed(Submission, self._ask("POST", "/v1/submissions", body=manifest))

    def submission(self, submission_id: UUID) -> Submission:
        """Return how a submission stands."""
        return _parsed(Submission, self._ask("GET", f"/v1/submissions/{submission_id}"))

    def send(self, submission: Submission, offset: int, chunk: bytes) -> Submission:
        """Send one chunk once; return how the submission stands, wherever the upload goes on."""
        path = f"/v1/submissions/{submission.submission_id}/content"
        try:
            response = self._client.put(path, params={"offset": offset}, content=chunk)
        except httpx.TransportError as error:
            _refuse_certificate(error)
            return self.submission(submission.submission_id)
        if response.status_code in (400, 409) or response.status_code >= 500:
            return self.submission(submission.submission_id)  # it knows what has arrived
        return _parsed(Submission, _content(response))

    def feedback(self, submission_id: UUID) -> Iterator[FeedbackLine]:
        """Yield every fault."""
        after: int | None = 0
        while after is not None:
            content = self._ask("GET", f"/v1/submissions/{submission_id}/feedback", after=after)
            page = _parsed(FeedbackPage, content)
            yield from page.lines
            after = page.after

    def _ask(self, method: str, path: str, *, body: Manifest | None = None, after: int | None = None) -> bytes:
        content = None if body is None else body.model_dump_json()
        parameters = {} if after is None else {"after": after}
        pause_s, closed = FIRST_PAUSE_S, True
        for remaining in reversed(range(self._tries)):
            try:
                response = self._client.request(
                    method, path, content=content, params=parameters, headers={"Content-Type": "application/json"}
                )
            except httpx.TransportError as error:
                _refuse_certificate(error)
                closed &= isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError)
                if remaining == 0:
                    raise (_closed() if closed else _away()) from error
            else:
                self._tries, closed = TRIES, False
                if response.status_code < 500:
                    return _content(response)
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        raise _away()


def push(
    intake: Intake,
    file: Path,
    manifest: Manifest,
    on_sent: Callable[[int], None],
    on_waiting: Callable[[Submission], None] = lambda _: None,
) -> Pushed:
    """Send a file and wait for its end.

    `on_sent` is told how many of its bytes the intake has, `on_waiting` then how it stands, up to its end.

    Raises:
        PushFailed: the intake is away or refuses, the file cannot be read or has changed, or the merge takes too long.
    """
    submission = intake.announce(manifest)
    repeated = submission.state is SubmissionState.MERGED
    on_sent(submission.received_bytes)
    try:
        with file.open("rb") as content:
            submission = _upload(intake, submission, content, on_sent)
    except OSError as error:
        raise unreadable(file) from error
    return Pushed(_wait(intake, submission, on_waiting), repeated)


def unreadable(file: Path) -> PushFailed:
    """Return the failure of a file that cannot be read."""
    return PushFailed(
        ExitCode.USAGE,
        f"ファイルを読めません: {legible(file)}。場所と権限を確かめてください。",
        f"The file cannot be read: {legible(file)}. Check where it is and who may read it.",
    )


def exit_code(submission: Submission) -> ExitCode:
    """Return what a finished submission means to the shell."""
    if submission.state is SubmissionState.REFUSED:
        return ExitCode.REFUSED
    if submission.state is SubmissionState.HELD:
        return ExitCode.HELD
    return ExitCode.MERGED_IN_PART if submission.refused else ExitCode.MERGED


def _upload(intake: Intake, submission: Submission, content: BinaryIO, on_sent: Callable[[int], None]) -> Submission:
    stalled, pause_s = 0, FIRST_PAUSE_S
    while submission.state is SubmissionState.RECEIVING:
        offset = submission.received_bytes
        content.seek(offset)
        chunk = content.read(min(CHUNK_BYTES, submission.manifest.content_length - offset))
        if not chunk:
            raise PushFailed(
                ExitCode.REFUSED,
                "送信中にファイルが短くなりました。書き込みが終わってから、もう一度送信してください。",
                "The file became shorter while it was sent. Push it again when nothing writes to it any more.",
            )
        submission = intake.send(submission, offset, chunk)
        on_sent(submission.received_bytes)
        if submission.received_bytes > offset:
            stalled, pause_s = 0, FIRST_PAUSE_S
            continue
        stalled += 1
        if stalled == TRIES:
            raise _away()
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
    return submission


def _wait(intake: Intake, submission: Submission, on_waiting: Callable[[Submission], None]) -> Submission:
    pause_s, longest_s = POLL_S
    until = time.monotonic() + RESULT_TIMEOUT_S
    on_waiting(submission)
    while submission.state not in (SubmissionState.MERGED, SubmissionState.REFUSED, SubmissionState.HELD):
        if time.monotonic() > until:
            raise PushFailed(
                ExitCode.SERVER_AWAY,
                "センターの処理が終わりません。ファイルは届いています。あとで同じコマンドを実行すると結果が分かります。",
                "The centre has not finished. The file has arrived; run the same command later for its result.",
            )
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, longest_s)
        submission = intake.submission(submission.submission_id)
        on_waiting(submission)
    return submission


def _parsed(model: type[Answer], content: bytes) -> Answer:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:  # a page of something between here and the intake
        raise _away() from error


def _content(response: httpx.Response) -> bytes:
    if response.is_success:
        return response.content
    try:
        if not response.headers.get("Content-Type", "").startswith(PROBLEM_MEDIA_TYPE):
            raise _away()
        problem = Problem.model_validate_json(response.content)
    except ValidationError as error:
        raise _away() from error
    details = "".join(f" [{fault.pointer}: {fault.expected}]" for fault in problem.faults)
    exit_code = ExitCode.SERVER_AWAY if response.status_code in (401, 503) else ExitCode.REFUSED
    raise PushFailed(exit_code, f"{problem.vendor.ja} ({problem.code}){details}", f"{problem.vendor.en}{details}")


def _refuse_certificate(error: httpx.TransportError) -> None:
    # TLS trouble does not pass by itself: a certificate of either side does not hold.
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            raise PushFailed(
                ExitCode.SERVER_AWAY,
                "証明書の確認に失敗しました。保険者証明書の有効期限と、--authority の認証局を確かめてください。",
                "A certificate does not hold. Check that the insurer's has not expired, and --authority.",
            ) from error
        cause = cause.__cause__ or cause.__context__


def _away() -> PushFailed:
    return PushFailed(
        ExitCode.SERVER_AWAY,
        "センターにつながりません。回線と --to を確かめ、同じコマンドをもう一度実行してください(続きから送ります)。",
        "The intake cannot be reached. Check the line and --to, then run the same command again; it resumes.",
    )


def _closed() -> PushFailed:
    return PushFailed(
        ExitCode.SERVER_AWAY,
        "センターが応答せずに接続を切ります。保険者証明書(有効期限、発行した認証局)が原因かもしれません。"
        "証明書・回線・--to を確かめ、同じコマンドをもう一度実行してください(続きから送ります)。",
        "The intake cannot be reached: it closes each connection without an answer. The insurer's certificate may be "
        "the cause (has it expired? is it of the right authority?). Check it, the line and --to, then run the command "
        "again; it resumes.",
    )
