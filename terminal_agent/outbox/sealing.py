"""Seals what the outbox keeps: AES-256-GCM, bound to the row, with a key from the OS keyring or a key file."""

import hmac
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import keyring
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from keyring.errors import KeyringError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SERVICE: Final = "eligibility-terminal"
_OTHERS: Final = 0o077


class OutboxTrouble(Exception):
    """The outbox cannot be used; `code` names the advice."""

    code = "outbox_unusable"

    def __str__(self) -> str:
        return (type(self).__doc__ or "").strip().splitlines()[0]


class KeyUnusable(OutboxTrouble):
    """The outbox's key cannot be read or made: no keyring answers, or the key file is not its owner's alone."""

    code = "outbox_key_unusable"


class KeyWrong(OutboxTrouble):
    """The outbox was sealed with another key; its visits cannot be read with this one."""

    code = "outbox_key_wrong"


class SealBroken(OutboxTrouble):
    """A row of the outbox was changed, or moved from where it was sealed."""

    code = "outbox_seal_broken"


@dataclass(frozen=True, slots=True)
class Seal:
    """A key, and what it opens and closes; `place` is bound in, so that no row can stand for another."""

    key: bytes = field(repr=False)

    @classmethod
    def from_file(cls, path: Path) -> "Seal":
        """Read the key, or make it where there is none; only its owner may read the file.

        Raises:
            KeyUnusable: the file is not 32 bytes, others may read it, or it cannot be made.
        """
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return cls._read(path)
        except OSError as error:
            raise KeyUnusable from error
        key = secrets.token_bytes(KEY_BYTES)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    @classmethod
    def from_keyring(cls, name: str) -> "Seal":
        """Read the key of this name from the OS keyring, or put a new one there.

        Raises:
            KeyUnusable: there is no keyring, it is locked, or what it holds is no key.
        """
        try:
            if (held := keyring.get_password(_SERVICE, name)) is None:
                keyring.set_password(_SERVICE, name, secrets.token_hex(KEY_BYTES))
                held = keyring.get_password(_SERVICE, name)
            key = bytes.fromhex(held or "")
        except (KeyringError, ValueError) as error:
            raise KeyUnusable from error
        if len(key) != KEY_BYTES:
            raise KeyUnusable
        return cls(key)

    @classmethod
    def _read(cls, path: Path) -> "Seal":
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & _OTHERS:
                    raise KeyUnusable
                key = file.read(KEY_BYTES + 1)
        except OSError as error:
            raise KeyUnusable from error
        if len(key) != KEY_BYTES:
            raise KeyUnusable
        return cls(key)

    def close(self, value: Any, place: str, random: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
        """Seal a value that JSON can hold."""
        nonce = random(_NONCE_BYTES)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        return nonce + AESGCM(self.key).encrypt(nonce, text, place.encode("utf-8"))

    def open(self, sealed: bytes, place: str) -> Any:
        """Return what was sealed for this place.

        Raises:
            SealBroken: it was not sealed with this key for this place.
        """
        try:
            text = AESGCM(self.key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode("utf-8"))
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error
        return json.loads(text)

    def name_of(self, data: bytes) -> bytes:
        """Return a name for data that tells nothing of them to one without the key."""
        return hmac.digest(self.key, b"outbox-name/v1" + data, "sha256")
