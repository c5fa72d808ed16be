"""The shared folder: `req/` is read, `res/` answered, `face/` told of card visits, `err/` given what is faulty.

It may lie on a network share, so that it is looked at again and again, and everything rests on renaming within it. A
request takes this way, which survives a kill anywhere and never asks twice what was answered:

1. A file is whole when two looks find it the same and it ends as a message does. Others are left alone for a while.
2. It is claimed: renamed into a folder of its own under `.bridge/work/`, which has the request's id as its name.
3. The answer is written there, and is on disk before anything else happens (with it the reason, if the file is faulty).
4. The request is removed, or moved to `err/`; then the answer is renamed into `res/`; then the claim's folder goes.

A claim with an answer is finished from 4; one without is answered again under the same id, which the centre knows. The
latter wait in line with all others: the folder is served at once, also while the centre does not answer.
"""

import contextlib
import errno
import fcntl
import os
import queue
import re
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Final, Protocol
from uuid import UUID, uuid4

import structlog

from eligibility.domain.dates import JAPAN
from terminal_agent.bridge.document import MAX_BYTES
from terminal_agent.bridge.errors import FolderTaken, FolderUnusable
from terminal_agent.bridge.responder import Api, Reply
from terminal_agent.bridge.results import Result, Told
from terminal_agent.durable import sync_folder

_log = structlog.get_logger(__name__)
PATIENCE_S: Final = 30.0  # how long a file may stay unfinished or closed to us
WORKERS: Final = 4
NAME_BYTES: Final = 255
_END: Final = b"</XmlMsg>"
_TAIL_BYTES: Final = 256
_REQUEST: Final = re.compile(r"([A-Z]{3}[a-z]{2}[A-Za-z]{3,4}(?:0[12])?)req.*\.xml", re.IGNORECASE | re.DOTALL)
_API_BY_NAME: Final = {api.value.lower(): api for api in Api}
_REASON: Final = ".reason.txt"


class Answering(Protocol):
    """What answers the requests: `responder.Responder`, or a test's."""

    def answer(self, api: Api, content: bytes, request_id: UUID) -> Reply:
        """Answer one request."""

    def refuse(self, api: Api, result: Result) -> Reply:
        """Answer a file that is not read at all."""


@dataclass(frozen=True, slots=True)
class _Look:
    """A file as one look found it."""

    length: int
    modified_ns: int  # and no inode: some shares make a new one up at each look

    @classmethod
    def of(cls, found: os.stat_result) -> "_Look":
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(slots=True)
class _Seen:
    """A file that is not whole yet, since when it has been as it is."""

    look: _Look
    since: float


