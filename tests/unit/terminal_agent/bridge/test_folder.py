"""The shared folder: what is taken, what is left alone, what goes to err/, and what a kill leaves behind."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from terminal_agent.bridge.document import MAX_BYTES
from terminal_agent.bridge.errors import FolderTaken, FolderUnusable
from terminal_agent.bridge.folder import PATIENCE_S, Folder
from terminal_agent.bridge.responder import Api, Reply
from terminal_agent.bridge.results import Result, Told

WHOLE = b"<XmlMsg><A>1</A></XmlMsg>\r\n"
NAME = "OQSsiquc01req_202611210001.xml"
ANSWER = "OQSsiquc01res_202611210001.xml"


@dataclass
class Answering:
    """Answers with what it was asked; `WRONG` in a request is a fault of its file."""

    asked: list[tuple[Api, bytes, UUID]] = field(default_factory=list)

    def answer(self, api: Api, content: bytes, request_id: UUID) -> Reply:
        self.asked.append((api, content, request_id))
        if b"WRONG" in content:
            return Reply(b"answer", fault=Told(Result.MALFORMED, "/MessageBody/A"))
        return Reply(b"answer to " + content, ".pdf" if api is Api.MEDICATION else ".xml")

    def refuse(self, api: Api, result: Result) -> Reply:
        return Reply(f"{api} {result}".encode(), fault=Told(result))


@dataclass
class Served:
    """A folder that is looked at when the test says so, by a clock that the test sets."""

    root: Path
    answering: Answering = field(default_factory=Answering)
    clock: float = 0.0

    def __post_init__(self) -> None:
        self.folder = Folder(self.root, self.answering, lambda: self.clock)

    def put(self, content: bytes, name: str = NAME) -> Path:
        file = self.root / "req" / name
        file.write_bytes(content)
        return file

    def look(self, times: int = 2) -> int:
        answered = 0
        for _ in range(times):
            for claim in self.folder.look():
                self.folder.answer(claim)
                answered += 1
        return answered

    def wait_long(self) -> int:
        self.look()
        self.clock += PATIENCE_S
        return self.look()

    def inside(self, part: str) -> list[str]:
        return sorted(file.name for file in (self.root / part).iterdir())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path / "共有 フォルダ")
    with made.folder.held():
        yield made


def _nothing_left(served: Served) -> bool:
    return served.inside("req") == [] and list((served.root / ".bridge" / "work").iterdir()) == []


# ── What is taken ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "answer", "api"),
    [
        (NAME, ANSWER, Api.NUMBER),
        ("OQSmuquc01req_202611210001.xml", "OQSmuquc01res_202611210001.xml", Api.BULK),
        ("OQSmuquc02req_202611210001.xml", "OQSmuquc02res_202611210001.xml", Api.BULK_DOWNLOAD),
        ("OQSsiimm01req_1.xml", "OQSsiimm01res_1.xml", Api.REFERENCE_NUMBER),
        ("YZKsiquc01req_1126112109300042.xml", "YZKsiquc01res_1126112109300042.pdf", Api.MEDICATION),
        ("TKKsiquc01req_a.xml", "TKKsiquc01res_a.xml", Api.CHECKUP),
        ("OQSsiquc01req.xml", "OQSsiquc01res.xml", Api.NUMBER),
        ("OQSsiquc01req_request_req.XML", "OQSsiquc01res_request_req.xml", Api.NUMBER),
        ("oqssiquc01REQ_1.xml", "oqssiquc01res_1.xml", Api.NUMBER),
        ("OQSsiquc01req_患者 太郎'\"; rm -rf ~.xml", "OQSsiquc01res_患者 太郎'\"; rm -rf ~.xml", Api.NUMBER),
        ("OQSsiquc01req_a\nb\t.xml", "OQSsiquc01res_a\nb\t.xml", Api.NUMBER),
        ("OQSsiquc01req_..%2f..\\x.xml", "OQSsiquc01res_..%2f..\\x.xml", Api.NUMBER),
        (os.fsdecode(b"OQSsiquc01req_\x83e\xff.xml"), os.fsdecode(b"OQSsiquc01res_\x83e\xff.xml"), Api.NUMBER),
        ("OQSsiquc01req_" + "あ" * 79 + ".xml", "OQSsiquc01res_" + "あ" * 79 + ".xml", Api.NUMBER),
    ],
)
def test_a_request_is_answered_under_its_own_name(served: Served, name: str, answer: str, api: Api) -> None:
    served.put(WHOLE, name)
    assert served.look() == 1
    assert served.inside("res") == [answer]
    assert (served.root / "res" / answer).read_bytes() == b"answer to " + WHOLE
    assert [asked[0] for asked in served.answering.asked] == [api]
    assert _nothing_left(served)


def test_a_file_is_taken_only_when_two_looks_agree(served: Served) -> None:
    served.put(WHOLE)
    assert served.look(1) == 0
    assert served.look(1) == 1


def test_a_file_that_grows_is_left_alone_until_it_is_whole(served: Served) -> None:
    file = served.put(WHOLE[:10])
    assert served.look(5) == 0
    assert file.read_bytes() == WHOLE[:10]
    served.clock += PATIENCE_S - 1
    with file.open("ab") as growing:
        growing.write(WHOLE[10:])
    assert served.look(1) == 0
    assert served.look(1) == 1
    assert served.answering.asked[0][1] == WHOLE


def test_a_file_renamed_into_place_is_taken(served: Served) -> None:
    partial = served.root / "req" / "OQSsiquc01req_1.xml.tmp"
    partial.write_bytes(WHOLE)
    assert served.look(3) == 0
    partial.rename(partial.with_suffix(""))
    assert served.look() == 1


def test_an_earlier_answer_of_the_same_name_is_replaced(served: Served) -> None:
    for content in (WHOLE, WHOLE.replace(b"1", b"2")):
        served.put(content)
        served.look()
        assert (served.root / "res" / ANSWER).read_bytes() == b"answer to " + content
    assert served.answering.asked[0][2] != served.answering.asked[1][2]


def test_several_at_once_are_each_answered_once(served: Served) -> None:
    for number in range(20):
        served.put(WHOLE.replace(b"1", str(number).encode()), f"OQSsiquc01req_{number}.xml")
    served.folder.look()
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(served.folder.answer, served.folder.look()))
    assert len(served.inside("res")) == 20
    for number in range(20):
        assert f">{number}<".encode() in (served.root / "res" / f"OQSsiquc01res_{number}.xml").read_bytes()
    assert _nothing_left(served)


# ── What is left alone ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "desktop.ini", "~lock", "OQSsiquc01req_1.xml.part", ".OQSsiquc01req_1.xml", "note.txt", "xml"]
)
def test_what_is_no_message_s_file_is_left_alone(served: Served, name: str) -> None:
    file = served.put(WHOLE, name)
    assert served.wait_long() == 0
    assert file.exists()


def test_links_pipes_and_folders_are_left_alone(served: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_bytes(WHOLE)
    req = served.root / "req"
    (req / NAME).symlink_to(secret)
    (req / "OQSsiquc01req_2.xml").symlink_to(tmp_path / "nowhere")
    (req / "OQSsiquc01req_3.xml").mkdir()
    os.mkfifo(req / "OQSsiquc01req_4.xml")
    assert served.wait_long() == 0
    assert len(served.inside("req")) == 4
    assert served.inside("err") == []


def test_a_file_swapped_for_another_at_the_last_moment_is_looked_at_anew(served: Served) -> None:
    served.put(WHOLE)
    served.folder.look()
    served.put(WHOLE * 2)  # no longer what was seen
    assert served.look(1) == 0
    assert served.inside("req") == [NAME]


# ── What is faulty ──────────────────────────────────────────────────────────────────────────────────────────────


def _error(served: Served) -> tuple[str, bytes, str]:
    faulty, reason = served.inside("err")
    assert reason == faulty + ".reason.txt"
    return faulty, (served.root / "err" / faulty).read_bytes(), (served.root / "err" / reason).read_text()


def test_a_faulty_file_goes_to_err_with_its_reason_and_is_answered(served: Served) -> None:
    content = b"<XmlMsg><A>WRONG</A></XmlMsg>"
    served.put(content)
    assert served.look() == 1
    name, kept, reason = _error(served)
    assert name.startswith("OQSsiquc01req_202611210001~")
    assert kept == content
    assert reason.splitlines()[0] == Result.MALFORMED
    assert "/MessageBody/A" in reason
    assert served.inside("res") == [ANSWER]
    assert _nothing_left(served)


@pytest.mark.parametrize(
    "content",
    [
        WHOLE[:-4],
        b"\x00\x01\x02" * 100,
        b"no end",
        b"<!DOCTYPE a><XmlMsg>",
        b"PK\x03\x04",
        "<XmlMsg/>".encode("utf-16"),
    ],
)
def test_what_never_becomes_whole_is_judged_when_the_patience_is_over(served: Served, content: bytes) -> None:
    served.put(content)
    assert served.look(5) == 0
    assert served.wait_long() == 1
    assert served.answering.asked[0][1] == content


def test_an_empty_file_may_be_a_placeholder_but_not_for_ever(served: Served) -> None:
    served.put(b"")
    assert served.look(5) == 0
    assert served.wait_long() == 1
    assert _error(served)[2].startswith(Result.EMPTY)
    assert (served.root / "res" / ANSWER).read_text() == f"{Api.NUMBER} {Result.EMPTY}"


def test_a_huge_file_is_refused_unread(served: Served) -> None:
    with served.put(b"").open("r+b") as huge:
        huge.truncate(MAX_BYTES + 1)
    assert served.look() == 1
    assert _error(served)[2].startswith(Result.TOO_LARGE)
    assert served.answering.asked == []


@pytest.mark.parametrize(
    "name", ["OQSsiurl01req_1.xml", "EPSsiDMP01req_1.xml", "OQSsidri01req.xml", "patient.xml", "req.xml"]
)
def test_what_is_not_supported_goes_to_err_and_has_no_answer(served: Served, name: str) -> None:
    served.put(WHOLE, name)
    assert served.look() == 1
    assert _error(served)[2].startswith(Result.NOT_SUPPORTED)
    assert served.inside("res") == []
    assert _nothing_left(served)


def test_faulty_files_of_one_name_do_not_overwrite_each_other(served: Served) -> None:
    for number in range(3):
        served.put(f"<XmlMsg>WRONG{number}</XmlMsg>".encode())
        served.look()
    assert len(served.inside("err")) == 6


def test_a_long_faulty_name_is_cut_so_that_its_reason_has_room(served: Served) -> None:
    served.put(b"<XmlMsg>WRONG</XmlMsg>", "OQSsiquc01req_" + "あ" * 79 + ".xml")
    assert served.look() == 1
    assert len(served.inside("err")) == 2


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that another user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="eligibility-bridge-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_that_cannot_be_opened_goes_to_err_after_a_while(open_to_all: Path) -> None:
    root = open_to_all / "shared"
    for part in ("req", "res", "face", "err", ".bridge"):
        (root / part).mkdir(parents=True)
        (root / part).chmod(0o777)
    locked = root / "req" / NAME
    locked.write_bytes(WHOLE)
    locked.chmod(0o000)
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[4])!r})
from pathlib import Path
from tests.unit.terminal_agent.bridge.test_folder import Served
os.setgid(65534)
os.setuid(65534)
served = Served(Path({str(root)!r}))
with served.folder.held():
    assert served.look(5) == 0
    assert served.wait_long() == 1
    print(served.inside("err")[1], (served.root / "err" / served.inside("err")[1]).read_text())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240, check=False)
    assert Result.LOCKED in done.stdout, done.stderr


# ── Kills, and two at once ──────────────────────────────────────────────────────────────────────────────────────

_KILLING = """
import os, signal, sys
sys.path.insert(0, {project!r})
from pathlib import Path
from tests.unit.terminal_agent.bridge.test_folder import Served

