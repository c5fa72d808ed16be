"""The table of a visit: every stage meets every event, and what is not in the table changes nothing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args
from uuid import UUID

import pytest

from eligibility.domain.codes import ConsentClass, Method, Outcome
from eligibility.wire.problems import Sentence
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.face.words import Hint
from terminal_agent.kiosk import visit
from terminal_agent.kiosk.trouble import trouble
from terminal_agent.kiosk.visit import (
    Answered,
    AskCentre,
    Asking,
    Cancelled,
    CardPut,
    CardRead,
    CardTaken,
    CheckingPin,
    CheckPin,
    Choosing,
    Consenting,
    ConsentsGiven,
    Continued,
    Effect,
    EnteringNumberB,
    EnteringPin,
    EnteringTextSecret,
    EntryMalformed,
    EntryNotice,
    Event,
    FaceChosen,
    FaceConfirmed,
    FaceHint,
    FaceLeftToStaff,
    FaceNotConfirmed,
    FaceUnsure,
    Failed,
    Farewell,
    Journal,
    LetGo,
    LookAtFace,
    Looking,
    NumberBEntered,
    OfferingRegistration,
    Person,
    PinAccepted,
    PinChosen,
    PinEntered,
    ReadCard,
    ReaderFound,
    ReaderLost,
    ReaderOut,
    Reading,
    Ready,
    RegisterCard,
    Registered,
    Registering,
    RegistrationWanted,
    Retried,
    SecretRefused,
    StaffCalled,
    StaffWanted,
    Stage,
    StillThere,
    StopLooking,
    Stopped,
    TakingCard,
    TextPinEntered,
    TextSecretNeeded,
    TimedOut,
    Told,
    Unverified,
    VisuallyConfirmed,
    patience_s,
    step,
    unanswered,
)

PIN, NUMBER = Pin.parse("2741"), NumberB.parse("60041220348123")
SOME = (ConsentClass.MEDICATION,)
PERSON = Person(3, may_use_face=True)
PINLESS = Person(0, may_use_face=True, may_sign_without_pin=True)
TOLD = Told(UUID(int=1), Outcome.VALID)
GO = (LetGo(),)
BLOCKED, REMOVED = Stopped("pin_blocked"), Stopped("card_removed", card_in=False)

STAGES: dict[str, Stage] = {
    "reader_out": ReaderOut("reader_missing"),
    "ready": Ready(),
    "reading": Reading(),
    "choosing": Choosing(PERSON),
    "pin": EnteringPin(PERSON),
    "checking": CheckingPin(PERSON),
    "number_b": EnteringNumberB(PERSON),
    "looking": Looking(PERSON),
    "unsure": FaceUnsure(PERSON, may_try_again=True),
    "unsure_twice": FaceUnsure(PERSON, may_try_again=False),
    "staff": StaffCalled(PERSON),
    "consenting": Consenting(PERSON),
    "asking": Asking(PERSON, SOME),
    "offering": OfferingRegistration(PERSON, SOME),
    "text": EnteringTextSecret(PERSON, SOME, 2),
    "text_blocked": EnteringTextSecret(PERSON, SOME, 0),
    "registering": Registering(PERSON, SOME),
    "told": TOLD,
    "unverified": Unverified("centre_away"),
    "stopped": Stopped("card_unresponsive"),
    "stopped_out": REMOVED,
    "taking": TakingCard(),
    "farewell": Farewell(),
    "still": StillThere(Consenting(PERSON)),
}
EVENTS: dict[str, Event] = {
    "reader_lost": ReaderLost("reader_service_down"),
    "reader_found": ReaderFound(),
    "put": CardPut(),
    "taken": CardTaken(),
    "read": CardRead(PERSON),
    "read_no_face": CardRead(Person(2)),
    "read_blocked": CardRead(Person(0)),
    "failed": Failed("card_unresponsive"),
    "failed_removed": Failed("card_removed"),
    "failed_away": Failed("centre_away"),
    "failed_unknown": Failed("card_not_registered"),
    "pin_chosen": PinChosen(),
    "face_chosen": FaceChosen(),
    "staff_wanted": StaffWanted(),
    "pin_entered": PinEntered(PIN),
    "malformed": EntryMalformed(),
    "refused": SecretRefused(1),
    "refused_last": SecretRefused(0),
    "accepted": PinAccepted(),
    "number_entered": NumberBEntered(NUMBER),
    "hint": FaceHint(Hint.COME_CLOSER),
    "face_yes": FaceConfirmed(),
    "face_no": FaceNotConfirmed(may_try_again=False),
    "face_staff": FaceLeftToStaff(),
    "visual": VisuallyConfirmed(),
    "consents": ConsentsGiven(SOME),
    "answered": Answered(TOLD),
    "registration": RegistrationWanted(),
    "text_needed": TextSecretNeeded(2),
    "text_entered": TextPinEntered(PIN),
    "registered": Registered(),
    "retried": Retried(),
    "continued": Continued(),
    "cancelled": Cancelled(),
    "timed_out": TimedOut(),
}
ASK = (AskCentre(SOME, Method.PIN),)
READ = (ReadCard(),)
# stage → event → what follows
TABLE: dict[str, dict[str, tuple[Stage, tuple[Effect, ...]]]] = {
    "reader_out": {
        "reader_found": (Ready(), ()),
        "put": (Reading(), READ),
    },
    "ready": {"put": (Reading(), READ)},
    "reading": {
        "read": (Choosing(PERSON), ()),
        "read_no_face": (EnteringPin(Person(2)), ()),
        "read_blocked": (BLOCKED, GO),
    },
    "choosing": {
        "pin_chosen": (EnteringPin(PERSON), ()),
        "face_chosen": (EnteringNumberB(PERSON), ()),
        "staff_wanted": (StaffCalled(PERSON), ()),
    },
    "pin": {
        "pin_entered": (CheckingPin(PERSON), (CheckPin(PIN),)),
        "malformed": (EnteringPin(PERSON, EntryNotice.MALFORMED), ()),
        "face_chosen": (EnteringNumberB(PERSON), ()),
        "staff_wanted": (StaffCalled(PERSON), ()),
    },
    "checking": {
        "accepted": (Consenting(PERSON), ()),
        "refused": (EnteringPin(replace(PERSON, tries_left=1), EntryNotice.WRONG), ()),
        "refused_last": (BLOCKED, GO),
    },
    "number_b": {
        "number_entered": (Looking(PERSON), (LookAtFace(NUMBER),)),
        "malformed": (EnteringNumberB(PERSON, EntryNotice.MALFORMED), ()),
        "pin_chosen": (EnteringPin(PERSON), ()),
        "staff_wanted": (StaffCalled(PERSON), ()),
    },
    "looking": {
        "hint": (Looking(PERSON, Hint.COME_CLOSER), ()),
        "face_yes": (EnteringPin(replace(PERSON, method=Method.FACE)), ()),
        "face_no": (FaceUnsure(PERSON, may_try_again=False), ()),
        "face_staff": (StaffCalled(PERSON), ()),
        "refused": (EnteringNumberB(PERSON, EntryNotice.WRONG, 1), ()),
        "refused_last": (EnteringNumberB(PERSON, EntryNotice.WRONG, 0), ()),
        "pin_chosen": (EnteringPin(PERSON), (StopLooking(),)),
        "staff_wanted": (StaffCalled(PERSON), (StopLooking(),)),
        "timed_out": (FaceUnsure(PERSON, may_try_again=True), (StopLooking(),)),
    },
    "unsure": {
        "face_chosen": (Looking(PERSON), (LookAtFace(None),)),
        "pin_chosen": (EnteringPin(PERSON), ()),
        "staff_wanted": (StaffCalled(PERSON), ()),
    },
    "unsure_twice": {
        "pin_chosen": (EnteringPin(PERSON), ()),
        "staff_wanted": (StaffCalled(PERSON), ()),
    },
    "staff": {
        "visual": (EnteringPin(replace(PERSON, method=Method.VISUAL)), ()),
        "pin_chosen": (EnteringPin(PERSON), ()),
    },
    "consenting": {"consents": (Asking(PERSON, SOME), ASK)},
    "asking": {
        "answered": (TOLD, GO),
        "failed_unknown": (OfferingRegistration(PERSON, SOME), ()),
    },
    "offering": {"registration": (Registering(PERSON, SOME), (RegisterCard(None),))},
    "text": {
        "text_entered": (Registering(PERSON, SOME), (RegisterCard(PIN),)),
        "number_entered": (Registering(PERSON, SOME), (RegisterCard(NUMBER),)),
        "malformed": (EnteringTextSecret(PERSON, SOME, 2, EntryNotice.MALFORMED), ()),
    },
    "text_blocked": {
        "text_entered": (EnteringTextSecret(PERSON, SOME, 0, EntryNotice.MALFORMED), ()),
        "number_entered": (Registering(PERSON, SOME), (RegisterCard(NUMBER),)),
        "malformed": (EnteringTextSecret(PERSON, SOME, 0, EntryNotice.MALFORMED), ()),
    },
    "registering": {
        "text_needed": (EnteringTextSecret(PERSON, SOME, 2), ()),
        "refused": (EnteringTextSecret(PERSON, SOME, 1, EntryNotice.WRONG), ()),
        "refused_last": (EnteringTextSecret(PERSON, SOME, 0, EntryNotice.WRONG), ()),
        "registered": (Asking(PERSON, SOME), ASK),
    },
    "told": {"taken": (Farewell(), GO), "timed_out": (TakingCard(), GO)},
    "unverified": {
        "taken": (Ready(), (Journal("centre_away"), LetGo())),
        "retried": (Reading("centre_away"), (LetGo(), ReadCard())),
        "cancelled": (TakingCard(), (Journal("centre_away"), LetGo())),
        "timed_out": (TakingCard(), (Journal("centre_away"), LetGo())),
        "reader_lost": (ReaderOut("reader_service_down"), (Journal("centre_away"), LetGo())),
    },
    "stopped": {
        "taken": (Ready(), GO),
        "retried": (Reading(), (LetGo(), ReadCard())),
        "timed_out": (TakingCard(), GO),
    },
    "stopped_out": {"put": (Reading(), READ), "cancelled": (Ready(), ()), "timed_out": (Ready(), GO)},
    "taking": {"taken": (Ready(), GO)},
    "farewell": {"put": (Reading(), READ), "timed_out": (Ready(), ())},
    "still": {"continued": (Consenting(PERSON), ()), "timed_out": (TakingCard(), GO)},
}
# What holds for many stages.
BUSY = ("reading", "checking", "looking", "asking", "registering")
NOT_ENDED = (
    "reading", "choosing", "pin", "checking", "number_b", "looking", "unsure", "unsure_twice", "staff", "consenting",
    "asking", "offering", "text", "text_blocked", "registering", "still",
)  # fmt: skip
WAITING_FOR_SOMEBODY = (
    "choosing", "pin", "number_b", "unsure", "unsure_twice", "staff", "consenting", "offering", "text", "text_blocked",
)  # fmt: skip
CANCELLABLE = (*NOT_ENDED, "told", "stopped")


PROBLEMS_OF_A_CENTRE_IN_TROUBLE = ("busy", "overloaded", "internal", "caller_unknown")


def expected(stage: str, event: str) -> tuple[Stage, tuple[Effect, ...]]:
    if event in TABLE[stage]:
        return TABLE[stage][event]
    if event == "reader_lost":
        return ReaderOut("reader_service_down"), GO
    if event == "taken" and stage in NOT_ENDED:
        return REMOVED, GO
    if event == "cancelled" and stage in CANCELLABLE:
        return TakingCard(), GO
    if event == "timed_out" and stage in WAITING_FOR_SOMEBODY:
        return StillThere(STAGES[stage]), ()  # type: ignore[arg-type]
    if stage in BUSY:
        if event in ("failed", "failed_unknown"):
            failed = EVENTS[event]
            assert isinstance(failed, Failed)
            return Stopped(failed.code), GO
        if event == "failed_removed":
            return REMOVED, GO
        if event == "failed_away":
            return Unverified("centre_away"), GO
    return STAGES[stage], ()


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_meets_every_event(stage: str, event: str) -> None:
    assert step(STAGES[stage], EVENTS[event]) == expected(stage, event)


def test_the_table_holds_every_stage_and_every_event() -> None:
    assert {type(stage) for stage in STAGES.values()} == set(_kinds(visit.Stage))
    assert {type(event) for event in EVENTS.values()} == set(_kinds(visit.Event))
    assert TABLE.keys() == STAGES.keys()


def _kinds(union: Any) -> Iterator[type]:
    for kind in get_args(union):
        yield from _kinds(kind) if get_args(kind) else (kind,)


@pytest.mark.parametrize(("event", "method"), [(FaceConfirmed(), Method.FACE), (VisuallyConfirmed(), Method.VISUAL)])
def test_only_an_accredited_verifier_goes_on_without_a_pin(event: Event, method: Method) -> None:
    stage: Stage = Looking(PINLESS) if method is Method.FACE else StaffCalled(PINLESS)
    assert step(stage, event) == (Consenting(replace(PINLESS, method=method)), ())
    blocked = replace(PINLESS, may_sign_without_pin=False)
    assert step(replace(stage, person=blocked), event) == (BLOCKED, GO)


def test_who_turns_to_the_pin_is_no_longer_recorded_as_recognised() -> None:
    recognised = replace(PERSON, method=Method.FACE)
    after, _ = step(StaffCalled(recognised), PinChosen())
    assert after == EnteringPin(PERSON)


def test_a_face_is_not_offered_where_it_is_off() -> None:
    stage = EnteringPin(Person(3))
    assert step(stage, FaceChosen()) == (stage, ())


@pytest.mark.parametrize("code", PROBLEMS_OF_A_CENTRE_IN_TROUBLE)
def test_a_centre_in_trouble_of_its_own_is_a_line_that_is_down(code: str) -> None:
    for stage in (Reading(), Asking(PERSON, SOME), Registering(PERSON, SOME)):
        assert step(stage, Failed(code, Sentence(ja="混み合っています。", en="Busy."))) == (Unverified(code), GO)
    assert trouble(code).may_retry


STARTS = [name for name in STAGES if name not in ("reader_out", "ready", "told", "stopped_out", "taking", "farewell")]
ENDS = (Ready, ReaderOut, TakingCard)


def after_a_try_without_an_answer(stage: Stage) -> Stage:
    """The same stage, reached by "try again" after the line was found down."""
    if isinstance(stage, Reading | Stopped):
        return replace(stage, unanswered="centre_away")
    if isinstance(stage, StillThere):
        back = after_a_try_without_an_answer(stage.back)
        return StillThere(back)  # type: ignore[arg-type]
    if isinstance(stage, Unverified | TakingCard | Farewell):
        return stage
    assert not isinstance(stage, ReaderOut | Ready | Told)
    return replace(stage, person=replace(stage.person, unanswered="centre_away"))


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("stage", STARTS)
def test_after_a_try_without_an_answer_the_same_follows_and_every_end_but_an_answer_is_journalled(
    stage: str, event: str
) -> None:
    start = after_a_try_without_an_answer(STAGES[stage])
    plain, _ = step(STAGES[stage], EVENTS[event])
    after, effects = step(start, EVENTS[event])
    assert type(after) is type(plain)
    ended = isinstance(after, ENDS) or after == REMOVED
    assert effects.count(Journal("centre_away")) == ended
    assert (unanswered(after) is None) == (ended or isinstance(after, Told))


@pytest.mark.parametrize(
    "events",
    [
        ["retried", "failed", "taken"],
        ["retried", "failed", "timed_out", "taken"],
        ["retried", "failed", "cancelled", "taken"],
        ["retried", "failed", "retried", "failed_removed", "put"],
        ["retried", "read_no_face", "taken", "timed_out"],
        ["retried", "read_no_face", "cancelled", "taken"],
        ["retried", "read_no_face", "timed_out", "timed_out", "taken"],
        ["retried", "read_no_face", "pin_entered", "refused_last", "taken"],
        ["retried", "read_blocked", "taken"],
        ["retried", "failed_away", "retried", "failed_away", "taken"],
        ["retried", "read_no_face", "pin_entered", "accepted", "consents", "failed_unknown", "cancelled", "taken"],
        ["retried", "read_no_face", "pin_entered", "accepted", "consents", "failed", "reader_lost", "reader_found"],
    ],
)
def test_however_a_visit_ends_after_try_again_it_is_journalled_once(events: list[str]) -> None:
    stage: Stage = STAGES["unverified"]
    done: list[Effect] = []
    for event in events:
        stage, effects = step(stage, EVENTS[event])
        done += effects
    assert [effect for effect in done if isinstance(effect, Journal)] == [Journal("centre_away")]


@pytest.mark.parametrize("last", ["answered", "certificate_revoked", "issuer_unknown"])
def test_what_the_centre_answered_or_refused_in_the_end_is_not_journalled(last: str) -> None:
    stage: Stage = STAGES["unverified"]
    said = Sentence(ja="失効しています。", en="Revoked.")
    done: list[Effect] = []
    for name in ("retried", "read_no_face", "pin_entered", "accepted", "consents", last, "taken", "timed_out"):
        stage, effects = step(stage, EVENTS.get(name, Failed(name, said)))
        done += effects
    assert stage == Ready()
    assert not any(isinstance(effect, Journal) for effect in done)


def test_every_end_lets_go_of_the_card() -> None:
    for stage in STAGES.values():
        for event in EVENTS.values():
            after, effects = step(stage, event)
            if isinstance(after, Told | Stopped | Unverified | TakingCard | ReaderOut) and after != stage:
                assert LetGo() in effects, (stage, event)


def test_every_stage_that_waits_for_somebody_ends_at_the_start() -> None:
    for stage in STAGES.values():
        seen: list[Stage] = []
        while patience_s(stage) is not None:
            assert stage not in seen
            seen.append(stage)
            stage, _ = step(stage, TimedOut())
        assert isinstance(stage, Ready | TakingCard | Reading | CheckingPin | Asking | Registering | ReaderOut)


def test_no_secret_shows_in_an_event_or_effect() -> None:
    shown = repr([PinEntered(PIN), NumberBEntered(NUMBER), TextPinEntered(PIN), CheckPin(PIN), LookAtFace(NUMBER)])
    assert "2741" not in shown
    assert "60041220348123" not in shown
