"""Remembers certificates whose path and profile have been verified, so that the next use of a card is cheap."""

import hashlib
from collections import OrderedDict
from datetime import datetime
from typing import Final

from eligibility.identity.certificate import AuthCertificate, verify_certificate
from eligibility.identity.trust import TrustStore

MAX_REMEMBERED: Final = 10_000  # about 50 MB; a card is mostly used again within the same visit


class VerifiedCertificates:
    """The certificates verified last by this process, by the SHA-256 of their DER.

    Only what cannot change is remembered: signature and profile. The issuer's place in the trust store, validity and
    revocation are judged at every use, so nothing here is ever older than the revocation list it is used with.
    Refusals are not remembered. It belongs to one event loop; threads do not share it.
    """

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._known: OrderedDict[bytes, AuthCertificate] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def verify(self, der: bytes, *, trust: TrustStore, now: datetime) -> AuthCertificate:
        """Return the verified certificate, by what is remembered or by `verify_certificate`.

        Raises:
            CertificateRefused: as `verify_certificate`.
        """
        digest = hashlib.sha256(der).digest()
        known = self._known.get(digest)
        if known is not None and trust.issuer(known.issuer.key_id, now) == known.issuer:
            self._known.move_to_end(digest)
            return known
        verified = verify_certificate(der, trust=trust, now=now)
        self._known[digest] = verified
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return verified
