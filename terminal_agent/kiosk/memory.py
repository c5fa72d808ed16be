"""What this terminal remembers of a person from one visit to the next, so that staff see what is new.

A row's name is an HMAC of the card's certificate, its content is encrypted and bound to that name: whoever finds the
file learns neither who was here nor that somebody was. A person who did not come for so long is forgotten.
"""

import hmac
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from terminal_agent.kiosk.differences import LastVisit
from terminal_agent.sealing import NotSealedHere, Sealer, derive

_log = structlog.get_logger(__name__)
REMEMBERED: Final = timedelta(days=400)
_SCHEMA: Final = "create table if not exists last_visit (name blob primary key, seen_on text not null, sealed blob)"


class Memory:
    """The last visit of each card, in an SQLite file, or in memory alone where no file is named."""

    def __init__(self, file: Path | None, key: bytes, now: Callable[[], datetime]) -> None:
        self._now = now
        self._names = derive(key, b"kiosk memory: names")
        self._sealer = Sealer(derive(key, b"kiosk memory: content"))
        self._lock = threading.Lock()
        try:
            self._database = _open(file)
        except (OSError, sqlite3.Error) as error:
            # What is new of a patient is good to know; no counter stays shut for it.
            _log.error("memory_unusable", kind=type(error).__name__)
            self._database = _open(None)
        self._forget()

    def recall(self, certificate: bytes) -> LastVisit | None:
        """Return the card's last visit; what cannot be opened was never there."""
        name = self._name(certificate)
        with self._lock:
            row = self._database.execute("select sealed from last_visit where name = ?", (name,)).fetchone()
        if row is None:
            return None
        try:
            return LastVisit.model_validate_json(self._sealer.open(row[0], name))
        except (NotSealedHere, ValidationError, ValueError):
            # Another key, or an older form: to compare with nothing only means that nothing is marked as new.
            return None

    def remember(self, certificate: bytes, visit: LastVisit) -> None:
        """Keep this visit in place of the one before."""
        name = self._name(certificate)
        sealed = self._sealer.close(visit.model_dump_json().encode(), name)
        with self._lock:
            self._database.execute(
                "insert or replace into last_visit (name, seen_on, sealed) values (?, ?, ?)",
                (name, self._now().date().isoformat(), sealed),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _forget(self) -> None:
        before = (self._now() - REMEMBERED).date().isoformat()
        self._database.execute("delete from last_visit where seen_on < ?", (before,))

    def _name(self, certificate: bytes) -> bytes:
        return hmac.digest(self._names, certificate, sha256)


def _open(file: Path | None) -> sqlite3.Connection:
    if file is not None:
        file.touch(mode=0o600)
    database = sqlite3.connect(file or ":memory:", check_same_thread=False, isolation_level=None)
    try:
        for statement in ("pragma journal_mode = wal", "pragma secure_delete = on", _SCHEMA):
            database.execute(statement)
        database.execute("select name, seen_on, sealed from last_visit limit 1")
    except sqlite3.Error:
        database.close()
        raise
    return database
