"""The pinned generations of one certification authority, chosen by their key and never by their name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import SignatureAlgorithmOID

from eligibility.domain.errors import DomainError
from eligibility.identity.parsing import UNREADABLE
from eligibility.identity.refusals import IssuerExpired, IssuerUnknown

MIN_AUTHORITY_KEY_BITS: Final = 2048  # JPKI's authorities; CRYPTREC allows nothing smaller
KEY_ID_BYTES: Final = 20  # SHA-1 of the key, RFC 5280 §4.2.1.2 (1); a card's key is this followed by its serial number


class AnchorRefused(DomainError, ValueError):
    """A certificate cannot be pinned as an authority's."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """One generation: an authority's self-signed certificate, pinned by the operator."""

    key_id: bytes
    certificate: x509.Certificate
    public_key: rsa.RSAPublicKey = field(compare=False, repr=False)
    not_before: datetime
    not_after: datetime

    @classmethod
    def from_certificate(cls, certificate: x509.Certificate) -> Self:
        """Check that a certificate is fit to be pinned.

        (1) signed by itself, RSA PKCS #1 v1.5 with SHA-256; (2) an RSA key of 2048 bits or more; (3) an authority
        that may sign certificates and lists (RFC 5280 §4.2.1.9, §4.2.1.3); (4) with a key identifier.
        Its time is not judged here: an expired generation stays pinned, unusable, until the operator removes it.

        Raises:
            AnchorRefused: saying which of these does not hold.
        """
        try:
            name = certificate.subject.rfc4514_string()
        except UNREADABLE as error:
            raise AnchorRefused("an authority's name cannot be read") from error
        try:
            # (1) self-signed
            if certificate.signature_algorithm_oid != SignatureAlgorithmOID.RSA_WITH_SHA256:
                raise AnchorRefused(f"{name}: not signed by RSA with SHA-256")
            certificate.verify_directly_issued_by(certificate)
            # (2) its key
            public_key = certificate.public_key()
            if not isinstance(public_key, rsa.RSAPublicKey) or public_key.key_size < MIN_AUTHORITY_KEY_BITS:
                raise AnchorRefused(f"{name}: not an RSA key of at least {MIN_AUTHORITY_KEY_BITS} bits")
            # (3) what it may sign
            extensions = certificate.extensions
            usage = extensions.get_extension_for_class(x509.KeyUsage).value
            constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
            if not (constraints.ca and usage.key_cert_sign and usage.crl_sign):
                raise AnchorRefused(f"{name}: not an authority that signs certificates and revocation lists")
            # (4) its key identifier
            key_id = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        except (InvalidSignature, *UNREADABLE) as error:
            if isinstance(error, AnchorRefused):
                raise
            raise AnchorRefused(f"{name}: not a self-signed authority ({type(error).__name__})") from error
        if len(key_id) != KEY_ID_BYTES:
            raise AnchorRefused(f"{name}: its key identifier does not have {KEY_ID_BYTES} bytes")
        return cls(key_id, certificate, public_key, certificate.not_valid_before_utc, certificate.not_valid_after_utc)

    def usable_at(self, now: datetime) -> bool:
        """Whether new paths may begin here: only while the authority's own certificate is valid."""
        return self.not_before <= now <= self.not_after


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The generations of one hierarchy, the one for user authentication; all have one name.

    A store never holds two hierarchies: a signature certificate that may not open this door would pass a path check
    against a store that also held its authority.
    """

    anchors: Mapping[bytes, Anchor]

    @classmethod
    def from_pem(cls, *pems: bytes) -> Self:
        """Pin every certificate of the PEM texts.

        Raises:
            AnchorRefused: a text holds none, one is unfit, two have one key identifier, or their names differ.
        """
        anchors: dict[bytes, Anchor] = {}
        for pem in pems:
            for certificate in _certificates(pem):
                anchor = Anchor.from_certificate(certificate)
                if anchors.setdefault(anchor.key_id, anchor) != anchor:
                    raise AnchorRefused("two authorities have one key identifier")
        if not anchors:
            raise AnchorRefused("no authority is pinned")
        if len({anchor.certificate.subject for anchor in anchors.values()}) > 1:
            raise AnchorRefused("the authorities are of more than one hierarchy")
        return cls(MappingProxyType(anchors))

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Pin every certificate of the folder's `*.pem` and `*.crt` files.

        Raises:
            AnchorRefused: as `from_pem`.
        """
        files = sorted(path for path in folder.iterdir() if path.suffix in (".pem", ".crt"))
        return cls.from_pem(*(path.read_bytes() for path in files))

    def issuer(self, key_id: bytes, now: datetime) -> Anchor:
        """Return the generation with this key, for a new path.

        Raises:
            IssuerUnknown: no pinned authority has it.
            IssuerExpired: that authority's certificate is not valid now.
        """
        anchor = self.anchors.get(key_id)
        if anchor is None:
            raise IssuerUnknown
        if not anchor.usable_at(now):
            raise IssuerExpired
        return anchor

    def usable_at(self, now: datetime) -> Iterator[Anchor]:
        """Yield the generations from which new paths may begin."""
        return (anchor for anchor in self.anchors.values() if anchor.usable_at(now))


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise AnchorRefused("a file holds no readable PEM certificate") from error
