"""Every reason for which a card's proof is refused; a class's docstring is its message.

Several classes share a code: staff and vendor can do the same about each of them, and whoever tries the door learns
no more than that.
"""

from eligibility.domain.errors import Refused


class ChallengeRefused(Refused):
    """The challenge is refused."""


class ChallengeMalformed(ChallengeRefused):
    """The challenge does not have the form of those issued here."""

    code = "challenge_malformed"


class ChallengeForged(ChallengeRefused):
    """The challenge was not issued here to this terminal."""

    code = "challenge_forged"


class ChallengeExpired(ChallengeRefused):
    """The challenge's time is over, or ends later than that of any challenge issued by now."""

    code = "challenge_expired"


class CertificateRefused(Refused):
    """The certificate is refused."""


class CertificateMalformed(CertificateRefused):
    """The certificate is not the DER of one X.509 version 3 certificate within the size limit."""

    code = "certificate_malformed"


class IssuerUnknown(CertificateRefused):
    """The certificate names none of the pinned authorities' keys as its issuer's."""

    code = "issuer_unknown"


class IssuerExpired(IssuerUnknown):
    """The authority's own certificate is not valid now, so nothing it issued is."""


class IssuerSignatureRefused(IssuerUnknown):
    """The certificate was not signed by the authority it names as its issuer."""


class CertificateProfileRefused(CertificateRefused):
    """The certificate is not one for user authentication."""

    code = "certificate_profile"


class KeyRefused(CertificateProfileRefused):
    """The certificate's key is not RSA of 2048 bits with the exponent 65537."""


class AlgorithmRefused(CertificateProfileRefused):
    """The certificate is not signed by RSA PKCS #1 v1.5 with SHA-256."""


class KeyUsageRefused(CertificateProfileRefused):
    """The certificate's key is for something else than authenticating its holder."""


class PolicyRefused(CertificateProfileRefused):
    """The certificate was not issued under the policy for user authentication."""


class AuthorityCertificateRefused(CertificateProfileRefused):
    """The certificate is an authority's, not a card's."""


class CriticalExtensionRefused(CertificateProfileRefused):
    """The certificate has a critical extension whose meaning is not known here."""


class CertificateNotYetValid(CertificateRefused):
    """The certificate's validity has not begun."""

    code = "certificate_not_yet_valid"


class CertificateExpired(CertificateRefused):
    """The certificate has expired, and so has its grace of three months after the month of expiry."""

    code = "certificate_expired"


class CertificateRevoked(CertificateRefused):
    """The certificate is on its authority's revocation list."""

    code = "certificate_revoked"


class RevocationUnknown(CertificateRefused):
    """There is no fresh revocation list of the certificate's authority."""

    code = "revocation_unknown"


class SignatureRefused(Refused):
    """The signature is not the certified key's over this challenge."""

    code = "signature_refused"
