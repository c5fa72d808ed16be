"""What can go wrong between a person's card and this terminal, each with the code its message is found by."""

from typing import ClassVar


class CardError(Exception):
    """The card could not be used."""

    code: ClassVar[str] = "card_trouble"

    def __str__(self) -> str:
        """Say what is wrong: the docstring's first line, never a value."""
        return (type(self).__doc__ or "").strip().splitlines()[0]

    @property
    def facts(self) -> dict[str, str]:
        """What the message fills in; never a PIN or a number of the holder."""
        return {}


class ApduError(CardError):
    """The card answered a command with a status word that nobody expected there."""

    code = "card_answered_unexpectedly"

    def __init__(self, status_word: int) -> None:
        super().__init__(status_word)
        self.status_word = status_word

    def __str__(self) -> str:
        return f"{super().__str__()[:-1]}: {self.status_word:04X}."

    @property
    def facts(self) -> dict[str, str]:
        """The four hexadecimal digits of the status word."""
        return {"status_word": f"{self.status_word:04X}"}


class CardDataMalformed(CardError):
    """The card's files do not have the form a My Number card's files have."""

    code = "card_data_malformed"


class CardPhotoMissing(CardError):
    """The card holds no photo; an infant's card has none."""

    code = "card_photo_missing"


class CardDataForged(CardError):
    """What the card's visual application holds is not signed by who should have signed it."""

    code = "card_data_forged"


class CardCopied(CardError):
    """The card cannot prove that it holds its own key: it is a copy of another card's files."""

    code = "card_copied"


class NotAMyNumberCard(CardError):
    """The card is not a My Number card, or its certificate application cannot be selected."""

    code = "not_a_my_number_card"


class AuthCertificateMissing(CardError):
    """The card holds no user-authentication certificate."""

    code = "auth_certificate_missing"


class MalformedPin(CardError):
    """A PIN is exactly four digits; it was not sent to the card, so no try was used."""

    code = "pin_malformed"


class MalformedNumberB(CardError):
    """A verification number B is exactly fourteen digits; it was not sent to the card, so no try was used."""

    code = "number_b_malformed"


class PinNotEntered(CardError):
    """No PIN was entered; no try was used."""

    code = "pin_not_entered"


class PinWrong(CardError):
    """The PIN is wrong."""

    code = "pin_wrong"

    def __init__(self, tries_left: int) -> None:
        super().__init__(tries_left)
        self.tries_left = tries_left

    @property
    def facts(self) -> dict[str, str]:
        """How many tries remain."""
        return {"tries_left": str(self.tries_left)}


class PinBlocked(CardError):
    """The PIN is blocked after too many wrong tries."""

    code = "pin_blocked"


class TextPinBlocked(PinBlocked):
    """The PIN of the card's text application is blocked after too many wrong tries."""

    code = "text_pin_blocked"


class NumberBWrong(PinWrong):
    """The verification number B is wrong."""

    code = "number_b_wrong"


class NumberBBlocked(PinBlocked):
    """The verification number B is blocked after too many wrong tries."""

    code = "number_b_blocked"


class CardRemoved(CardError):
    """The card was taken from the reader before the work was done."""

    code = "card_removed"


class CardReset(CardError):
    """Another program reset the card half-way, so what was entered on it no longer holds."""

    code = "card_reset"


class CardMissing(CardError):
    """No card was put on the reader in time."""

    code = "card_missing"


class CardUnresponsive(CardError):
    """The card does not answer."""

    code = "card_unresponsive"


class CardInUse(CardError):
    """Another program is using the card."""

    code = "card_in_use"


class ReaderMissing(CardError):
    """No card reader is connected, or none with the wanted name."""

    code = "reader_missing"


class ReaderServiceDown(CardError):
    """The smart card service (pcscd) is not running."""

    code = "reader_service_down"


class ReaderSupportMissing(CardError):
    """This installation has no smart card support (the Python package pyscard)."""

    code = "reader_support_missing"


class VirtualCardUnreadable(CardError):
    """The folder does not hold a virtual card."""

    code = "virtual_card_unreadable"
