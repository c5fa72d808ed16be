"""Opens the outbox for the counter, which starts whatever is wrong with it: a damaged file is put aside, never deleted.

A file that was sealed with another key is left where it is: it is whole, and once its key is back it is used again. Put
aside, its visits would wait for somebody to notice, and the fresh outbox would be the next that the key does not fit.
Until then the counter runs without: a visit of a line that is down is on paper alone, and the staff's screen says so.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog

from terminal_agent.outbox.command import open_journal, open_seal
from terminal_agent.outbox.journal import Journal, JournalDamaged, JournalUnusable, trouble_of
from terminal_agent.outbox.sealing import OutboxTrouble, Seal
from terminal_agent.settings import TerminalSettings

_log = structlog.get_logger(__name__)
_ASIDE: Final = ".damaged-"
_BESIDE: Final = ("-wal", "-shm")  # what SQLite keeps beside a file; the newest visits may stand there alone
_COLUMNS: Final = {
    "visit": "visit_id, journalled_at, state, sealed, answer, problem, first_sent_at, settled_at, tries",
    "holder": "name, sealed, seen_on",
}


class OutboxNotOpen(OutboxTrouble):
    """The counter was started without its outbox, which could be used by now."""

    code = "outbox_not_open"


@dataclass(frozen=True, slots=True)
class Opened:
    """What of the outbox can be used: the journal, and the key alone where only that can."""

    journal: Journal | None = None
    seal: Seal | None = None


def open_for_counter(settings: TerminalSettings, now: datetime) -> Opened:
    """Open the outbox that is set, with a fresh file in place of a damaged one."""
    file = settings.outbox_file
    if file is None:
        return Opened()
    seal = None
    try:
        if _named_otherwise(settings, file):
            raise JournalUnusable
        seal = open_seal(settings, file)
        fresh = file.with_name(f"{file.name}.fresh")
        if fresh.exists() and not file.exists():
            os.rename(fresh, file)  # an earlier start was cut between putting aside and this
        try:
            return Opened(_whole(file, seal), seal)
        except JournalDamaged:
            # What can be read is on disk under the other name before anything is put aside: whatever stops this start,
            # the next one finds the damaged file, or all that was taken over from it.
            taken = _take_over(file, fresh, seal)
            aside = put_aside(file, now)
            os.rename(fresh, file)
            _log.error("outbox_put_aside", file=aside.name, visits_taken_over=taken)
            return Opened(Journal(file, seal), seal)
    except OutboxTrouble as trouble:
        _log.error("outbox_not_opened", code=trouble.code)
    except OSError as error:
        _log.error("outbox_not_put_aside", kind=type(error).__name__)
    return Opened(None, seal)


def probe(settings: TerminalSettings) -> None:
    """Look whether the outbox can be used, if there is one yet.

    Raises:
        OutboxTrouble: it or its key cannot be used.
    """
    if settings.outbox_file is not None and settings.outbox_file.exists():
        with closing(open_journal(settings, make_key=False)) as journal:
            journal.check()


def put_aside(file: Path, now: datetime) -> Path:
    """Give a file, with what SQLite keeps beside it, a name with the time; return that name.

    Raises:
        OSError: it cannot be renamed.
    """
    name = f"{file.name}{_ASIDE}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    aside, more = file.with_name(name), 1
    while aside.exists():
        more += 1
        aside = file.with_name(f"{name}-{more}")
    # The file itself last: cut before that, the next start finds it damaged again, and no old log beside a fresh file.
    for beside in (*_BESIDE, ""):
        with suppress(FileNotFoundError):
            os.rename(f"{file}{beside}", f"{aside}{beside}")
    return aside


def aside_of(file: Path) -> tuple[str, ...]:
    """Return the names of the files that were put aside and are still there."""
    found = (each.name for each in file.parent.glob(f"{file.name}{_ASIDE}*"))
    return tuple(sorted(name for name in found if not name.endswith(_BESIDE)))


def _whole(file: Path, seal: Seal) -> Journal:
    journal = Journal(file, seal)
    try:
        journal.check()
    except OutboxTrouble:
        journal.close()
        raise
    return journal


def _named_otherwise(settings: TerminalSettings, file: Path) -> bool:
    """Tell whether the settings name the file for something else, too: then it is no outbox, and stays."""
    others = (path for name, path in settings if name != "outbox_file" and isinstance(path, Path))
    return any(path.resolve() == file.resolve() for path in others)


def _take_over(damaged: Path, fresh: Path, seal: Seal) -> int:
    """Make a journal of what can be read of a damaged file, of a copy, so that it stays as it was; return how much.

    Raises:
        OSError: there is no room, or the like.
        OutboxTrouble: the journal cannot be written.
    """
    for beside in ("", *_BESIDE):
        Path(f"{fresh}{beside}").unlink(missing_ok=True)
    with TemporaryDirectory(prefix=".outbox-", dir=damaged.parent) as folder, closing(Journal(fresh, seal)) as journal:
        copy = Path(folder) / "outbox"
        for beside in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{damaged}{beside}", f"{copy}{beside}")
        with closing(sqlite3.connect(copy)) as base:
            base.row_factory = sqlite3.Row
            # A damaged name is no name of ours; it must not end the reading.
            base.text_factory = lambda text: text.decode("utf-8", "replace")
            try:
                return journal.take_over(_rows(base, "visit", "visit_id"), _rows(base, "holder", "name"))
            except sqlite3.Error as error:
                raise trouble_of(error) from error


def _rows(base: sqlite3.Connection, table: str, key: str) -> Iterator[sqlite3.Row]:
    """Read a table from both ends, each as far as it can be read; a row may come twice."""
    for order in ("asc", "desc"):
        try:
            yield from base.execute(f"select {_COLUMNS[table]} from {table} order by {key} {order}")  # noqa: S608 - constants
        except sqlite3.DatabaseError:
            continue
        return
