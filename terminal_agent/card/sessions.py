"""What the terminal does with a card: authenticate with its JPKI application, read the holder from its text one.

File ids, access rules and commands are those of docs/card.md. Selecting another application forgets the PIN,
so a session's steps run one after the other, and nothing else is done with the card in between.
"""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Final

from eligibility.domain.codes import Sex
from terminal_agent.card import tlv
from terminal_agent.card.apdu import MAX_EXPECTED, PERFORM_SECURITY_OPERATION, PROPRIETARY_CLASS, Command
from terminal_agent.card.connection import exchange, expect_ok, read_binary, select_file
from terminal_agent.card.errors import (
    ApduError,
    AuthCertificateMissing,
    CardDataMalformed,
    PinBlocked,
    TextPinBlocked,
)
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.card.steps import CURRENT_FILE, ApplicationSession, day, read_file, verify

JPKI_AID: Final = bytes.fromhex("D392F000260100000001")
TEXT_AID: Final = bytes.fromhex("D3921000310001010408")

TOKEN_INFO_FILE: Final = 0x0006
AUTH_CERTIFICATE_FILE: Final = 0x000A
AUTH_CA_CERTIFICATE_FILE: Final = 0x000B
AUTH_KEY_FILE: Final = 0x0017
AUTH_PIN_FILE: Final = 0x0018

TEXT_ATTRIBUTES_FILE: Final = 0x0002
TEXT_PIN_FILE: Final = 0x0011
TEXT_NUMBER_B_FILE: Final = 0x0015

# RFC 8017 §9.2 note 1: the DER in front of a SHA-256 hash. The card pads what it is given and hashes nothing.
SHA256_DIGEST_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")
SIGNATURE_BYTES: Final = 256  # RSA-2048

_LABEL_BYTES: Final = 32
_ATTRIBUTES_TAG: Final = 0xFF20
_SEXES: Final = {sex.value.encode("ascii"): sex for sex in Sex}
_NAME_TAG, _ADDRESS_TAG, _BIRTH_TAG, _SEX_TAG = 0xDF22, 0xDF23, 0xDF24, 0xDF25


@dataclass(frozen=True, slots=True, repr=False)
class HolderAttributes:
    """What the text application says of the card's holder (基本4情報)."""

    name: str
    address: str
    birth_date: date
    sex: Sex

    def __repr__(self) -> str:
        return "HolderAttributes(***)"

    __str__ = __repr__


class JpkiSession(ApplicationSession):
    """The JPKI application of a card, selected; its PIN holds until another application is selected."""

    AID = JPKI_AID
    SECRET_FILE = AUTH_PIN_FILE

    def token_label(self) -> str:
        """Return the token's label: JPKIAPICCTOKEN2 is a My Number card, others are phones (docs/card.md)."""
        select_file(self._connection, TOKEN_INFO_FILE)
        label = read_binary(self._connection, 0, _LABEL_BYTES)
        return label.decode("ascii", "replace").rstrip(" \x00")

    def auth_certificate(self) -> bytes:
        """Read the user-authentication certificate (DER); it is free to read.

        Raises:
            AuthCertificateMissing: the card was issued without one, or it was removed.
            CardDataMalformed: the file is no DER.
        """
        try:
            return read_file(self._connection, AUTH_CERTIFICATE_FILE)
        except ApduError as error:
            raise AuthCertificateMissing from error

    def auth_ca_certificate(self) -> bytes:
        """Read the certificate (DER) of the authority that issued the user-authentication certificate."""
        return read_file(self._connection, AUTH_CA_CERTIFICATE_FILE)

    def verify_pin(self, pin: Pin) -> None:
        """Present the user-authentication PIN.

        Raises:
            PinWrong: with the tries that are left.
            PinBlocked: no tries are left.
        """
        verify(self._connection, AUTH_PIN_FILE, pin.secret, PinBlocked)

    def sign(self, message: bytes) -> bytes:
        """Sign a message with the user-authentication key: RSA PKCS #1 v1.5 over its SHA-256, 256 bytes.

        Raises:
            ApduError: 6982 without the PIN before.
            CardDataMalformed: the answer is not a signature's length.
        """
        select_file(self._connection, AUTH_KEY_FILE)
        digest_info = SHA256_DIGEST_INFO + sha256(message).digest()
        command = Command(
            PERFORM_SECURITY_OPERATION, 0x00, CURRENT_FILE, digest_info, MAX_EXPECTED, cla=PROPRIETARY_CLASS
        )
        signature = expect_ok(exchange(self._connection, command)).data
        if len(signature) != SIGNATURE_BYTES:
            raise CardDataMalformed
        return signature


class TextSession(ApplicationSession):
    """The text application (券面事項入力補助AP) of a card, selected; its PIN is another than the JPKI one."""

    AID = TEXT_AID
    SECRET_FILE = TEXT_PIN_FILE

    def verify_pin(self, pin: Pin) -> None:
        """Present this application's PIN.

        Raises:
            PinWrong: with the tries that are left.
            TextPinBlocked: no tries are left.
        """
        verify(self._connection, TEXT_PIN_FILE, pin.secret, TextPinBlocked)

    def verify_number_b(self, number: NumberB) -> None:
        """Present the number printed on the card instead of the PIN.

        Raises:
            PinWrong: with the tries that are left.
            TextPinBlocked: no tries are left.
        """
        verify(self._connection, TEXT_NUMBER_B_FILE, number.secret, TextPinBlocked)

    def attributes(self) -> HolderAttributes:
        """Read name, address, birth date and sex.

        Raises:
            ApduError: 6982 without the PIN or number B before.
            CardDataMalformed: the file has another form, or the birth date is none.
        """
        outer = tlv.decode(read_file(self._connection, TEXT_ATTRIBUTES_FILE))
        try:
            fields = tlv.decode(outer[_ATTRIBUTES_TAG])
            return HolderAttributes(
                name=fields[_NAME_TAG].decode("utf-8"),
                address=fields[_ADDRESS_TAG].decode("utf-8"),
                birth_date=day(fields[_BIRTH_TAG].decode("ascii")),
                sex=_SEXES[fields[_SEX_TAG]],
            )
        except (KeyError, ValueError):
            # Not chained: the error of a wrong value would show the value.
            raise CardDataMalformed from None
