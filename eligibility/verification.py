"""The main job: one verification at one counter, from a card's proof or an insured number to a durable answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.consent.grants import Grants, WhyNot, decide_grants
from eligibility.disclosure import show_coverage
from eligibility.domain.codes import ConsentClass, Method, Outcome
from eligibility.domain.coverage import (
    Coverage,
    Standing,
    standing_of_number,
    standing_of_person,
)
from eligibility.domain.dates import day_in_japan
from eligibility.domain.errors import Refused
from eligibility.domain.identifiers import InsuredNumber, PersonId
from eligibility.domain.ids import uuid7
from eligibility.given_again import Shown
from eligibility.identity.card_authentication import AuthenticatedCard, CardRefused, authenticate_card
from eligibility.identity.certificate import Validity
from eligibility.identity.challenge import CLOCK_DIFFERENCE, ChallengeKeys
from eligibility.identity.revocation import RevocationDirectory
from eligibility.identity.trust import TrustStore
from eligibility.identity.verified import VerifiedCertificates
from eligibility.receipt import ReceiptSigner
from eligibility.serving.callers import Staff, Terminal
from eligibility.storage.gathering import Gatherer
from eligibility.storage.kept_answers import AnsweredBefore, AnswerKey, KeptAnswer
from eligibility.storage.lookups import CardAsked, Holder, NumberAsked, NumberMatches
from eligibility.storage.recorder import ConsentRecord, Entry, Recorder, VerificationRecord
from eligibility.wire.verifications import (
    CardProof,
    ConsentAnswer,
    Notice,
    NumberVerificationRequest,
    Verification,
    VerificationRequest,
    Withheld,
)

CARD_METHODS = frozenset({Method.PIN, Method.FACE, Method.VISUAL})


class ChallengeReplayed(Refused):
    """The challenge has been used before; each is good for one signature."""

    code = "challenge_replayed"


class CardNotRegistered(Refused):
    """The card has not been used for health insurance yet; its first use registers it."""

    code = "card_not_registered"


class MethodNotByCard(Refused):
    """A card verification is by PIN, face or the staff's visual check."""

    code = "method_not_by_card"


class StaffNeeded(Refused):
    """This needs a session of a member of staff that is in force on this terminal."""

    code = "staff_session_needed"


class KnownInFuture(Refused):
    """What will be known at a later time cannot be asked."""

    code = "known_in_future"


@dataclass(frozen=True, slots=True)
class Centre:
    """What a verification works with; every part is passed in, none is global."""

    pool: Any
    cards: Gatherer[CardAsked, Holder | None]
    numbers: Gatherer[NumberAsked, NumberMatches]
    recorder: Recorder
    trust: TrustStore
    revocation: RevocationDirectory
    challenges: ChallengeKeys
    verified: VerifiedCertificates
    receipts: ReceiptSigner


