"""A card's user-authentication certificate (利用者証明用電子証明書): how it is verified, how long it is good for."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from eligibility.domain.dates import JAPAN
from eligibility.identity.parsing import UNREADABLE, ends_with_signature
from eligibility.identity.refusals import (
    AlgorithmRefused,
    AuthorityCertificateRefused,
    CertificateExpired,
    CertificateMalformed,
    CertificateNotYetValid,
    CriticalExtensionRefused,
    IssuerSignatureRefused,
    KeyRefused,
    KeyUsageRefused,
    PolicyRefused,
)
from eligibility.identity.trust import Anchor, TrustStore
from eligibility.wire.verifications import MAX_CERTIFICATE_BYTES

AUTH_POLICY: Final = x509.ObjectIdentifier("1.2.392.200149.8.5.1.3.30")
# JPKI issues nothing else today. A next generation of cards will bring another key type: it will then be added here
# with its own verification, rather than let in by a wider rule now.
KEY_BITS: Final = 2048
KEY_EXPONENT: Final = 65537
MAX_SERIAL_BITS: Final = 159  # 20 octets and positive, RFC 5280 §4.1.2.2

# Extensions that are judged below, and may therefore be critical.
_JUDGED: Final = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.BASIC_CONSTRAINTS,
    }
)
_OTHER_USES: Final = (
    "content_commitment",  # 非否認: this is what makes a signature certificate
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_E = TypeVar("_E", bound=x509.ExtensionType)

MONTHS_OF_GRACE: Final = 3
MONTHS_OF_WARNING: Final = 3


class Validity(StrEnum):
    """How a certificate's dates stand at a moment at which it may still be used.

    In the grace a list may already have dropped a revoked certificate (RFC 5280 §3.3), one more reason why medical
    data stay closed then.
    """

    CURRENT = "current"
    EXPIRING_SOON = "expiring_soon"  # within three months: the patient is told to renew
    GRACE = "grace"  # expired, usable for eligibility but not for medical data


@dataclass(frozen=True, slots=True)
class AuthCertificate:
    """A user-authentication certificate whose signature and profile have been verified; nothing else makes one."""

    card_key: bytes  # the issuer's key identifier (20 bytes), then the serial number, big-endian
    serial: int = field(repr=False)
    issuer: Anchor
    public_key: rsa.RSAPublicKey = field(compare=False, repr=False)
    not_before: datetime
    not_after: datetime
    _expires_soon_from: datetime = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_expires_soon_from", _months_before(self.not_after, MONTHS_OF_WARNING))

    def __repr__(self) -> str:
        # The serial number names a person as surely as a name does.
        return f"AuthCertificate(issuer={self.issuer.key_id.hex()[:8]}…, not_after={self.not_after.isoformat()})"

    def validity_at(self, now: datetime) -> Validity:
        """Judge the dates: until the end, in Japan, of the third month after the month of expiry there is grace.

        Raises:
            CertificateNotYetValid: it begins later.
            CertificateExpired: the grace is over, too.
        """
        if now < self.not_before:
            raise CertificateNotYetValid
        if now > self.not_after:
            if now >= grace_ends_at(self.not_after):
                raise CertificateExpired
            return Validity.GRACE
        if now >= self._expires_soon_from:
            return Validity.EXPIRING_SOON
        return Validity.CURRENT


def verify_certificate(der: bytes, *, trust: TrustStore, now: datetime) -> AuthCertificate:
    """Verify that a pinned authority issued this certificate for authenticating a card's holder.

    (1) one X.509 version 3 certificate in DER, within the limit, naming its issuer's key (RFC 5280 §4.1, §4.2.1.1);
    (2) the issuer is a pinned generation, valid now; there are no intermediates;
    (3) that generation signed it, by RSA PKCS #1 v1.5 with SHA-256, under its own name (§6.1.3 (a));
    (4) the key is RSA-2048 with exponent 65537; (5) it is for digital signatures and nothing more (§4.2.1.3), and an
    extended usage, where stated, allows client authentication (§4.2.1.12); (6) the policy is that for user
    authentication (JPKI 1.2.392.200149.8.5.1.3.30); (7) it is not an authority's (§4.2.1.9); (8) no critical extension
    is left unjudged (§4.2).
    Its dates and its revocation are judged apart, because they change.

    Raises:
        CertificateMalformed: (1).
        IssuerUnknown: (2) and (3), with its subclasses.
        CertificateProfileRefused: the algorithm of (3), and (4) to (8), with its subclasses.
    """
    # (1) form
    certificate = _parse(der)
    try:
        extensions = certificate.extensions
        public_key = certificate.public_key()
        issuer_key_id = _extension(extensions, x509.AuthorityKeyIdentifier)
    except UNREADABLE as error:
        raise CertificateMalformed from error
    if issuer_key_id is None or issuer_key_id.key_identifier is None:
        raise CertificateMalformed

    # (2) issuer
    anchor = trust.issuer(issuer_key_id.key_identifier, now)

    # (3) path
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.RSA_WITH_SHA256:
        raise AlgorithmRefused
    try:
        certificate.verify_directly_issued_by(anchor.certificate)
    except (InvalidSignature, *UNREADABLE) as error:
        raise IssuerSignatureRefused from error

    # (4) to (8) profile
    rsa_key = _check_key(public_key)
    _check_usage(extensions)
    _check_policy(extensions)
    _check_not_an_authority(extensions)
    _check_critical_extensions(extensions)

    serial = certificate.serial_number
    return AuthCertificate(
        anchor.key_id + serial.to_bytes((serial.bit_length() + 7) // 8),
        serial,
        anchor,
        rsa_key,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def grace_ends_at(not_after: datetime) -> datetime:
    """Return the moment at which an expired certificate stops being usable for eligibility, in Japan's time."""
    expired = not_after.astimezone(JAPAN)
    months = expired.year * 12 + expired.month - 1 + MONTHS_OF_GRACE + 1
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=JAPAN)


