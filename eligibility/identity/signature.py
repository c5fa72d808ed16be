"""Whether a signature is the card's over a challenge."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from eligibility.identity.certificate import AuthCertificate
from eligibility.identity.refusals import SignatureRefused
from eligibility.wire.verifications import SIGNATURE_CONTEXT

_PADDING = padding.PKCS1v15()
_HASH = SHA256()


def verify_signature(certificate: AuthCertificate, challenge: bytes, signature: bytes) -> None:
    """Check that the certified key signed this challenge, and signed it for this service.

    Raises:
        SignatureRefused: it did not.
    """
    verify_rsa_sha256(certificate.public_key, signature, SIGNATURE_CONTEXT + challenge)


def verify_rsa_sha256(public_key: rsa.RSAPublicKey, signature: bytes, message: bytes) -> None:
    """Check an RSASSA-PKCS1-v1_5 signature with SHA-256 (RFC 8017 §8.2.2).

    The signature has exactly the modulus's length, and the encoded digest exactly the form that a signer makes: a
    DigestInfo without its NULL, which RFC 8017 lets a verifier take, is refused. The key itself is not judged here.

    Raises:
        SignatureRefused: the signature does not hold.
    """
    if len(signature) * 8 != public_key.key_size:
        raise SignatureRefused
    try:
        public_key.verify(signature, message, _PADDING, _HASH)
    except InvalidSignature as error:
        raise SignatureRefused from error