async def verify_card(
    centre: Centre, terminal: Terminal, request: VerificationRequest, now: datetime, staff: Staff | None = None
) -> Verification:
    """Answer whether the holder of a card is insured on a day.

    (1)–(7) the card proves itself: see `authenticate_card`; (8) the card names a person; (9) the person's coverages
    become an outcome on the day; (10) the record and its audit event are durable, and the challenge is used up, before
    the answer leaves. A refusal leaves its own event and uses up the challenge, too. A visual check names the member of
    staff who made it; without one there is none.

    Raises:
        CardRefused: one of the steps (1) to (7) failed.
        CardNotRegistered: the card names nobody yet.
        ChallengeReplayed: the challenge was used before.
        StaffNeeded: the method is the visual check, and nobody of staff is signed in.
        MethodNotByCard, KnownInFuture: the request asks for what no card verification gives.
        RecorderAway: the record could not be made durable.
    """
    if request.method not in CARD_METHODS:
        raise MethodNotByCard
    if request.method is Method.VISUAL and staff is None:
        raise StaffNeeded
    asked_for, known_at = _times(request.asked_for, request.known_at, now)

    # (1)–(7) certificate, issuer, profile, validity, revocation, challenge, signature
    card = await prove_card(centre, terminal, request.proof, now)

    # (8) card → person
    asked = CardAsked(card.card_key, known_at, terminal.institution, as_now=known_at == now)
    holder = await centre.cards.find(asked)
    if holder is None:
        await record_refusal(centre, terminal, CardNotRegistered.code, card, now)
        raise _audited(CardNotRegistered())

    # (9) coverage in force on the day → outcome
    standing = standing_of_person(holder.coverages, asked_for)
    standing = await _with_later_suspensions(centre, terminal, standing, asked_for, known_at, now)
    covered_now = known_at == now and standing_of_person(holder.coverages, day_in_japan(now)).outcome is Outcome.VALID
    grants = decide_grants(
        request.consents,
        outcome=standing.outcome,
        by_card=True,
        covered_now=covered_now,
        certificate_in_grace=card.validity is Validity.GRACE,
        now=now,
    )
    record = VerificationRecord(
        uuid7(now), terminal.terminal_id, request.method, asked_for, known_at, standing.outcome, holder.person_id,
        _coverage_id(standing), card.card_key, card.validity is Validity.GRACE,
    )  # fmt: skip

    # (10) durable and single use
    consents = tuple(ConsentRecord(uuid7(now), wanted, grants.expires_at) for wanted in sorted(grants.granted))
    event = _event(EventKind.VERIFICATION, terminal, record, now, _evidence(request, staff))
    if not await centre.recorder.record(Entry(event, card.nonce, card.challenge_expires_at, record, consents)):
        raise _audited(ChallengeReplayed())
    return _answer(centre, terminal, record, standing, grants, _notices(card), holder.reference_number, now)


async def verify_number(
    centre: Centre, terminal: Terminal, request: NumberVerificationRequest, now: datetime, keep: AnswerKey | None = None
) -> Verification:
    """Answer whether an insured number is in force on a day, for one who also knows the birth date.

    With a key to keep it under, the answer is made durable together with its record.

    Raises:
        MalformedValue: a part of the number is malformed, or is a My Number.
        KnownInFuture: `known_at` lies ahead.
        AnsweredBefore: an answer is kept under the key already.
        RecorderAway: the record could not be made durable.
    """
    insured = InsuredNumber.parse(request.insurer_number, request.symbol, request.number, request.branch_number)
    asked_for, known_at = _times(request.asked_for, request.known_at, now)
    asked = NumberAsked(insured, request.birth_date, known_at, terminal.institution, as_now=known_at == now)
    matches = await centre.numbers.find(asked)
    standing = standing_of_number(matches.asked, matches.others, asked_for, crowded=matches.crowded)
    standing = await _with_later_suspensions(centre, terminal, standing, asked_for, known_at, now)
    if standing.data_as_of is None:  # nobody was found, or several: still an answer from what this insurer has sent
        standing = replace(standing, data_as_of=matches.data_as_of)
    grants = decide_grants(
        (), outcome=standing.outcome, by_card=False, covered_now=False, certificate_in_grace=False, now=now
    )
    person = only_person(standing, matches.asked)
    record = VerificationRecord(
        uuid7(now), terminal.terminal_id, Method.NUMBER, asked_for, known_at, standing.outcome,
        person, _coverage_id(standing), None,
    )  # fmt: skip
    reference_number = matches.reference_numbers.get(person) if person is not None else None
    answer = _answer(centre, terminal, record, standing, grants, (), reference_number, now)
    event = _event(EventKind.NUMBER_VERIFICATION, terminal, record, now)
    kept = (keep, answer.model_dump_json()) if keep else None
    if not await centre.recorder.record(Entry(event, verification=record, kept=kept)):
        raise AnsweredBefore
    return answer


