"""The `watch` command: pushes whatever lands in a folder, one file at a time, and files it with its feedback."""

import argparse
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from eligibility.wire.submissions import SubmissionState
from payer_sync.file_names import legible
from payer_sync.push import ExitCode, Pushed, PushFailed
from payer_sync.push_command import Terms, add_terms, push_file
from payer_sync.report import show_result
from payer_sync.watched_folder import RESULT, FolderWatched, WatchedFolder

DESCRIPTION = (
    "Push what lands in a folder, oldest first, one at a time. A file is taken when two looks in a row find it the "
    "same (best: write it as x.csv.part and rename it). It moves to FOLDER/done, failed or held, with its feedback and "
    "its result beside it; while the centre is away, or these cannot be written, it stays. Run again after a stop, it "
    "goes on. Exit code: "
    "0 ended by --once, 5 certificate expired, 64 usage, 73 another process watches the folder, 130 stopped."
)
WATCHED_ALREADY: Final = 73
STOPPED: Final = 130
EVERY_S: Final = 5.0
SHORTEST_S: Final = 0.05
LONGEST_S: Final = 86_400.0
UNFILED_PAUSE_S: Final = 60.0  # before a file is pushed again whose result could not be filed


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = DESCRIPTION
    parser.add_argument("folder", type=Path)
    add_terms(parser)
    parser.add_argument("--every", type=_seconds, default=EVERY_S, metavar="SECONDS", help="between looks (default 5)")
    parser.add_argument("--once", action="store_true", help="end when everything that is there has been pushed")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Watch until stopped."""
    console, errors = Console(), Console(stderr=True)
    signal.signal(signal.SIGTERM, _stop)
    folder = WatchedFolder(chosen.folder)
    try:
        terms = Terms.chosen(chosen)
        with folder.locked():
            _watch(folder, terms, console, chosen.every, once=chosen.once)
    except PushFailed as failed:
        _print(errors, failed.ja, failed.en)
        return failed.exit_code
    except FolderWatched:
        _print(errors, "このフォルダは別のプロセスが監視しています。", "Another process watches this folder already.")
        return WATCHED_ALREADY
    except OSError:
        shown = legible(chosen.folder)
        _print(errors, f"フォルダを使えません: {shown}", f"The folder cannot be used: {shown}")
        return ExitCode.USAGE
    except KeyboardInterrupt:
        _print(
            errors, "監視を終えました。途中のファイルは次回、続きから送ります。", "Stopped; a file on its way resumes."
        )
        return STOPPED
    return ExitCode.MERGED


def _watch(folder: WatchedFolder, terms: Terms, console: Console, every_s: float, *, once: bool) -> None:
    _print(console, f"監視中 / watching: {legible(folder.folder)}")
    while True:
        whole, others = folder.look()
        for file in whole:
            if not _take(folder, file, terms, console):
                break  # those after it wait, so that the order is kept
        if once and not whole and not others:
            return
        time.sleep(every_s)


def _take(folder: WatchedFolder, file: Path, terms: Terms, console: Console) -> bool:
    """Push one file and move it away; tell whether the next may go."""
    place = folder.place(file, folder.failed)

    def beside(pushed: Pushed) -> Path:
        nonlocal place
        if not folder.unchanged(file):
            raise PushFailed(
                ExitCode.REFUSED,
                "送信中にファイルが変わりました。書き込みが終わってから、もう一度送ります。",
                "The file changed while it was sent; it is pushed again when nothing writes to it any more.",
            )
        if pushed.submission.state is not SubmissionState.REFUSED:
            held = pushed.submission.state is SubmissionState.HELD
            place = folder.place(file, folder.held if held else folder.done)
        return place

    _print(console, f"{legible(file.name)}:")
    started = time.monotonic()
    try:
        outcome = push_file(file, terms, console, beside)
    except PushFailed as failed:
        _print(console, failed.ja, failed.en)
        if failed.exit_code is ExitCode.SERVER_AWAY:
            return False
        if not folder.unchanged(file):
            return True
        # The centre's answer, or a file that cannot be read: trying again helps nothing.
        return _move(folder, file, place, json.dumps({"ja": failed.ja, "en": failed.en}, ensure_ascii=False), console)
    show_result(console, outcome.pushed, time.monotonic() - started)
    if outcome.unfiled:
        return _later(console, outcome.unfiled.ja, outcome.unfiled.en)
    _print(console, f"指摘 / faults: {outcome.told.faults:,}")
    return _move(folder, file, place, outcome.pushed.submission.model_dump_json(), console)


def _move(folder: WatchedFolder, file: Path, place: Path, result: str, console: Console) -> bool:
    filed = place.with_name(place.name + RESULT)
    try:
        filed.write_text(result + "\n", encoding="utf-8", newline="\n")
    except OSError:
        with suppress(OSError):
            filed.unlink()
        shown = legible(filed)
        return _later(console, f"結果を書けません: {shown}", f"The result cannot be written: {shown}")
    # Last: a process that is killed before this pushes the file again, which changes nothing. One that an exporter has
    # put there meanwhile under the same name was never pushed and stays.
    if folder.unchanged(file):
        os.rename(file, place)
        _print(console, f"→ {legible(place)}")
    return True


def _later(console: Console, *sentences: str) -> bool:
    _print(console, *sentences)
    time.sleep(UNFILED_PAUSE_S)
    return False


def _seconds(text: str) -> float:
    seconds = float(text)
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"must be from {SHORTEST_S} to {LONGEST_S:.0f} seconds")
    return seconds


def _stop(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print(console: Console, *sentences: str) -> None:
    console.print(*sentences, sep="\n", markup=False, highlight=False, soft_wrap=True)
