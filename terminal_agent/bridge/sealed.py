"""What the bridge must remember for a while, in an SQLite file: each entry's name is an HMAC, its content encrypted.

Whoever finds the file learns neither who was here nor what was asked. An entry that is over is deleted.
"""

import hmac
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from terminal_agent.bridge.errors import SecretUnusable, StateUnusable

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
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
            key = own_key(folder / "bridge.key")
            self._database = _open(folder / "bridge.sqlite3")
        except (OSError, sqlite3.Error) as error:
            raise StateUnusable from error
        self._now = now
        self._names = _derive(key, b"bridge: names")
        self._cipher = AESGCM(_derive(key, b"bridge: content"))
        self._lock = threading.Lock()

    def put(self, kind: str, name: str, content: bytes, until: datetime) -> None:
        """Keep an entry in place of an earlier one of this name."""
        key, nonce = self._name(kind, name), secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, content, key)
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
            return self._cipher.decrypt(row[0][:_NONCE_BYTES], row[0][_NONCE_BYTES:], key)
        except InvalidTag:
            return None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _name(self, kind: str, name: str) -> bytes:
        return hmac.digest(self._names, f"{kind}\0{name}".encode(), sha256)


def own_key(file: Path) -> bytes:
    """Return the key in a file, made at its first use and readable by its owner alone.

    Raises:
        SecretUnusable: the file holds something else, or is open to others.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "wb") as made:
            made.write(secrets.token_bytes(KEY_BYTES))
            made.flush()
            os.fsync(made.fileno())
    key = file.read_bytes()
    if len(key) != KEY_BYTES or file.stat().st_mode & 0o077:
        raise SecretUnusable
    return key


def _open(file: Path) -> sqlite3.Connection:
    file.touch(mode=0o600)
    database = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=10)
    for pragma in ("journal_mode = wal", "synchronous = full", "secure_delete = on"):
        database.execute(f"pragma {pragma}")
    database.execute(_SCHEMA)
    return database


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _text(moment: datetime) -> str:
    return f"{moment.timestamp():020.3f}"
