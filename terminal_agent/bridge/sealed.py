"""What the bridge must remember for a while, in an SQLite file: each entry's name is an HMAC, its content encrypted.

Whoever finds the file learns neither who was here nor what was asked. An entry that is over is deleted; one that was
sealed with a key that is lost was never there.
"""

import hmac
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from terminal_agent.bridge.errors import SecretUnusable, StateUnusable
from terminal_agent.sealing import KeyFileUnusable, NotSealedHere, Sealer, derive, own_key

KEY_FILE: Final = "bridge.key"
_SCHEMA: Final = "create table if not exists entry (name blob primary key, until text not null, sealed blob not null)"


class SealedStore:
    """Entries by kind and name until a moment; safe to use from several threads and processes."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        """Open the store of a folder, which only its owner may enter.

        Raises:
            SecretUnusable: its key file is damaged or open to others.
            StateUnusable: the folder cannot be made or written, or its file is none of ours.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            key = own_key(folder / KEY_FILE, over_empty=True)
            self._database = _open(folder / "bridge.sqlite3")
        except KeyFileUnusable as error:
            raise SecretUnusable from error
        except (OSError, sqlite3.Error) as error:
            raise StateUnusable from error
        self._now = now
        self._names = derive(key, b"bridge: names")
        self._sealer = Sealer(derive(key, b"bridge: content"))
        self._lock = threading.Lock()

    def put(self, kind: str, name: str, content: bytes, until: datetime) -> None:
        """Keep an entry in place of an earlier one of this name."""
        key = self._name(kind, name)
        sealed = self._sealer.close(content, key)
        with self._lock:
            self._database.execute("delete from entry where until < ?", (_text(self._now()),))
            self._database.execute("insert or replace into entry values (?, ?, ?)", (key, _text(until), sealed))

    def get(self, kind: str, name: str) -> bytes | None:
        """Return an entry that is not over; what cannot be opened was never there."""
        key = self._name(kind, name)
        with self._lock:
            row = self._database.execute(
                "select sealed from entry where name = ? and until >= ?", (key, _text(self._now()))
            ).fetchone()
        if row is None:
            return None
        try:
            return self._sealer.open(row[0], key)
        except NotSealedHere:
            return None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _name(self, kind: str, name: str) -> bytes:
        return hmac.digest(self._names, f"{kind}\0{name}".encode(), sha256)


def _open(file: Path) -> sqlite3.Connection:
    file.touch(mode=0o600)
    database = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=10)
    for pragma in ("journal_mode = wal", "synchronous = full", "secure_delete = on"):
        database.execute(f"pragma {pragma}")
    database.execute(_SCHEMA)
    return database


def _text(moment: datetime) -> str:
    return f"{moment.timestamp():020.3f}"