def serve_until(at, root):
    served, steps = Served(root), iter(range(10_000))

    def killing(step):
        def killed(*given, **more):
            # Before the step of this number, as if the power failed.
            if next(steps) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*given, **more)
        return killed

    for name in ("open", "fsync", "rename", "replace", "unlink", "rmdir", "mkdir"):
        setattr(os, name, killing(getattr(os, name)))
    with served.folder.held():
        served.look()
    print(next(steps), flush=True)

for at, root in enumerate(sys.argv[1:], start=-1):
    if (child := os.fork()) == 0:
        serve_until(at, Path(root))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
MOST_STEPS = 60


def _prepared(root: Path, content: bytes) -> None:
    for part in ("req", "res", "face", "err", ".bridge/work"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / "req" / NAME).write_bytes(content)


@pytest.mark.parametrize("content", [WHOLE, b"<XmlMsg>WRONG</XmlMsg>"])
def test_a_kill_at_any_step_leaves_one_answer(tmp_path: Path, content: bytes) -> None:
    roots = [tmp_path / str(at) for at in range(-1, MOST_STEPS)]
    for root in roots:
        _prepared(root, content)
    script = _KILLING.format(project=str(Path(__file__).parents[4]))
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, roots)], capture_output=True, text=True, timeout=240, check=True
    )
    # The first was not killed and says how many steps there are; the last ones need fewer than were thought of.
    told = [line for line in done.stdout.splitlines() if line.lstrip("-").isdigit()]
    steps, ended, *exits = map(int, told)
    assert 15 < steps < MOST_STEPS
    assert ended == 0
    assert exits[:steps] == [-signal.SIGKILL] * steps
    asked_after_a_kill = 0
    for root in roots[1 : steps + 1]:
        again = Served(root)
        with again.folder.held():
            again.look()
        assert again.inside("res") == [ANSWER], root.name
        assert again.inside("req") == []
        assert again.inside(".bridge/work") == []
        assert len(again.inside("err")) == (2 if b"WRONG" in content else 0), root.name
        asked_after_a_kill += len(again.answering.asked)
    # What was answered before the kill is not asked again.
    assert 0 < asked_after_a_kill < steps