class Folder:
    """One shared folder, served by one bridge."""

    def __init__(self, root: Path, answering: Answering, clock: Callable[[], float] = time.monotonic) -> None:
        self._answering = answering
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._claimed: list[Claim] = []  # and not given out yet; at first what an earlier run left
        self._again: list[Claim] = []
        self.req, self.res, self.face, self.err = (root / name for name in ("req", "res", "face", "err"))
        self._own = root / ".bridge"
        self._work = self._own / "work"
        self._mark = self._own / "none.tmp"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder alone, make its parts, and finish what an earlier run had answered.

        Raises:
            FolderTaken: another bridge holds it.
            FolderUnusable: it cannot be made or written.
        """
        try:
            for part in (self._own.parent, self.req, self.res, self.face, self.err):
                _make_shared(part)
            # Many may write to a share; what is ours lies in no place that one of them chose.
            for part in (self._own, self._work):
                part.mkdir(mode=0o700, exist_ok=True)
                if part.is_symlink():
                    raise FolderUnusable
            lock = os.fdopen(os.open(self._own / "lock", os.O_WRONLY | os.O_CREAT | _NO_LINK, 0o600), "wb")
        except OSError as error:
            raise FolderUnusable from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FolderTaken from error
            except OSError as error:
                # A share without locks: that nobody else serves it is then for who sets it up to see to.
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
                    raise FolderUnusable from error
                _log.warning("folder_cannot_be_locked")
            try:
                self._recover()
                # A name of this holding alone: no other folder has it. (Not the inode, which some shares make up.)
                self._mark = self._own / f"{uuid4()}.tmp"
                self._mark.touch(mode=0o600, exist_ok=False)
            except OSError as error:
                raise FolderUnusable from error
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    self._mark.unlink()

    def serve(self, stopping: Event, poll_s: float) -> None:
        """Look at the folder until told to stop; several requests are answered at once.

        It ends by itself when the folder is no longer the one that is held: a share was mounted over it or taken away,
        or the bridge's own part was deleted.
        """
        away = False
        again_at = self._clock() + PATIENCE_S
        waiting: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        workers = [
            # No pool: the interpreter waits for the threads of pools when it ends, and these may hang in the share.
            threading.Thread(target=self._work_off, args=(waiting, stopping), name="bridge answers", daemon=True)
            for _ in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        try:
            while not stopping.wait(poll_s):
                try:
                    if not self._is_held():
                        _log.error("folder_replaced")
                        return
                    if self._again and self._clock() >= again_at:
                        again_at = self._clock() + PATIENCE_S
                        again, self._again = self._again, []
                        for claim in again:
                            waiting.put(claim)
                    for claim in self.look():
                        waiting.put(claim)
                    if away:
                        _log.info("folder_back")
                    away = False
                except OSError as error:
                    # The share is away: what was seen there may have changed meanwhile.
                    self._seen.clear()
                    if not away:
                        _log.warning("folder_away", kind=type(error).__name__)
                    away = True
        finally:
            for _ in workers:
                waiting.put(None)
            for worker in workers:
                worker.join()

    def look(self) -> list["Claim"]:
        """Look once, claim what is whole, and what will never be; return the claims, first those of an earlier run."""
        with os.scandir(self.req) as entries:
            names = sorted((entry.name for entry in entries), key=os.fsencode)
        # What is not called .xml is not ours: a thumbnail, a file that is still called .tmp.
        ours = [name for name in names if name.lower().endswith(".xml") and not name.startswith(".")]
        self._seen = {name: seen for name, seen in self._seen.items() if name in ours}
        for name in ours:
            with contextlib.suppress(FileNotFoundError):  # somebody took it away again
                if self._is_due(name) and (claim := self._claim(name)) is not None:
                    self._claimed.append(claim)
        claims, self._claimed = self._claimed, []
        return claims

    def answer(self, claim: "Claim") -> None:
        """Answer a claimed request and finish it; one that has its answer already is only finished.

        Raises:
            OSError: the folder is away or full; the claim stays, and is answered again under its id.
        """
        if claim.answer is None:
            reply = self._reply(claim)
            _prepare(claim, reply)
            fault = reply.fault.result.value if reply.fault else None
            _log.info("request_answered", api=claim.api.value if claim.api else "unknown", fault=fault)
        self._finish(claim)

    def deliver_visit(self, visit_id: str, at: datetime, content: bytes) -> Path:
        """Lay the answer of a card visit into `face/`, at once and whole.

        Raises:
            OSError: the folder is away or full.
        """
        name = f"OQSsiquc01res_face_{visit_id}_{at.astimezone(JAPAN):%Y%m%d%H%M%S}.xml"
        prepared = self._own / f"{uuid4()}.tmp"
        _write_durably(prepared, content)
        prepared.replace(self.face / name)
        sync_folder(self.face)
        return self.face / name

    # ── The way of a request ────────────────────────────────────────────────────────────────────────────────────

    def _is_held(self) -> bool:
        try:
            os.lstat(self._mark)
            os.lstat(self._work)
        except FileNotFoundError:
            return False
        return True

    def _is_due(self, name: str) -> bool:
        """Tell whether a file is whole, or has been unfinished for so long that it never will be."""
        found = os.lstat(self.req / name)
        if not stat.S_ISREG(found.st_mode):
            return False  # a link, a pipe, a folder: nothing of the clinic's software
        look, seen = _Look.of(found), self._seen.get(name)
        if seen is None or seen.look != look:
            self._seen[name] = _Seen(look, self._clock())
            return False
        if look.length > MAX_BYTES or self._clock() - seen.since >= PATIENCE_S:
            return True
        return look.length > 0 and _ends(self.req / name)

    def _claim(self, name: str) -> "Claim | None":
        seen = self._seen.pop(name)
        claim = Claim(self._work / str(uuid4()), name)
        claim.folder.mkdir()
        _write_durably(claim.folder / _NAME, os.fsencode(name))
        try:
            (self.req / name).rename(claim.request)
        except OSError as error:
            claim.remove()
            if not isinstance(error, FileNotFoundError):
                # Held open on another machine of the share. Asked again when the patience is over once more.
                self._seen[name] = _Seen(seen.look, self._clock())
                _log.warning("request_cannot_be_claimed", kind=type(error).__name__)
            return None
        if _Look.of(os.lstat(claim.request)) != seen.look:
            # Another file came under this name in the very moment; it is looked at like any other.
            claim.request.rename(self.req / name)
            claim.remove()
            return None
        return claim

    def _reply(self, claim: "Claim") -> Reply:
        api = claim.api
        if api is None:
            return Reply(None, fault=Told(Result.NOT_SUPPORTED))
        length = os.lstat(claim.request).st_size
        if length > MAX_BYTES:
            return self._answering.refuse(api, Result.TOO_LARGE)
        if length == 0:
            return self._answering.refuse(api, Result.EMPTY)
        try:
            content = _read(claim.request)
        except PermissionError:
            return self._answering.refuse(api, Result.LOCKED)
        return self._answering.answer(api, content, claim.request_id)

    def _finish(self, claim: "Claim") -> None:
        """Take the fourth step; every part of it may be done already."""
        answer = claim.answer
        if claim.reason.exists():
            with contextlib.suppress(FileNotFoundError):
                claim.request.rename(self.err / claim.faulty_name())
            claim.reason.replace(self.err / claim.faulty_name(_REASON))
            sync_folder(self.err)
        else:
            claim.request.unlink(missing_ok=True)
        if answer is not None and answer.suffix != _NO_ANSWER and claim.api is not None:
            answer.replace(self.res / claim.answer_name(answer.suffix))
            sync_folder(self.res)
        try:
            claim.remove()
        except OSError as error:  # it is done all the same; the next start tries again
            _log.warning("claim_left_alone", kind=type(error).__name__)

    def _recover(self) -> None:
        for left in self._own.glob("*.tmp"):
            with contextlib.suppress(OSError):
                left.unlink()
        for folder in sorted(self._work.iterdir()):
            try:
                self._take_up(folder)
            except OSError as error:  # one odd thing there keeps nobody waiting
                _log.warning("claim_left_alone", kind=type(error).__name__)

    def _take_up(self, folder: Path) -> None:
        claim = Claim.left_in(folder)
        if claim is None:
            return
        if claim.answer is not None:
            self._answer_or_log(claim)  # which finishes it, now or later
        elif claim.request.exists():
            self._claimed.append(claim)
        else:
            claim.remove()

    def _work_off(self, waiting: "queue.SimpleQueue[Claim | None]", stopping: Event) -> None:
        while (claim := waiting.get()) is not None:
            if not stopping.is_set():  # else it is claimed, and the next start's to answer
                self._answer_or_log(claim)

    def _answer_or_log(self, claim: "Claim") -> None:
        try:
            self.answer(claim)
        except Exception as error:  # noqa: BLE001 - the folder goes on being served
            self._again.append(claim)
            _log.warning("answer_cannot_be_written", kind=type(error).__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that is this bridge's to answer, in a folder of its own."""

    folder: Path
    name: str

    @classmethod
    def left_in(cls, folder: Path) -> "Claim | None":
        """Return what an earlier run left, or None where it left nothing to finish, or somebody else left it."""
        try:
            UUID(folder.name)
            if folder.is_symlink():
                return None
            name = os.fsdecode(_read(folder / _NAME))
            return None if os.sep in name or name in _NO_NAMES else cls(folder, name)
        except ValueError:
            return None
        except FileNotFoundError:  # killed before the request was taken
            cls(folder, "").remove()
            return None

    @property
    def request_id(self) -> UUID:
        """The id under which the centre knows the request, however often it is asked."""
        return UUID(self.folder.name)

    @property
    def api(self) -> Api | None:
        """What is asked for, by the file's name; None where nothing that is answered."""
        found = _REQUEST.fullmatch(self.name)
        return _API_BY_NAME.get(found[1].lower()) if found else None

    @property
    def request(self) -> Path:
        """The request's file."""
        return self.folder / "request"

    @property
    def reason(self) -> Path:
        """What is wrong with the file, once that is known."""
        return self.folder / "reason"

    @property
    def answer(self) -> Path | None:
        """The answer, once it is whole."""
        return next((file for suffix in _SUFFIXES if (file := self.folder / f"answer{suffix}").exists()), None)

    def answer_name(self, suffix: str) -> str:
        """Return the request's name with `res` for the `req` behind the API's id."""
        found = _REQUEST.fullmatch(self.name)
        if found is None:
            raise ValueError("no request's name")
        return f"{found[1]}res{self.name[found.end(1) + len('req') : -len('.xml')]}{suffix}"

    def faulty_name(self, suffix: str = "") -> str:
        """Return the name in `err/`, which no other request has; a long one is cut."""
        tail = f"~{self.folder.name[:8]}.xml{suffix}"
        room = NAME_BYTES - len(f"~{self.folder.name[:8]}.xml{_REASON}")
        return os.fsdecode(os.fsencode(self.name[: -len(".xml")])[:room]) + tail

    def remove(self) -> None:
        """Remove the folder with what is left in it, which may be a folder that the share itself keeps everywhere."""
        shutil.rmtree(self.folder)