def _parse(der: bytes) -> x509.Certificate:
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise CertificateMalformed
    try:
        certificate = x509.load_der_x509_certificate(der)  # strict: refuses BER, and bytes after the end
        serial = certificate.serial_number
        version = certificate.version
    except UNREADABLE as error:
        raise CertificateMalformed from error
    if version is not x509.Version.v3 or serial <= 0 or serial.bit_length() > MAX_SERIAL_BITS:
        raise CertificateMalformed
    if not ends_with_signature(der, certificate.signature):
        raise CertificateMalformed
    return certificate


def _check_key(public_key: object) -> rsa.RSAPublicKey:
    if (
        not isinstance(public_key, rsa.RSAPublicKey)
        or public_key.key_size != KEY_BITS
        or public_key.public_numbers().e != KEY_EXPONENT
    ):
        raise KeyRefused
    return public_key


def _check_usage(extensions: x509.Extensions) -> None:
    usage = _extension(extensions, x509.KeyUsage)
    if usage is None or not usage.digital_signature or any(getattr(usage, other) for other in _OTHER_USES):
        raise KeyUsageRefused
    extended = _extension(extensions, x509.ExtendedKeyUsage)
    if extended is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in extended:
        raise KeyUsageRefused


def _check_policy(extensions: x509.Extensions) -> None:
    policies = _extension(extensions, x509.CertificatePolicies)
    if policies is None or AUTH_POLICY not in {policy.policy_identifier for policy in policies}:
        raise PolicyRefused


def _check_not_an_authority(extensions: x509.Extensions) -> None:
    constraints = _extension(extensions, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise AuthorityCertificateRefused


def _check_critical_extensions(extensions: x509.Extensions) -> None:
    if any(extension.critical and extension.oid not in _JUDGED for extension in extensions):
        raise CriticalExtensionRefused


def _extension(extensions: x509.Extensions, kind: type[_E]) -> _E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _months_before(moment: datetime, months: int) -> datetime:
    there = moment.astimezone(JAPAN)
    number = there.year * 12 + there.month - 1 - months
    first = there.replace(year=number // 12, month=number % 12 + 1, day=1)
    last_day = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(there.day, last_day.day))
