"""The visual application (券面事項確認AP) of a card: the photo, whose it is, and that the card is no copy."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from terminal_agent.card.apdu import MAX_EXPECTED, PERFORM_SECURITY_OPERATION, PROPRIETARY_CLASS, Command
from terminal_agent.card.connection import exchange
from terminal_agent.card.cv_certificate import Authorities, CvCertificate, digest_info, verify_signature
from terminal_agent.card.errors import CardCopied, CardDataForged, NumberBBlocked, NumberBWrong
from terminal_agent.card.pins import NumberB
from terminal_agent.card.steps import ApplicationSession, read_file, verify
from terminal_agent.card.surface import CardSurface, Trust

VISUAL_AID: Final = bytes.fromhex("D3921000310001010402")
RECORD_FILE: Final = 0x0002
CERTIFICATE_FILE: Final = 0x0004
NUMBER_B_FILE: Final = 0x0012

CHALLENGE_BYTES: Final = 32
_MAX_RECORD_BYTES: Final = 0x7FFF  # as far as READ BINARY's 15-bit offset goes; the photo is about 5,000


@dataclass(frozen=True, slots=True, repr=False)
class CheckedSurface:
    """A record whose signatures held, and how far up they lead."""

    surface: CardSurface
    trust: Trust

    @property
    def verified(self) -> bool:
        """Whether a face match against this photo may stand alone."""
        return self.trust is Trust.VERIFIED

    def __repr__(self) -> str:
        return f"CheckedSurface({self.trust})"

    __str__ = __repr__


class VisualSession(ApplicationSession):
    """The visual application of a card, selected; the number B holds until another application is selected."""

    AID = VISUAL_AID
    SECRET_FILE = NUMBER_B_FILE

    def verify_number_b(self, number: NumberB) -> None:
        """Present the number printed on the card.

        Raises:
            NumberBWrong: with the tries that are left.
            NumberBBlocked: no tries are left.
        """
        verify(self._connection, NUMBER_B_FILE, number.secret, NumberBBlocked, NumberBWrong)

    def certificate(self) -> CvCertificate:
        """Read the issuer's certificate; it is free to read."""
        return CvCertificate.parse(read_file(self._connection, CERTIFICATE_FILE))

    def record(self) -> CardSurface:
        """Read the record, unchecked.

        Raises:
            ApduError: 6982 without the number B before.
        """
        return CardSurface.parse(read_file(self._connection, RECORD_FILE, _MAX_RECORD_BYTES))

    def sign(self, challenge: bytes) -> bytes:
        """Have the card's own key sign a challenge (`80 2A 00 00` DigestInfo); this needs no secret."""
        payload = digest_info(sha256(challenge).digest())
        command = Command(PERFORM_SECURITY_OPERATION, 0x00, 0x00, payload, MAX_EXPECTED, cla=PROPRIETARY_CLASS)
        response = exchange(self._connection, command)
        return response.data if response.status_word.ok else b""


def read_surface(session: VisualSession, number: NumberB, authorities: Authorities, challenge: bytes) -> CheckedSurface:
    """Unlock the record and check it, before anybody decodes its photo.

    1. Present the number B.
    2. Read the record and the issuer's certificate.
    3. Check the certificate against the pinned authorities, and the record against the certificate.
    4. Have the card sign `challenge`, which nobody could know before, with the key the record names: a copy of the
       files on another card cannot.

    Raises:
        NumberBWrong, NumberBBlocked: step 1.
        CardPhotoMissing, CardDataMalformed: step 2.
        CardDataForged: step 2, 3: no signature, or a wrong one.
        CardCopied: step 4.
    """
    session.verify_number_b(number)
    record, certificate = session.record(), session.certificate()
    trust = record.verify(certificate, authorities)
    try:
        verify_signature(record.key, digest_info(sha256(challenge).digest()), session.sign(challenge))
    except CardDataForged as error:
        raise CardCopied from error
    return CheckedSurface(record, trust)
