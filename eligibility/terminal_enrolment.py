"""A terminal's enrolment: a one-time code and a key it made itself become its certificate."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.errors import DomainError, MalformedValue, Refused
from eligibility.domain.identifiers import InstitutionCode
from eligibility.domain.ids import uuid7
from eligibility.serving.callers import Terminal
from eligibility.storage.audit import insert_event
from eligibility.storage.enrolment import EnrolledTerminal, enrol_by_code, enrolled_terminal
from eligibility.wire.enrolments import EnrolmentRequest, RenewalRequest, TerminalCertificate

# Crockford's base 32: no I, L, O or U, so that a code read over the telephone is understood.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES: Final = str.maketrans("ILO", "110")
CODE_CHARACTERS: Final = 20  # 100 bits
_GROUP: Final = 5
_SAFETY_MARGIN: Final = timedelta(minutes=1)  # a terminal's clock may be behind
MOST_ADDRESSES: Final = 10_000


class EnrolmentClosed(Refused):
    """This process holds no key of the terminals' authority."""

    code = "enrolment_closed"


class EnrolmentCodeRefused(Refused):
    """The code is wrong, expired, used for another key, or its institution has closed."""

    code = "enrolment_code_refused"


class EnrolmentThrottled(Refused):
    """Too many tries came from one address."""

    code = "enrolment_throttled"
    retry_after_s = 60


class MalformedCertificationRequest(MalformedValue):
    """A certification request is PKCS #10 in PEM, for an EC key on P-256, signed by that key."""


class TerminalAuthorityRefused(DomainError):
    """The terminals' authority is a CA certificate and its unencrypted key, both in PEM."""


@dataclass(frozen=True, slots=True)
class TerminalAuthority:
    """The CA that certifies terminals; what a terminal may be called is decided here, never by its request."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(repr=False)
    lifetime: timedelta

    @classmethod
    def read(cls, certificate: Path, key: Path, lifetime: timedelta) -> "TerminalAuthority":
        """Read both files.

        Raises:
            OSError: one cannot be read.
            TerminalAuthorityRefused: they are not a CA and its key.
        """
        try:
            authority = x509.load_pem_x509_certificate(certificate.read_bytes())
            secret = serialization.load_pem_private_key(key.read_bytes(), password=None)
            is_ca = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
            raise TerminalAuthorityRefused from error
        if (
            not is_ca
            or not isinstance(secret, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
            or secret.public_key() != authority.public_key()
        ):
            raise TerminalAuthorityRefused
        return cls(authority, secret, lifetime)

    def certify(
        self, key: ec.EllipticCurvePublicKey, terminal_id: UUID, institution: InstitutionCode, now: datetime
    ) -> x509.Certificate:
        """Sign a certificate for mutual TLS, with the terminal's one SAN URI."""
        uri = f"urn:eligibility:institution:{institution.code}:terminal:{terminal_id}"
        usage = {name: name == "digital_signature" for name in _KEY_USAGES}
        authority_id = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"terminal {terminal_id}")]))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SAFETY_MARGIN)
            .not_valid_after(min(now + self.lifetime, self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), critical=False)
            .sign(self.key, hashes.SHA256())
        )


class EnrolmentThrottle:
    """Bounds the tries of one address in this process; a code of 100 bits is not guessed, but each try is looked up."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_minute, self._clock = a_minute, clock
        self._tries: dict[str, tuple[float, int]] = {}

    def count(self, address: str) -> None:
        """Count one try.

        Raises:
            EnrolmentThrottled: the address has had its tries of this minute.
        """
        now = self._clock()
        if len(self._tries) >= MOST_ADDRESSES:
            self._tries = {a: kept for a, kept in self._tries.items() if now - kept[0] < 60}
        began, tries = self._tries.get(address, (now, 0))
        if now - began >= 60:
            began, tries = now, 0
        if tries >= self._a_minute or (len(self._tries) >= MOST_ADDRESSES and address not in self._tries):
            raise EnrolmentThrottled
        self._tries[address] = (began, tries + 1)


def new_code(random_bits: Callable[[int], int]) -> str:
    """Make a code: 100 random bits in groups that are read aloud."""
    bits = random_bits(5 * CODE_CHARACTERS)
    letters = "".join(_ALPHABET[bits >> 5 * place & 31] for place in range(CODE_CHARACTERS))
    return "-".join(letters[at : at + _GROUP] for at in range(0, CODE_CHARACTERS, _GROUP))


def code_hash(code: str) -> bytes:
    """Return what is kept of a code, however it was typed.

    SHA-256 without a salt: a hundred random bits need none.
    """
    typed = "".join(character for character in code.upper() if character not in "- ").translate(_LOOKALIKES)
    return sha256(b"enrolment-code/v1" + typed.encode("utf-8")).digest()


async def enrol(
    pool: Any, authority: TerminalAuthority | None, request: EnrolmentRequest, now: datetime
) -> TerminalCertificate:
    """Use a code up and certify the key of the request; sent again with the same key, it is answered again.

    Raises:
        EnrolmentClosed: this process certifies nobody.
        MalformedCertificationRequest: the request is not of the one form taken.
        EnrolmentCodeRefused: the code is good for nothing, or for another key.
    """
    if authority is None:
        raise EnrolmentClosed
    key = _requested_key(request.certification_request)
    async with pool.acquire() as connection, connection.transaction():
        terminal = await enrol_by_code(connection, code_hash(request.code), _key_hash(key), uuid7(now), now)
        if terminal is None:
            raise EnrolmentCodeRefused
        await insert_event(
            connection, _event("terminal_enrolled" if terminal.is_new else "certificate_repeated", terminal, now)
        )
    return _certificate(authority, terminal, key, now)


async def renew(
    pool: Any, authority: TerminalAuthority | None, caller: Terminal, request: RenewalRequest, now: datetime
) -> TerminalCertificate:
    """Certify a new key of a terminal that calls with its old certificate.

    Raises:
        EnrolmentClosed, MalformedCertificationRequest: as `enrol`.
    """
    if authority is None:
        raise EnrolmentClosed
    key = _requested_key(request.certification_request)
    terminal = await enrolled_terminal(pool, caller.terminal_id)
    await insert_event(pool, _event("certificate_renewed", terminal, now))
    return _certificate(authority, terminal, key, now)


def _requested_key(pem: str) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(pem.encode("ascii"))
        holds, key = request.is_signature_valid, request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedCertificationRequest(field="certification_request") from error
    if not holds or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise MalformedCertificationRequest(field="certification_request")
    return key


def _key_hash(key: ec.EllipticCurvePublicKey) -> bytes:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).digest()


def _certificate(
    authority: TerminalAuthority, terminal: EnrolledTerminal, key: ec.EllipticCurvePublicKey, now: datetime
) -> TerminalCertificate:
    certificate = authority.certify(key, terminal.terminal_id, terminal.institution, now)
    return TerminalCertificate(
        terminal_id=terminal.terminal_id,
        institution_code=terminal.institution.code,
        institution_name=terminal.institution_name,
        name=terminal.name,
        certificate=certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        not_after=certificate.not_valid_after_utc,
    )


def _event(code: str, terminal: EnrolledTerminal, now: datetime) -> AuditEvent:
    return AuditEvent(
        uuid7(now), now, EventKind.ENROLMENT, code, ActorKind.TERMINAL, str(terminal.terminal_id),
        institution_code=terminal.institution.code,
    )  # fmt: skip


_KEY_USAGES: Final = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