async def repeat_number(centre: Centre, terminal: Terminal, kept: KeptAnswer, now: datetime) -> str:
    """Return a kept answer of `verify_number` as it travels; of a coverage that is suspended by now, that it is.

    It stays the answer of the one verification, and is on record as given again before it leaves.

    Raises:
        RecorderAway: the event could not be made durable.
    """
    given = Verification.model_validate_json(kept.answer)
    suspended = False
    if given.coverage is not None and kept.coverage_id is not None:
        shown = Shown.by_answer(kept.coverage_id, given.coverage, given.asked_for, given.known_at)
        suspended = await _suspended_now(centre, terminal, shown)
    outcome = Outcome.SUSPENDED if suspended else given.outcome
    record = VerificationRecord(
        given.verification_id, terminal.terminal_id, given.method, given.asked_for, given.known_at, outcome,
        kept.person_id, kept.coverage_id, None,
    )  # fmt: skip
    event = _event(EventKind.NUMBER_VERIFICATION, terminal, record, now, {"outcome": outcome.value})
    await centre.recorder.record(Entry(replace(event, code="repeated")))
    if not suspended:
        return kept.answer
    grants = decide_grants((), outcome=outcome, by_card=False, covered_now=False, certificate_in_grace=False, now=now)
    standing = Standing(outcome, data_as_of=given.data_as_of)
    return _answer(centre, terminal, record, standing, grants, (), given.reference_number, now).model_dump_json()


async def prove_card(centre: Centre, terminal: Terminal, proof: CardProof, now: datetime) -> AuthenticatedCard:
    """Authenticate the card; a refusal is recorded, and uses up the challenge if that was authentic.

    Raises:
        CardRefused: a step failed; its event is written.
    """
    try:
        return authenticate_card(
            proof,
            terminal_id=terminal.terminal_id,
            trust=centre.trust,
            revocation=centre.revocation.current,
            challenges=centre.challenges,
            verified=centre.verified,
            now=now,
        )
    except CardRefused as refused:
        event = _refusal_event(terminal, refused.code, now)
        fresh = await centre.recorder.record(Entry(event, refused.nonce, refused.challenge_expires_at))
        if not fresh:
            raise _audited(ChallengeReplayed()) from refused
        raise _audited(refused) from None


async def record_refusal(centre: Centre, terminal: Terminal, code: str, card: AuthenticatedCard, now: datetime) -> None:
    """Leave the event of a refusal after the card has proved itself, and use up its challenge.

    Raises:
        ChallengeReplayed: the challenge was used before.
    """
    entry = Entry(_refusal_event(terminal, code, now), card.nonce, card.challenge_expires_at)
    if not await centre.recorder.record(entry):
        raise _audited(ChallengeReplayed())


def _times(asked_for: date | None, known_at: datetime | None, now: datetime) -> tuple[date, datetime]:
    if known_at is not None and known_at > now + CLOCK_DIFFERENCE:
        raise KnownInFuture
    return asked_for or day_in_japan(now), min(known_at or now, now)


async def _with_later_suspensions(
    centre: Centre, terminal: Terminal, standing: Standing, asked_for: date, known_at: datetime, now: datetime
) -> Standing:
    """Suspend an answer of what was known earlier if whoever the coverage has belonged to since is suspended now."""
    if standing.coverage is None or known_at == now:
        return standing
    if await _suspended_now(centre, terminal, Shown.by_coverage(standing.coverage, asked_for, known_at)):
        return Standing(Outcome.SUSPENDED, data_as_of=standing.data_as_of)
    return standing


async def _suspended_now(centre: Centre, terminal: Terminal, shown: Shown) -> bool:
    return shown.is_suspended(await centre.numbers.find(shown.question(terminal.institution)))


def _coverage_id(standing: Standing) -> int | None:
    return standing.coverage.coverage_id if standing.coverage else None


