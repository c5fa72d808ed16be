"""The receipt of a verification: a compact JWS the clinic keeps with the claim, checked offline by anyone.

ES256 (RFC 7518 §3.4); the key's id is its RFC 7638 thumbprint; the keys are published at /.well-known/jwks.json.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm
from pydantic_core import to_json

from eligibility.domain.errors import DomainError
from eligibility.wire.encoding import b64url

RECEIPT_TYPE = "eligibility-receipt+jwt"
_ALGORITHM = "ES256"
_ECDSA = ec.ECDSA(SHA256())
_HALF_BYTES = 32  # of a signature: r and s, one after the other (RFC 7518 §3.4)


class ReceiptRefused(Exception):
    """The receipt is not one that these keys have signed, or it was changed."""


class ReceiptKeyRefused(DomainError):
    """The receipt key must be an unencrypted EC key on P-256, in PEM."""


@dataclass(frozen=True, slots=True)
class ReceiptSigner:
    """The centre's signing key and its id."""

    key: ec.EllipticCurvePrivateKey
    key_id: str
    issuer: str
    header: str  # the first part of every receipt, as it travels

    @classmethod
    def from_pem(cls, pem: bytes, issuer: str) -> "ReceiptSigner":
        """Read an unencrypted P-256 key.

        Raises:
            ReceiptKeyRefused: it is another kind of key, or none.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ReceiptKeyRefused from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ReceiptKeyRefused
        key_id = _thumbprint(_public_jwk(key))
        return cls(key, key_id, issuer, _part({"alg": _ALGORITHM, "typ": RECEIPT_TYPE, "kid": key_id}))

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the receipt of these claims."""
        # Not by PyJWT, which lays out the same header for each: this is done for every answer.
        signed = f"{self.header}.{_part({'iss': self.issuer, **claims})}"
        r, s = decode_dss_signature(self.key.sign(signed.encode("ascii"), _ECDSA))
        return f"{signed}.{b64url(r.to_bytes(_HALF_BYTES, 'big') + s.to_bytes(_HALF_BYTES, 'big'))}"

    def published_keys(self) -> dict[str, Any]:
        """Return the JWK set (RFC 7517) with which receipts are checked."""
        return {"keys": [_public_jwk(self.key) | {"kid": self.key_id, "use": "sig", "alg": _ALGORITHM}]}


def verify_receipt(receipt: str, published_keys: dict[str, Any]) -> dict[str, Any]:
    """Return what a receipt says.

    Raises:
        ReceiptRefused: unknown key, another algorithm or type, or a signature that does not hold.
    """
    try:
        header = jwt.get_unverified_header(receipt)
        keys = {key["kid"]: key for key in published_keys["keys"]}
        if header.get("typ") != RECEIPT_TYPE or header.get("kid") not in keys:
            raise ReceiptRefused
        key = jwt.PyJWK(keys[header["kid"]], algorithm=_ALGORITHM)
        claims: dict[str, Any] = jwt.decode(
            receipt, key, algorithms=[_ALGORITHM], options={"require": ["iss", "iat", "jti"], "verify_iat": False}
        )
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise ReceiptRefused from error
    return claims


def _part(content: dict[str, Any]) -> str:
    return b64url(to_json(content))


def _public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    jwk: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: jwk[name] for name in ("crv", "kty", "x", "y")}


def _thumbprint(jwk: dict[str, Any]) -> str:
    return b64url(sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode("ascii")).digest())
