"""One visit as a pure machine: a stage and an event give the next stage and what is to be done.

card on the reader → face or PIN → consents → answer → take your card

Nothing here waits, reads a card or holds a PIN: `runner` performs the effects and turns what comes of them into events.
An event that means nothing in a stage leaves it as it is, so that a second tap or a late answer can do no harm.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from eligibility.domain.codes import ConsentClass, Method, Outcome
from eligibility.wire.problems import Sentence
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.face.words import Hint

CARD_NOT_REGISTERED: Final = "card_not_registered"
CARD_REMOVED: Final = "card_removed"
PIN_BLOCKED: Final = "pin_blocked"
TEXT_PIN_BLOCKED: Final = "text_pin_blocked"
# With these codes the centre itself gave no usable answer: the visit goes on paper, and may be settled later. The last
# four are problems that a centre tells which has trouble of its own, or does not know this terminal.
CENTRE_TROUBLE: Final = frozenset(
    {
        "centre_away", "centre_hung_up", "centre_not_trusted", "terminal_not_accepted", "centre_answer_unreadable",
        "centre_answer_too_long", "busy", "overloaded", "internal", "caller_unknown",
    }
)  # fmt: skip

# With these it refused the card itself: that is an answer, and no such visit is settled by its holder's number.
CARD_REFUSED: Final = frozenset(
    {
        "certificate_malformed", "certificate_profile", "certificate_not_yet_valid", "certificate_expired",
        "certificate_revoked", "issuer_unknown", "signature_refused",
    }
)  # fmt: skip


class EntryNotice(StrEnum):
    """What is said above a field in which something was entered before."""

    WRONG = "wrong"
    MALFORMED = "malformed"


# ── Stages ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ReaderOut:
    """There is no reader to put a card on; the code says why."""

    code: str


@dataclass(frozen=True, slots=True)
class Ready:
    """Nobody is here: put your card on the reader."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The card is being read, and challenges are fetched meanwhile; `unanswered` as of a person."""

    unanswered: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """What a visit knows of the person so far: tries left, the ways open to them, what they agreed to last time.

    `unanswered` is why the centre did not answer this visit's last try, until it does.
    """

    tries_left: int
    may_use_face: bool = False
    may_sign_without_pin: bool = False
    agreed_before: tuple[ConsentClass, ...] | None = None
    method: Method = Method.PIN
    unanswered: str | None = None


@dataclass(frozen=True, slots=True)
class Choosing:
    """Face or PIN?"""

    person: Person


@dataclass(frozen=True, slots=True)
class EnteringPin:
    """Four digits, please."""

    person: Person
    notice: EntryNotice | None = None


@dataclass(frozen=True, slots=True)
class CheckingPin:
    """The card compares the PIN."""

    person: Person


@dataclass(frozen=True, slots=True)
class EnteringNumberB:
    """What the camera will do; the number on the card's face opens its photo."""

    person: Person
    notice: EntryNotice | None = None
    tries_left: int | None = None


@dataclass(frozen=True, slots=True)
class Looking:
    """The camera is on; the hint says what would help."""

    person: Person
    hint: Hint | None = None


@dataclass(frozen=True, slots=True)
class FaceUnsure:
    """The face could not be confirmed: try again, PIN, or staff. Never a refusal."""

    person: Person
    may_try_again: bool


@dataclass(frozen=True, slots=True)
class StaffCalled:
    """Staff come and compare the face with the card's photo."""

    person: Person


@dataclass(frozen=True, slots=True)
class Consenting:
    """Which information may be shown here?"""

    person: Person


@dataclass(frozen=True, slots=True)
class Asking:
    """The card signs and the centre is asked."""

    person: Person
    consents: tuple[ConsentClass, ...]


@dataclass(frozen=True, slots=True)
class OfferingRegistration:
    """The centre does not know the card: register it now?"""

    person: Person
    consents: tuple[ConsentClass, ...]


@dataclass(frozen=True, slots=True)
class EnteringTextSecret:
    """The text application's PIN, or the number B; with no tries left, only the latter."""

    person: Person
    consents: tuple[ConsentClass, ...]
    tries_left: int
    notice: EntryNotice | None = None