def only_person(standing: Standing, asked: Sequence[Coverage]) -> PersonId | None:
    """Return whom an answer by number is about, unless it is nobody or several."""
    if standing.coverage:
        return standing.coverage.person_id
    persons = {c.person_id for c in asked}
    return persons.pop() if len(persons) == 1 else None


def _evidence(request: VerificationRequest, staff: Staff | None) -> dict[str, object]:
    if request.face is not None:
        return {"face": request.face.model_dump(mode="json")}
    return {"staff": str(staff.staff_id), "role": staff.role.value} if staff is not None else {}


def _event(
    kind: EventKind,
    terminal: Terminal,
    record: VerificationRecord,
    now: datetime,
    evidence: Mapping[str, object] = MappingProxyType({}),
) -> AuditEvent:
    return AuditEvent(
        uuid7(now), now, kind, record.outcome.value, ActorKind.TERMINAL, str(terminal.terminal_id),
        institution_code=terminal.institution.code, person_id=record.person_id,
        verification_id=record.verification_id, detail={"method": record.method.value} | dict(evidence),
    )  # fmt: skip


def _refusal_event(terminal: Terminal, code: str, now: datetime) -> AuditEvent:
    return AuditEvent(
        uuid7(now), now, EventKind.REQUEST_REFUSED, code, ActorKind.TERMINAL, str(terminal.terminal_id),
        institution_code=terminal.institution.code,
    )  # fmt: skip


def _audited(refused: Refused) -> Refused:
    refused.audited = True
    return refused


def _answer(
    centre: Centre,
    terminal: Terminal,
    record: VerificationRecord,
    standing: Standing,
    grants: Grants,
    notices: tuple[Notice, ...],
    reference_number: str | None,
    now: datetime,
) -> Verification:
    coverage = standing.coverage
    shown = coverage and show_coverage(coverage, grants, record.asked_for)
    receipt = centre.receipts.sign(
        {
            "iat": int(now.timestamp()),
            "jti": str(record.verification_id),
            "institution": terminal.institution.code,
            "method": record.method.value,
            "outcome": standing.outcome.value,
            "asked_for": record.asked_for.isoformat(),
            "insured": coverage.insured.jp_core() if coverage else None,
            "copayment_percent": shown.copayment_percent if shown else None,
        }
    )
    return Verification(
        verification_id=record.verification_id,
        verified_at=now,
        method=record.method,
        outcome=standing.outcome,
        asked_for=record.asked_for,
        known_at=record.known_at,
        data_as_of=standing.data_as_of,
        coverage=shown,
        conflicting_insurers=tuple(c.insurer_name for c in standing.conflicts),
        consents=tuple(ConsentAnswer(consent_class=c, expires_at=grants.expires_at) for c in sorted(grants.granted)),
        withheld=tuple(_withheld(c, why) for c, why in grants.withheld.items()),
        notices=notices,
        receipt=receipt,
        reference_number=reference_number,
    )


@cache
def _withheld(consent_class: ConsentClass, why: WhyNot) -> Withheld:
    return Withheld(consent_class=consent_class, reason=why.value)


_NOTICES = {
    Validity.EXPIRING_SOON: Notice(
        code="certificate_expiring",
        ja="マイナンバーカードの電子証明書の有効期限が3か月以内に切れます。市区町村の窓口で更新してください。",
        en="The card's certificate expires within three months. It can be renewed at the municipal office.",
    ),
    Validity.GRACE: Notice(
        code="certificate_in_grace",
        ja="電子証明書の有効期限が切れています。資格は確認できますが、薬剤情報などは閲覧できません。早めに更新してください。",
        en="The card's certificate has expired. Eligibility is confirmed, medical data are not shown. Please renew it.",
    ),
}


def _notices(card: AuthenticatedCard) -> tuple[Notice, ...]:
    return (_NOTICES[card.validity],) if card.validity in _NOTICES else ()
