"""Certification authorities for tests and the demo, and what a certificate of theirs may say, right or wrong.

Nothing here ever signs for a real system. `LeafProfile` is where a test says what is wrong with a certificate.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Extensions = Sequence[tuple[x509.ExtensionType, bool]]

AUTH_POLICY: Final = "1.2.392.200149.8.5.1.3.30"
SIGNATURE_POLICY: Final = "1.2.392.200149.8.5.1.1.20"
_UNKNOWN_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")  # the arc for examples (RFC 5612)
_KEY_USAGES: Final = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LeafProfile:
    """What a certificate says besides its holder; the defaults are a card's user-authentication certificate."""

    key_usage: frozenset[str] | None = frozenset({"digital_signature"})
    key_usage_critical: bool = True
    policies: tuple[str, ...] = (AUTH_POLICY,)
    ca: bool | None = None  # None leaves BasicConstraints out
    authority_key_id: bytes | None = b""  # empty: the issuer's; None leaves the extension out
    unknown_critical_extension: bool = False
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    key_size: int = 2048
    public_exponent: int = 65537
    hash_algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 = field(default_factory=hashes.SHA256)
    pss: bool = False  # signed by RSASSA-PSS (no salt: the same bytes each time) instead of PKCS #1 v1.5
    issuer: x509.Name | None = None  # None: the authority's own name


AUTH_PROFILE: Final = LeafProfile()
SIGNATURE_PROFILE: Final = LeafProfile(
    key_usage=frozenset({"digital_signature", "content_commitment"}), policies=(SIGNATURE_POLICY,)
)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def der(self) -> bytes:
        """The certificate as a card holds it."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write `name.crt` and `name.key` (PEM; only the owner may read the key) and return their paths.

        The key comes last, and whole: where it is, the certificate is.
        """
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        fresh = folder / f"{name}.key.new"
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        fresh.rename(key)
        return certificate, key

    @classmethod
    def read(cls, folder: Path, name: str) -> Self:
        """Read what `write` wrote."""
        key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise TypeError("a key of this PKI is RSA or EC")
        return cls(x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes()), key)


@dataclass(frozen=True, slots=True)
class Authority:
    """One generation of a certification authority."""

    certificate: x509.Certificate
    key: PrivateKey

    @classmethod
    def create(
        cls,
        name: x509.Name,
        now: datetime,
        *,
        years: int = 10,
        serial: int | None = None,
        rsa_key: bool = False,
        key: PrivateKey | None = None,
        extensions: Extensions = (),
    ) -> Self:
        """Make a self-signed authority that is valid from now on."""
        key = key or (_rsa_key() if rsa_key else ec.generate_private_key(ec.SECP256R1()))
        builder = (
            _builder(name, name, key, serial, now, years_later(now, years))
            .add_extension(_key_usage(frozenset({"key_cert_sign", "crl_sign"})), critical=True)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return cls(builder.sign(key, hashes.SHA256()), key)

    @property
    def key_id(self) -> bytes:
        """Its SubjectKeyIdentifier."""
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest

    @property
    def pem(self) -> bytes:
        """Its certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        subject: x509.Name,
        profile: LeafProfile,
        not_before: datetime,
        not_after: datetime,
        *,
        key: PrivateKey | None = None,
        serial: int | None = None,
    ) -> KeyPair:
        """Certify a key (a new RSA key when none is given) as the profile says."""
        key = key or _rsa_key(profile.key_size, profile.public_exponent)
        issuer = profile.issuer or self.certificate.subject
        builder = _builder(subject, issuer, key, serial, not_before, not_after)
        for extension, critical in self._extensions_of(profile):
            builder = builder.add_extension(extension, critical)
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 0) if profile.pss else None
        return KeyPair(builder.sign(self.key, profile.hash_algorithm, rsa_padding=scheme), key)

    def crl(
        self,
        revoked: Mapping[int, datetime],
        this_update: datetime,
        next_update: datetime,
        *,
        extensions: Extensions = (),
    ) -> bytes:
        """Sign the list (DER) of revoked serial numbers, each with the time of its revocation."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(this_update)
            .next_update(next_update)
            .add_extension(x509.AuthorityKeyIdentifier(self.key_id, None, None), critical=False)
            .add_extension(x509.CRLNumber(int(this_update.timestamp())), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for serial, moment in revoked.items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def save(self, folder: Path, name: str) -> None:
        """Write the certificate and the key."""
        KeyPair(self.certificate, self.key).write(folder, name)

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Read what `save` wrote."""
        pair = KeyPair.read(folder, name)
        return cls(pair.certificate, pair.key)

    def _extensions_of(self, profile: LeafProfile) -> list[tuple[x509.ExtensionType, bool]]:
        extensions: list[tuple[x509.ExtensionType, bool]] = []
        if profile.key_usage is not None:
            extensions.append((_key_usage(profile.key_usage), profile.key_usage_critical))
        if profile.policies:
            policies = [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in profile.policies]
            extensions.append((x509.CertificatePolicies(policies), True))
        if profile.authority_key_id is not None:
            key_id = profile.authority_key_id or self.key_id
            extensions.append((x509.AuthorityKeyIdentifier(key_id, None, None), False))
        if profile.ca is not None:
            extensions.append((x509.BasicConstraints(ca=profile.ca, path_length=None), True))
        if profile.unknown_critical_extension:
            extensions.append((x509.UnrecognizedExtension(_UNKNOWN_OID, b"\x05\x00"), True))
        return [*extensions, *profile.extensions]


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    serial: int | None,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or secrets.randbits(63) | 1)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


def _key_usage(usages: frozenset[str]) -> x509.KeyUsage:
    unknown = usages - set(_KEY_USAGES)
    if unknown:
        raise ValueError(f"no such key usage: {sorted(unknown)}")
    return x509.KeyUsage(**{usage: usage in usages for usage in _KEY_USAGES})


def _rsa_key(size: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(exponent, size)


def years_later(moment: datetime, years: int) -> datetime:
    """Return the same day of another year; 29 February becomes the 28th."""
    leap_day = moment.month == 2 and moment.day == 29
    return moment.replace(year=moment.year + years, day=28 if leap_day else moment.day)