@dataclass(frozen=True, slots=True)
class Registering:
    """The card's holder is read and the card is registered."""

    person: Person
    consents: tuple[ConsentClass, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """The answer, in as much as the patient's screen shows of it: no name, no number."""

    verification_id: UUID
    outcome: Outcome
    granted: tuple[ConsentClass, ...] = ()
    until: datetime | None = None
    notices: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class Unverified:
    """The centre did not answer: reception goes on by paper, the card may try again."""

    code: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The visit cannot go on; the code says why and what to do next."""

    code: str
    card_in: bool = True
    said: Sentence | None = None
    unanswered: str | None = None


@dataclass(frozen=True, slots=True)
class TakingCard:
    """The visit is over and the card is still there."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """The card was taken after an answer: thank you."""


@dataclass(frozen=True, slots=True)
class StillThere:
    """Nothing was touched for a while: does the person need more time?"""

    back: "Interactive"


Interactive = (
    Choosing
    | EnteringPin
    | EnteringNumberB
    | FaceUnsure
    | StaffCalled
    | Consenting
    | OfferingRegistration
    | EnteringTextSecret
)
Stage = (
    ReaderOut
    | Ready
    | Reading
    | CheckingPin
    | Looking
    | Asking
    | Registering
    | Told
    | Unverified
    | Stopped
    | TakingCard
    | Farewell
    | StillThere
    | Interactive
)


# ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ReaderLost:
    """The reader, or the service that talks to it, is gone."""

    code: str


@dataclass(frozen=True, slots=True)
class ReaderFound:
    """There is an empty reader."""


@dataclass(frozen=True, slots=True)
class CardPut:
    """A card lies on the reader."""


@dataclass(frozen=True, slots=True)
class CardTaken:
    """The card is gone."""


@dataclass(frozen=True, slots=True)
class CardRead:
    """The card is a My Number card and says how many tries its PIN has."""

    person: Person


@dataclass(frozen=True, slots=True)
class Failed:
    """Card, centre or this program could not do it; `said` is the centre's own sentence for a refusal."""

    code: str
    said: Sentence | None = None


@dataclass(frozen=True, slots=True)
class PinChosen:
    """The patient wants to enter the PIN."""


@dataclass(frozen=True, slots=True)
class FaceChosen:
    """The patient wants to use the face."""


@dataclass(frozen=True, slots=True)
class StaffWanted:
    """The patient wants staff to look."""


@dataclass(frozen=True, slots=True)
class PinEntered:
    """Four digits."""

    pin: Pin


@dataclass(frozen=True, slots=True)
class EntryMalformed:
    """Something else than what the field asks for; nothing was sent to the card."""


@dataclass(frozen=True, slots=True)
class SecretRefused:
    """The card compared it and says no."""

    tries_left: int


@dataclass(frozen=True, slots=True)
class PinAccepted:
    """The card says yes."""


@dataclass(frozen=True, slots=True)
class NumberBEntered:
    """Fourteen digits that open the card's photo, or its text."""

    number: NumberB


@dataclass(frozen=True, slots=True)
class FaceHint:
    """What would make the next frame better."""

    hint: Hint | None


@dataclass(frozen=True, slots=True)
class FaceConfirmed:
    """Face and photo match, above a calibrated threshold."""


@dataclass(frozen=True, slots=True)
class FaceNotConfirmed:
    """They could not be shown to match."""

    may_try_again: bool


@dataclass(frozen=True, slots=True)
class FaceLeftToStaff:
    """They may match, or there is no other way: staff look at both."""


@dataclass(frozen=True, slots=True)
class VisuallyConfirmed:
    """A member of staff compared face and photo and gave the passcode."""


@dataclass(frozen=True, slots=True)
class ConsentsGiven:
    """What the patient agreed to show; what is not in it was answered with no."""

    consents: tuple[ConsentClass, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The centre answered."""

    told: Told


@dataclass(frozen=True, slots=True)
class RegistrationWanted:
    """The patient agrees to register the card."""


@dataclass(frozen=True, slots=True)
class TextSecretNeeded:
    """The authentication PIN does not open the text application, or was not tried on it."""

    tries_left: int


@dataclass(frozen=True, slots=True)
class TextPinEntered:
    """The text application's PIN."""

    pin: Pin


@dataclass(frozen=True, slots=True)
class Registered:
    """The centre now knows the card."""


@dataclass(frozen=True, slots=True)
class Retried:
    """Once more, from the start, with the card that lies there."""


@dataclass(frozen=True, slots=True)
class Continued:
    """The person is still there."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The patient ends the visit."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The stage's patience is over."""


Event = (
    ReaderLost
    | ReaderFound
    | CardPut
    | CardTaken
    | CardRead
    | Failed
    | PinChosen
    | FaceChosen
    | StaffWanted
    | PinEntered
    | EntryMalformed
    | SecretRefused
    | PinAccepted
    | NumberBEntered
    | FaceHint
    | FaceConfirmed
    | FaceNotConfirmed
    | FaceLeftToStaff
    | VisuallyConfirmed
    | ConsentsGiven
    | Answered
    | RegistrationWanted
    | TextSecretNeeded
    | TextPinEntered
    | Registered
    | Retried
    | Continued
    | Cancelled
    | TimedOut
)


# ── Effects ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ReadCard:
    """Hold the card alone, read its certificate and tries, and fetch challenges."""


@dataclass(frozen=True, slots=True)
class CheckPin:
    """Present the PIN to the card."""

    pin: Pin


@dataclass(frozen=True, slots=True)
class LookAtFace:
    """Open the photo with number B, if it is not open yet, and compare what the camera sees."""

    number: NumberB | None


@dataclass(frozen=True, slots=True)
class StopLooking:
    """Close the camera and forget the photo."""


@dataclass(frozen=True, slots=True)
class AskCentre:
    """Have the card sign a challenge and ask whether its holder is insured."""

    consents: tuple[ConsentClass, ...]
    method: Method


@dataclass(frozen=True, slots=True)
class RegisterCard:
    """Read the holder with this secret, or with the PIN that was right, and register the card."""

    secret: Pin | NumberB | None


@dataclass(frozen=True, slots=True)
class Journal:
    """Keep the visit that the centre did not answer."""

    code: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """Forget the PIN and let go of the card, which resets it."""


Effect = ReadCard | CheckPin | LookAtFace | StopLooking | AskCentre | RegisterCard | Journal | LetGo
Step = tuple[Stage, tuple[Effect, ...]]

_LONG_S, _SHORT_S = 60.0, 20.0
_LET_GO: Final = (LetGo(),)


def patience_s(stage: Stage) -> float | None:
    """Return how long a stage waits for somebody, or None where it ends by itself or waits for ever."""
    match stage:
        case StaffCalled():
            return 3 * _LONG_S
        case Choosing() | EnteringPin() | EnteringNumberB() | FaceUnsure() | Consenting():
            return _LONG_S
        case OfferingRegistration() | EnteringTextSecret() | Unverified():
            return _LONG_S
        case Looking():
            return _LONG_S  # its attempts end by themselves, earlier
        case StillThere() | Told():
            return _SHORT_S
        case Stopped(card_in=card_in):
            return _LONG_S if card_in else 10.0
        case Farewell():
            return 4.0
        case _:
            return None


def step(stage: Stage, event: Event) -> Step:
    """Return what follows: the next stage, and what is to be done.

    A visit that the centre did not answer once is journalled where it ends, whatever it came to after that, unless it
    was answered in the end.
    """
    after, effects = _follow(stage, event)
    code = unanswered(stage)
    if code is None or isinstance(after, Told):
        return after, effects
    match after:
        case Ready() | ReaderOut() | TakingCard() | Stopped(card_in=False):
            return after, (Journal(code), *effects)
        case Stopped() if after.code in CARD_REFUSED:
            return after, effects
        case Reading() | Stopped():
            return replace(after, unanswered=code), effects
        case _:
            return after, effects


def unanswered(stage: Stage) -> str | None:
    """Return why the centre did not answer the last try of a visit that is still to be answered or journalled."""
    match stage:
        case Unverified(code):
            return code
        case Reading() | Stopped():
            return stage.unanswered
        case StillThere(back):
            return back.person.unanswered
        case ReaderOut() | Ready() | Told() | TakingCard() | Farewell():
            return None
        case _:
            return stage.person.unanswered


def _follow(stage: Stage, event: Event) -> Step:
    match event:
        case ReaderLost(code):
            return ReaderOut(code), _LET_GO
        case ReaderFound() if isinstance(stage, ReaderOut):
            return Ready(), ()
        case CardPut():
            return _card_put(stage)
        case CardTaken():
            return _card_taken(stage)
        case TimedOut():
            return _timed_out(stage)
        case Cancelled() if not isinstance(stage, ReaderOut | Ready | TakingCard | Farewell):
            return _cancelled(stage)
        case Failed() if isinstance(stage, Reading | CheckingPin | Looking | Asking | Registering):
            return _failed(stage, event)
    match stage:
        case Reading():
            return _reading(stage, event)
        case StillThere(back):
            return (back, ()) if isinstance(event, Continued) else (stage, ())
        case Unverified() | Stopped(card_in=True) if isinstance(event, Retried):
            return Reading(), (LetGo(), ReadCard())
        case Choosing() | EnteringPin() | CheckingPin() | EnteringNumberB() | Looking() | FaceUnsure() | StaffCalled():
            return _proving(stage, event)
        case Consenting(person):
            if isinstance(event, ConsentsGiven):
                return Asking(person, event.consents), (AskCentre(event.consents, person.method),)
        case Asking():
            if isinstance(event, Answered):
                return event.told, _LET_GO
        case OfferingRegistration() | EnteringTextSecret() | Registering():
            return _registering(stage, event)
    return stage, ()


def _card_put(stage: Stage) -> Step:
    match stage:
        case Ready() | ReaderOut() | Farewell() | Stopped(card_in=False):
            return Reading(), (ReadCard(),)
        case _:
            return stage, ()


def _card_taken(stage: Stage) -> Step:
    match stage:
        case Told():
            return Farewell(), _LET_GO
        case Unverified() | TakingCard():
            return Ready(), _LET_GO
        case Stopped():
            return (Ready(), _LET_GO) if stage.card_in else (stage, ())
        case Ready() | ReaderOut() | Farewell():
            return stage, ()
        case _:
            return Stopped(CARD_REMOVED, card_in=False), _LET_GO


def _timed_out(stage: Stage) -> Step:
    match stage:
        case (
            Choosing()
            | EnteringPin()
            | EnteringNumberB()
            | FaceUnsure()
            | Consenting()
            | OfferingRegistration()
            | EnteringTextSecret()
            | StaffCalled()
        ):
            return StillThere(stage), ()
        case Looking(person):
            return FaceUnsure(person, may_try_again=True), (StopLooking(),)
        case Unverified() | StillThere() | Told():
            return TakingCard(), _LET_GO
        case Stopped():
            return (TakingCard() if stage.card_in else Ready()), _LET_GO
        case Farewell():
            return Ready(), ()
        case _:
            return stage, ()


def _cancelled(stage: Stage) -> Step:
    match stage:
        case Stopped(card_in=False):
            return Ready(), ()
        case _:
            return TakingCard(), _LET_GO


def _failed(stage: Reading | CheckingPin | Looking | Asking | Registering, failed: Failed) -> Step:
    if failed.code in CENTRE_TROUBLE:
        # The card stays held, and its PIN verified, only as long as somebody may go on: here nobody can.
        return Unverified(failed.code), _LET_GO
    if failed.code == CARD_NOT_REGISTERED and isinstance(stage, Asking):
        return OfferingRegistration(stage.person, stage.consents), ()
    card_in = failed.code != CARD_REMOVED
    return Stopped(failed.code, card_in=card_in, said=failed.said), _LET_GO


def _reading(stage: Reading, event: Event) -> Step:
    if not isinstance(event, CardRead):
        return stage, ()
    person = replace(event.person, unanswered=stage.unanswered)
    return (Choosing(person), ()) if person.may_use_face else _asked_for_pin(person)


def _asked_for_pin(person: Person) -> Step:
    if person.tries_left == 0:
        return Stopped(PIN_BLOCKED), _LET_GO
    return EnteringPin(person), ()


def _proving(
    stage: Choosing | EnteringPin | CheckingPin | EnteringNumberB | Looking | FaceUnsure | StaffCalled, event: Event
) -> Step:
    person = stage.person
    match stage, event:
        case ((Choosing() | EnteringNumberB() | FaceUnsure() | StaffCalled()), PinChosen()):
            return _asked_for_pin(replace(person, method=Method.PIN))
        case Looking(), PinChosen():
            return _then(StopLooking(), _asked_for_pin(replace(person, method=Method.PIN)))
        case ((Choosing() | EnteringPin()), FaceChosen()) if person.may_use_face:
            return EnteringNumberB(person), ()
        case FaceUnsure(may_try_again=True), FaceChosen():
            return Looking(person), (LookAtFace(None),)
        case ((Choosing() | EnteringPin() | EnteringNumberB() | FaceUnsure()), StaffWanted()):
            return StaffCalled(person), ()
        case Looking(), StaffWanted():
            return StaffCalled(person), (StopLooking(),)
        case EnteringPin(), PinEntered(pin):
            return CheckingPin(person), (CheckPin(pin),)
        case EnteringPin(), EntryMalformed():
            return replace(stage, notice=EntryNotice.MALFORMED), ()
        case CheckingPin(), PinAccepted():
            return Consenting(person), ()
        case CheckingPin(), SecretRefused(0):
            return Stopped(PIN_BLOCKED), _LET_GO
        case CheckingPin(), SecretRefused(left):
            return EnteringPin(replace(person, tries_left=left), EntryNotice.WRONG), ()
        case EnteringNumberB(), NumberBEntered(number):
            return Looking(person), (LookAtFace(number),)
        case EnteringNumberB(), EntryMalformed():
            return replace(stage, notice=EntryNotice.MALFORMED), ()
        case Looking(), SecretRefused(left):
            return EnteringNumberB(person, EntryNotice.WRONG, left), ()
        case Looking(), FaceHint(hint):
            return replace(stage, hint=hint), ()
        case Looking(), FaceConfirmed():
            return _recognised(replace(person, method=Method.FACE))
        case Looking(), FaceNotConfirmed(again):
            return FaceUnsure(person, again), ()
        case Looking(), FaceLeftToStaff():
            return StaffCalled(person), ()
        case StaffCalled(), VisuallyConfirmed():
            return _recognised(replace(person, method=Method.VISUAL))
        case _:
            return stage, ()


def _recognised(person: Person) -> Step:
    """Face or staff know the person; the card still signs only after its PIN, save for accredited verifiers."""
    return (Consenting(person), ()) if person.may_sign_without_pin else _asked_for_pin(person)


def _registering(stage: OfferingRegistration | EnteringTextSecret | Registering, event: Event) -> Step:
    person, consents = stage.person, stage.consents
    match stage, event:
        case OfferingRegistration(), RegistrationWanted():
            return Registering(person, consents), (RegisterCard(None),)
        case EnteringTextSecret(tries_left=left), TextPinEntered(pin) if left > 0:
            return Registering(person, consents), (RegisterCard(pin),)
        case EnteringTextSecret(), NumberBEntered(number):
            return Registering(person, consents), (RegisterCard(number),)
        case EnteringTextSecret(), EntryMalformed() | TextPinEntered():
            return replace(stage, notice=EntryNotice.MALFORMED), ()
        case Registering(), TextSecretNeeded(left):
            return EnteringTextSecret(person, consents, left), ()
        case Registering(), SecretRefused(left):
            return EnteringTextSecret(person, consents, left, EntryNotice.WRONG), ()
        case Registering(), Registered():
            return Asking(person, consents), (AskCentre(consents, person.method),)
        case _:
            return stage, ()


def _then(effect: Effect, following: Step) -> Step:
    stage, effects = following
    return stage, (effect, *effects)
