"""The card-verifiable certificate of the visual application (EF 0004), and keys and signatures as the card has them.

It names the key that signed it by 16 bytes and does not carry it, so whoever checks it must hold the authority's key:
one taken off the same card would prove nothing.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from terminal_agent.card import tlv
from terminal_agent.card.errors import CardDataForged, CardDataMalformed

KEY_ID_BYTES: Final = 16
CERTIFICATE_TAG: Final = 0x7F21
BODY_TAG: Final = 0x5F4E
SIGNATURE_TAG: Final = 0x5F37
EXPONENT_TAG: Final = 0x90
MODULUS_TAG: Final = 0x91

_KEY_BITS: Final = 2048
_EXPONENT: Final = 65537  # of every key anybody has seen there
# RFC 8017 §9.2: DigestInfo { SHA-256, NULL } up to the digest's own tag.
_SHA256_ALGORITHM: Final = bytes.fromhex("300d06096086480165030402010500")


@dataclass(frozen=True, slots=True)
class CvCertificate:
    """A certified key, and which key certified it."""

    issuer_key_id: bytes
    subject_key_id: bytes
    key: rsa.RSAPublicKey
    body: bytes
    signature: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read EF 0004: `7F21 {5F4E {issuer 16, subject 16, key}, 5F37 signature}`.

        Raises:
            CardDataMalformed: any other form.
        """
        try:
            parts = tlv.decode(tlv.decode(raw)[CERTIFICATE_TAG])
            body, signature = parts[BODY_TAG], parts[SIGNATURE_TAG]
        except KeyError as error:
            raise CardDataMalformed from error
        ids = 2 * KEY_ID_BYTES
        return cls(body[:KEY_ID_BYTES], body[KEY_ID_BYTES:ids], parse_key(body[ids:]), body, signature)

    def verify(self, authority: rsa.RSAPublicKey) -> None:
        """Check that the authority certified this key.

        Raises:
            CardDataForged: it did not.
        """
        verify_signature(authority, digest_info(sha256(self.body).digest()), self.signature)


Authorities = Mapping[bytes, rsa.RSAPublicKey]


def load_authorities(pem_by_key_id: Mapping[str, bytes]) -> Authorities:
    """Read pinned authorities: PEM public keys by the 32 hexadecimal digits of their key id.

    Raises:
        ValueError: an id of another length, or no RSA key of the right kind.
    """
    return {_key_id(name): _checked(load_pem_public_key(pem)) for name, pem in pem_by_key_id.items()}


def parse_key(raw: bytes) -> rsa.RSAPublicKey:
    """Read `90 exponent, 91 modulus`; only RSA-2048 with exponent 65537 is a card's key.

    Raises:
        CardDataMalformed: anything else.
    """
    parts = tlv.decode(raw)
    try:
        exponent, modulus = (int.from_bytes(parts[tag], "big") for tag in (EXPONENT_TAG, MODULUS_TAG))
        return _checked(rsa.RSAPublicNumbers(exponent, modulus).public_key())
    except (KeyError, ValueError) as error:
        raise CardDataMalformed from error


def encode_key(key: rsa.RSAPublicKey) -> bytes:
    """Write a key as the card does."""
    numbers = key.public_numbers()
    exponent = tlv.encode(EXPONENT_TAG, numbers.e.to_bytes(3, "big"))
    return exponent + tlv.encode(MODULUS_TAG, numbers.n.to_bytes(_KEY_BITS // 8, "big"))


def digest_info(digest: bytes) -> bytes:
    """Return the DigestInfo of SHA-256 digests; the visual record puts three of them into one."""
    inner = _SHA256_ALGORITHM + bytes((0x04, len(digest))) + digest
    return bytes((0x30, len(inner))) + inner


def verify_signature(key: rsa.RSAPublicKey, payload: bytes, signature: bytes) -> None:
    """Check a PKCS #1 v1.5 signature whose payload is this DigestInfo, byte for byte.

    Raises:
        CardDataForged: the signature is another's, or of something else.
    """
    try:
        signed = key.recover_data_from_signature(signature, padding.PKCS1v15(), None)
    except (InvalidSignature, ValueError) as error:
        raise CardDataForged from error
    if not hmac.compare_digest(signed, payload):
        raise CardDataForged


def _key_id(name: str) -> bytes:
    key_id = bytes.fromhex(name)
    if len(key_id) != KEY_ID_BYTES:
        raise ValueError("a key id has 16 bytes")
    return key_id


def _checked(key: PublicKeyTypes) -> rsa.RSAPublicKey:
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != _KEY_BITS or key.public_numbers().e != _EXPONENT:
        raise ValueError("a key of the visual application is RSA-2048 with exponent 65537")
    return key
