"""Seals the outbox's rows, each for its own place, with a key from the OS keyring or a key file."""

import hmac
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import keyring
from keyring.errors import KeyringError

from terminal_agent.sealing import KEY_BYTES, KeyFileUnusable, NotSealedHere, Sealer, own_key

_SERVICE: Final = "eligibility-terminal"


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
    _sealer: Sealer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sealer", Sealer(self.key))

    @classmethod
    def from_file(cls, path: Path, *, make: bool = True) -> "Seal":
        """Read the key, or make it where there is none; only its owner may read the file.

        Raises:
            KeyUnusable: the file is not 32 bytes, others may read it, or it cannot, or may not, be made.
        """
        if not make and not path.exists():
            raise KeyUnusable
        try:
            return cls(own_key(path))
        except (OSError, KeyFileUnusable) as error:
            raise KeyUnusable from error

    @classmethod
    def from_keyring(cls, name: str, *, make: bool = True) -> "Seal":
        """Read the key of this name from the OS keyring, or put a new one there.

        Raises:
            KeyUnusable: there is no keyring, it is locked, what it holds is no key, or none may be made.
        """
        try:
            if (held := keyring.get_password(_SERVICE, name)) is None and make:
                keyring.set_password(_SERVICE, name, secrets.token_hex(KEY_BYTES))
                held = keyring.get_password(_SERVICE, name)
            key = bytes.fromhex(held or "")
        except (KeyringError, ValueError) as error:
            raise KeyUnusable from error
        if len(key) != KEY_BYTES:
            raise KeyUnusable
        return cls(key)

    def close(self, value: Any, place: str) -> bytes:
        """Seal a value that JSON can hold."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return self._sealer.close(text.encode("utf-8"), place.encode("utf-8"))

    def open(self, sealed: bytes, place: str) -> Any:
        """Return what was sealed for this place.

        Raises:
            SealBroken: it was not sealed with this key for this place.
        """
        try:
            return json.loads(self._sealer.open(sealed, place.encode("utf-8")))
        except (NotSealedHere, ValueError) as error:
            raise SealBroken from error

    def name_of(self, data: bytes) -> bytes:
        """Return a name for data that tells nothing of them to one without the key."""
        return hmac.digest(self.key, b"outbox-name/v1" + data, "sha256")
