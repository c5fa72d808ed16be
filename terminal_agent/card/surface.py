"""What the visual application says of the card's face (EF 0002), and whether it can be believed (docs/card.md)."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import rsa

from eligibility.domain.codes import Sex
from terminal_agent.card import tlv
from terminal_agent.card.cv_certificate import (
    Authorities,
    CvCertificate,
    digest_info,
    parse_key,
    verify_signature,
)
from terminal_agent.card.errors import CardDataForged, CardDataMalformed, CardPhotoMissing
from terminal_agent.card.steps import day

RECORD_TAG: Final = 0xFF20
OFFSETS_TAG: Final = 0xDF21
BIRTH_TAG: Final = 0xDF22
SEX_TAG: Final = 0xDF23
KEY_TAG: Final = 0xDF24
NAME_IMAGE_TAG: Final = 0xDF25
ADDRESS_IMAGE_TAG: Final = 0xDF26
PHOTO_TAG: Final = 0xDF27
SIGNATURE_TAG: Final = 0xDF28
EXPIRY_TAG: Final = 0xDF29
SECURITY_CODE_IMAGE_TAG: Final = 0xDF2A

# The signature covers the SHA-256 of each, tags and lengths included. Expiry and the security code's image lie outside.
SIGNED_SEGMENTS: Final = ((BIRTH_TAG, SEX_TAG, KEY_TAG), (NAME_IMAGE_TAG, ADDRESS_IMAGE_TAG), (PHOTO_TAG,))
_SEXES: Final = {sex.value.encode("ascii"): sex for sex in Sex}


class Trust(StrEnum):
    """How far the record can be believed."""

    VERIFIED = "verified"  # signed by an issuer whom a pinned authority certified
    AUTHORITY_UNKNOWN = "authority_unknown"  # signed by the issuer on the card, whom nobody we know certified


@dataclass(frozen=True, slots=True, repr=False)
class CardSurface:
    """The record's parts that are used: the holder's birth date and sex, the card's own key, the photo, the expiry.

    `expires_on` is not covered by the signature and is good for nothing but showing it.
    """

    birth_date: date
    sex: Sex
    key: rsa.RSAPublicKey
    photo: bytes
    expires_on: date
    signature: bytes
    digests: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read EF 0002.

        Raises:
            CardPhotoMissing: there is no photo, as on an infant's card.
            CardDataForged: there is no signature.
            CardDataMalformed: any other fault of form.
        """
        record = tlv.decode(raw).get(RECORD_TAG)
        if record is None:
            raise CardDataMalformed
        written = tlv.elements(record)
        fields = {tag: value for tag, (value, _) in written.items()}
        if not fields.get(PHOTO_TAG):
            raise CardPhotoMissing
        if SIGNATURE_TAG not in fields:
            raise CardDataForged
        try:
            segments = (b"".join(written[tag][1] for tag in tags) for tags in SIGNED_SEGMENTS)
            return cls(
                birth_date=day(fields[BIRTH_TAG].decode("ascii")),
                sex=_SEXES[fields[SEX_TAG]],
                key=parse_key(fields[KEY_TAG]),
                photo=fields[PHOTO_TAG],
                expires_on=day(fields[EXPIRY_TAG].decode("ascii")),
                signature=fields[SIGNATURE_TAG],
                digests=b"".join(sha256(segment).digest() for segment in segments),
            )
        except (KeyError, ValueError):
            # Not chained: the error of a wrong value would show the value.
            raise CardDataMalformed from None

    def verify(self, certificate: CvCertificate, authorities: Authorities) -> Trust:
        """Check the record before anything of it is used.

        1. The issuer's certificate: if the authority it names is pinned, that one must have signed it.
        2. The record's signature, by the key the certificate holds.

        Raises:
            CardDataForged: a signature is wrong.
        """
        authority = authorities.get(certificate.issuer_key_id)
        if authority is not None:
            certificate.verify(authority)
        verify_signature(certificate.key, digest_info(self.digests), self.signature)
        return Trust.AUTHORITY_UNKNOWN if authority is None else Trust.VERIFIED

    def __repr__(self) -> str:
        return "CardSurface(***)"

    __str__ = __repr__
