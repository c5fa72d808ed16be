"""Challenges for cards to sign: made and recognised by a key alone, so that no process has to remember them.

That each is used only once is not held here but by a unique key of the durable record.
"""

import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from eligibility.domain.errors import DomainError
from eligibility.identity.refusals import ChallengeExpired, ChallengeForged, ChallengeMalformed

CHALLENGE_LIFETIME: Final = timedelta(seconds=120)
CLOCK_DIFFERENCE: Final = timedelta(seconds=5)  # between the process that issued a challenge and the one that opens it
SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 16
MAX_KEYS: Final = 4

_VERSION: Final = 1
_HEAD: Final = struct.Struct(">B4sQ")  # version, key identifier, expiry in µs since 1970; the nonce follows
_BODY_BYTES: Final = _HEAD.size + NONCE_BYTES
_MAC_BYTES: Final = 32
_LABEL: Final = b"eligibility-challenge/v1"  # so that the key's MACs mean nothing elsewhere
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class ChallengeKeyRefused(DomainError, ValueError):
    """A challenge key file holds 1 to 4 different secrets of 32 bytes, the newest first, and nothing else."""


@dataclass(frozen=True, slots=True)
class ChallengeKey:
    """A secret and the identifier by which a challenge names it."""

    secret: bytes = field(repr=False)
    _keyed: hmac.HMAC = field(init=False, repr=False, compare=False)  # a copy costs half of keying it anew

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise ChallengeKeyRefused
        object.__setattr__(self, "_keyed", hmac.new(self.secret, _LABEL, "sha256"))

    @property
    def key_id(self) -> bytes:
        """Four bytes made from the secret, so that the two cannot be configured apart."""
        return hashlib.sha256(_LABEL + b" key" + self.secret).digest()[:4]

    def mac(self, bound: bytes) -> bytes:
        """Return the MAC over a challenge's body and the terminal that it is bound to."""
        keyed = self._keyed.copy()
        keyed.update(bound)
        return keyed.digest()


@dataclass(frozen=True, slots=True)
class OpenedChallenge:
    """What an authentic challenge of the calling terminal holds."""

    nonce: bytes
    expires_at: datetime


class ChallengeKeys:
    """The keys in use: the first one issues, the others only recognise what they issued before a rotation."""

    def __init__(self, *keys: ChallengeKey) -> None:
        self._keys = {key.key_id: key for key in keys}
        if not 1 <= len(keys) <= MAX_KEYS or len(self._keys) != len(keys):
            raise ChallengeKeyRefused
        self._issuing, self._issuing_id = keys[0], keys[0].key_id

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the secrets, 32 bytes each, the newest first. To rotate: put a new one in front, drop the last later.

        Raises:
            ChallengeKeyRefused: the file has another length, or one secret twice.
        """
        data = path.read_bytes()
        if len(data) % SECRET_BYTES:
            raise ChallengeKeyRefused
        return cls(*(ChallengeKey(data[at : at + SECRET_BYTES]) for at in range(0, len(data), SECRET_BYTES)))

    def expires_at(self, now: datetime) -> datetime:
        """Return when a challenge issued now ends."""
        return now + CHALLENGE_LIFETIME

    def issue(self, terminal_id: UUID, now: datetime, count: int, random: Callable[[int], bytes]) -> list[bytes]:
        """Make challenges that only this terminal can use, until they expire; `random` gives that many random bytes."""
        head = _HEAD.pack(_VERSION, self._issuing_id, (self.expires_at(now) - _EPOCH) // _MICROSECOND)
        nonces, bound, mac = random(NONCE_BYTES * count), terminal_id.bytes, self._issuing.mac
        bodies = [head + nonces[at : at + NONCE_BYTES] for at in range(0, len(nonces), NONCE_BYTES)]
        return [body + mac(body + bound) for body in bodies]

    def open(self, challenge: bytes, terminal_id: UUID, now: datetime) -> OpenedChallenge:
        """Recognise a challenge of this terminal. Its nonce is known from nowhere else.

        (1) form; (2) MAC over everything in it and the terminal; (3) time.

        Raises:
            ChallengeMalformed: no challenge ever looked like this.
            ChallengeForged: it was not issued here, or to another terminal; which of the two cannot be told.
            ChallengeExpired: its time is over, or ends too far ahead: one of the clocks involved is wrong.
        """
        # (1)
        if len(challenge) != _BODY_BYTES + _MAC_BYTES or challenge[0] != _VERSION:
            raise ChallengeMalformed
        body, mac = challenge[:_BODY_BYTES], challenge[_BODY_BYTES:]
        (_, key_id, micros), nonce = _HEAD.unpack_from(body), body[_HEAD.size :]

        # (2)
        key = self._keys.get(key_id)
        if key is None or not hmac.compare_digest(key.mac(body + terminal_id.bytes), mac):
            raise ChallengeForged

        # (3)
        expires_at = _EPOCH + micros * _MICROSECOND
        if not now <= expires_at <= now + CHALLENGE_LIFETIME + CLOCK_DIFFERENCE:
            raise ChallengeExpired
        return OpenedChallenge(nonce, expires_at)
