"""How this terminal seals what it keeps in files: keys made at first use, AES-256-GCM bound to a place.

The outbox, the bridge and the kiosk's memory each keep their own file and key in their own form; this is what they
share. What was sealed for one place cannot be opened in another's.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from terminal_agent.durable import make_once

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_OTHERS: Final = 0o077


class KeyFileUnusable(Exception):
    """The file holds no key of ours, or others than its owner may read it."""


class NotSealedHere(Exception):
    """The content was not sealed with this key for this place, or it was changed since."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """A key of 32 bytes, and what it opens and closes.

    Raises:
        ValueError: the key has another length.
    """

    key: bytes = field(repr=False)
    _cipher: AESGCM = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cipher", AESGCM(self.key))

    def close(self, content: bytes, place: bytes, random: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
        """Seal content for a place."""
        nonce = random(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return what was sealed for this place.

        Raises:
            NotSealedHere: it was not, or not with this key.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as error:
            raise NotSealedHere from error


def own_key(file: Path, *, over_empty: bool = False) -> bytes:
    """Return the key in a file, made at its first use and readable by its owner alone.

    With `over_empty` one is made for an empty file, too: what the lost key had sealed stays closed.

    Raises:
        KeyFileUnusable: the file holds something else, or is open to others.
        OSError: it can be neither read nor made.
    """
    make_once(file, secrets.token_bytes(KEY_BYTES), over_empty=over_empty)
    return _read(file)


def derive(key: bytes, purpose: bytes) -> bytes:
    """Return another key, which follows from one and a purpose and tells nothing of either."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        # Of the opened file itself, not of what its name stands for by then.
        closed_to_others = not os.fstat(opened.fileno()).st_mode & _OTHERS
        key = opened.read(KEY_BYTES + 1)
    if not closed_to_others or len(key) != KEY_BYTES:
        raise KeyFileUnusable
    return key
