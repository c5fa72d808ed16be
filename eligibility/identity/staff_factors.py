"""The two factors of an institution's staff: a password (Argon2id) and an authenticator's passcode (TOTP, RFC 6238)."""

import secrets
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Final, Self
from uuid import UUID

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eligibility.domain.errors import DomainError, MalformedValue

SECRET_BYTES: Final = 32
MAX_SECRETS: Final = 4
STEP_S: Final = 30
CLOCK_STEPS: Final = 1  # a passcode of the step before or after is taken: the authenticator's clock is not ours
SHORTEST_PASSWORD: Final = 12
_NONCE_BYTES: Final = 12
_ISSUER: Final = "Eligibility verification"


class StaffKeyRefused(DomainError):
    """The staff key file holds one to four different secrets of 32 bytes."""


class SecretUnreadable(DomainError):
    """A sealed passcode secret is opened by none of the staff keys."""


class PasswordTooShort(MalformedValue):
    """A password has at least 12 characters."""


class StaffFactors:
    """Seals passcode secrets and judges both factors; hashing costs about 50 ms and 64 MiB, so it wants a thread."""

    def __init__(self, *keys: bytes) -> None:
        if not 1 <= len(set(keys)) == len(keys) <= MAX_SECRETS or any(len(key) != SECRET_BYTES for key in keys):
            raise StaffKeyRefused
        self._keys = [AESGCM(key) for key in keys]
        self._hasher = PasswordHasher()  # Argon2id with the parameters of RFC 9106 for little memory
        # What an unknown name is judged by, so that it costs the same work as a known one.
        self._nobodys_hash = self._hasher.hash(secrets.token_hex())
        self._nobodys_secret = pyotp.random_base32()

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the secrets, the newest first. To rotate: put a new one in front; drop the last when none needs it.

        Raises:
            StaffKeyRefused: the file has another length, or one secret twice.
        """
        data = path.read_bytes()
        return cls(*(data[at : at + SECRET_BYTES] for at in range(0, len(data), SECRET_BYTES)))

    def hash_password(self, password: str) -> str:
        """Return the hash that is stored.

        Raises:
            PasswordTooShort: it has fewer than 12 characters.
        """
        if len(password) < SHORTEST_PASSWORD:
            raise PasswordTooShort(field="password")
        return self._hasher.hash(_normal(password))

    def seal(self, secret: str, staff_id: UUID) -> bytes:
        """Encrypt a passcode secret for one member of staff: in another's row it cannot be opened."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._keys[0].encrypt(nonce, secret.encode("ascii"), staff_id.bytes)

    def open(self, sealed: bytes, staff_id: UUID) -> str:
        """Decrypt a passcode secret.

        Raises:
            SecretUnreadable: no key opens it, or it is another's.
        """
        for key in self._keys:
            try:
                return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], staff_id.bytes).decode("ascii")
            except InvalidTag:
                continue
        raise SecretUnreadable

    def judge(self, password: str, passcode: str, known: tuple[str, str] | None, now: datetime) -> int | None:
        """Return the time step of the passcode if both factors hold, else None.

        `known` is the stored hash and the opened passcode secret; without one, the same work is done for nothing.
        Both factors are always judged, so that neither the answer nor its time tells which of them was wrong.
        """
        stored_hash, secret = known or (self._nobodys_hash, self._nobodys_secret)
        password_holds = self._password_holds(stored_hash, password)
        step = _step_of(secret, passcode, now)
        return step if known and password_holds else None

    def _password_holds(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, _normal(password))
        except (VerificationError, InvalidHashError):
            return False


def new_passcode_secret() -> str:
    """Make the secret of an authenticator: 160 random bits in base32."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, name: str, institution_code: str) -> str:
    """Return the otpauth URI that an authenticator app takes, usually as a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=f"{name}@{institution_code}", issuer_name=_ISSUER)


def sign_in_key(name: str) -> str:
    """Return the form in which two spellings of a sign-in name are equal: width, case and spaces aside."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _step_of(secret: str, passcode: str, now: datetime) -> int | None:
    generator = pyotp.TOTP(secret, interval=STEP_S)
    present = int(now.timestamp()) // STEP_S
    matching = None
    for step in range(present - CLOCK_STEPS, present + CLOCK_STEPS + 1):
        if secrets.compare_digest(generator.generate_otp(step), passcode):
            matching = step
    return matching