def test_a_request_that_is_answered_again_after_a_kill_keeps_its_id(tmp_path: Path) -> None:
    first = Served(tmp_path)
    with first.folder.held():
        first.put(WHOLE)
        first.folder.look()
        (claim,) = first.folder.look()  # killed here
    again = Served(tmp_path)
    with again.folder.held():
        assert again.answering.asked == []  # a start does not wait for the centre
        again.put(WHOLE, "OQSsiquc01req_2.xml")
        again.look()
    assert again.answering.asked[0][2] == claim.request_id
    assert again.inside("res") == ["OQSsiquc01res_2.xml", ANSWER]


def test_an_answer_that_could_not_be_laid_down_is_not_asked_for_again(served: Served) -> None:
    served.put(WHOLE)
    served.folder.look()
    (claim,) = served.folder.look()
    (served.root / "res").rmdir()
    with pytest.raises(FileNotFoundError):
        served.folder.answer(claim)
    (served.root / "res").mkdir()
    served.folder.answer(claim)
    assert len(served.answering.asked) == 1
    assert served.inside("res") == [ANSWER]
    assert _nothing_left(served)


def test_a_claim_that_cannot_be_finished_at_the_start_is_finished_later(tmp_path: Path) -> None:
    _planted(tmp_path, {"name": NAME.encode(), "answer.xml": b"answer"})
    in_the_way = tmp_path / "res" / ANSWER
    in_the_way.mkdir(parents=True)
    served, stopping = Served(tmp_path), threading.Event()
    with served.folder.held():
        in_the_way.rmdir()
        serving = threading.Thread(target=served.folder.serve, args=(stopping, 0.01))
        serving.start()
        for _ in range(6_000):
            if in_the_way.exists():
                break
            served.clock += PATIENCE_S
            stopping.wait(0.01)
        stopping.set()
        serving.join()
    assert in_the_way.read_bytes() == b"answer"
    assert served.answering.asked == []
    assert _nothing_left(served)


