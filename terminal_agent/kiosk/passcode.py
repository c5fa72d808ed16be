"""The passcode with which staff confirm a face by eye: kept as a hash in a file, tried a few times only."""

import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

MIN_LENGTH: Final = 6
TRIES: Final = 5
PAUSE: Final = timedelta(minutes=5)
_N, _R, _P = 2**15, 8, 1  # scrypt: 32 MiB and about a tenth of a second
_SALT_BYTES: Final = 16
_MAX_MEMORY: Final = 64 * 1024 * 1024


class PasscodeTrouble(Exception):
    """The passcode cannot be used or set; `code` names the advice."""

    code = "passcode_unreadable"


class PasscodesDiffer(PasscodeTrouble):
    """The two passcodes entered are not the same."""

    code = "passcodes_differ"


class PasscodeTooShort(PasscodeTrouble):
    """A passcode has at least six characters."""

    code = "passcode_too_short"


class PasscodeUnreadable(PasscodeTrouble):
    """The passcode's file is missing or malformed, or cannot be written."""


def write_passcode(file: Path, passcode: str) -> None:
    """Keep a new passcode's hash in a file that only its owner reads.

    Raises:
        PasscodeTooShort: it has fewer than six characters.
        PasscodeUnreadable: the file cannot be written.
    """
    if len(passcode) < MIN_LENGTH:
        raise PasscodeTooShort
    salt = secrets.token_bytes(_SALT_BYTES)
    fresh = file.with_name(file.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(f"scrypt {salt.hex()} {_hash(passcode, salt).hex()}\n")
        fresh.rename(file)
    except OSError as error:
        raise PasscodeUnreadable from error


@dataclass(slots=True)
class Passcode:
    """The passcode of this terminal, and how often it was wrong lately."""

    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    now: Callable[[], datetime]
    _wrong: list[datetime] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def read(cls, file: Path, now: Callable[[], datetime]) -> "Passcode":
        """Read the file.

        Raises:
            PasscodeUnreadable: it is missing or malformed.
        """
        try:
            kind, salt, digest = file.read_text(encoding="ascii").split()
            if kind != "scrypt":
                raise PasscodeUnreadable
            return cls(bytes.fromhex(salt), bytes.fromhex(digest), now)
        except (OSError, ValueError) as error:
            raise PasscodeUnreadable from error

    def may_be_tried(self) -> bool:
        """Return whether it was not too often wrong in the last minutes."""
        since = self.now() - PAUSE
        with self._lock:
            self._wrong = [moment for moment in self._wrong if moment > since]
            return len(self._wrong) < TRIES

    def is_right(self, entered: str) -> bool:
        """Compare what was entered; a wrong one counts, and each counts until it is known to be right."""
        tried_at = self.now()
        with self._lock:
            if not self.may_be_tried():
                return False
            self._wrong.append(tried_at)
        right = hmac.compare_digest(_hash(entered, self.salt), self.digest)
        if right:
            with self._lock, suppress(ValueError):
                self._wrong.remove(tried_at)
        return right


def _hash(passcode: str, salt: bytes) -> bytes:
    return hashlib.scrypt(passcode.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MAX_MEMORY)
