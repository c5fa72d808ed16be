"""One authority's certificate revocation list (CRL): how it is verified, and what it says of a certificate."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID, SignatureAlgorithmOID

from eligibility.domain.errors import DomainError
from eligibility.identity.parsing import UNREADABLE, ends_with_signature
from eligibility.identity.trust import Anchor, TrustStore

MAX_AGE: Final = timedelta(hours=1)  # of revocation data, counted from the list's thisUpdate
MAX_LIST_BYTES: Final = 256 * 1024 * 1024  # some six million entries, about 600 MB of memory once read

# A list's critical extension is judged below or refuses the list; so it is with an entry's (RFC 5280 §5.2, §5.3).
_JUDGED: Final = frozenset(
    {ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER, ExtensionOID.ISSUING_DISTRIBUTION_POINT}
)
_ENTRY_JUDGED: Final = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})


class RevocationListRefused(DomainError):
    """A revocation list is refused."""


class ListMalformed(RevocationListRefused):
    """The file is not one complete revocation list in DER, naming its issuer's key and its next update."""


class ListIssuerUnknown(RevocationListRefused):
    """The list's issuer is none of the pinned authorities, by key or by name."""


class ListForged(RevocationListRefused):
    """The list is not signed by the authority it names, by RSA PKCS #1 v1.5 with SHA-256."""


class ListNotYetValid(RevocationListRefused):
    """The list claims to have been made later than now."""


class ListStale(RevocationListRefused):
    """The list is over an hour old, or past its next update."""


class ListPartial(RevocationListRefused):
    """The list does not speak of all the authority's certificates, or has an extension not known here."""


class ListOlder(RevocationListRefused):
    """The list is older than the one already held."""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """Every revoked serial number of one generation, as of a moment.

    An entry counts whatever its reason and its date: a certificate on hold, or one to be revoked tomorrow, does not
    open anything today.
    """

    issuer_key_id: bytes
    this_update: datetime
    next_update: datetime
    number: int | None
    revoked: frozenset[int] = field(repr=False)

    def fresh_at(self, now: datetime) -> bool:
        """Whether the list may be relied on; never when it was made later than now, since one clock is wrong then."""
        return self.this_update <= now <= min(self.next_update, self.this_update + MAX_AGE)

    def replaces(self, held: "RevocationList") -> bool:
        """Whether this list may take the place of another: made later, and not numbered lower (RFC 5280 §5.2.3)."""
        if self.number is not None and held.number is not None and self.number < held.number:
            return False
        return self.this_update > held.this_update


def read_revocation_list(der: bytes, trust: TrustStore, now: datetime) -> RevocationList:
    """Verify a list (RFC 5280 §6.3.3).

    (1) one list in DER with both times and the issuer's key identifier; (2) the issuer is pinned, by key and by name;
    (3) its signature; (4) it is complete: no delta, not indirect, not for some certificates or reasons only, nothing
    critical that is unknown here; (5) made before now, and fresh. Lists are checked against expired generations too:
    it does no harm, as their certificates are refused before.

    Raises:
        RevocationListRefused: the subclass says which step failed.
    """
    # (1) form
    try:
        found = x509.load_der_x509_crl(der)
        this_update, next_update = found.last_update_utc, found.next_update_utc
        extensions = found.extensions
        key_id = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        issuer = found.issuer
    except UNREADABLE as error:
        raise ListMalformed from error
    if next_update is None or key_id is None or not ends_with_signature(der, found.signature):
        raise ListMalformed

    # (2) issuer
    anchor = trust.anchors.get(key_id)
    if anchor is None or issuer != anchor.certificate.subject:
        raise ListIssuerUnknown

    # (3) signature
    _check_signature(found, anchor)

    # (4) completeness
    _check_complete(extensions)
    revoked = _revoked_serials(found)

    # (5) time
    if this_update > now:
        raise ListNotYetValid
    checked = RevocationList(key_id, this_update, next_update, _number(extensions), revoked)
    if not checked.fresh_at(now):
        raise ListStale
    return checked


def _check_signature(found: x509.CertificateRevocationList, anchor: Anchor) -> None:
    if found.signature_algorithm_oid != SignatureAlgorithmOID.RSA_WITH_SHA256:
        raise ListForged
    try:
        holds = found.is_signature_valid(anchor.public_key)
    except UNREADABLE as error:
        raise ListForged from error
    if not holds:
        raise ListForged


def _check_complete(extensions: x509.Extensions) -> None:
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator) or (extension.critical and extension.oid not in _JUDGED):
            raise ListPartial
        if isinstance(value, x509.IssuingDistributionPoint) and (
            # A list for one distribution point speaks only of the certificates that name that point.
            value.full_name is not None
            or value.relative_name is not None
            or value.only_contains_ca_certs
            or value.only_contains_attribute_certs
            or value.only_some_reasons is not None
            or value.indirect_crl
        ):
            raise ListPartial


def _revoked_serials(found: x509.CertificateRevocationList) -> frozenset[int]:
    serials = set()
    try:
        for entry in found:
            if any(extension.critical and extension.oid not in _ENTRY_JUDGED for extension in entry.extensions):
                raise ListPartial
            serials.add(entry.serial_number)
    except UNREADABLE as error:
        raise ListMalformed from error
    return frozenset(serials)


def _number(extensions: x509.Extensions) -> int | None:
    try:
        return extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None
