"""What the patient's screen says when a visit cannot go on: what happened, and what to do next."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from terminal_agent.kiosk.catalogues import mark


class Tone(StrEnum):
    """How serious it looks."""

    CALM = "calm"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A screen of its own: title, what to do next, and whether trying again can help."""

    title: str
    next_step: str
    may_retry: bool = False
    tone: Tone = Tone.ALERT


_ASK_STAFF: Final = mark("Please speak to the reception staff. They can check you in another way.")
_RETRY: Final = mark("Please put the card flat on the reader and try again.")

_READER = Trouble(mark("The card reader is not ready"), mark("Please speak to the reception staff."))
_UNREADABLE = Trouble(mark("The card could not be read"), _RETRY, may_retry=True)
_TRY_AGAIN = Trouble(
    mark("That did not work"), mark("Please try again, or speak to the reception staff."), may_retry=True
)
_CENTRE = Trouble(
    mark("The line to the eligibility centre is down"),
    mark("You can be seen as usual: please show your paper certificate at reception, or try again in a while."),
    may_retry=True,
)
_CENTRE_BUSY = Trouble(mark("The eligibility centre cannot answer just now"), _CENTRE.next_step, may_retry=True)
_NO_CERTIFICATE = Trouble(
    mark("This card has no certificate that can be used"),
    mark("Your municipal office can issue a new one. Today, please speak to the reception staff."),
)

TROUBLES: Final[dict[str, Trouble]] = {
    "reader_missing": _READER,
    "reader_service_down": _READER,
    "reader_support_missing": _READER,
    "card_missing": _UNREADABLE,
    "card_reset": _UNREADABLE,
    "card_in_use": _UNREADABLE,
    "card_unresponsive": _UNREADABLE,
    "card_trouble": _UNREADABLE,
    "card_answered_unexpectedly": _UNREADABLE,
    "card_removed": Trouble(
        mark("The card was taken too early"),
        mark("Nothing is lost. Put the card back on the reader and leave it there to the end."),
        tone=Tone.CALM,
    ),
    "card_data_malformed": Trouble(mark("The card could not be read"), _ASK_STAFF),
    "virtual_card_unreadable": Trouble(mark("The card could not be read"), _ASK_STAFF),
    "not_a_my_number_card": Trouble(
        mark("This is not a My Number card"),
        mark("Take it off, and put your My Number card on the reader."),
        tone=Tone.CALM,
    ),
    "auth_certificate_missing": _NO_CERTIFICATE,
    "pin_blocked": Trouble(
        mark("The PIN is locked"),
        mark(
            "It was wrong three times. Your municipal office, or a terminal in a convenience store, can set a new one. "
            "Today, please speak to the reception staff: they can check you in another way."
        ),
    ),
    "text_pin_blocked": Trouble(
        mark("The card cannot be registered now"),
        mark(
            "The number that opens it is locked. Your municipal office can unlock it. Today, please speak to the staff."
        ),
    ),
    "certificate_expired": Trouble(
        mark("The card's certificate has expired"),
        mark("Your municipal office can renew it. Today, please speak to the reception staff."),
    ),
    "certificate_revoked": _NO_CERTIFICATE,
    "certificate_not_yet_valid": _NO_CERTIFICATE,
    "certificate_profile": _NO_CERTIFICATE,
    "certificate_malformed": _NO_CERTIFICATE,
    "issuer_unknown": _NO_CERTIFICATE,
    "card_not_registered": Trouble(mark("This card is not registered yet"), _ASK_STAFF, tone=Tone.CALM),
    "holder_not_found": Trouble(mark("No insurance was found for this card"), _ASK_STAFF),
    "holder_ambiguous": Trouble(mark("No insurance was found for this card"), _ASK_STAFF),
    "card_registered_elsewhere": Trouble(mark("This card cannot be used here"), _ASK_STAFF),
    "revocation_unknown": Trouble(
        mark("The card cannot be checked just now"),
        mark("Please try again in a while, or speak to the staff."),
        may_retry=True,
    ),
    "centre_away": _CENTRE,
    "centre_hung_up": _CENTRE,
    "centre_not_trusted": _CENTRE,
    "terminal_not_accepted": _CENTRE,
    "centre_answer_unreadable": _CENTRE,
    "centre_answer_too_long": _CENTRE,
    "busy": _CENTRE_BUSY,
    "overloaded": _CENTRE_BUSY,
    "internal": _CENTRE_BUSY,
    "caller_unknown": _CENTRE_BUSY,
    "outbox_unusable": Trouble(mark("The visit could not be kept for later: paper only"), _ASK_STAFF),
    "unexpected": _TRY_AGAIN,
}


def trouble(code: str) -> Trouble:
    """Return what is said of a code; one that is newer than this terminal gets the general words."""
    return TROUBLES.get(code, _TRY_AGAIN)