_NAME: Final = "name"
_UNFINISHED: Final = ".tmp"
_NO_ANSWER: Final = ".none"
_NO_NAMES: Final = frozenset({"", os.curdir, os.pardir})
_SUFFIXES: Final = (".xml", ".pdf", _NO_ANSWER)
_NO_LINK: Final = os.O_NOFOLLOW | os.O_CLOEXEC


def _prepare(claim: Claim, reply: Reply) -> None:
    """Take the third step."""
    if reply.fault is not None:
        _write_durably(claim.reason, _reason(reply.fault))
    suffix = _NO_ANSWER if reply.content is None else reply.suffix
    unfinished = claim.folder / f"answer{_UNFINISHED}"
    _write_durably(unfinished, reply.content or b"")
    unfinished.rename(claim.folder / f"answer{suffix}")
    sync_folder(claim.folder)


def _reason(told: Told) -> bytes:
    lines = (told.result.value, told.sentence.ja, told.sentence.en, "")
    return "\r\n".join(lines).encode()


def _ends(file: Path) -> bool:
    """Tell whether a file ends as a message does; one that cannot be opened now does not."""
    try:
        content = _read(file, -_TAIL_BYTES)
    except OSError:
        return False
    return content.rstrip(b" \t\r\n").endswith(_END)


def _read(file: Path, from_end: int = 0) -> bytes:
    # Never through a link, and never waiting for the other end of a pipe.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | _NO_LINK)
    with os.fdopen(descriptor, "rb") as opened:
        if from_end:
            opened.seek(max(os.fstat(descriptor).st_size + from_end, 0))
        return opened.read(MAX_BYTES + 1)


def _make_shared(folder: Path) -> None:
    """Make a folder where there is none, for the group as well: the clinic's software has another account."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return  # as it was prepared
    with contextlib.suppress(OSError):  # not every share can
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o770)


def _write_durably(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINK, 0o660)
    with os.fdopen(descriptor, "wb") as opened:
        with contextlib.suppress(OSError):  # not every share can
            os.fchmod(descriptor, 0o660)  # whatever the umask is: the group's software reads the answer
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)