def test_a_folder_is_served_by_one_bridge(served: Served) -> None:
    with pytest.raises(FolderTaken), Served(served.root).folder.held():
        pytest.fail("two at once")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderUnusable), Served(tmp_path / "file").folder.held():
        pytest.fail("a file is no folder")


# ── What somebody who may write to the share lays into the bridge's own part ────────────────────────────────────

CLAIM = "0197a3c0-0000-4000-8000-000000000001"


def _planted(root: Path, files: dict[str, bytes]) -> Path:
    folder = root / ".bridge" / "work" / CLAIM
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "name", [b"OQSsiquc01req/../../../stolen.xml", b"../../stolen.xml", b"..", b"", b"a/b.xml", b"x.xml"]
)
@pytest.mark.parametrize("answer", ["answer.xml", "answer.pdf", "reason"])
def test_a_claim_whose_name_leads_elsewhere_is_not_finished(tmp_path: Path, name: bytes, answer: str) -> None:
    share = tmp_path / "outside" / "share"
    _planted(share, {"name": name, "request": WHOLE, answer: b"planted", "answer.none": b""})
    for part in ("res", "err"):
        (share / part / "OQSsiquc01res").mkdir(parents=True)
    before = {file for file in tmp_path.rglob("*") if share not in file.parents}
    with (again := Served(share)).folder.held():
        again.look(1)
    assert {file for file in tmp_path.rglob("*") if share not in file.parents} == before
    assert list(share.rglob("stolen*")) == []


