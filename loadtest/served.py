"""A site that is served for Locust's users: where it is told of, and how Locust starts one where there is none."""

import atexit
import fcntl
import json
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from loadtest.processes import ENDING_WITH_US
from loadtest.reading import Member
from loadtest.site import default_folder

PERSONS: Final = 20_000
CARDS: Final = 500
_FILE: Final = "served.json"  # in the site's folder, as long as it is served
_LOOK_EVERY_S: Final = 0.2
_PROJECT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Served:
    """What Locust's users need to know: the addresses of centre and intake, the cards' file, and who may read."""

    host: str
    intake: str
    deck: str
    members: list[Member]


def add_arguments(parser: ArgumentParser, **more: Any) -> None:
    """Add the arguments that say which site it is; `more` is what a parser of another make takes of each besides."""
    persons = f"how many persons (default: {PERSONS:,})"
    parser.add_argument("--persons", type=int, default=PERSONS, help=persons, **more)
    cards = f"how many of them have a card here (default: {CARDS})"
    parser.add_argument("--cards", type=int, default=CARDS, help=cards, **more)
    site = "the folder of the site (default: one of this size in /var/tmp)"
    parser.add_argument("--site", type=Path, help=site, **more)


def folder_of(arguments: Namespace) -> Path:
    """Return the folder of the site that is meant."""
    folder: Path = arguments.site or default_folder(arguments.persons)
    return folder.resolve()


@contextmanager
def told(folder: Path, served: Served) -> Iterator[None]:
    """Say that a site is served, to this user alone: what members of staff sign in with is among it."""
    fresh = folder / f"{_FILE}.new"
    fresh.touch(mode=0o600)
    with fresh.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # which ends with this process, however it ends
        json.dump(asdict(served), file)
        file.flush()
        fresh.rename(folder / _FILE)
        try:
            yield
        finally:
            (folder / _FILE).unlink(missing_ok=True)


def find(folder: Path) -> Served | None:
    """Return what is told of a site, if somebody serves it now."""
    try:
        file = (folder / _FILE).open(encoding="utf-8")
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            said = json.load(file)
            return Served(**said | {"members": [Member(**member) for member in said["members"]]})
    return None  # who served it was killed before the word could be taken back


def find_or_begin(arguments: Namespace) -> Served:
    """Return what is told of a site; where nobody serves it, have it served until this process ends.

    Raises:
        SystemExit: it cannot be served; the words of what tried are on the screen.
    """
    folder = folder_of(arguments)
    if found := find(folder):
        return found
    command = [sys.executable, "-m", "loadtest", "explore", "--serve", "--site", str(folder)]
    command += ["--persons", str(arguments.persons), "--cards", str(arguments.cards)]
    # In a session of its own, so that Ctrl-C ends Locust first and no user meets a centre that is gone.
    process = subprocess.Popen(  # noqa: S603 (our own module)
        [*ENDING_WITH_US, *command], cwd=_PROJECT, start_new_session=True
    )
    atexit.register(_end, process)
    while process.poll() is None:
        if found := find(folder):
            return found
        time.sleep(_LOOK_EVERY_S)
    sys.exit(
        "計測用の環境を用意できません。上の出力をご覧ください。 / There is no site to send to; what is above says why. "
        "It can also be served in another terminal: python -m loadtest explore --serve"
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait()
