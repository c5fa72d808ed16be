"""`python -m payer_sync watch`, as a service of an insurer's office runs it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from payer_sync.push import Credentials

pytestmark = pytest.mark.database
TIMEOUT_S = 240.0
FEEDBACK = (".feedback.jsonl", ".feedback.csv", ".feedback.html")


class Watcher:
    """A watcher of one folder, which can be started again after it was killed."""

    def __init__(self, folder: Path, files: Credentials) -> None:
        self.folder = folder
        self._options = [
            "--certificate", str(files.certificate), "--key", str(files.key), "--authority", str(files.authority),
            "--every", "0.1",
        ]  # fmt: skip
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, url: str, *options: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "payer_sync", "watch", str(self.folder), "--to", url, *self._options, *options]
        process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL)
        self._processes.append(process)
        return process

    async def once(self, url: str) -> int:
        """Push what is there and end."""
        return await asyncio.to_thread(self.start(url, "--once").wait, TIMEOUT_S)

    def drop(self, file: Path, name: str, order: int = 0) -> None:
        """Let a file land, whole from the first look on."""
        part = self.folder / (name + ".part")
        part.write_bytes(file.read_bytes())
        os.utime(part, (1_700_000_000 + order, 1_700_000_000 + order))
        part.rename(self.folder / name)

    def parts(self) -> dict[str, set[str]]:
        """Return what lies in the folder and in each part of it, but for our lock."""
        folders = {"": self.folder, **{part: self.folder / part for part in ("done", "failed", "held")}}
        return {
            name: {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}
            for name, folder in folders.items()
            if folder.is_dir()
        }

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


@pytest.fixture
def watcher(tmp_path: Path, credentials: Callable[[str], Credentials]) -> Iterator[Watcher]:
    folder = tmp_path / "watched"
    folder.mkdir()
    made = Watcher(folder, credentials("06130512"))
    yield made
    made.stop()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the other process tells nobody but the folder


async def test_files_are_pushed_in_order_and_filed_with_their_feedback(
    watcher: Watcher, intake: Any, write: Any, record: Any, owner: Any
) -> None:
    watcher.drop(write(record(1, 住所="新しい　住所"), record(2, 性別="9")), "a.csv", order=2)
    watcher.drop(write(record(1)), "b.csv", order=1)
    bad = write(record(3))
    bad.write_bytes(bad.read_bytes() + b"\x00\r\n")
    watcher.drop(bad, "c.csv", order=3)

    assert await watcher.once(intake.url) == 0

    assert watcher.parts() == {
        "": set(),
        "done": {"a.csv", "b.csv", "a.csv.result.json", "b.csv.result.json", *("a.csv" + form for form in FEEDBACK)},
        "failed": {"c.csv", "c.csv.result.json", *("c.csv" + form for form in FEEDBACK)},
        "held": set(),
    }
    result = json.loads((watcher.folder / "done" / "a.csv.result.json").read_text("utf-8"))
    assert (result["state"], result["merged"], result["refused"]) == ("merged", 1, 1)
    assert await owner.fetchval("select address from coverage where known_to = 'infinity'") == "新しい　住所"


async def test_a_request_that_the_centre_refuses_is_filed_with_its_sentence(
    watcher: Watcher, intake: Any, write: Any, record: Any
) -> None:
    watcher.drop(write(record(1)), "a.csv")

    process = watcher.start(intake.url, "--once", "--edition", "99")
    assert await asyncio.to_thread(process.wait, TIMEOUT_S) == 0

    said = json.loads((watcher.folder / "failed" / "a.csv.result.json").read_text("utf-8"))
    assert "layout_unknown" in said["ja"]
    assert said["en"]


async def test_a_half_written_file_waits_until_it_is_whole(
    watcher: Watcher, intake: Any, write: Any, record: Any, owner: Any
) -> None:
    whole = write(record(1), record(2)).read_bytes()
    (watcher.folder / "slow.csv.part").write_bytes(whole[:300])
    watcher.drop(write(record(3)), "quick.csv")
    watcher.start(intake.url)

    await _until(lambda: "quick.csv" in watcher.parts().get("done", ()))
    assert watcher.parts()[""] == {"slow.csv.part"}

    (watcher.folder / "slow.csv.part").write_bytes(whole)
    (watcher.folder / "slow.csv.part").rename(watcher.folder / "slow.csv")
    await _until(lambda: "slow.csv" in watcher.parts().get("done", ()))
    assert await owner.fetchval("select count(*) from coverage") == 3


async def test_a_watcher_that_is_killed_is_followed_by_another_that_ends_its_work(
    watcher: Watcher, intake: Any, write: Any, record: Any, owner: Any
) -> None:
    async with owner.transaction():
        await owner.execute("select from insurer for no key update")  # the merge waits, and so the watcher
        watcher.drop(write(record(1), record(2)), "a.csv")
        first = watcher.start(intake.url)
        states = "select count(*) from submission where state = 'merging'"
        async with asyncio.timeout(TIMEOUT_S):
            while not await owner.fetchval(states):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the other process tells nobody but the table
        first.kill()
        first.wait()
        assert watcher.parts()[""] == {"a.csv"}

    assert await watcher.once(intake.url) == 0

    assert watcher.parts()["done"] == {"a.csv", "a.csv.result.json"}
    assert await owner.fetchval("select count(*) from submission") == 1
    assert await owner.fetchval("select count(*) from coverage") == 2


async def test_a_newer_file_that_lands_while_feedback_is_written_is_pushed_next(
    watcher: Watcher, intake: Any, write: Any, record: Any, owner: Any
) -> None:
    done = watcher.folder / "done"
    done.mkdir()
    parts = [done / f"a.csv{form}.part" for form in FEEDBACK[:2]]
    for part in parts:
        os.mkfifo(part)  # opened for writing, it waits for a reader
    watcher.drop(write(record(1), record(2, 性別="9")), "a.csv")
    watching = watcher.start(intake.url, "--once")

    with await asyncio.to_thread(parts[0].open, "rb") as lines:
        watcher.drop(write(record(3), record(4, 性別="9")), "a.csv")  # of the same time and length
        with await asyncio.to_thread(parts[1].open, "rb") as sheet:
            await asyncio.to_thread(sheet.read)
        await asyncio.to_thread(lines.read)
    assert await asyncio.to_thread(watching.wait, TIMEOUT_S) == 0

    filed = {name + end for name in ("a.csv", "a~2.csv") for end in (*FEEDBACK, ".result.json")} | {"a~2.csv"}
    assert watcher.parts()[""] == set()
    assert {path.name for path in done.iterdir()} == filed
    assert await owner.fetchval("select count(*) from coverage") == 2


@pytest.mark.parametrize("unwritable", ["a.csv.feedback.html.part", "a.csv.result.json"])
async def test_a_file_whose_result_cannot_be_filed_stays(
    watcher: Watcher, intake: Any, write: Any, record: Any, owner: Any, unwritable: str
) -> None:
    (watcher.folder / "done").mkdir()
    (watcher.folder / "done" / unwritable).symlink_to("absent/x")
    watcher.drop(write(record(1), record(2, 性別="9")), "a.csv")
    first = watcher.start(intake.url, stdout=subprocess.PIPE)
    assert first.stdout
    with first.stdout:
        await asyncio.to_thread(_read_until, first.stdout, b"cannot be written")
    first.terminate()
    assert await asyncio.to_thread(first.wait, TIMEOUT_S) == 130
    assert watcher.parts()[""] == {"a.csv"}

    assert await watcher.once(intake.url) == 0
    assert watcher.parts()["done"] == {"a.csv", "a.csv.result.json", *("a.csv" + form for form in FEEDBACK)}
    assert await owner.fetchval("select count(*) from submission") == 1


def _read_until(lines: IO[bytes], said: bytes) -> None:
    while said not in (line := lines.readline()):
        assert line


async def test_one_folder_has_one_watcher_and_a_stop_ends_it_cleanly(watcher: Watcher, intake: Any) -> None:
    first = watcher.start(intake.url)
    await _until(lambda: (watcher.folder / "held").is_dir())

    assert await asyncio.to_thread(watcher.start(intake.url).wait, TIMEOUT_S) == 73
    first.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(first.wait, TIMEOUT_S) == 130
    second = watcher.start(intake.url, "--once")
    assert await asyncio.to_thread(second.wait, TIMEOUT_S) == 0


async def test_while_the_centre_is_away_files_stay_and_are_pushed_when_it_is_back(
    watcher: Watcher, intake: Any, write: Any, record: Any
) -> None:
    watcher.drop(write(record(1)), "a.csv")
    intake.stop(signal.SIGKILL)
    away = watcher.start(intake.url)
    await _until(lambda: (watcher.folder / "held").is_dir())
    away.terminate()
    assert await asyncio.to_thread(away.wait, TIMEOUT_S) == 130
    assert watcher.parts()[""] == {"a.csv"}

    intake.start()
    assert await watcher.once(intake.url) == 0
    assert "a.csv" in watcher.parts()["done"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("資格.csv".encode("cp932"), id="cp932"),
        pytest.param("資".encode() * 83 + b".csv", id="as_long_as_a_name_can_be"),
        pytest.param(b"a." + b"x" * 250, id="a_long_ending"),
        pytest.param(b"[/b]".replace(b"/", b"") + b"<i>.csv", id="markup"),
    ],
)
async def test_a_file_of_any_name_is_pushed_and_holds_up_nobody(
    watcher: Watcher, intake: Any, write: Any, record: Any, owner: Any, name: bytes
) -> None:
    watcher.drop(write(record(1, 性別="9"), record(2)), "plain.csv")
    (watcher.folder / "plain.csv").rename(watcher.folder / os.fsdecode(name))
    watcher.drop(write(record(3)), "next.csv", order=1)

    assert await watcher.once(intake.url) == 0

    parts = watcher.parts()
    assert (parts[""], parts["failed"]) == (set(), set())
    assert {"next.csv", "next.csv.result.json"} <= parts["done"]
    assert len(parts["done"]) == len(FEEDBACK) + 4
    assert await owner.fetchval("select count(*) from coverage") == 2


async def test_an_empty_file_does_not_keep_a_single_round_from_ending(
    watcher: Watcher, intake: Any, write: Any, record: Any
) -> None:
    (watcher.folder / "empty.csv").touch()
    watcher.drop(write(record(1)), "full.csv")

    assert await watcher.once(intake.url) == 0

    assert (watcher.parts()[""], watcher.parts()["done"]) == ({"empty.csv"}, {"full.csv", "full.csv.result.json"})


@pytest.mark.parametrize("option", [("--every", "nan"), ("--every", "inf"), ("--every", "0"), ("--layout", "x" * 41)])
async def test_an_option_that_makes_no_sense_is_usage(watcher: Watcher, intake: Any, option: tuple[str, str]) -> None:
    assert await asyncio.to_thread(watcher.start(intake.url, *option).wait, TIMEOUT_S) == 64


@pytest.mark.parametrize("url", ["https://", "https://localhost:port", "https://[::1", "http://localhost", "localhost"])
async def test_an_address_that_is_none_is_usage(watcher: Watcher, url: str) -> None:
    assert await asyncio.to_thread(watcher.start(url, "--once").wait, TIMEOUT_S) == 64


async def test_a_folder_that_is_none_is_usage(watcher: Watcher, intake: Any) -> None:
    watcher.folder.rmdir()

    assert await watcher.once(intake.url) == 64