def test_an_answer_of_a_kind_that_is_never_written_is_not_delivered(tmp_path: Path) -> None:
    _planted(tmp_path, {"name": NAME.encode(), "answer.sh": b"planted"})
    with Served(tmp_path).folder.held():
        assert list((tmp_path / "res").iterdir()) == []


@pytest.mark.parametrize("link", [f".bridge/work/{CLAIM}", ".bridge/work", ".bridge"])
def test_nothing_is_deleted_through_a_link(tmp_path: Path, link: str) -> None:
    treasure, share = tmp_path / "treasure", tmp_path / "share"
    for folder in (treasure, treasure / "work", treasure / CLAIM):
        folder.mkdir()
        (folder / "bridge.tmp").write_bytes(b"key")
    (share / link).parent.mkdir(parents=True)
    (share / link).symlink_to(treasure)
    before = sorted(treasure.rglob("*"))
    with suppress(FolderUnusable), (again := Served(share)).folder.held():
        again.look(1)
    assert sorted(treasure.rglob("*")) == before


@pytest.mark.parametrize("link", ["lock", f"work/{CLAIM}/answer.tmp", f"work/{CLAIM}/reason"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    treasure, share = tmp_path / "treasure", tmp_path / "share"
    treasure.write_bytes(b"key")
    _planted(share, {"name": NAME.encode(), "request": WHOLE.replace(b"1", b"WRONG")})
    (share / ".bridge" / link).symlink_to(treasure)
    with suppress(FolderUnusable, OSError), (again := Served(share)).folder.held():
        again.look(1)
    assert treasure.read_bytes() == b"key"


@pytest.mark.parametrize("odd", [CLAIM, f"{CLAIM}/request/a", f"{CLAIM}/@eaDir/a", f"{CLAIM}/name/a", "@eaDir/a"])
def test_an_odd_thing_among_the_claims_keeps_the_folder_from_nobody(tmp_path: Path, odd: str) -> None:
    other = _planted(tmp_path, {}).rename(tmp_path / ".bridge" / "work" / CLAIM.replace("1", "2"))
    for name, content in {"name": NAME.encode(), "request": WHOLE}.items():
        (other / name).write_bytes(content)
    file = tmp_path / ".bridge" / "work" / odd
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")
    with (again := Served(tmp_path)).folder.held():
        again.look(1)
        assert again.inside("res") == [ANSWER]


def test_a_claim_in_which_the_share_keeps_a_folder_is_finished(served: Served) -> None:
    served.put(WHOLE)
    served.folder.look()
    (claim,) = served.folder.look()
    (claim.folder / "@eaDir" / "more").mkdir(parents=True)
    served.folder.answer(claim)
    assert _nothing_left(served)


@pytest.mark.parametrize(("prepared", "mode"), [(None, 0o770), (0o2770, 0o2770), (0o2750, 0o2750)])
def test_the_group_s_software_may_read_what_the_bridge_writes_whatever_the_umask(
    tmp_path: Path, prepared: int | None, mode: int
) -> None:
    root, parts = tmp_path / "shared", ("req", "res", "face", "err")
    for part in parts if prepared is not None else ():
        (root / part).mkdir(parents=True)
        (root / part).chmod(prepared or 0)
    before = os.umask(0o077)
    try:
        with (served := Served(root)).folder.held():
            served.put(b"<XmlMsg>WRONG</XmlMsg>")
            served.look()
            served.folder.deliver_visit("0197a3c00000", datetime(2026, 11, 21, tzinfo=UTC), b"answer")
    finally:
        os.umask(before)
    assert {(root / part).stat().st_mode & 0o7777 for part in parts} == {mode}
    assert (root / ".bridge").stat().st_mode & 0o7777 == 0o700
    written = [root / "res" / ANSWER, *(root / "face").iterdir(), *(root / "err").glob("*.reason.txt")]
    assert [file.stat().st_mode & 0o777 for file in written] == [0o660] * 3


def test_a_folder_of_a_temporary_name_does_not_keep_the_bridge_from_starting(tmp_path: Path) -> None:
    (tmp_path / ".bridge" / "a.tmp").mkdir(parents=True)
    with Served(tmp_path).folder.held():
        pass


def test_serving_goes_on_when_the_folder_goes_away_and_comes_back(served: Served) -> None:
    stopping = threading.Event()
    serving = threading.Thread(target=served.folder.serve, args=(stopping, 0.01))
    serving.start()
    req = served.root / "req"
    req.rename(served.root / "away")
    (served.root / "away" / NAME).write_bytes(WHOLE)
    (served.root / "away").rename(req)
    waiting = threading.Event()
    for _ in range(6_000):
        if served.inside("res"):
            break
        waiting.wait(0.01)
    stopping.set()
    serving.join()
    assert served.inside("res") == [ANSWER]


@pytest.mark.parametrize(
    ("gone", "mounted"), [(".", True), (".bridge", True), (".bridge", False), (".bridge/work", False)]
)
def test_serving_ends_when_the_folder_is_not_the_one_that_is_held(
    served: Served, tmp_path: Path, gone: str, mounted: bool
) -> None:
    (served.root / gone).resolve().rename(tmp_path / "hidden")
    if mounted:  # over it, a share that another bridge served before
        with Served(served.root).folder.held():
            pass
    serving = threading.Thread(target=served.folder.serve, args=(threading.Event(), 0.01), daemon=True)
    serving.start()
    serving.join(60)
    assert not serving.is_alive()


def test_a_folder_that_is_away_is_said_once(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    away, looks, stopping = served.root / "away", 0, threading.Event()
    (served.root / "req").rename(away)

    class Counting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal looks
            looks += 1
            if looks == 5:
                away.rename(served.root / "req")
            return looks > 6

    stopping = Counting()
    served.folder.serve(stopping, 0)
    said = capsys.readouterr().out
    assert (said.count("folder_away"), said.count("folder_back")) == (1, 1)


def test_a_card_visit_is_laid_down_whole(served: Served) -> None:
    at = datetime(2026, 11, 21, 0, 0, 1, tzinfo=UTC)
    file = served.folder.deliver_visit("0197a3c00000", at, b"answer")
    assert file.name == "OQSsiquc01res_face_0197a3c00000_20261121090001.xml"
    assert file.read_bytes() == b"answer"
    assert served.inside("face") == [file.name]
