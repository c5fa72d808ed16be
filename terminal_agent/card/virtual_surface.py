"""Who issues a virtual card's photo: an authority, the issuer it certified, and the record that issuer signs."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import rsa

from terminal_agent.card import cv_certificate, surface, tlv
from terminal_agent.card.cv_certificate import Authorities, digest_info, encode_key
from terminal_agent.card.virtual import sign_padded
from terminal_agent.card.virtual_content import CardHolder, VisualContent, with_offsets

# The form of the real ids: seven digits, 08 05, three digits, four bytes. Real authorities begin with 5, test ones
# with 6; these name nobody.
AUTHORITY_ID: Final = b"9000023\x08\x05001\x00\x00\x00\x00"
ISSUER_ID: Final = b"9131016\x08\x05000\x00\x00\x00\x00"

Fields = Sequence[tuple[int, bytes]]


@dataclass(frozen=True, slots=True, repr=False)
class VisualIssuer:
    """The keys above a virtual card: the authority's, which terminals pin, and the issuer's, which signs records."""

    authority: rsa.RSAPrivateKey
    issuer: rsa.RSAPrivateKey

    @classmethod
    def create(cls) -> Self:
        """Make both keys."""
        return cls(new_key(), new_key())

    @property
    def authorities(self) -> Authorities:
        """What a terminal pins to believe this issuer's cards."""
        return {AUTHORITY_ID: self.authority.public_key()}

    def issue(self, holder: CardHolder, photo: bytes, images: tuple[bytes, bytes, bytes]) -> VisualContent:
        """Make a card's visual application; `images` are name, address and security code as PNG."""
        key = new_key()
        name, address, security_code = images
        signed = (
            (surface.BIRTH_TAG, f"{holder.birth_date:%Y%m%d}".encode()),
            (surface.SEX_TAG, holder.sex.value.encode()),
            (surface.KEY_TAG, encode_key(key.public_key())),
            (surface.NAME_IMAGE_TAG, name),
            (surface.ADDRESS_IMAGE_TAG, address),
            (surface.PHOTO_TAG, photo),
        )
        unsigned = (
            (surface.EXPIRY_TAG, f"{holder.expires_on:%Y%m%d}".encode()),
            (surface.SECURITY_CODE_IMAGE_TAG, security_code),
        )
        signature = (surface.SIGNATURE_TAG, self.sign(signed))
        return VisualContent(with_offsets((*signed, signature, *unsigned)), self.certificate(), key)

    def sign(self, fields: Fields) -> bytes:
        """Sign the three segments of a record's fields."""
        written = {tag: tlv.encode(tag, value) for tag, value in fields}
        segments = (b"".join(written[tag] for tag in tags) for tags in surface.SIGNED_SEGMENTS)
        return sign_padded(self.issuer, digest_info(b"".join(sha256(segment).digest() for segment in segments)))

    def certificate(self) -> bytes:
        """Return the issuer's certificate, EF 0004."""
        body = AUTHORITY_ID + ISSUER_ID + encode_key(self.issuer.public_key())
        signature = sign_padded(self.authority, digest_info(sha256(body).digest()))
        parts = tlv.encode(cv_certificate.BODY_TAG, body) + tlv.encode(cv_certificate.SIGNATURE_TAG, signature)
        return tlv.encode(cv_certificate.CERTIFICATE_TAG, parts)


def new_key() -> rsa.RSAPrivateKey:
    """Make a key of the kind cards have."""
    return rsa.generate_private_key(65537, 2048)
