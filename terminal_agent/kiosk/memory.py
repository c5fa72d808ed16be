"""What this terminal remembers of a person from one visit to the next, so that staff see what is new.

A row's name is an HMAC of the card's certificate, its content is encrypted and bound to that name: whoever finds the
file learns neither who was here nor that somebody was. A person who did not come for so long is forgotten.
"""

import hmac
import secrets
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import ValidationError

from terminal_agent.kiosk.differences import LastVisit

_log = structlog.get_logger(__name__)
REMEMBERED: Final = timedelta(days=400)
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SCHEMA: Final = "create table if not exists last_visit (name blob primary key, seen_on text not null, sealed blob)"


class Memory:
    """The last visit of each card, in an SQLite file, or in memory alone where no file is named."""

    def __init__(self, file: Path | None, key: bytes, now: Callable[[], datetime]) -> None:
        self._now = now
        self._names = _derive(key, b"kiosk memory: names")
        self._cipher = AESGCM(_derive(key, b"kiosk memory: content"))
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
            opened = self._cipher.decrypt(row[0][:_NONCE_BYTES], row[0][_NONCE_BYTES:], name)
            return LastVisit.model_validate_json(opened)
        except (InvalidTag, ValidationError, ValueError):
            # Another key, or an older form: to compare with nothing only means that nothing is marked as new.
            return None

    def remember(self, certificate: bytes, visit: LastVisit) -> None:
        """Keep this visit in place of the one before."""
        name, nonce = self._name(certificate), secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, visit.model_dump_json().encode(), name)
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


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)
